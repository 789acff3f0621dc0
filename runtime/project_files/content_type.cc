#include "project_files/content_type.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "os/file.h"

namespace sbx::project_files {
namespace {

constexpr std::size_t kMostDatabase = 64U << 20U;
constexpr std::size_t kMostType = 255;

bool is_type(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$&-^_.+/").find(c) != std::string_view::npos;
  };
  return text.size() <= kMostType && std::ranges::count(text, '/') == 1 && std::ranges::all_of(text, plain);
}

bool matches(std::string_view type, std::string_view pattern) {
  if (pattern == "*/*") return true;
  if (pattern.ends_with("/*")) return type.starts_with(pattern.substr(0, pattern.size() - 1));
  return type == pattern;
}

// The first of the places, "PATH:PATH", that libmagic would look at.
Result<std::string> find_database() {
  const char* known = magic_getpath(nullptr, 0);
  std::string_view rest = known != nullptr ? known : "";
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    std::string path(rest.substr(0, colon));
    rest.remove_prefix(std::min(colon + 1, rest.size()));
    if (!path.ends_with(".mgc")) path += ".mgc";
    if (access(path.c_str(), R_OK) == 0) return path;
  }
  return fail(Error{"the database of types of files is missing: install libmagic-mgc", ENOENT});
}

}  // namespace

bool type_is_allowed(std::string_view type, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return matches(type, pattern); });
}

Result<ContentTypes> ContentTypes::load() {
  ContentTypes types;
  // It would start programs to look into what is packed.
  types.magic_.reset(magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS));
  if (!types.magic_) return fail(system_error("magic_open", "", errno));
  const std::string path = TRY(find_database());
  types.database_ = TRY_DOING("the types of files", os::read_file(AT_FDCWD, path, kMostDatabase));
  std::vector<void*> buffers{types.database_.data()};
  std::vector<std::size_t> sizes{types.database_.size()};
  if (magic_load_buffers(types.magic_.get(), buffers.data(), sizes.data(), buffers.size()) != 0) {
    const char* why = magic_error(types.magic_.get());
    return fail("the types of files in '" + path + "': " + (why != nullptr ? why : "unknown error"));
  }
  return types;
}

std::string ContentTypes::of(std::string_view first_bytes) const {
  if (first_bytes.empty()) return "inode/x-empty";
  const char* found = magic_buffer(magic_.get(), first_bytes.data(), first_bytes.size());
  const std::string_view type = found != nullptr ? found : "";
  return is_type(type) ? std::string(type) : "application/octet-stream";
}

}  // namespace sbx::project_files
