#include "base/result.h"

#include <cstring>

namespace sbx {

std::string errno_name(int error_number) {
  const char* name = strerrorname_np(error_number);
  return name != nullptr ? name : "E" + std::to_string(error_number);
}

std::string errno_text(int error_number) {
  const char* description = strerrordesc_np(error_number);
  std::string text = description != nullptr ? description : "unknown error";
  // Two capitals in a row start an acronym ("RFS specific error"), which stays as it is.
  if (text.size() > 1 && text[1] >= 'a' && text[1] <= 'z') {
    text[0] = static_cast<char>(text[0] | 0x20);
  }
  return text;
}

Error system_error(std::string_view call, std::string_view object, int error_number) {
  std::string text(call);
  if (!object.empty()) text += " '" + std::string(object) + "'";
  text += ": " + errno_text(error_number) + " (" + errno_name(error_number) + ")";
  return Error{std::move(text), error_number};
}

}  // namespace sbx
