// Files of a sandbox: what is asked of its helper, and what of its answers.
#include <doctest/doctest.h>

#include <cerrno>

#include "api/file_answer.h"
#include "api/file_request.h"

namespace sbx::api {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

Result<FileRequest> parse(FileOperation operation, Query query, std::vector<http::Header> headers = {}) {
  http::Request request;
  request.query = std::move(query);
  request.headers = std::move(headers);
  return parse_file_request(operation, request);
}

FileRequest request_for(FileOperation operation, const char* path) {
  FileRequest request;
  request.operation = operation;
  request.path = path;
  return request;
}

std::string refusal(FileOperation operation, Query query) {
  const auto asked = parse(operation, std::move(query));
  return asked ? "" : asked.error().text;
}

}  // namespace

TEST_CASE("what is asked of files is read from the query") {
  const auto write = parse(FileOperation::write, {{"path", "a"}, {"mode", "0640"}, {"parents", ""}});
  REQUIRE(write);
  CHECK(write->path == "a");
  CHECK(write->mode == 0640U);
  CHECK(write->parents);
  const auto move = parse(FileOperation::move, {{"from", "a"}, {"to_base64", "/w=="}, {"replace", "false"}});
  REQUIRE(move);
  CHECK(move->path == "a");
  CHECK(move->to == "\xff");
  CHECK_FALSE(move->replace);
  const auto list = parse(FileOperation::list, {{"path", "/"}, {"cursor", file_cursor("b\xff")}});
  REQUIRE(list);
  CHECK(list->after == "b\xff");
  CHECK(list->entries == 1000);
  for (const char* same : {"/94", "_94", "/94=", "_94="}) {
    CAPTURE(std::string(same));
    const auto asked = parse(FileOperation::read, {{"path_base64", same}});
    REQUIRE(asked);
    CHECK(asked->path == "\xff\xde");
  }
}

TEST_CASE("a query for files that is wrong is refused by the name of its field") {
  CHECK(refusal(FileOperation::read, {}).starts_with("path:"));
  CHECK(refusal(FileOperation::read, {{"path", ""}}).starts_with("path:"));
  CHECK(refusal(FileOperation::read, {{"path", std::string(4096, 'a')}}).starts_with("path:"));
  CHECK(refusal(FileOperation::read, {{"path_base64", "AA=="}}).find("zero") != std::string::npos);
  CHECK(refusal(FileOperation::read, {{"path_base64", "!"}}).starts_with("path_base64:"));
  CHECK(refusal(FileOperation::read, {{"path", "a"}, {"path_base64", "YQ"}}).find("twice") !=
        std::string::npos);
  CHECK(refusal(FileOperation::read, {{"path", "a"}, {"parents", ""}}).find("'parents'") !=
        std::string::npos);
  CHECK(refusal(FileOperation::read, {{"path", "a"}, {"mode_base64", ""}}).find("'mode_base64'") !=
        std::string::npos);
  for (const char* mode : {"", "8", "01000", "00644", "-1", "0x1", "644 "}) {
    CAPTURE(std::string(mode));
    CHECK(refusal(FileOperation::write, {{"path", "a"}, {"mode", mode}}).starts_with("mode:"));
  }
  for (const char* limit : {"", "0", "10001", "-1", "1e3"}) {
    CAPTURE(std::string(limit));
    CHECK(refusal(FileOperation::list, {{"path", "a"}, {"limit", limit}}).starts_with("limit:"));
  }
  for (const char* cursor : {"", "Li4", "YS9i", "AA", "?"}) {  // ..  a/b  and a zero
    CAPTURE(std::string(cursor));
    CHECK(refusal(FileOperation::list, {{"path", "a"}, {"cursor", cursor}}).starts_with("cursor:"));
  }
  CHECK(refusal(FileOperation::remove, {{"path", "a"}, {"recursive", "yes"}}).starts_with("recursive:"));
  CHECK(refusal(FileOperation::move, {{"from", "a"}}).starts_with("to:"));
}

TEST_CASE("a part of a file cannot be written") {
  const std::vector<http::Header> headers{{"Content-Range", "bytes 0-1/5"}};
  CHECK_FALSE(parse(FileOperation::write, {{"path", "a"}}, headers));
  CHECK(parse(FileOperation::write, {{"path", "a"}}));
}

TEST_CASE("a version of a file can be asked for, or none") {
  const auto with = [](const std::string& name, const std::string& value) {
    return parse(FileOperation::write, {{"path", "a"}}, {{name, value}});
  };
  const auto match = with("If-Match", '"' + std::string(62, '0') + "af" + '"');
  REQUIRE(match);
  CHECK(match->expected == std::string(62, '0') + "af");
  for (const std::string& wrong : {std::string("*"), std::string(64, '0'), '"' + std::string(63, '0') + '"',
                                   '"' + std::string(64, 'g') + '"', "W/\"" + std::string(62, '0') + '"'})
    CHECK_MESSAGE(!with("If-Match", wrong), wrong);
  const auto none = with("If-None-Match", "*");
  REQUIRE(none);
  CHECK(none->fresh);
  CHECK_FALSE(with("If-None-Match", match->expected));
  // Of no other request.
  CHECK(parse(FileOperation::read, {{"path", "a"}}, {{"If-Match", "x"}}));
}

TEST_CASE("one range of bytes is understood, and any other passed over") {
  using Part = std::pair<std::optional<std::uint64_t>, std::optional<std::uint64_t>>;
  const auto range = [](const std::string& value, bool conditional = false) {
    std::vector<http::Header> headers{{"range", value}};
    if (conditional) headers.push_back({"If-Range", "\"x\""});
    const auto asked = parse(FileOperation::read, {{"path", "a"}}, headers);
    REQUIRE(asked);
    return Part{asked->from, asked->most};
  };
  CHECK(range("bytes=0-0") == Part{0, 1});
  CHECK(range("bytes=5-9") == Part{5, 5});
  CHECK(range("bytes=5-") == Part{5, std::nullopt});
  CHECK(range("bytes=-5") == Part{std::nullopt, 5});
  for (const char* other :
       {"bytes=9-5", "bytes=-", "bytes=", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2", "bytes=5",
        "bytes=0-9223372036854775807", "bytes=9223372036854775808-", "bytes=+1-2"}) {
    CAPTURE(std::string(other));
    CHECK(range(other) == Part{});
  }
  CHECK(range("bytes=5-9", true) == Part{});
}

TEST_CASE("what could not be done with a file has the status of its reason") {
  const FileRequest request = request_for(FileOperation::remove, "a\n\xff");
  const auto status = [&](int error_number) {
    FileAnswer answer;
    answer.failed = FileStep::open;
    answer.error_number = error_number;
    return problem_of(request, answer).status;
  };
  CHECK(status(ENOENT) == 404);
  for (const int number : {EACCES, EPERM, EROFS}) CHECK(status(number) == 403);
  for (const int number : {EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, EBUSY, EXDEV, ELOOP})
    CHECK(status(number) == 409);
  CHECK(status(EFBIG) == 413);
  CHECK(status(ENAMETOOLONG) == 400);
  for (const int number : {ENOSPC, EDQUOT}) CHECK(status(number) == 507);
  CHECK(status(EIO) == 500);
  CHECK(status(4095) == 500);
  FileAnswer full;
  full.failed = FileStep::remove;
  full.error_number = ENOTEMPTY;
  CHECK(problem_of(request, full).detail ==
        "remove 'a\?\?': directory not empty (ENOTEMPTY); with recursive=true all that is in it goes");
  FileAnswer range;
  range.failed = FileStep::range;
  range.error_number = ERANGE;
  range.stat.size = 7;
  CHECK(problem_of(request, range).status == 416);
  CHECK(problem_of(FilesEnd::sandbox_ended, "gone").status == 409);
  CHECK(problem_of(FilesEnd::out_of_memory, "").status == 507);
  CHECK(problem_of(FilesEnd::done, "").status == 500);
  CHECK_FALSE(problem_of(FilesEnd::done, "").detail.empty());
}

TEST_CASE("a file is told with names of any bytes") {
  const FileRequest request = request_for(FileOperation::list, "\xff");
  FileAnswer answer;
  answer.entries = {{"a\n", {FileType::file, 5, 04755, 1, 2, 0, ""}},
                    {"b\xfe", {FileType::link, 1, 0777, 0, 0, 1500, "\xfd"}}};
  answer.more = true;
  CHECK(
      list_json(request, answer).dump() ==
      R"({"path_base64":"/w==","entries":[{"name":"a\n","type":"file","size":5,"mode":"4755","uid":1,"gid":2,)"
      R"("modified_at":"1970-01-01T00:00:00.000Z"},{"name_base64":"Yv4=","type":"link","size":1,"mode":"0777",)"
      R"("uid":0,"gid":0,"modified_at":"1970-01-01T00:00:01.500Z","target_base64":"/Q=="}],"next_cursor":"Yv4"})");
}

}  // namespace sbx::api
