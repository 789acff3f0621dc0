#include "wire/project_protocol.h"

#include "base/names.h"
#include "wire/wire.h"

namespace sbx {
namespace {

constexpr std::uint32_t kVersion = 1;

bool takes_name(ProjectAction action) {
  switch (action) {
  case ProjectAction::rename:
  case ProjectAction::diff:
  case ProjectAction::patch:
  case ProjectAction::commit:
  case ProjectAction::discard:
  case ProjectAction::take_snapshot:
  case ProjectAction::restore_snapshot:
  case ProjectAction::remove_snapshot: return true;
  default: return false;
  }
}

}  // namespace

std::string encode_project_question(const ProjectQuestion& question) {
  wire::Writer out;
  out.put(kVersion);
  out.put(question.action);
  out.put(question.project);
  out.put(question.name);
  out.put(question.policy);
  out.put(question.bytes);
  out.put(question.inodes);
  return std::move(out).take();
}

Result<ProjectQuestion> decode_project_question(std::string_view bytes) {
  wire::Reader in(bytes);
  if (in.get<std::uint32_t>() != kVersion) return fail("question about projects: of another build");
  ProjectQuestion question;
  question.action = in.get_enum(ProjectAction::remove_snapshot);
  question.project = in.get_string();
  question.name = in.get_string();
  question.policy = in.get_string();
  question.bytes = in.get_optional();
  question.inodes = in.get_optional();
  TRY(in.finish("question about projects"));
  if (question.action != ProjectAction::list) TRY(check_name("project", question.project));
  if (takes_name(question.action)) TRY(check_name("name", question.name));
  TRY(check_name("policy", question.policy));  // a file would be root's to read
  return question;
}

}  // namespace sbx
