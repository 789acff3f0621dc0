// What is asked of sbx-projects, the program that looks after projects for those who cannot see them: one
// question per process, over a client's socket (wire/client_protocol.h). The question is a sealed memfd; the
// answer a text, which is JSON but for a patch, or an error whose value is that of errno(3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx {

// In sbx-projects: the client's socket, and what says who asks (wire/keeper_protocol.h).
inline constexpr int kProjectSocketFd = 3;
inline constexpr int kProjectPeerFd = 4;
inline constexpr std::size_t kMostProjectQuestion = 64U << 10U;
inline constexpr std::size_t kMostProjectAnswer = 16U << 20U;

enum class ProjectAction : std::uint8_t {
  list,
  show,
  create,  // under `policy`, with `bytes` and `inodes` as limits
  rename,  // to `name`
  remove,
  limit,  // to `bytes` and `inodes`
  transactions,
  diff,  // of the transaction `name`, as are the next three
  patch,
  commit,
  discard,
  snapshots,
  take_snapshot,  // `name`, as do the next two
  restore_snapshot,
  remove_snapshot,
};

struct ProjectQuestion {
  ProjectAction action = ProjectAction::list;
  std::string project;  // empty: of `list` alone
  std::string name;
  std::string policy = "default";
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> inodes;
  bool operator==(const ProjectQuestion&) const = default;
};

std::string encode_project_question(const ProjectQuestion& question);
// Every name that its action needs is there, and is one.
Result<ProjectQuestion> decode_project_question(std::string_view bytes);

}  // namespace sbx
