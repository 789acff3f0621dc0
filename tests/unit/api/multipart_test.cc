#include "api/multipart.h"

#include <doctest/doctest.h>

#include <vector>

namespace sbx::api {
namespace {

struct Read {
  std::vector<std::string> files;  // "field:name=content"
  bool ended = false;
  std::string error;
};

// As it comes in pieces of that size.
Read read_in_pieces(const std::string& body, std::size_t size) {
  MultipartReader reader("b-1");
  Read read;
  std::string file;
  for (std::size_t at = 0; at <= body.size(); at += size) {
    if (at < body.size()) reader.add(std::string_view(body).substr(at, size));
    while (true) {
      const auto next = reader.next();
      if (!next) return read.error = next.error().text, read;
      if (*next == MultipartReader::Next::more || *next == MultipartReader::Next::end) {
        read.ended = *next == MultipartReader::Next::end;
        break;
      }
      if (*next == MultipartReader::Next::part) file = reader.part().name + ":" + reader.part().file + "=";
      if (*next == MultipartReader::Next::content) file += reader.content();
      if (*next == MultipartReader::Next::part_end) read.files.push_back(file);
    }
  }
  return read;
}

std::string part(const std::string& disposition, const std::string& content) {
  return "--b-1\r\nContent-Disposition: " + disposition + "\r\nContent-Type: text/plain\r\n\r\n" + content +
         "\r\n";
}

const std::string kEnd = "--b-1--\r\n";

}  // namespace

TEST_CASE("the parts of a form are the same in whatever pieces it comes") {
  const std::string tricky = "\r\n--b-\r\n-\r\n\r\n--b-2\r\n--\r\n--b-";
  const std::string body = "before\r\n" + part("form-data; name=\"a\"; filename=\"x y.txt\"", "one") +
                           part("FORM-DATA;name=b;FileName=\"\"", "") +
                           part("form-data; name=c; filename=\"q\\\"\\\\C:\\d\"", tricky) + kEnd + "behind";
  for (std::size_t size = 1; size <= body.size() + 1; ++size) {
    CAPTURE(size);
    const Read read = read_in_pieces(body, size);
    CHECK(read.error.empty());
    CHECK(read.ended);
    REQUIRE(read.files.size() == 3);
    CHECK(read.files[0] == "a:x y.txt=one");
    CHECK(read.files[1] == "b:=");
    CHECK(read.files[2] == "c:q\"\\C:\\d=" + tricky);
  }
}

TEST_CASE("a form that is cut has no end, wherever that is") {
  const std::string body = part("form-data; name=a; filename=b", "content") + kEnd;
  for (std::size_t size = 0; size < body.size() - 2; ++size) {
    CAPTURE(size);
    const Read read = read_in_pieces(body.substr(0, size), 7);
    CHECK_FALSE(read.ended);
    CHECK(read.error.empty());
  }
  CHECK(read_in_pieces(body.substr(0, body.size() - 2), 7).ended);
}

TEST_CASE("what is no form says what is wrong with it") {
  const auto error = [](const std::string& body) { return read_in_pieces(body, body.size() + 1).error; };
  CHECK(error("--b-1xy").find("neither a part nor the end") != std::string::npos);
  CHECK(error("--b-1\r\nX: y\r\n\r\n").find("no Content-Disposition") != std::string::npos);
  CHECK(error("--b-1\r\nno header\r\n\r\n").find("a line in its head") != std::string::npos);
  CHECK(error(part("attachment; name=a", "")).find("none of form-data") != std::string::npos);
  CHECK(error(part("form-data; name=\"a", "")).find("none of form-data") != std::string::npos);
  CHECK(error(part("form-data; name=a; name=b", "")).find("none of form-data") != std::string::npos);
  CHECK(error(part("form-data; name=a; filename*=UTF-8''x", "")).find("filename*") != std::string::npos);
  CHECK(error("--b-1\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data\r\n\r\n")
            .find("two Content-Dispositions") != std::string::npos);
  CHECK(error("--b-1\r\n" + std::string(20'000, 'x')).find("more than 16 KiB") != std::string::npos);
  CHECK(error("--b-1" + std::string(20'000, ' ')).find("too much") != std::string::npos);
  CHECK(error(std::string(100'000, 'x')).find("its boundary is nowhere") != std::string::npos);
}

TEST_CASE("a boundary is one of RFC 2046, and other content is no form") {
  CHECK(**multipart_boundary("multipart/form-data; boundary=abc") == "abc");
  CHECK(**multipart_boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"") == "a b");
  for (const char* other : {"", "text/plain", "application/octet-stream; boundary=x"}) {
    const auto boundary = multipart_boundary(other);
    CHECK((boundary && !*boundary));
  }
  for (const std::string& wrong :
       {std::string("multipart/form-data"), std::string("multipart/form-data; boundary="),
        std::string("multipart/form-data; boundary=\"a \""),
        std::string("multipart/form-data; boundary=\"a\x01\""),
        "multipart/form-data; boundary=" + std::string(71, 'x'), std::string("multipart/mixed; boundary=x"),
        std::string("multipart/form-data; boundary=a; boundary=b")}) {
    CAPTURE(wrong);
    CHECK_FALSE(multipart_boundary(wrong));
  }
}

}  // namespace sbx::api
