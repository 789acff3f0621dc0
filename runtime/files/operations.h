// What sbx-files does: each with the rights and in the mounts of whoever runs it.
#pragma once

#include <string>

#include "base/result.h"
#include "wire/files_protocol.h"

namespace sbx::files {

struct Failure {
  FileStep step = FileStep::none;
  int error_number = 0;
  FileStat stat;  // of a file of the wrong type, and of one that is shorter than a range
};

template <class T>
using Done = Result<T, Failure>;

inline tl::unexpected<Failure> failed(FileStep step, int error_number, FileStat stat = {}) {
  return tl::unexpected<Failure>({step, error_number, std::move(stat)});
}

// --- names and what they are (tree.cc) ---

// `follow`: of what a symbolic link leads to. `directory` may be AT_FDCWD.
Done<FileStat> stat_at(int directory, const std::string& path, bool follow);
// SHA-256 of what is left to read of an open file, in hex.
Done<std::string> hash_of(int file);
Done<FileAnswer> stat(const FileRequest& request);
Done<void> make_parents(const std::string& path);
Done<FileAnswer> list(const FileRequest& request);
Done<FileAnswer> remove(const FileRequest& request);
Done<FileAnswer> make_directory(const FileRequest& request);
Done<FileAnswer> move(const FileRequest& request);

// Of the directory `fd` as list: what `request` asks for of its names.
Done<FileAnswer> list_in(int fd, const FileRequest& request);

// --- content ---

struct Part {
  std::uint64_t from = 0;
  std::uint64_t size = 0;
};
// Of a file of that size (RFC 9110 section 14.1.2); nothing: it has no such part.
std::optional<Part> part_of(std::uint64_t size, const FileRequest& request);

// read_file.cc: says what follows, and writes it to standard output. A failure behind the answer is seen by
// who waits for what was promised.
Done<void> read(const FileRequest& request);

// write_file.cc: takes its frames from standard input. The file is the old one or the new one, whole. What is
// expected of the old one is looked at last of all; who writes to it just then writes to one that goes.
Done<FileAnswer> write(const FileRequest& request);

// --- the two pipes (pipes.cc) ---

Result<std::string> read_frame(std::size_t limit);
Result<void> send_answer(const FileAnswer& answer);

}  // namespace sbx::files
