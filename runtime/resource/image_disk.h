// The image store as open directories, with its locks: what import and removal share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

// Locks, in the order they are taken:
//   locks/<hex>   one import or removal of a digest at a time; the file is there only as long
//   locks/names   short: changes to names/, and the making of temporary directories
// A temporary directory is locked itself (flock on it) for as long as its owner lives.
struct ImageDisk {
  UniqueFd images;
  UniqueFd names;
  UniqueFd by_digest;
  UniqueFd locks;
};

// Opens the store; the directories that are missing are made, for root only.
Result<ImageDisk> open_image_disk(const std::string& state_dir);

Result<UniqueFd> lock_names(const ImageDisk& disk);

// locks/<hex>, held. Removed before it is let go; whoever waited for it then takes the next file of that
// name.
class DigestLock {
 public:
  // `wait` false: an empty optional when somebody else has it. `disk` must outlive the lock.
  static Result<std::optional<DigestLock>> take(const ImageDisk& disk, const std::string& hex, bool wait);
  DigestLock(DigestLock&& other) noexcept = default;
  DigestLock& operator=(DigestLock&&) = delete;
  ~DigestLock();

 private:
  DigestLock(int locks, std::string hex, UniqueFd fd)
      : locks_(locks), hex_(std::move(hex)), fd_(std::move(fd)) {}

  int locks_;
  std::string hex_;
  UniqueFd fd_;
};

// A directory tmp.<pid>.<n> below images/, locked. Removed with what is in it, unless `keep` was called.
class TemporaryImage {
 public:
  // With locks/names held by the caller.
  static Result<TemporaryImage> make(const ImageDisk& disk);
  TemporaryImage(TemporaryImage&& other) noexcept = default;
  TemporaryImage& operator=(TemporaryImage&&) = delete;
  ~TemporaryImage();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  void keep() { fd_.reset(); }

 private:
  TemporaryImage(int images, std::string name, UniqueFd fd)
      : images_(images), name_(std::move(name)), fd_(std::move(fd)) {}

  int images_;
  std::string name_;
  UniqueFd fd_;
};

// Removes what killed imports and removals left: every tmp.* and lock of a digest that nobody holds,
// half-made links in names/.
Result<void> remove_leftovers(const ImageDisk& disk);

}  // namespace sbx
