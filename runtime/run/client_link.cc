#include "run/client_link.h"

#include "os/file.h"
#include "os/socket.h"

namespace sbx {

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
  finished.notice = report.notice;
  for (const std::string& notice : notices) finished.notice += (finished.notice.empty() ? "" : "; ") + notice;
  finished.sweep = sweep;
  finished.json = std::move(report.json);
  return answer(ClientMessageType::finished, sbxrun_exit_status(result), encode_finished_run(finished));
}

Result<void> ClientLink::show_compiler_output(std::string_view text) const {
  if (text.empty()) return {};
  return answer(ClientMessageType::compiler_output, 0, text);
}

}  // namespace sbx
