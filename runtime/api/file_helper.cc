#include "api/file_helper.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "api/host_queries.h"
#include "os/file.h"
#include "os/socket.h"
#include "wire/client_protocol.h"

namespace sbx::api {
namespace {

// It has something to do, and nothing comes of it: somebody inside stopped it.
constexpr std::chrono::seconds kMostSilence{60};

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "for files", errno));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

Result<std::shared_ptr<FileHelper>> FileHelper::start(http::Loop& loop, const Sandbox& sandbox,
                                                      const FileRequest& request, Events events) {
  const Give give = [&](int input, int output) {
    return start_files(sandbox.control, input, output, sandbox.recorded, sandbox.peer);
  };
  return start(loop, give, &request, request.operation == FileOperation::write, std::move(events));
}

Result<std::shared_ptr<FileHelper>> FileHelper::start(http::Loop& loop, const Give& give, bool takes_content,
                                                      Events events) {
  return start(loop, give, nullptr, takes_content, std::move(events));
}

Result<std::shared_ptr<FileHelper>> FileHelper::start(http::Loop& loop, const Give& give,
                                                      const FileRequest* request, bool takes_content,
                                                      Events events) {
  auto helper = std::make_shared<FileHelper>(loop);
  helper->events_ = std::move(events);
  helper->may_be_silent_ = request == nullptr;
  const Result<void> opened = helper->open(give, request, takes_content);
  if (opened) return helper;
  helper->stop();
  return fail(opened.error());
}

Result<void> FileHelper::open(const Give& give, const FileRequest* request, bool takes_content) {
  Pipe in = TRY(make_pipe());
  Pipe out = TRY(make_pipe());
  client_ = TRY(give(in.reading.get(), out.writing.get()));
  input_ = std::move(in.writing);
  output_ = std::move(out.reading);
  if (fcntl(input_.get(), F_SETFL, O_NONBLOCK) != 0) return fail(system_error("fcntl", "for files", errno));
  const auto self = shared_from_this();  // held until the end
  client_watch_ = TRY(loop_.watch(client_.get(), [self] { self->read_end(); }));
  output_watch_ = TRY(loop_.watch(output_.get(), [self] { self->read_some(); }));
  if (request != nullptr) outgoing_ = file_frame(encode_file_request(*request));
  if (!takes_content) all_sent_ = true;
  write_some();
  return {};
}

// --- in ------------------------------------------------------------------------------------------------

void FileHelper::send(std::string_view piece, std::function<void()> then) {
  if (ended_) return;
  while (!piece.empty()) {
    outgoing_ += file_frame(piece.substr(0, kMostFilePiece));
    piece.remove_prefix(std::min<std::size_t>(piece.size(), kMostFilePiece));
  }
  room_ = std::move(then);
  write_some();
}

void FileHelper::send_end() {
  if (ended_) return;
  outgoing_ += file_frame({});
  all_sent_ = true;
  write_some();
}

// One that takes nothing any more says why, or ends.
void FileHelper::write_some() {
  const auto self = shared_from_this();
  while (input_.valid() && sent_ < outgoing_.size()) {
    const ssize_t count = write(input_.get(), outgoing_.data() + sent_, outgoing_.size() - sent_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      progress();
      auto watch = loop_.watch_writable(input_.get(), [self] {
        self->input_watch_.stop();
        self->write_some();
      });
      if (!watch) return end_with(FilesEnd::failed, watch.error().text);
      input_watch_ = std::move(*watch);
      return;
    }
    if (count < 0) break;
    sent_ += static_cast<std::size_t>(count);
  }
  if (sent_ < outgoing_.size()) input_.reset();
  outgoing_.clear();
  sent_ = 0;
  if (all_sent_) input_.reset();
  progress();
  if (const auto room = std::exchange(room_, nullptr); room && input_.valid()) room();
}

// --- out -----------------------------------------------------------------------------------------------

void FileHelper::hold() {
  held_ = true;
  output_watch_.stop();
  progress();
}

void FileHelper::go_on() {
  if (ended_ || !held_) return;
  held_ = false;
  progress();
  auto watch = loop_.watch(output_.get(), [self = shared_from_this()] { self->read_some(); });
  if (!watch) return end_with(FilesEnd::failed, watch.error().text);
  output_watch_ = std::move(*watch);
}

void FileHelper::read_some() {
  const auto self = shared_from_this();
  std::string bytes(65536, '\0');
  const ssize_t count = read(output_.get(), bytes.data(), bytes.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    output_ended_ = true;
    output_watch_.stop();
    return end_if_over();
  }
  bytes.resize(static_cast<std::size_t>(count));
  progress();
  if (answered_) return give(std::move(bytes));
  frame_ += bytes;
  take_answer();
}

void FileHelper::take_answer() {
  std::uint32_t size = 0;
  if (frame_.size() < sizeof size) return;
  std::memcpy(&size, frame_.data(), sizeof size);
  constexpr const char* kNoAnswer = "the program that does it said what is no answer";
  if (size > kMostFileAnswer) return end_with(FilesEnd::failed, kNoAnswer);
  if (frame_.size() - sizeof size < size) return;
  Result<FileAnswer> answer = decode_file_answer(std::string_view(frame_).substr(sizeof size, size));
  if (!answer) return end_with(FilesEnd::failed, kNoAnswer);
  answered_ = true;
  std::string rest = frame_.substr(sizeof size + size);
  frame_ = std::string();
  const auto told = events_.answered;  // it may let go of all of them
  if (told) told(std::move(*answer));
  if (!rest.empty()) give(std::move(rest));
}

void FileHelper::give(std::string bytes) {
  if (ended_ || !events_.content) return;
  const auto content = events_.content;
  content(std::move(bytes));
}

// --- the end -------------------------------------------------------------------------------------------

void FileHelper::read_end() {
  auto received = os::receive_message(client_.get(), sizeof(ClientHeader));
  if (!received && received.error().error_number == EAGAIN) return;
  if (events_.told && received && *received) {
    last_words_ = read_words(**received);
    told_ = true;
    client_watch_.stop();
    return end_if_over();
  }
  if (!received || !*received) return end_with(FilesEnd::sandbox_ended, "the sandbox ended");
  const auto header = os::read_struct<ClientHeader>(**received, "keeper");
  const auto& descriptors = (*received)->descriptors;
  if (!header || header->type != ClientMessageType::finished || descriptors.size() != 1) return;
  constexpr std::size_t kMost = 64U << 10U;
  const auto bytes = os::read_sealed_memfd(descriptors.front().get(), "keeper", kMost);
  const auto finished = bytes ? decode_finished_run(*bytes) : fail(bytes.error());
  end_ = static_cast<FilesEnd>(header->value);
  why_ = finished ? finished->message : finished.error().text;
  told_ = true;
  client_watch_.stop();
  end_if_over();
}

// Its last words may come behind the news of its end.
void FileHelper::end_if_over() {
  if (!told_ || !output_ended_) return;
  if (!events_.told) return end_with(end_, why_);
  const auto self = shared_from_this();
  const auto told = events_.told;
  stop();
  told(std::move(last_words_));
}

void FileHelper::end_with(FilesEnd end, std::string why) {
  if (ended_) return;
  const auto self = shared_from_this();
  const auto ended = events_.ended;
  stop();
  if (ended) ended(end, std::move(why));
}

void FileHelper::leave() {
  if (ended_) return;
  left_ = true;
  events_ = {};
  room_ = nullptr;
  input_watch_.stop();
  input_.reset();
  all_sent_ = true;
  sent_ = outgoing_.size();
  held_ ? go_on() : progress();
}

void FileHelper::cancel() {
  if (!left_) stop();
}

void FileHelper::stop() {
  const auto self = weak_from_this().lock();
  ended_ = true;
  events_ = {};
  room_ = nullptr;
  client_watch_.stop();
  input_watch_.stop();
  output_watch_.stop();
  timer_.stop();
  client_.reset();  // first: what of a file is not whole stays away
  input_.reset();
  output_.reset();
}

void FileHelper::progress() {
  timer_.stop();
  const bool waits_for_us = held_ || (sent_ == outgoing_.size() && !all_sent_);
  if (ended_ || waits_for_us || may_be_silent_) return;
  timer_ = loop_.after(kMostSilence, [self = shared_from_this()] { self->late(); });
}

void FileHelper::late() {
  if (events_.frozen && events_.frozen()) return progress();
  end_with(FilesEnd::too_long, "nothing came from the sandbox for a minute");
}

}  // namespace sbx::api
