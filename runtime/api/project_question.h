// Questions about projects, from requests, and what a client is told of their answers (docs/api.md).
#pragma once

#include <optional>
#include <string>

#include "api/call.h"
#include "base/result.h"
#include "wire/project_protocol.h"

namespace sbx::api {

// Whether the client may have to do with the project; where not, it has its answer.
bool is_for(const SharedCall& call, const std::string& project);

// About the project that the path names, and the name behind it. Nothing: the client has its answer.
std::optional<ProjectQuestion> question_of(const SharedCall& call, ProjectAction action);

// Of an error of sbx-projects.
void answer_project_error(Call& call, const Error& error);

// The same of one about files, whose numbers are those of project_files/operations.h.
int status_of_file_error(const ProjectQuestion& question, const Error& error);
void answer_file_error(Call& call, const ProjectQuestion& question, const Error& error);

}  // namespace sbx::api
