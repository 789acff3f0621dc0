// multipart/form-data (RFC 7578, RFC 2046 section 5.1.1), read as it comes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx::api {

// Of the value of a Content-Type; nothing: it is no multipart/form-data. Error: it has no boundary, or none
// that may be one.
Result<std::optional<std::string>> multipart_boundary(std::string_view content_type);

class MultipartReader {
 public:
  struct Part {
    std::string name;  // of the field
    std::string file;  // as it is called; empty: it is no file
  };
  enum class Next {
    more,      // bytes have to come first
    part,      // one begins: part()
    content,   // of it: content()
    part_end,  // that was all of it
    end,       // of all parts; what is behind it is passed over
  };

  explicit MultipartReader(std::string_view boundary) : delimiter_("\r\n--" + std::string(boundary)) {}

  void add(std::string_view bytes) { waiting_ += bytes; }
  // Error: it is none.
  Result<Next> next();
  [[nodiscard]] const Part& part() const { return part_; }
  [[nodiscard]] const std::string& content() const { return content_; }

 private:
  enum class State { before, behind_delimiter, head, content, over };
  Result<Next> find_first();
  Result<Next> behind_delimiter();
  Result<Next> read_head();
  Next read_content();

  std::string delimiter_;
  std::string waiting_ = "\r\n";  // the first delimiter may be the first of all
  std::size_t passed_over_ = 0;
  State state_ = State::before;
  Part part_;
  std::string content_;
};

}  // namespace sbx::api
