// The MIME type of content, as its first bytes show it (libmagic, as file(1)).
#pragma once

#include <magic.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sbx::project_files {

// So many bytes are looked at.
inline constexpr std::size_t kTypeBytes = 1U << 20U;

// Whether one of `patterns`, as policies have them, is of this type.
bool type_is_allowed(std::string_view type, const std::vector<std::string>& patterns);

class ContentTypes {
 public:
  // Reads the host's database of types: before a worker is confined. Error: it is not there, or of another
  // version.
  static Result<ContentTypes> load();
  // In a worker: what is looked at may be hostile. Content that nothing is known of is
  // "application/octet-stream", and none at all "inode/x-empty".
  [[nodiscard]] std::string of(std::string_view first_bytes) const;

 private:
  struct Close {
    void operator()(magic_set* magic) const { magic_close(magic); }
  };
  std::string database_;  // which libmagic goes on reading
  std::unique_ptr<magic_set, Close> magic_;
};

}  // namespace sbx::project_files
