// The image `host`: the host's own /usr, read-only, under a synthetic root whose /etc holds what programs
// need and nothing of the host's accounts or secrets. Made in a moment, no build, no download.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

struct HostImage {
  std::string root;  // STATE/host-root/<fingerprint>
  UniqueFd in_use;   // a shared lock on it: a newer root does not remove this one while a run uses it
};

// The root for the host as it is now; made anew when a package changed what it was made from.
Result<HostImage> host_image(const std::string& state_dir);

// The place of this host that the image `host` has at `inside`, without making the image: what is shown of
// /usr, the links into it, and what is copied from /etc. Empty: the image's own making, or not in it.
std::string host_image_original(const std::string& inside);

}  // namespace sbx
