#include "api/file_routes.h"

#include "api/file_request.h"
#include "api/file_transfer.h"

namespace sbx::api {

void add_file_routes(Router& router, http::Loop& loop, const Sandboxes& sandboxes) {
  const auto add = [&](const char* method, const std::string& path, FileOperation operation) {
    router
        .add(method, "/v1/sandboxes/{sandbox}/files" + path,
             [&, operation](const SharedCall& call) {
               Result<FileRequest> asked = parse_file_request(operation, call->request);
               if (!asked) return answer_problem(*call, 400, asked.error().text);
               if (const auto sandbox = sandboxes.find(call, SandboxRequest::files))
                 begin_file_transfer(loop, call, sandbox, std::move(*asked));
             })
        .takes_its_own();
  };
  add("GET", "", FileOperation::read);
  add("PUT", "", FileOperation::write);
  add("DELETE", "", FileOperation::remove);
  add("GET", "/list", FileOperation::list);
  add("GET", "/stat", FileOperation::stat);
  add("POST", "/directory", FileOperation::directory);
  add("POST", "/move", FileOperation::move);
}

}  // namespace sbx::api
