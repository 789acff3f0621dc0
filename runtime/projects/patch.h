// A transaction as a unified patch, in the form that git(1) writes and applies.
#pragma once

#include <string>

#include "base/result.h"

namespace sbx {

// Makes the library ready, which a worker could not do for itself any more.
void prepare_patches();

// Of the tops of a base and an upper layer (BranchWork); runs in a worker. A file that is no text, or larger
// than 1M, is told by the SHA-256 of what it was and is; directories and what is neither file nor link are
// left out.
Result<std::string> make_patch(int before, int after);

}  // namespace sbx
