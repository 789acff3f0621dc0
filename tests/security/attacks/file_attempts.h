// What attempts on files are made of.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "attempts.h"

namespace sbx::attack {

// A text as a template argument.
template <std::size_t size>
struct Text {
  char text[size]{};
  // NOLINTNEXTLINE(google-explicit-constructor): so that a literal will do
  consteval Text(const char (&from)[size]) {
    for (std::size_t i = 0; i < size; ++i) text[i] = from[i];
  }
};

// What a masked file leads to.
inline bool is_null_device(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

inline long open_it(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_NONBLOCK | O_NOCTTY, 0600);
  return fd >= 0 && is_null_device(fd) ? in_vain() : fd;
}

inline long read_it(const std::string& path) {
  const long fd = open_it(path, O_RDONLY);
  std::array<char, 64> bytes{};
  if (fd < 0) return fd;
  const ssize_t size = read(static_cast<int>(fd), bytes.data(), bytes.size());
  return size == 0 ? in_vain() : size;
}

// How many names a directory shows.
inline long list_it(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return -1;
  long count = -2;
  while (readdir(directory) != nullptr) ++count;
  return count <= 0 ? in_vain() : count;
}

// A file of one's own.
inline int opened(const char* name) { return open(name, O_CREAT | O_RDWR, 0644); }

inline const char* plain(const char* name) {
  (void)close(opened(name));
  return name;
}

// The file of the host that nobody inside is shown, by one of its paths.
inline constexpr const char* kSecret = "secret of the host\n";
inline long read_secret(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  if (fd < 0) return fd;
  (void)close(fd);
  return content_of(path) == kSecret ? 0 : in_vain();
}

template <Text path, int flags = O_RDONLY>
long opens() {
  return open_it(path.text, flags);
}

template <Text path>
long opens_for_writing() {
  return open_it(path.text, O_WRONLY);
}

template <Text path>
long reads() {
  return read_it(path.text);
}

template <Text path>
long lists() {
  return list_it(path.text);
}

// Writes what is in it already: nothing changes, where this is allowed.
template <Text path>
long writes_back() {
  const std::string text = content_of(path.text);
  const long fd = open_it(path.text, O_WRONLY);
  return fd < 0 ? fd : write(static_cast<int>(fd), text.data(), text.size());
}

}  // namespace sbx::attack
