// Unpacks a rootfs tarball (tar or tar.zst, hostile) into an empty directory and computes its digest on the
// way.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "resource/image_store.h"

namespace sbx {

// `tarball` is read once from its position to its end, which must come after exactly `tarball_bytes`. `root`
// is the directory to unpack into; both are borrowed. The first member that is not allowed ends it with that
// member's name: a path that is absolute, leads upwards or through a symbolic link; a device, FIFO or socket;
// set-id bits; an owner above 65535; a hard link to anything but a regular file before it; a path that comes
// twice (directories may); a mount point of the runtime that is no directory; anything past `limits`, in
// which bytes and entries are what the sidecar says. Returns the digest (hex), which the caller compares
// before it makes anything visible.
Result<std::string> unpack_tarball(int tarball, std::uint64_t tarball_bytes, int root,
                                   const ImportLimits& limits,
                                   const std::function<void(const ImportProgress&)>& progress);

}  // namespace sbx
