#include "run/client_link.h"

#include "os/file.h"
#include "os/socket.h"
#include "outcome/classify.h"

namespace sbx {
namespace {

// What was changed in a project and is not kept there, and what can be done about it.
std::string changes_text(const RunResult& result) {
  if (!result.changes) return "";
  const ChangeList& changes = *result.changes;
  const std::uint64_t all = changes.added + changes.changed + changes.deleted;
  std::string text = describe_changes(changes);
  if (result.transaction.empty()) return all == 0 ? "it changed nothing\n" : text;
  text += "transaction " + result.transaction + " holds " + std::to_string(all) +
          (all == 1 ? " change" : " changes") + "; keep or drop them: sbxctl tx commit|discard --project " +
          result.project_id + " " + result.transaction + "\n";
  return text;
}

}  // namespace

Result<ReceivedRequest> ClientLink::receive_request() const {
  auto message = TRY(os::receive_message(socket_, sizeof(ClientHeader)));
  if (!message) return fail("sbxrun closed the connection");
  const auto header = TRY(os::read_struct<ClientHeader>(*message, "request"));
  if (header.version != kClientProtocolVersion || header.type != ClientMessageType::request) {
    return fail("sbxrun speaks another protocol version; install both from one build");
  }
  if (message->descriptors.empty()) return fail("request: the payload is missing");
  const std::string bytes =
      TRY(os::read_sealed_memfd(message->descriptors.front().get(), "request", kMaxRequestBytes));
  ReceivedRequest received;
  received.request = TRY(decode_run_request(bytes));
  message->descriptors.erase(message->descriptors.begin());
  received.streams = std::move(message->descriptors);
  return received;
}

Result<void> ClientLink::answer(ClientMessageType type, int exit_status, std::string_view bytes) const {
  const UniqueFd memory = TRY(os::sealed_memfd("sbx-answer", bytes));
  ClientHeader header;
  header.type = type;
  header.value = exit_status;
  const int fd = memory.get();
  return os::send_struct(socket_, header, std::span(&fd, 1));
}

Result<void> ClientLink::answer_text(std::string_view text) const {
  return answer(ClientMessageType::text, 0, text);
}

Result<void> ClientLink::answer_error(int exit_status, const Error& error) const {
  FinishedRun finished;
  finished.message = error.text;
  return answer(ClientMessageType::finished, exit_status, encode_finished_run(finished));
}

Result<void> ClientLink::answer_finished(const RunRequest& request, RunReport report,
                                         const std::vector<std::string>& notices,
                                         const std::string& sweep) const {
  const RunResult& result = report.result;
  FinishedRun finished;
  const bool hinted = result.outcome == Outcome::exited && !request.hint.empty() &&
                      result.message.find(request.hint) != std::string::npos;
  const bool tested = request.language && request.language->action == LanguageAction::test;
  if (result.outcome != Outcome::exited || hinted || tested) finished.message = result.message;
  // Of a limit that a program felt and then failed, too.
  finished.hint = hint_beside_message(result);
  if (!finished.hint.empty()) finished.message = result.message;
  finished.notice = report.notice;
  for (const std::string& notice : notices) finished.notice += (finished.notice.empty() ? "" : "; ") + notice;
  finished.sweep = sweep;
  finished.json = std::move(report.json);
  finished.changes = changes_text(result);
  return answer(ClientMessageType::finished, sbxrun_exit_status(result), encode_finished_run(finished));
}

Result<void> ClientLink::show_compiler_output(std::string_view text) const {
  if (text.empty()) return {};
  return answer(ClientMessageType::compiler_output, 0, text);
}

}  // namespace sbx
