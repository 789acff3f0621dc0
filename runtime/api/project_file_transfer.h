// Content of files of projects, on its way between clients and sbx-projects. What comes and goes is never
// held as a whole, and a slow end slows down the other one.
#pragma once

#include <memory>

#include "api/call.h"
#include "api/file_helper.h"
#include "api/keepers.h"
#include "http/loop.h"
#include "wire/project_protocol.h"

namespace sbx::api {

class ProjectTransfers {
 public:
  ProjectTransfers(http::Loop& loop, Keepers& keepers) : loop_(loop), keepers_(keepers) {}

  // Each answers the call, now or later; with 429 where as many are under way as may be.

  // The file or the archive that `question` asks for.
  void fetch(const SharedCall& call, const ProjectQuestion& question);
  // The body as one file or archive: 201 for what is new, else 200.
  void take(const SharedCall& call, const ProjectQuestion& question);
  // Each file of a multipart/form-data body, one after the other, as `question` with its name.
  void take_each(const SharedCall& call, const ProjectQuestion& question, const std::string& boundary);

 private:
  // Held while it is under way. Null: the client has its answer.
  std::shared_ptr<void> place_for(Call& call);
  Result<std::shared_ptr<FileHelper>> start(const SharedCall& call, const ProjectQuestion& question,
                                            FileHelper::Events events);
  class Download;
  class Upload;
  class FormUpload;

  http::Loop& loop_;
  Keepers& keepers_;
  std::shared_ptr<int> places_ = std::make_shared<int>();
};

}  // namespace sbx::api
