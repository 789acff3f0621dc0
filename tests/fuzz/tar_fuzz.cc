// Tarballs of images: whatever the members say, nothing appears outside of the tree, and nothing in it that
// could harm where it is mounted.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/unique_fd.h"
#include "fuzz/fuzz.h"
#include "fuzz/places.h"
#include "fuzz/ustar.h"
#include "os/file.h"
#include "resource/image_unpack.h"

namespace sbx::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr ImportLimits kLimits{1U << 20U, 100, 8};
constexpr const char* kUntouched = "untouched\n";

void must_be_harmless(const fs::path& path) {
  struct stat status {};
  must(lstat(path.c_str(), &status) == 0, "what is in the tree can be looked at", path.native());
  const bool plain = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode);
  must(plain, "a tree has files, directories and symbolic links only", path.native());
  must((status.st_mode & (S_ISUID | S_ISGID)) == 0, "no set-id bits", path.native());
  must(status.st_uid <= 65535 && status.st_gid <= 65535, "an owner lies within a sandbox's ids");
}

void must_stay_inside(const Place& place) {
  for (const auto& entry : fs::directory_iterator(place.path())) {
    const std::string name = entry.path().filename();
    must(name == "root" || name == "outside", "nothing appears beside the tree", name);
  }
  struct stat outside {};
  must(stat(place.file("outside").c_str(), &outside) == 0 && outside.st_nlink == 1,
       "no link leads to what is outside");
  must(place.read("outside") == kUntouched, "what is outside is untouched");
}

void must_be_a_root(const std::string& root) {
  for (const char* name : {"dev", "proc", "sys", "tmp", "run", "var/tmp", "home/sandbox", "workspace"}) {
    must(fs::is_directory(fs::symlink_status(root + "/" + name)), "a place to mount on is a directory", name);
  }
}

void try_tarball(std::string_view bytes) {
  static const Place place;
  place.write("outside", kUntouched);
  const std::string root = place.file("root");
  fs::remove_all(root);
  fs::create_directory(root);
  const UniqueFd directory(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd tarball(memfd_create("tarball", MFD_CLOEXEC));
  must(directory.valid() && tarball.valid(), "the fuzzer can open files");
  must(pwrite(tarball.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
       "the fuzzer can write a tarball");
  const Result<std::string> digest =
      unpack_tarball(tarball.get(), bytes.size(), directory.get(), kLimits, {});
  must_stay_inside(place);
  std::uint64_t size = 0;
  std::size_t entries = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    must_be_harmless(entry.path());
    ++entries;
    if (fs::is_regular_file(entry.symlink_status()) && entry.hard_link_count() == 1)
      size += entry.file_size();
  }
  must(size <= kLimits.unpacked_bytes, "no more bytes than the sidecar says");
  must(entries <= (kLimits.entries + 2) * kLimits.depth, "no more entries than members and their parents");
  if (!digest) return must_say(digest.error());
  must(digest->size() == 64, "a digest is whole", *digest);
  must_be_a_root(root);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, most);
  if (seed % 8 != 0) sbx::fuzz::repair_checksums(data, mutated);
  return mutated;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_tarball(sbx::fuzz::text_of(data, size));
  return 0;
}
