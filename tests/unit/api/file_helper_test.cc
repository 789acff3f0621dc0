// The API's end of sbx-files; this test is the keeper, and what runs in the sandbox.
#include "api/file_helper.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "os/file.h"
#include "os/socket.h"
#include "wire/client_protocol.h"
#include "wire/keeper_protocol.h"

namespace sbx::api {
namespace {

using namespace std::chrono_literals;

std::string answer_frame(const FileAnswer& answer = {}) { return file_frame(encode_file_answer(answer)); }

struct Helped {
  explicit Helped(FileOperation operation) {
    auto made = http::Loop::create();
    auto pair = os::seqpacket_pair();
    REQUIRE((made && pair));
    loop = std::move(*made);
    FileRequest request;
    request.operation = operation;
    request.path = "x";
    auto started = FileHelper::start(*loop, {pair->first.get(), {0, -1}, request}, request,
                                     {.answered = [this](const FileAnswer&) { answered(); },
                                      .content = [this](const std::string& bytes) { content += bytes; },
                                      .ended =
                                          [this](FilesEnd how, const std::string& text) {
                                            ++ends;
                                            end = how;
                                            why = text;
                                          },
                                      .frozen = {}});
    REQUIRE(started);
    helper = std::move(*started);
    auto asked = os::receive_message(pair->second.get(), sizeof(KeeperMessage));
    REQUIRE((asked && *asked));
    REQUIRE((*asked)->descriptors.size() == 5);
    keeper = std::move((*asked)->descriptors[0]);
    input = std::move((*asked)->descriptors[1]);
    output = std::move((*asked)->descriptors[2]);
  }
  Helped(const Helped&) = delete;
  Helped& operator=(const Helped&) = delete;
  ~Helped() { helper->cancel(); }

  void turn() const {
    for (int i = 0; i < 20; ++i) loop->turn(0ms);
  }
  void say(std::string_view bytes) const {
    REQUIRE(os::write_all(output.get(), bytes, "output"));
    turn();
  }
  void tell(FilesEnd how, const std::string& text) const {
    FinishedRun finished;
    finished.message = text;
    const auto memory = os::sealed_memfd("end", encode_finished_run(finished));
    REQUIRE(memory);
    ClientHeader header;
    header.type = ClientMessageType::finished;
    header.value = static_cast<std::int32_t>(how);
    const int fd = memory->get();
    REQUIRE(os::send_struct(keeper.get(), header, std::span(&fd, 1)));
    turn();
  }
  // What has arrived of the standard input.
  [[nodiscard]] std::string take(std::size_t most = 1U << 20U) const {
    std::string bytes(most, '\0');
    const ssize_t count = read(input.get(), bytes.data(), bytes.size());
    REQUIRE(count >= 0);
    bytes.resize(static_cast<std::size_t>(count));
    turn();
    return bytes;
  }

  std::unique_ptr<http::Loop> loop;
  std::shared_ptr<FileHelper> helper;
  UniqueFd keeper;
  UniqueFd input;
  UniqueFd output;
  int answers = 0;
  std::function<void()> answered = [this] { ++answers; };
  std::string content;
  int ends = 0;
  FilesEnd end = FilesEnd::done;
  std::string why;
};

}  // namespace

TEST_CASE("a helper's answer may come in any pieces, with what follows it, before its end") {
  Helped helped(FileOperation::read);
  std::string request = helped.take();
  REQUIRE(request.size() > 4);
  CHECK(decode_file_request(request.substr(4)));
  CHECK(helped.take().empty());  // the end of it
  const std::string all = answer_frame() + "content";
  for (const char byte : all) {
    CHECK(helped.answers == (helped.content.empty() ? helped.answers : 1));
    helped.say({&byte, 1});
  }
  CHECK(helped.answers == 1);
  CHECK(helped.content == "content");
  // Either of both ends alone is none.
  helped.tell(FilesEnd::done, "");
  CHECK(helped.ends == 0);
  helped.say(" and more");
  helped.output.reset();
  helped.turn();
  CHECK(helped.ends == 1);
  CHECK(helped.end == FilesEnd::done);
  CHECK(helped.content == "content and more");
}

TEST_CASE("a helper that ends without an answer says why, and one that says nonsense is ended") {
  {
    Helped helped(FileOperation::stat);
    helped.say(answer_frame().substr(0, 10));
    helped.output.reset();
    helped.turn();
    CHECK(helped.ends == 0);
    helped.tell(FilesEnd::out_of_memory, "no room");
    CHECK(helped.ends == 1);
    CHECK(helped.end == FilesEnd::out_of_memory);
    CHECK(helped.why == "no room");
    CHECK(helped.answers == 0);
  }
  FileAnswer lie;
  lie.entries.resize(1);  // of no name
  for (const std::string& nonsense :
       {file_frame("nonsense"), std::string("\xff\xff\xff\xff"), std::string(8, '\0'), answer_frame(lie)}) {
    Helped helped(FileOperation::stat);
    helped.say(nonsense);
    CHECK(helped.answers == 0);
    CHECK(helped.ends == 1);
    CHECK(helped.end == FilesEnd::failed);
    // Its keeper sees that nobody wants it any more.
    const auto gone = os::receive_message(helped.keeper.get(), 100);
    REQUIRE(gone);
    CHECK_FALSE(gone->has_value());
  }
  Helped helped(FileOperation::stat);
  helped.keeper.reset();
  helped.turn();
  CHECK(helped.ends == 1);
  CHECK(helped.end == FilesEnd::sandbox_ended);
}

TEST_CASE("what is sent to a helper waits until it is taken, and its end is said") {
  Helped helped(FileOperation::write);
  std::string got = helped.take();
  const std::size_t request = got.size();
  int room = 0;
  const std::string piece(300'000, 'a');
  helped.helper->send(piece, [&] { ++room; });
  helped.turn();
  CHECK(room == 0);
  while (room == 0) got += helped.take();
  helped.helper->send("b", [&] { ++room; });
  CHECK(room == 2);
  helped.helper->send_end();
  for (std::string more = helped.take(); !more.empty(); more = helped.take()) got += more;
  std::string content;
  std::string_view rest = std::string_view(got).substr(request);
  while (rest.size() > 4) {
    std::uint32_t size = 0;
    __builtin_memcpy(&size, rest.data(), sizeof size);
    REQUIRE(size > 0);
    REQUIRE(size <= kMostFilePiece);
    REQUIRE(rest.size() >= 4 + size);
    content += rest.substr(4, size);
    rest.remove_prefix(4 + size);
  }
  CHECK(rest == std::string_view("\0\0\0\0", 4));
  CHECK((content == piece + "b"));
}

TEST_CASE("a helper that is cancelled gets no end of its content, and nothing is told any more") {
  Helped helped(FileOperation::write);
  (void)helped.take();
  helped.helper->send("half", [] {});
  helped.helper->cancel();
  helped.turn();
  CHECK(helped.take() == file_frame("half"));
  CHECK(helped.take().empty());
  const auto gone = os::receive_message(helped.keeper.get(), 100);
  REQUIRE(gone);
  CHECK_FALSE(gone->has_value());
  CHECK(helped.ends == 0);
  // One that reads no more is not asked to, and says why.
  const auto before = signal(SIGPIPE, SIG_IGN);  // as sbx-api does
  Helped deaf(FileOperation::write);
  deaf.input.reset();
  int room = 0;
  deaf.helper->send("more", [&] { ++room; });
  deaf.turn();
  (void)signal(SIGPIPE, before);
  CHECK(room == 0);
  CHECK(deaf.ends == 0);
  deaf.say(answer_frame());
  CHECK(deaf.answers == 1);
}

TEST_CASE("who has an answer may end the helper at once, or hold what follows") {
  Helped helped(FileOperation::read);
  helped.answered = [&] { helped.helper->cancel(); };
  helped.say(answer_frame() + "content");
  CHECK(helped.content.empty());
  CHECK(helped.ends == 0);
  Helped held(FileOperation::read);
  held.say(answer_frame());
  held.helper->hold();
  held.say("content");
  CHECK(held.content.empty());
  held.helper->go_on();
  held.turn();
  CHECK(held.content == "content");
}

}  // namespace sbx::api
