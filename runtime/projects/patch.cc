#include "projects/patch.h"

#include <fcntl.h>
#include <git2.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/hash.h"
#include "os/file.h"
#include "tree/changes.h"
#include "tree/entries.h"

namespace sbx {
namespace {

constexpr std::uint64_t kMostText = 1U << 20U;
constexpr std::size_t kMostPatch = 128U << 20U;
constexpr mode_t kExecutable = 0100;

struct FreePatch {
  void operator()(git_patch* patch) const { git_patch_free(patch); }
};

std::string last_error(const char* call) {
  const ::git_error* error = git_error_last();
  return std::string(call) + ": " + (error != nullptr ? error->message : "it failed");
}

// One side of a change, as git has it.
struct Side {
  std::optional<mode_t> mode;  // of a file or link; missing: there is none
  std::string text;
  std::string sha256;  // in place of the text
};

bool is_shown(const std::optional<tree::EntryState>& state) {
  return state && (S_ISREG(state->mode) || S_ISLNK(state->mode));
}

std::string mode_text(mode_t mode) {
  if (S_ISLNK(mode)) return "120000";
  return (mode & kExecutable) != 0 ? "100755" : "100644";
}

// Of as much as it had when it was listed: a program may write faster than this reads.
Result<std::string> hash_of(int file, std::uint64_t size) {
  Sha256 hash;
  std::string block(65536, '\0');
  while (size > 0) {
    const ssize_t count = read(file, block.data(), std::min<std::uint64_t>(block.size(), size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("read", "", errno));
    if (count == 0) break;
    hash.update(std::string_view(block).substr(0, static_cast<std::size_t>(count)));
    size -= static_cast<std::uint64_t>(count);
  }
  return hash.hex();
}

Result<Side> read_side(int top, const std::string& path, const std::optional<tree::EntryState>& state) {
  Side side;
  if (!is_shown(state)) return side;
  side.mode = state->mode;
  const std::size_t slash = path.find_last_of('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const UniqueFd above =
      TRY(os::open_resolved(top, slash == std::string::npos ? "." : path.substr(0, slash),
                            O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
  if (S_ISLNK(state->mode)) {
    side.text = TRY(tree::read_link(above.get(), name));
    return side;
  }
  const UniqueFd file = TRY(tree::open_regular(above.get(), name));
  if (state->size <= kMostText) {
    side.text = TRY(os::read_all(file.get(), path, kMostText));
    if (side.text.find('\0') == std::string::npos) return side;
    side.sha256 = sha256_hex(side.text);
    return side;
  }
  side.sha256 = TRY(hash_of(file.get(), state->size));
  return side;
}

// As git quotes a path that is not plain.
std::string quoted(const std::string& path) {
  constexpr unsigned char kFirstPlain = 0x20;
  constexpr unsigned char kFirstOdd = 0x7f;
  std::string text;
  bool odd = false;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < kFirstPlain || byte >= kFirstOdd) {
      std::array<char, 5> octal{};
      (void)std::snprintf(octal.data(), octal.size(), "\\%03o", byte);
      text += octal.data();
      odd = true;
    } else {
      odd = odd || c == '"' || c == '\\';
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
  }
  return odd ? '"' + text + '"' : text;
}

Result<std::string> hunks(const Side& before, const Side& after) {
  git_patch* made = nullptr;
  if (git_patch_from_buffers(&made, before.text.data(), before.text.size(), nullptr, after.text.data(),
                             after.text.size(), nullptr, nullptr) != 0)
    return fail(last_error("git_patch_from_buffers"));
  const std::unique_ptr<git_patch, FreePatch> patch(made);
  std::string text;
  for (std::size_t i = 0; i < git_patch_num_hunks(made); ++i) {
    const git_diff_hunk* hunk = nullptr;
    std::size_t lines = 0;
    if (git_patch_get_hunk(&hunk, &lines, made, i) != 0) return fail(last_error("git_patch_get_hunk"));
    text.append(static_cast<const char*>(hunk->header), hunk->header_len);
    for (std::size_t l = 0; l < lines; ++l) {
      const git_diff_line* line = nullptr;
      if (git_patch_get_line_in_hunk(&line, made, i, l) != 0)
        return fail(last_error("git_patch_get_line_in_hunk"));
      const bool plain = line->origin == GIT_DIFF_LINE_CONTEXT || line->origin == GIT_DIFF_LINE_ADDITION ||
                         line->origin == GIT_DIFF_LINE_DELETION;
      if (plain) text += line->origin;
      text.append(line->content, line->content_len);
    }
  }
  return text;
}

// The patch of one file, or of its becoming another kind of thing: then it goes and comes.
Result<std::string> file_patch(const std::string& path, const Side& before, const Side& after) {
  if (before.mode && after.mode && S_ISLNK(*before.mode) != S_ISLNK(*after.mode)) {
    const std::string gone = TRY(file_patch(path, before, {}));
    const std::string come = TRY(file_patch(path, {}, after));
    return gone + come;
  }
  const std::string old_name = quoted("a/" + path);
  const std::string new_name = quoted("b/" + path);
  std::string text = "diff --git " + old_name + " " + new_name + "\n";
  if (!before.mode) text += "new file mode " + mode_text(*after.mode) + "\n";
  if (!after.mode) text += "deleted file mode " + mode_text(*before.mode) + "\n";
  if (before.mode && after.mode && mode_text(*before.mode) != mode_text(*after.mode))
    text += "old mode " + mode_text(*before.mode) + "\nnew mode " + mode_text(*after.mode) + "\n";
  const std::string from = before.mode ? old_name : "/dev/null";
  const std::string to = after.mode ? new_name : "/dev/null";
  if (!before.sha256.empty() || !after.sha256.empty()) {
    const auto hash = [](const Side& side) {
      if (!side.mode) return std::string("nothing");
      return side.sha256.empty() ? sha256_hex(side.text) : side.sha256;
    };
    const std::string was = hash(before);
    const std::string is = hash(after);
    if (was == is) return text;
    return text + "Binary files " + from + " and " + to + " differ: sha256 " + was + " to " + is + "\n";
  }
  const std::string changed = TRY(hunks(before, after));
  if (!changed.empty()) text += "--- " + from + "\n+++ " + to + "\n" + changed;
  return text;
}

}  // namespace

void prepare_patches() { (void)git_libgit2_init(); }

Result<std::string> make_patch(int before, int after) {
  std::string patch;
  const auto add = [&](const tree::Change& change) -> Result<void> {
    const Side was = TRY(read_side(before, change.path, change.before));
    const Side is = TRY(read_side(after, change.path, change.after));
    if (!was.mode && !is.mode) return {};
    const std::string of_file = TRY(file_patch(change.path, was, is));
    patch += of_file;
    if (patch.size() <= kMostPatch) return {};
    return fail("the patch is larger than 128M; look at the list of changes instead (without --patch)");
  };
  TRY(tree::compare(before, after, tree::After::layer, add));
  return patch;
}

}  // namespace sbx
