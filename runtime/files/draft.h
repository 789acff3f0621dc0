// A file that gets its name when all of it is there.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "files/operations.h"

namespace sbx::files {

// What a draft is called where it needs a name, with 16 digits behind it.
inline constexpr const char* kDraftName = ".sbx-upload-";

// A file without a name, where the file system can have one: whatever happens, nothing is left of it.
struct Draft {
  UniqueFd fd;
  std::string name;    // empty: none
  std::string wanted;  // where it needs one; empty: a random one
};

// One of those names, that nobody can know.
Done<std::string> random_draft_name();

Done<Draft> make_draft(int directory, const std::string& wanted = {});  // mode 0600
// Removes what has not come to its own name.
void forget(const Draft& draft, int directory);

// Whether the content of what is there has the SHA-256 that was expected: FileStep::condition, if not.
Done<void> check_old(int directory, const std::string& name, const std::string& expected);

// `there`: a file is to be replaced. `fresh`: none may be; FileStep::condition, with EEXIST.
Done<void> put_in_place(Draft& draft, int directory, const std::string& name, bool there, bool fresh);

}  // namespace sbx::files
