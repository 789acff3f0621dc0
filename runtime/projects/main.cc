// sbx-projects: answers one question about projects as root, for the API, which cannot see them. A nursery of
// sbxd's starts it for each (wire/project_protocol.h).
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>

#include "os/file.h"
#include "os/socket.h"
#include "projects/answer.h"
#include "run/client_link.h"

namespace sbx {
namespace {

Result<ProjectQuestion> receive_question() {
  auto message = TRY(os::receive_message(kProjectSocketFd, sizeof(ClientHeader)));
  if (!message) return fail("nobody asks");
  const auto header = TRY(os::read_struct<ClientHeader>(*message, "question"));
  if (header.version != kClientProtocolVersion || header.type != ClientMessageType::text ||
      message->descriptors.size() != 1)
    return fail("question about projects: of another build");
  const std::string bytes =
      TRY(os::read_sealed_memfd(message->descriptors.front().get(), "question", kMostProjectQuestion));
  return decode_project_question(bytes);
}

Result<std::string> answer(const RunRequest& places, const std::string& token) {
  const Settings settings = TRY(make_settings(places));
  const ProjectQuestion question = TRY(receive_question());
  if (token == kNobodysQuestion) return answer_own_question(settings, question);
  const PeerIdentity peer = TRY(identify_peer(kProjectPeerFd, std::strtoll(token.c_str(), nullptr, 10)));
  return answer_question(settings, question, peer);
}

}  // namespace
}  // namespace sbx

// With its places, CONFIG STATE RUN LOG, each empty for the default, and which token asks; -1: none does;
// "nobody": it is the API's own question.
int main(int count, char** arguments) {
  using namespace sbx;
  for (const int fd : {kProjectSocketFd, kProjectPeerFd, kProjectContentIn, kProjectContentOut})
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  (void)prctl(PR_SET_DUMPABLE, 0);
  (void)umask(077);
  for (const int number : {SIGPIPE, SIGXFSZ}) (void)signal(number, SIG_IGN);
  if (count != 6) return 2;
  RunRequest places;
  places.config = arguments[1];
  places.state_dir = arguments[2];
  places.run_dir = arguments[3];
  places.log = arguments[4];
  const ClientLink link(kProjectSocketFd);
  const Result<std::string> text = answer(places, arguments[5]);
  const Result<void> told =
      text ? link.answer_text(*text) : link.answer_error(text.error().error_number, text.error());
  return told ? 0 : 1;  // else nobody is there any more
}
