// What a client asks of a sandbox's files: from the query and the headers of its request (docs/api.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "wire/files_protocol.h"

namespace sbx::api {

// Each field of the query at most once, of the kind that it has to be, and none that this operation has not.
// A name that is not UTF-8 comes as base64 (`path_base64`), of either alphabet (RFC 4648).
// `fields`: which there are, if not those of a sandbox's files; some may be read by somebody else.
Result<FileRequest> parse_file_request(FileOperation operation, const http::Request& request,
                                       std::vector<std::string_view> fields = {});

// Where the next page of a list begins, behind `name`.
std::string file_cursor(std::string_view name);

}  // namespace sbx::api
