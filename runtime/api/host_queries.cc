#include "api/host_queries.h"

#include <cerrno>

#include "os/file.h"
#include "os/socket.h"
#include "wire/client_protocol.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostAtOnce = 4;
constexpr std::size_t kMostWaiting = 64;
constexpr std::size_t kMostAnswer = 16U << 20U;

Result<std::string> read_answer(const Result<std::optional<os::Message>>& received) {
  if (!received) return fail(Error{received.error().text, EAGAIN});
  if (!*received) return fail(Error{"the process that looks at the host ended without an answer", EAGAIN});
  return read_words(**received);
}

}  // namespace

Result<std::string> read_words(const os::Message& message) {
  const auto header = TRY(os::read_struct<ClientHeader>(message, "answer"));
  if (message.descriptors.size() != 1) return fail("an answer of another build");
  std::string bytes = TRY(os::read_sealed_memfd(message.descriptors.front().get(), "answer", kMostAnswer));
  if (header.type == ClientMessageType::text) return bytes;
  return fail(Error{TRY(decode_finished_run(bytes)).message, header.value});
}

void HostQueries::ask(HostQuery query, const std::string& policy, Then then) {
  RunRequest request;
  request.policy = policy;
  ask({[this, query, request] { return keepers_.query(query, request); }, std::move(then)});
}

void HostQueries::ask(ProjectQuestion question, std::shared_ptr<const Asker> asker, Then then) {
  const auto start = [this, asked = std::move(question), asker = std::move(asker)] {
    return keepers_.ask_about_projects(asked, asker ? asker->peer() : Peer());
  };
  ask({start, std::move(then)});
}

void HostQueries::ask(Question question) {
  if (asked_.size() < kMostAtOnce) return begin(std::move(question));
  if (waiting_.size() >= kMostWaiting)
    return question.then(fail(Error{"too many ask this at once: ask again in a moment", EAGAIN}));
  waiting_.push_back(std::move(question));
}

void HostQueries::begin(Question question) {
  Result<UniqueFd> client = question.start();
  if (!client) return question.then(fail(Error{client.error().text, EAGAIN}));
  const auto asked = asked_.insert(asked_.end(), {std::move(*client), std::move(question.then), {}});
  auto watch = loop_.watch(asked->client.get(), [this, asked] {
    const auto received = os::receive_message(asked->client.get(), sizeof(ClientHeader));
    if (!received && received.error().error_number == EAGAIN) return;
    const Asked ended = std::move(*asked);
    asked_.erase(asked);
    begin_next();
    ended.then(read_answer(received));
  });
  if (watch) {
    asked->watch = std::move(*watch);
    return;
  }
  const Then then = std::move(asked->then);
  asked_.erase(asked);
  then(fail(watch.error()));
}

void HostQueries::begin_next() {
  if (waiting_.empty()) return;
  Question next = std::move(waiting_.front());
  waiting_.pop_front();
  begin(std::move(next));
}

}  // namespace sbx::api
