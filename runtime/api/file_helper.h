// A process that reads or writes files for one request, as the API sees it: what goes in, what comes out, and
// its end. sbx-files, which runs in the sandbox; and sbx-projects (wire/project_protocol.h). Nothing of what
// it says is believed that is not checked.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "api/keepers.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "http/loop.h"
#include "wire/files_protocol.h"

namespace sbx::api {

class FileHelper : public std::enable_shared_from_this<FileHelper> {
 public:
  struct Events {
    std::function<void(FileAnswer)> answered;          // at most once
    std::function<void(std::string)> content;          // behind the answer; not while it is held
    std::function<void(FilesEnd, std::string)> ended;  // once, last of all
    // In its place, of sbx-projects that said something: its answer.
    std::function<void(Result<std::string>)> told{};
    std::function<bool()> frozen;  // whether it is no wonder that nothing comes
  };

  // `sandbox`: its keeper, who asks, and what. `events` are let go at the end, and by leave and cancel.
  struct Sandbox {
    int control = -1;
    Peer peer;
    FileRequest recorded;  // what it is called there
  };
  static Result<std::shared_ptr<FileHelper>> start(http::Loop& loop, const Sandbox& sandbox,
                                                   const FileRequest& request, Events events);
  // `give`: starts it with its ends of both pipes, in and out; what it says last comes from there.
  using Give = std::function<Result<UniqueFd>(int input, int output)>;
  // Of sbx-projects; may be silent as long as it likes.
  static Result<std::shared_ptr<FileHelper>> start(http::Loop& loop, const Give& give, bool takes_content,
                                                   Events events);
  explicit FileHelper(http::Loop& loop) : loop_(loop) {}

  // A piece of what is to be written, or all that is still to come. `then`: there is room for the next one;
  // it is not called when the end comes first.
  void send(std::string_view piece, std::function<void()> then);
  void send_end();
  // Whether the content is taken now.
  void hold();
  void go_on();
  // All that was asked for is here: it ends by itself, and no event comes of it. The keeper records that it
  // did.
  void leave();
  // Its end, without a word; not of one that was left.
  void cancel();

 private:
  Result<void> open(const Give& give, const FileRequest* request, bool takes_content);
  static Result<std::shared_ptr<FileHelper>> start(http::Loop& loop, const Give& give,
                                                   const FileRequest* request, bool takes_content,
                                                   Events events);
  void stop();
  void write_some();
  void read_some();
  void take_answer();
  void give(std::string bytes);
  void read_end();
  void end_if_over();
  void end_with(FilesEnd end, std::string why);
  void progress();
  void late();

  http::Loop& loop_;
  Events events_;
  UniqueFd client_;  // the keeper tells its end there
  UniqueFd input_;
  UniqueFd output_;
  std::string outgoing_;
  std::size_t sent_ = 0;  // of it
  bool all_sent_ = false;
  std::function<void()> room_;
  std::string frame_;  // the answer, as far as it is there
  bool answered_ = false;
  bool held_ = false;
  bool left_ = false;
  bool output_ended_ = false;
  bool ended_ = false;
  FilesEnd end_ = FilesEnd::failed;
  bool told_ = false;
  std::string why_;
  bool may_be_silent_ = false;
  Result<std::string> last_words_;
  http::Watch client_watch_;
  http::Watch input_watch_;
  http::Watch output_watch_;
  http::Timer timer_;
};

}  // namespace sbx::api
