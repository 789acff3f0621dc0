#include "wire/project_protocol.h"

#include "base/names.h"
#include "wire/wire.h"

namespace sbx {
namespace {

constexpr std::uint32_t kVersion = 3;

bool takes_name(ProjectAction action) {
  switch (action) {
  case ProjectAction::rename:
  case ProjectAction::diff:
  case ProjectAction::patch:
  case ProjectAction::commit:
  case ProjectAction::discard:
  case ProjectAction::take_snapshot:
  case ProjectAction::restore_snapshot:
  case ProjectAction::remove_snapshot:
  case ProjectAction::store_configuration:
  case ProjectAction::remove_configuration: return true;
  default: return false;
  }
}

void put(wire::Writer& out, const ProjectFileQuestion& file) {
  out.put(encode_file_request(file.request));
  out.put(file.taken);
  out.put(file.format);
  out.put(file.on_refused);
  out.put(static_cast<std::uint8_t>(file.adopt));
}

Result<ProjectFileQuestion> get_file(wire::Reader& in) {
  ProjectFileQuestion file;
  file.request = TRY(decode_file_request(in.get_string()));
  file.taken = in.get_enum(Taken::refuse);
  file.format = in.get_enum(ArchiveFormat::zip);
  file.on_refused = in.get_enum(OnRefused::skip);
  file.adopt = in.get_bool();
  return file;
}

}  // namespace

bool is_about_files(ProjectAction action) {
  return action >= ProjectAction::file && action <= ProjectAction::check_files;
}

bool has_content_in(const ProjectQuestion& question) {
  if (question.action == ProjectAction::file)
    return question.file && question.file->request.operation == FileOperation::write;
  return question.action == ProjectAction::upload || question.action == ProjectAction::extract;
}

bool has_content_out(const ProjectQuestion& question) {
  if (question.action == ProjectAction::file)
    return question.file && question.file->request.operation == FileOperation::read;
  return question.action == ProjectAction::fetch_archive;
}

std::string encode_project_question(const ProjectQuestion& question) {
  wire::Writer out;
  out.put(kVersion);
  out.put(question.action);
  out.put(question.project);
  out.put(question.name);
  out.put(question.policy);
  out.put(question.bytes);
  out.put(question.inodes);
  if (question.file) put(out, *question.file);
  return std::move(out).take();
}

Result<ProjectQuestion> decode_project_question(std::string_view bytes) {
  wire::Reader in(bytes);
  if (in.get<std::uint32_t>() != kVersion) return fail("question about projects: of another build");
  ProjectQuestion question;
  question.action = in.get_enum(ProjectAction::check_all_files);
  question.project = in.get_string();
  question.name = in.get_string();
  question.policy = in.get_string();
  question.bytes = in.get_optional();
  question.inodes = in.get_optional();
  if (is_about_files(question.action)) question.file = TRY(get_file(in));
  TRY(in.finish("question about projects"));
  const bool of_all =
      question.action == ProjectAction::list || question.action == ProjectAction::check_all_files;
  if (!of_all) TRY(check_name("project", question.project));
  if (takes_name(question.action)) TRY(check_name("name", question.name));
  TRY(check_name("policy", question.policy));  // a file would be root's to read
  return question;
}

}  // namespace sbx
