#include "api/file_transfer.h"

#include "api/file_answer.h"
#include "api/file_helper.h"
#include "api/file_stream.h"

namespace sbx::api {
namespace {

constexpr std::uint64_t kAnyLength = INT64_MAX;

class Transfer : public std::enable_shared_from_this<Transfer> {
 public:
  Transfer(SharedCall call, FileRequest request, std::shared_ptr<void> use)
      : call_(std::move(call)),
        request_(std::move(request)),
        use_(std::move(use)),
        stream_(std::make_shared<FileStream>(call_->exchange)) {}

  void begin(http::Loop& loop, const std::shared_ptr<LiveSandbox>& sandbox) {
    const auto self = shared_from_this();
    const auto asker = asker_of(*call_);
    if (!asker) return;
    auto started =
        FileHelper::start(loop, {sandbox->control(), asker->peer(), recorded()}, request_,
                          {.answered = [self](const FileAnswer& answer) { self->answered(answer); },
                           .content = [self](std::string bytes) { self->stream_->take(std::move(bytes)); },
                           .ended = [self](FilesEnd end, const std::string& why) { self->ended(end, why); },
                           .frozen = [sandbox] { return sandbox->state() == SandboxState::paused; }});
    if (!started) return answer_problem(*call_, 503, started.error().text);
    helper_ = std::move(*started);
    call_->exchange->on_client_gone([self] { self->helper_->cancel(); });
    if (request_.operation == FileOperation::write) take_body();
  }

 private:
  // Of HEAD no content goes anywhere.
  [[nodiscard]] FileRequest recorded() const {
    FileRequest request = request_;
    if (call_->request.method == "HEAD") request.operation = FileOperation::stat;
    return request;
  }

  void take_body() {
    const auto self = shared_from_this();
    call_->exchange->read_body_in_parts(
        kAnyLength,
        [self](std::string_view part, std::function<void()> resume) {
          self->helper_->send(part, std::move(resume));
        },
        [self](const Result<void>& end) {
          if (!end) return self->helper_->cancel();  // the client is gone, or has its answer
          self->body_is_whole_ = true;
          self->helper_->send_end();
        });
  }

  void answered(const FileAnswer& answer) {
    if (answer.failed != FileStep::none) {
      const FileProblem problem = problem_of(request_, answer);
      std::vector<http::Header> headers;
      if (problem.status == 416)
        headers.push_back({"Content-Range", "bytes */" + std::to_string(answer.stat.size)});
      answer_problem(*call_, problem.status, problem.detail, std::move(headers));
    } else if (request_.operation == FileOperation::read) {
      return begin_content(answer);
    } else if (request_.operation == FileOperation::write && !body_is_whole_) {
      return helper_says_nonsense();
    } else {
      answer_done(answer);
    }
    helper_->leave();
  }

  void helper_says_nonsense() {
    answer_problem(*call_, 500, "the program in the sandbox that does it ended before it had all");
    helper_->cancel();
  }

  void answer_done(const FileAnswer& answer) {
    if (request_.operation == FileOperation::list)
      return answer_json(*call_, 200, list_json(request_, answer));
    if (request_.operation == FileOperation::remove) return call_->exchange->respond({204, {}, ""});
    std::vector<http::Header> headers;
    if (!answer.sha256.empty()) headers.push_back({"ETag", "\"" + answer.sha256 + "\""});
    answer_json(*call_, answer.created ? 201 : 200, stat_json(request_, answer), std::move(headers));
  }

  void begin_content(const FileAnswer& answer) {
    std::vector<http::Header> headers{{"Content-Type", "application/octet-stream"},
                                      {"Accept-Ranges", "bytes"}};
    const bool part = answer.follow && (request_.from || request_.most);
    if (part)
      headers.push_back({"Content-Range", "bytes " + std::to_string(answer.from) + "-" +
                                              std::to_string(answer.from + *answer.follow - 1) + "/" +
                                              std::to_string(answer.stat.size)});
    stream_->begin(helper_, part ? 206 : 200, std::move(headers), answer.follow,
                   call_->request.method != "HEAD");
  }

  void ended(FilesEnd end, const std::string& why) {
    if (stream_->has_begun()) return stream_->end(end == FilesEnd::done);
    const FileProblem problem = problem_of(end, why);
    answer_problem(*call_, problem.status, problem.detail);
  }

  SharedCall call_;
  FileRequest request_;
  std::shared_ptr<void> use_;
  std::shared_ptr<FileHelper> helper_;
  std::shared_ptr<FileStream> stream_;
  bool body_is_whole_ = false;
};

}  // namespace

void begin_file_transfer(http::Loop& loop, const SharedCall& call,
                         const std::shared_ptr<LiveSandbox>& sandbox, FileRequest request) {
  auto use = sandbox->use();
  if (!use)
    return answer_problem(*call, 429, "as many files of this sandbox as may be are read and written now",
                          {{"Retry-After", "1"}});
  std::make_shared<Transfer>(call, std::move(request), std::move(use))->begin(loop, sandbox);
}

}  // namespace sbx::api
