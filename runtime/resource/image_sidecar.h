// The sidecar of an image tarball: NAME.json as rootfs/build writes it. Parsed when an image is imported or
// shown, never for a run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "language/runner.h"
#include "resource/image_store.h"

namespace sbx {

struct ImageSidecar {
  std::string name;
  std::string variant;
  std::string digest_hex;  // of the tarball, without "sha256:"
  std::uint64_t tarball_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
  std::uint64_t entries = 0;
  std::string architecture;
  std::string os;
  std::vector<std::string> environment;  // "NAME=value"
  std::string workdir;
  std::string user;
  std::string language;
  std::map<std::string, std::string> versions;
  std::string built_at;
  std::string runner_text;  // its runner.yaml; empty: it has none
  Runner runner;
};

inline constexpr std::size_t kSidecarLimit = 4U << 20U;

// Checks form and bounds of every known field (others are ignored), not whether this machine can run the
// image.
Result<ImageSidecar> parse_sidecar(std::string_view text);

// The architecture of this program in the words of a sidecar: "amd64", "arm64".
std::string_view host_architecture();

// The sidecar of an image in the store, as it was imported.
Result<std::string> read_sidecar(const Image& image);

}  // namespace sbx
