#include "api/project_file_transfer.h"

#include <array>
#include <cerrno>

#include "api/file_answer.h"
#include "api/file_stream.h"
#include "api/multipart.h"
#include "api/project_question.h"

namespace sbx::api {
namespace {

constexpr std::uint64_t kAnyLength = INT64_MAX;
constexpr int kMostTransfers = 64;
constexpr std::size_t kMostParts = 1'000;

// For a header (RFC 6266, RFC 8187): a page must not be shown in our name, whatever is in the file.
std::string disposition(const std::string& name) {
  if (name.empty()) return "attachment";
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  static constexpr std::string_view kPlain = "!#$&+-.^_`|~";
  constexpr unsigned kNibble = 4;
  std::string encoded;
  for (const char byte : name) {
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z') || kPlain.find(byte) != std::string_view::npos;
    const auto value = static_cast<unsigned char>(byte);
    if (plain) {
      encoded += byte;
    } else {
      encoded += {'%', kHex[value >> kNibble], kHex[value & 0xFU]};
    }
  }
  return "attachment; filename*=UTF-8''" + encoded;
}

Error lost() { return {"the process that does it ended without an answer: ask again in a moment", EAGAIN}; }

OrderedJson parse_answer(const std::string& text) { return OrderedJson::parse(text, nullptr, false); }

}  // namespace

// --- to the client ---------------------------------------------------------------------------------------

class ProjectTransfers::Download : public std::enable_shared_from_this<Download> {
 public:
  Download(SharedCall call, ProjectQuestion question, std::shared_ptr<void> place)
      : call_(std::move(call)),
        question_(std::move(question)),
        place_(std::move(place)),
        stream_(std::make_shared<FileStream>(call_->exchange)) {}

  void begin(ProjectTransfers& transfers) {
    const auto self = shared_from_this();
    auto started =
        transfers.start(call_, question_,
                        {.answered = [self](const FileAnswer& answer) { self->answered(answer); },
                         .content = [self](std::string bytes) { self->stream_->take(std::move(bytes)); },
                         .ended = [self](FilesEnd, const std::string&) { self->ended(fail(lost())); },
                         .told = [self](const Result<std::string>& text) { self->ended(text); },
                         .frozen = {}});
    if (!started) return answer_problem(*call_, 503, started.error().text, {{"Retry-After", "1"}});
    helper_ = std::move(*started);
    call_->exchange->on_client_gone([self] { self->helper_->cancel(); });
  }

 private:
  void answered(const FileAnswer& answer) {
    if (answer.failed != FileStep::none) {
      const FileProblem problem = problem_of(question_.file->request, answer);
      answer_problem(*call_, problem.status, problem.detail,
                     {{"Content-Range", "bytes */" + std::to_string(answer.stat.size)}});
      return helper_->cancel();
    }
    const std::string tag = answer.sha256.empty() ? "" : "\"" + answer.sha256 + "\"";
    const std::string* none_of = call_->request.header("If-None-Match");
    if (none_of != nullptr && !tag.empty() && call_->request.header_has("If-None-Match", tag)) {
      call_->exchange->respond({304, {{"ETag", tag}}, ""});
      return helper_->cancel();
    }
    begin_content(answer, tag);
  }

  void begin_content(const FileAnswer& answer, const std::string& tag) {
    const FileRequest& asked = question_.file->request;
    const bool archive = question_.action == ProjectAction::fetch_archive;
    const bool part = answer.follow && (asked.from || asked.most);
    std::vector<http::Header> headers{
        {"Content-Type", type_of(answer)},
        {"Content-Disposition", disposition(archive ? archive_name() : answer.name)},
        {"X-Content-Type-Options", "nosniff"}};
    if (!archive) headers.push_back({"Accept-Ranges", "bytes"});
    if (!tag.empty()) headers.push_back({"ETag", tag});
    if (part)
      headers.push_back({"Content-Range", "bytes " + std::to_string(answer.from) + "-" +
                                              std::to_string(answer.from + *answer.follow - 1) + "/" +
                                              std::to_string(answer.stat.size)});
    stream_->begin(helper_, part ? 206 : 200, std::move(headers), answer.follow,
                   call_->request.method != "HEAD");
  }

  [[nodiscard]] std::string type_of(const FileAnswer& answer) const {
    if (question_.action == ProjectAction::fetch_archive)
      return question_.file->format == ArchiveFormat::zip ? "application/zip" : "application/x-tar";
    return answer.mime.empty() ? "application/octet-stream" : answer.mime;
  }

  [[nodiscard]] std::string archive_name() const {
    const std::string& path = question_.file->request.path;
    std::string name = path.substr(path.rfind('/') + 1);
    if (name.empty() || name == ".") name = question_.project;
    return name + (question_.file->format == ArchiveFormat::zip ? ".zip" : ".tar");
  }

  void ended(const Result<std::string>& text) {
    if (stream_->has_begun()) return stream_->end(text.has_value());
    answer_file_error(*call_, question_, text ? lost() : text.error());
  }

  SharedCall call_;
  ProjectQuestion question_;
  std::shared_ptr<void> place_;
  std::shared_ptr<FileStream> stream_;
  std::shared_ptr<FileHelper> helper_;
};

// --- one from the client ---------------------------------------------------------------------------------

class ProjectTransfers::Upload : public std::enable_shared_from_this<Upload> {
 public:
  Upload(SharedCall call, ProjectQuestion question, std::shared_ptr<void> place)
      : call_(std::move(call)), question_(std::move(question)), place_(std::move(place)) {}

  void begin(ProjectTransfers& transfers) {
    const auto self = shared_from_this();
    auto started =
        transfers.start(call_, question_,
                        {.answered = [](const FileAnswer&) {},
                         .content = [](const std::string&) {},
                         .ended = [self](FilesEnd, const std::string&) { self->ended(fail(lost())); },
                         .told = [self](const Result<std::string>& text) { self->ended(text); },
                         .frozen = {}});
    if (!started) return answer_problem(*call_, 503, started.error().text, {{"Retry-After", "1"}});
    helper_ = std::move(*started);
    call_->exchange->on_client_gone([self] { self->helper_->cancel(); });
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

 private:
  void ended(const Result<std::string>& text) {
    if (!text) return answer_file_error(*call_, question_, text.error());
    const OrderedJson json = parse_answer(*text);
    if (!body_is_whole_ || !json.is_object())
      return answer_problem(*call_, 500, "the process that does it ended before it had all");
    std::vector<http::Header> headers;
    if (json.contains("sha256")) headers.push_back({"ETag", "\"" + json.value("sha256", "") + "\""});
    const bool is_new = json.value("created", true);
    answer_json(*call_, is_new ? 201 : 200, json, std::move(headers));
  }

  SharedCall call_;
  ProjectQuestion question_;
  std::shared_ptr<void> place_;
  std::shared_ptr<FileHelper> helper_;
  bool body_is_whole_ = false;
};

// --- many from the client --------------------------------------------------------------------------------

// One file after the other: where one is being finished, nothing of the next is read.
class ProjectTransfers::FormUpload : public std::enable_shared_from_this<FormUpload> {
 public:
  FormUpload(ProjectTransfers& transfers, SharedCall call, ProjectQuestion question,
             const std::string& boundary, std::shared_ptr<void> place)
      : transfers_(transfers),
        call_(std::move(call)),
        question_(std::move(question)),
        reader_(boundary),
        place_(std::move(place)) {}

  void begin() {
    const auto self = shared_from_this();
    call_->exchange->on_client_gone([self] { self->stop(); });
    call_->exchange->read_body_in_parts(
        kAnyLength,
        [self](std::string_view part, std::function<void()> resume) {
          if (self->over_) return;
          self->reader_.add(part);
          self->resume_ = std::move(resume);
          self->go_on();
        },
        [self](const Result<void>& end) {
          if (!end) return self->stop();
          self->body_is_whole_ = true;
          self->go_on();
        });
  }

 private:
  // Until something has to come or to be waited for.
  void go_on() {
    while (!over_ && !waits_) {
      const auto next = reader_.next();
      if (!next) return refuse(400, next.error().text);
      if (*next == MultipartReader::Next::more || *next == MultipartReader::Next::end)
        return take_more(*next);
      step(*next);
    }
  }

  void step(MultipartReader::Next next) {
    if (next == MultipartReader::Next::part) return begin_file();
    waits_ = true;
    if (next == MultipartReader::Next::part_end) return helper_->send_end();
    helper_->send(reader_.content(), [self = shared_from_this()] {
      self->waits_ = false;
      self->go_on();
    });
  }

  void take_more(MultipartReader::Next next) {
    if (!body_is_whole_) {
      if (const auto resume = std::exchange(resume_, nullptr)) resume();
      return;
    }
    if (next == MultipartReader::Next::more)
      return refuse(400, "the body is cut: the boundary at its end is missing");
    if (stored_.empty()) return refuse(400, "the body has no file");
    over_ = true;
    answer_json(*call_, 201, {{"files", std::move(stored_)}});
  }

  void begin_file() {
    const MultipartReader::Part& part = reader_.part();
    if (part.file.empty())
      return refuse(400, "the field '" + part.name + "' is no file: what is wanted goes into the query");
    if (stored_.size() == kMostParts) return refuse(400, "at most 1000 files are taken at once");
    question_.name = part.file;
    const auto self = shared_from_this();
    auto started =
        transfers_.start(call_, question_,
                         {.answered = [](const FileAnswer&) {},
                          .content = [](const std::string&) {},
                          .ended = [self](FilesEnd, const std::string&) { self->stored(fail(lost())); },
                          .told = [self](const Result<std::string>& text) { self->stored(text); },
                          .frozen = {}});
    if (!started) return refuse(503, started.error().text);
    helper_ = std::move(*started);
  }

  void stored(const Result<std::string>& text) {
    if (!text) return refuse(status_of_file_error(question_, text.error()), text.error().text);
    OrderedJson json = parse_answer(*text);
    if (!json.is_object()) return refuse(500, "an answer of another build");
    stored_.push_back(std::move(json));
    waits_ = false;
    go_on();
  }

  // Those that came before stay, and are told.
  void refuse(int status, const std::string& why) {
    if (over_) return;
    stop();
    const std::string of = question_.name.empty() ? "" : "'" + question_.name + "': ";
    OrderedJson problem{{"type", "about:blank"},
                        {"title", http::reason_phrase(status)},
                        {"status", status},
                        {"detail", status == 400 ? why : of + why},
                        {"files", std::move(stored_)}};
    std::vector<http::Header> headers{{"Content-Type", "application/problem+json"}};
    if (status == 503) headers.push_back({"Retry-After", "1"});
    call_->exchange->respond({status, std::move(headers),
                              problem.dump(-1, ' ', true, OrderedJson::error_handler_t::replace) + "\n"});
  }

  void stop() {
    over_ = true;
    resume_ = nullptr;
    if (helper_) helper_->cancel();
  }

  ProjectTransfers& transfers_;
  SharedCall call_;
  ProjectQuestion question_;
  MultipartReader reader_;
  std::shared_ptr<void> place_;
  std::shared_ptr<FileHelper> helper_;
  std::function<void()> resume_;
  OrderedJson stored_ = OrderedJson::array();
  bool waits_ = false;  // for the helper
  bool body_is_whole_ = false;
  bool over_ = false;
};

// --- all of them -----------------------------------------------------------------------------------------

std::shared_ptr<void> ProjectTransfers::place_for(Call& call) {
  if (places_.use_count() <= kMostTransfers) return places_;
  answer_problem(call, 429, "as many files of projects as may be are brought and fetched now",
                 {{"Retry-After", "1"}});
  return {};
}

Result<std::shared_ptr<FileHelper>> ProjectTransfers::start(const SharedCall& call,
                                                            const ProjectQuestion& question,
                                                            FileHelper::Events events) {
  const Asker asker = TRY(call->client.asker(call->exchange->peer_socket()));
  const FileHelper::Give give = [&](int input, int output) {
    return keepers_.ask_about_projects(question, asker.peer(), {input, output});
  };
  return FileHelper::start(loop_, give, has_content_in(question), std::move(events));
}

void ProjectTransfers::fetch(const SharedCall& call, const ProjectQuestion& question) {
  if (auto place = place_for(*call))
    std::make_shared<Download>(call, question, std::move(place))->begin(*this);
}

void ProjectTransfers::take(const SharedCall& call, const ProjectQuestion& question) {
  if (auto place = place_for(*call)) std::make_shared<Upload>(call, question, std::move(place))->begin(*this);
}

void ProjectTransfers::take_each(const SharedCall& call, const ProjectQuestion& question,
                                 const std::string& boundary) {
  auto place = place_for(*call);
  if (!place) return;
  std::make_shared<FormUpload>(*this, call, question, boundary, std::move(place))->begin();
}

}  // namespace sbx::api
