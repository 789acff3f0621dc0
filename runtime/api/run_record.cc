#include "api/run_record.h"

#include <charconv>

namespace sbx::api {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string cursor_of(RunPosition position) {
  return std::to_string(position.created_ms) + "." + std::to_string(position.number);
}

Result<RunPosition> parse_cursor(const std::string& cursor) {
  const std::string_view text = cursor;
  const std::size_t dot = text.find('.');
  RunPosition position;
  if (dot == std::string_view::npos || !read_number(text.substr(0, dot), position.created_ms) ||
      !read_number(text.substr(dot + 1), position.number))
    return fail(std::string(kNoCursor));
  return position;
}

}  // namespace sbx::api
