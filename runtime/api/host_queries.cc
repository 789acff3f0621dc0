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
  if (!received) return fail(received.error());
  if (!*received) return fail("the process that looks at the host ended without an answer");
  const auto header = TRY(os::read_struct<ClientHeader>(**received, "answer"));
  const auto& descriptors = (*received)->descriptors;
  if (descriptors.size() != 1) return fail("an answer of another build");
  std::string bytes = TRY(os::read_sealed_memfd(descriptors.front().get(), "answer", kMostAnswer));
  if (header.type == ClientMessageType::text) return bytes;
  return fail(TRY(decode_finished_run(bytes)).message);
}

}  // namespace

void HostQueries::ask(HostQuery query, std::string policy, Then then) {
  Question question{query, std::move(policy), std::move(then)};
  if (asked_.size() < kMostAtOnce) return begin(std::move(question));
  if (waiting_.size() >= kMostWaiting)
    return question.then(fail("too many ask about the host: ask again in a moment"));
  waiting_.push_back(std::move(question));
}

void HostQueries::begin(Question question) {
  RunRequest request;
  request.policy = question.policy;
  Result<UniqueFd> client = keepers_.query(question.query, request);
  if (!client) return question.then(fail(client.error()));
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
