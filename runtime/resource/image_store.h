// Images: a tarball (NAME.tar.zst) with a JSON sidecar (NAME.json), unpacked once into a
// content-addressed directory below the state directory:
//
//   STATE/images/by-digest/<hex>/rootfs/     the unpacked tree, owned as in the tarball
//   STATE/images/by-digest/<hex>/manifest    what it was when it was unpacked
//   STATE/images/by-digest/<hex>/NAME.json   the sidecar it was imported with
//   STATE/images/by-digest/<hex>/NAME.env    what a run needs of it
//   STATE/images/by-digest/<hex>/NAME.runner its languages (language/runner.h), where it has any
//   STATE/images/names/NAME                  symbolic link to ../by-digest/<hex>
//   STATE/images/tmp.<pid>.<n>/              an import or a removal at work, or what a killed one left
//   STATE/images/locks/                      one for the names, and one per digest that is worked on
//
// A rootfs tarball is hostile input: it is unpacked by directory descriptors only, and the first member
// that is not allowed ends the import with that member's name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// Not in the store: the host's own /usr under a synthetic /etc.
inline constexpr std::string_view kHostImage = "host";

// What a run needs of an image.
struct Image {
  std::string name;
  std::string digest;  // "sha256:…"; empty for `host`
  std::string root;    // path of the tree, absolute when the state directory is; empty for `host`
  std::vector<std::string> environment;  // "NAME=value" from the sidecar
  std::string language;
  std::vector<std::vector<std::string>> languages;  // that its runner knows: each a name and its aliases
};

struct ImportProgress {
  std::uint64_t done_bytes = 0;  // of the tarball
  std::uint64_t total_bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t without_attributes = 0;  // entries whose extended attributes or ACLs were left out
};

struct ImportLimits {
  std::uint64_t unpacked_bytes = 16ULL << 30;
  std::uint64_t entries = 2'000'000;
  unsigned depth = 64;
};

// The image NAME, ready to be mounted. Unknown name: an error that lists the known ones and the command
// that makes one.
Result<Image> find_image(const std::string& state_dir, std::string_view name);

// The text of its runner.yaml. Error: it has none.
Result<std::string> read_runner(const Image& image);

// While the descriptor is open, a removal leaves the tree of `image` (not `host`) alone. Take it before
// mounting. Error: the image has just been removed.
Result<UniqueFd> hold_image(const Image& image);

// Names of the images in the store, sorted.
Result<std::vector<std::string>> list_images(const std::string& state_dir);

// Verifies the digest of the tarball against its sidecar and unpacks it, to no more than the sidecar says and
// `limits` allow, atomically: a crash or a full disk in the middle leaves nothing half visible. Two at once
// do the work once. Returns the image; importing what is there already is quick and no error.
Result<Image> import_image(const std::string& state_dir, const std::string& tarball,
                           const std::string& sidecar, const ImportLimits& limits,
                           const std::function<void(const ImportProgress&)>& progress);

// What of the image's tree is not what was unpacked: at most `most` sentences, each about one file. None: all
// is well. Error: it cannot be told.
Result<std::vector<std::string>> verify_image(const Image& image, std::size_t most);

struct RemovedImages {
  std::vector<std::string> removed;  // digests of the trees that are gone
  std::vector<std::string> in_use;   // of those that are held or mounted and stay until the next removal
};

// Removes the name, and every tree that no name leads to any more (also those that a newer import replaced),
// except those in use.
Result<RemovedImages> remove_image(const std::string& state_dir, std::string_view name);

// The same without a name to remove: trees that none leads to, and what killed imports left.
Result<RemovedImages> prune_images(const std::string& state_dir);

}  // namespace sbx
