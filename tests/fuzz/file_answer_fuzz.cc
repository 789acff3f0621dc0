// What comes out of a sandbox as the answer about its files, and what a client is told of it.
#include "api/file_answer.h"
#include "api/file_request.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"

namespace sbx::fuzz {
namespace {

void must_be_json(const api::OrderedJson& json) {
  const std::string text = json.dump(-1, ' ', true);
  must(api::OrderedJson::accept(text), "it is JSON", text);
  must(valid_utf8_prefix(text) == text.size(), "it is text", text);
}

void try_file_answer(std::string_view bytes) {
  const Result<FileAnswer> decoded = decode_file_answer(bytes);
  if (!decoded) return must_say(decoded.error());
  must_round_trip(bytes, *decoded, encode_file_answer, decode_file_answer);
  FileRequest request;
  request.operation = FileOperation::list;
  request.path = "x";
  if (decoded->failed != FileStep::none) {
    const api::FileProblem problem = api::problem_of(request, *decoded);
    must(problem.status >= 400 && problem.status < 600, "a failure is an error", problem.detail);
    must(!problem.detail.empty(), "an error says what is wrong");
    return;
  }
  must_be_json(api::stat_json(request, *decoded));
  must_be_json(api::list_json(request, *decoded));
  if (!decoded->more) return;
  // Where the next page begins is understood.
  http::Request next;
  next.query = {{"path", "x"}, {"cursor", api::file_cursor(decoded->entries.back().name)}};
  const auto asked = api::parse_file_request(FileOperation::list, next);
  must(asked && asked->after == decoded->entries.back().name, "a page goes on behind the one before");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_file_answer(sbx::fuzz::text_of(data, size));
  return 0;
}
