#include "api/project_question.h"

#include <cerrno>

#include "api/api_words.h"
#include "base/names.h"

namespace sbx::api {
namespace {

constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;
constexpr int kPreconditionFailed = 412;
constexpr int kTooLarge = 413;
constexpr int kNoSuchType = 415;
constexpr int kNoSuchRange = 416;
constexpr int kUnprocessable = 422;
constexpr int kServerError = 500;
constexpr int kUnavailable = 503;
constexpr int kNoStorage = 507;

int status_of(const Error& error) {
  switch (error.error_number) {
  case 0:
  case E2BIG:
  case EINVAL:
  case EPERM: return kUnprocessable;
  case EACCES: return kForbidden;
  case ENOENT: return kNotFound;
  case EBUSY:
  case EEXIST: return kConflict;
  case EFBIG:  // more than a file can have
  case ENOSPC:
  case EDQUOT: return kNoStorage;
  case EAGAIN: return kUnavailable;
  default: return kServerError;
  }
}

void answer(Call& call, int status, const Error& error) {
  std::vector<http::Header> headers;
  if (status == kUnavailable) headers.push_back({"Retry-After", "1"});
  answer_problem(call, status, in_api_words(error.text), std::move(headers));
}

}  // namespace

bool is_for(const SharedCall& call, const std::string& project) {
  const std::string why = call->client.why_not_project(project);
  if (!why.empty()) answer_problem(*call, kForbidden, why);
  return why.empty();
}

std::optional<ProjectQuestion> question_of(const SharedCall& call, ProjectAction action) {
  ProjectQuestion question;
  question.action = action;
  question.project = call->parts.front();
  if (call->parts.size() > 1) question.name = call->parts[1];
  for (const std::string& name : call->parts) {
    // There is none of such a name.
    if (const auto good = check_name("name", name); !good)
      return answer_problem(*call, kNotFound, good.error().text), std::nullopt;
  }
  if (!is_for(call, question.project)) return {};
  return question;
}

void answer_project_error(Call& call, const Error& error) { answer(call, status_of(error), error); }

int status_of_file_error(const ProjectQuestion& question, const Error& error) {
  const FileRequest& request = question.file->request;
  const bool conditional = request.operation == FileOperation::write;
  switch (error.error_number) {
  case ENOENT: return conditional && !request.expected.empty() ? kPreconditionFailed : kNotFound;
  case EEXIST: return conditional && request.fresh ? kPreconditionFailed : kConflict;
  case ESTALE: return kPreconditionFailed;
  case EISDIR:
  case ENOTDIR:
  case ELOOP:
  case ENOTEMPTY:
  case EXDEV:
  case ETXTBSY: return kConflict;
  case E2BIG: return question.action == ProjectAction::extract ? kTooLarge : kUnprocessable;
  case EFBIG: return kTooLarge;
  case EMEDIUMTYPE: return kNoSuchType;
  case ERANGE: return kNoSuchRange;
  case EBADMSG:
  case ENAMETOOLONG: return kUnprocessable;
  default: return status_of(error);
  }
}

void answer_file_error(Call& call, const ProjectQuestion& question, const Error& error) {
  answer(call, status_of_file_error(question, error), error);
}

}  // namespace sbx::api
