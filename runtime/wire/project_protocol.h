// What is asked of sbx-projects, the program that looks after projects for those who cannot see them: one
// question per process, over a client's socket (wire/client_protocol.h). The question is a sealed memfd; the
// answer a text, which is JSON but for a patch, or an error whose value is that of errno(3).
//
// Content of files comes and goes by two pipes, as that of a sandbox's files does (wire/files_protocol.h):
// in, frames and an empty one as their end; out, a frame with a FileAnswer and behind it the bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/files_protocol.h"

namespace sbx {

// In sbx-projects: the client's socket, and what says who asks (wire/keeper_protocol.h).
inline constexpr int kProjectSocketFd = 3;
inline constexpr int kProjectPeerFd = 4;
// Only where a question has content.
inline constexpr int kProjectContentIn = 5;
inline constexpr int kProjectContentOut = 6;
// Its last argument where there is no peer.
inline constexpr const char* kNobodysQuestion = "nobody";
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
  file,           // what `file` says; content comes with `write`, and goes with `read`
  upload,         // content: a new file `name` in the folder that `file` has as path
  extract,        // content: an archive; becomes the new folder `name` there
  fetch_archive,  // that folder, packed
  walk,           // all in that folder and below it
  check_files,
  store_configuration,   // `name`: the API did, and it is to be recorded; nothing else comes of it
  remove_configuration,  // the same
  check_all_files,       // of every project, for nobody: the API's own question, and no other is
};

// What is done where the name of a new file is taken.
enum class Taken : std::uint8_t {
  rename,   // "name (1).ext", unless what is there has the same content: then nothing is stored
  replace,  // a regular file only
  refuse,
};

enum class ArchiveFormat : std::uint8_t { tar, zip };

// A member of an archive that may not be.
enum class OnRefused : std::uint8_t {
  fail,  // nothing of the archive is there afterwards
  skip,  // all but the refused members
};

// Paths begin at the top of the workspace; "" is it, and for what is new where files go by default. What is
// the id of a file is that file.
struct ProjectFileQuestion {
  FileRequest request;
  Taken taken = Taken::rename;
  ArchiveFormat format = ArchiveFormat::tar;
  OnRefused on_refused = OnRefused::fail;
  bool adopt = false;  // check_files: what programs made gets an id
  bool operator==(const ProjectFileQuestion&) const = default;
};

struct ProjectQuestion {
  ProjectAction action = ProjectAction::list;
  std::string project;  // empty: of `list` and `check_all_files` alone
  std::string name;
  std::string policy = "default";
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> inodes;
  std::optional<ProjectFileQuestion> file;  // of those about files alone
  bool operator==(const ProjectQuestion&) const = default;
};

bool is_about_files(ProjectAction action);  // of one project
// Of a question: content comes, or goes.
bool has_content_in(const ProjectQuestion& question);
bool has_content_out(const ProjectQuestion& question);

std::string encode_project_question(const ProjectQuestion& question);
// Every name that its action needs is there, and is one. That of a new file is still to be checked.
Result<ProjectQuestion> decode_project_question(std::string_view bytes);

}  // namespace sbx
