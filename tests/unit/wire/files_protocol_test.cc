#include "wire/files_protocol.h"

#include <doctest/doctest.h>

#include <cerrno>

namespace sbx {
namespace {

FileAnswer full_answer() {
  FileAnswer answer;
  answer.created = true;
  answer.stat = {FileType::directory, 4096, 01777, 1000, 65534, -5, ""};
  answer.sha256.assign(64, '0');
  answer.name = "n\xff";
  answer.mime = "text/x-c++";
  answer.from = 7;
  answer.follow = 8;
  answer.entries = {{"a", {FileType::file, 1, 0644, 0, 0, 0, ""}},
                    {"b\xff", {FileType::link, 1, 0777, 0, 0, 0, "../\xfe"}}};
  answer.more = true;
  return answer;
}

FileRequest request_for(const char* path) {
  FileRequest request;
  request.path = path;
  return request;
}

bool is_refused(const FileAnswer& answer) { return !decode_file_answer(encode_file_answer(answer)); }

}  // namespace

TEST_CASE("what is asked of files and what is answered arrives as it was sent") {
  FileRequest request;
  request.operation = FileOperation::move;
  request.path = "a\n\xff";
  request.to = "/b";
  request.from = 0;
  request.mode = 0777;
  request.parents = request.replace = request.hash = request.fresh = true;
  request.expected.assign(64, 'f');
  request.after = "x";
  request.entries = kMostFileEntries;
  const auto decoded = decode_file_request(encode_file_request(request));
  REQUIRE(decoded);
  CHECK(*decoded == request);
  const auto answer = decode_file_answer(encode_file_answer(full_answer()));
  REQUIRE(answer);
  CHECK(*answer == full_answer());
}

TEST_CASE("a media type can stand in a header, and a name is one") {
  for (const char* good : {"text/plain", "application/vnd.a-b.c+xml", "inode/x-empty"})
    CHECK(is_media_type(good));
  for (const std::string& bad :
       {std::string(), std::string("text"), std::string("/"), std::string("a/"), std::string("a/b; c"),
        std::string("a/b\r\nX: y"), std::string("a/b/c"), "a/" + std::string(128, 'b')}) {
    CAPTURE(bad);
    CHECK_FALSE(is_media_type(bad));
    FileAnswer answer;
    answer.mime = bad;
    CHECK(is_refused(answer) == !bad.empty());
  }
  FileAnswer answer;
  answer.name = "a/b";
  CHECK(is_refused(answer));
}

TEST_CASE("a request for files that no API sends is refused") {
  const auto refused = [](auto change) {
    FileRequest request = request_for("x");
    change(request);
    return !decode_file_request(encode_file_request(request));
  };
  CHECK_FALSE(refused([](FileRequest&) {}));
  CHECK(refused([](FileRequest& r) { r.path.clear(); }));
  CHECK(refused([](FileRequest& r) { r.path.assign(4096, 'a'); }));
  CHECK(refused([](FileRequest& r) { r.path = std::string("a\0b", 3); }));
  CHECK(refused([](FileRequest& r) { r.to = "y"; }));  // it is no move
  CHECK(refused([](FileRequest& r) { r.operation = FileOperation::move; }));
  CHECK(refused([](FileRequest& r) { r.mode = 01000; }));
  CHECK(refused([](FileRequest& r) { r.after = "a/b"; }));
  CHECK(refused([](FileRequest& r) { r.entries = kMostFileEntries + 1; }));
  CHECK(refused([](FileRequest& r) { r.expected = "short"; }));
  CHECK(refused([](FileRequest& r) { r.expected.assign(64, 'F'); }));
  const std::string bytes = encode_file_request(request_for("x"));
  CHECK_FALSE(decode_file_request(bytes + "x"));
  CHECK_FALSE(decode_file_request(std::string_view(bytes).substr(1)));
}

TEST_CASE("an answer about files that no file system could give is refused") {
  const auto refused = [](auto change) {
    FileAnswer answer = full_answer();
    change(answer);
    return is_refused(answer);
  };
  CHECK(refused([](FileAnswer& a) { a.sha256.pop_back(); }));
  CHECK_FALSE(refused([](FileAnswer&) {}));
  CHECK(refused([](FileAnswer& a) { a.error_number = ENOENT; }));
  CHECK(refused([](FileAnswer& a) { a.failed = FileStep::open; }));
  CHECK(refused([](FileAnswer& a) { a.failed = FileStep::open, a.error_number = -1; }));
  CHECK(refused([](FileAnswer& a) { a.stat.size = 1ULL << 63U; }));
  CHECK(refused([](FileAnswer& a) { a.stat.mode = 010000; }));
  CHECK(refused([](FileAnswer& a) { a.stat.changed_ms = 253'402'300'800'000; }));
  CHECK(refused([](FileAnswer& a) { a.stat.target.assign(4096, 'a'); }));
  CHECK(refused([](FileAnswer& a) { a.from = INT64_MAX; }));
  for (const std::string name : {"", ".", "..", "a/b", "a"}) {
    CAPTURE(name);
    CHECK(refused([&](FileAnswer& a) { a.entries[1].name = name; }));
  }
  CHECK(refused([](FileAnswer& a) { a.entries[1].name = std::string("b\0c", 3); }));
  CHECK(refused([](FileAnswer& a) { a.entries[1].name.assign(256, 'b'); }));
  CHECK(refused([](FileAnswer& a) { a.entries.clear(); }));  // and more behind the last of them
  CHECK_FALSE(refused([](FileAnswer& a) { a.entries.clear(), a.more = false; }));
  const std::string bytes = encode_file_answer(full_answer());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_file_answer(std::string_view(bytes).substr(0, size)));
  CHECK_FALSE(decode_file_answer(bytes + "x"));
}

}  // namespace sbx
