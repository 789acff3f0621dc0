// Tarballs, sidecars and state directories for the tests of the image store.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "resource/image_sidecar.h"
#include "resource/image_store.h"

namespace sbx::testing {

namespace fs = std::filesystem;

// In memory where that is possible: each import ends with a syncfs(2), which waits for everybody's writes.
class TempDirectory {
 public:
  TempDirectory() {
    const bool memory = access("/dev/shm", W_OK | X_OK) == 0;
    std::string pattern = (memory ? fs::path("/dev/shm") : fs::temp_directory_path()) / "sbx-image-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

struct Member {
  std::string name;
  mode_t type = AE_IFREG;
  mode_t mode = 0644;
  std::string content{};
  std::string symlink{};
  std::string hard_link{};
  std::int64_t uid = geteuid();  // so that the tests need no root
  std::int64_t gid = getegid();
  timespec modified{1'600'000'000, 123'456'789};
  std::vector<std::pair<std::string, std::string>> attributes{};
  std::int64_t hole = 0;  // bytes before the content that are not stored
};

inline Member directory(std::string name, mode_t mode = 0755) {
  return {.name = std::move(name), .type = AE_IFDIR, .mode = mode};
}
inline Member file(std::string name, std::string content = "x") {
  return {.name = std::move(name), .content = std::move(content)};
}
inline Member symlink_to(std::string name, std::string target) {
  return {.name = std::move(name), .type = AE_IFLNK, .mode = 0777, .symlink = std::move(target)};
}
inline Member hard_link_to(std::string name, std::string target) {
  return {.name = std::move(name), .hard_link = std::move(target)};
}

// Every place that the import would make itself, with the owner of the test.
inline std::vector<Member> mount_points() {
  std::vector<Member> members{directory("./")};
  for (const char* name : {"dev", "proc", "sys", "run", "var", "home", "home/sandbox", "workspace"}) {
    members.push_back(directory(name));
  }
  members.push_back(directory("tmp", 01777));
  members.push_back(directory("var/tmp", 01777));
  return members;
}

inline std::vector<Member> operator+(std::vector<Member> first, const std::vector<Member>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

inline void write_member(archive* writer, const Member& member) {
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, member.name.c_str());
  archive_entry_set_filetype(entry, member.type);
  archive_entry_set_perm(entry, member.mode);
  archive_entry_set_uid(entry, member.uid);
  archive_entry_set_gid(entry, member.gid);
  archive_entry_set_mtime(entry, member.modified.tv_sec, member.modified.tv_nsec);
  const auto size = static_cast<std::int64_t>(member.content.size());
  archive_entry_set_size(entry, member.type == AE_IFREG ? member.hole + size : 0);
  if (member.hole > 0) archive_entry_sparse_add_entry(entry, member.hole, size);
  if (!member.symlink.empty()) archive_entry_set_symlink(entry, member.symlink.c_str());
  if (!member.hard_link.empty()) archive_entry_set_hardlink(entry, member.hard_link.c_str());
  if (member.type == AE_IFCHR || member.type == AE_IFBLK) archive_entry_set_rdev(entry, makedev(1, 3));
  for (const auto& [name, value] : member.attributes) {
    archive_entry_xattr_add_entry(entry, name.c_str(), value.data(), value.size());
  }
  const int status = archive_write_header(writer, entry);
  REQUIRE_MESSAGE((status == ARCHIVE_OK || status == ARCHIVE_WARN), archive_error_string(writer));
  if (member.hole > 0) {
    // The writer takes the whole length and leaves the hole out.
    const std::string zeros(1U << 20U, '\0');
    for (std::int64_t done = 0; done < member.hole; done += static_cast<std::int64_t>(zeros.size())) {
      const auto rest = static_cast<std::size_t>(member.hole - done);
      REQUIRE(archive_write_data(writer, zeros.data(), std::min(rest, zeros.size())) >= 0);
    }
  }
  if (size > 0) REQUIRE(archive_write_data(writer, member.content.data(), member.content.size()) == size);
  archive_entry_free(entry);
}

inline void write_tarball(const std::string& path, const std::vector<Member>& members,
                          bool compressed = true) {
  archive* writer = archive_write_new();
  REQUIRE(archive_write_set_format_pax(writer) == ARCHIVE_OK);
  if (compressed) REQUIRE(archive_write_add_filter_zstd(writer) == ARCHIVE_OK);
  REQUIRE(archive_write_open_filename(writer, path.c_str()) == ARCHIVE_OK);
  for (const Member& member : members) write_member(writer, member);
  REQUIRE(archive_write_close(writer) == ARCHIVE_OK);
  archive_write_free(writer);
}

// One member as raw bytes, for what libarchive does not write.
inline std::string raw_member(const std::string& name, char type, const std::string& content,
                              const std::string& link = {}, std::string_view owner = {}) {
  std::array<char, 512> header{};
  (void)snprintf(header.data(), 100, "%s", name.c_str());
  (void)snprintf(header.data() + 100, 8, "%07o", 0644U);
  (void)snprintf(header.data() + 108, 8, "%07o", geteuid());
  if (!owner.empty()) memcpy(header.data() + 108, owner.data(), 8);
  (void)snprintf(header.data() + 116, 8, "%07o", getegid());
  (void)snprintf(header.data() + 124, 12, "%011lo", static_cast<unsigned long>(content.size()));
  (void)snprintf(header.data() + 136, 12, "%011o", 1'600'000'000U);
  memset(header.data() + 148, ' ', 8);
  header[156] = type;
  (void)snprintf(header.data() + 157, 100, "%s", link.c_str());
  memcpy(header.data() + 257,
         "ustar\0"
         "00",
         8);
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  (void)snprintf(header.data() + 148, 8, "%06o", sum);
  std::string bytes(header.data(), header.size());
  bytes += content;
  bytes.resize((bytes.size() + 511) / 512 * 512);
  return bytes;
}

inline const std::string kRawEnd(1024, '\0');

struct Contents {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of regular files, hard links once
};

// As far as it can be read.
inline Contents contents_of(const std::string& tarball) {
  Contents contents;
  archive* reader = archive_read_new();
  REQUIRE(archive_read_support_format_tar(reader) == ARCHIVE_OK);
  REQUIRE(archive_read_support_filter_zstd(reader) == ARCHIVE_OK);
  archive_entry* entry = nullptr;
  if (archive_read_open_filename(reader, tarball.c_str(), 65536) == ARCHIVE_OK) {
    for (int status = 0; (status = archive_read_next_header(reader, &entry)) != ARCHIVE_EOF;) {
      if (status < ARCHIVE_WARN) break;
      ++contents.entries;
      const bool file = archive_entry_hardlink(entry) == nullptr && archive_entry_filetype(entry) == AE_IFREG;
      if (file) contents.bytes += static_cast<std::uint64_t>(archive_entry_size(entry));
    }
  }
  archive_read_free(reader);
  return contents;
}

inline nlohmann::json sidecar_for(const std::string& tarball, const std::string& name) {
  const std::string bytes = content(tarball);
  const Contents contents = contents_of(tarball);
  return {{"schema", 1},
          {"name", name},
          {"variant", "test"},
          {"digest", "sha256:" + sha256_hex(bytes)},
          {"tarball_bytes", bytes.size()},
          {"unpacked_bytes", contents.bytes},
          {"entries", contents.entries},
          {"architecture", host_architecture()},
          {"os", "linux"},
          {"env", {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}},
          {"workdir", "/workspace"},
          {"user", "1000:1000"},
          {"entrypoint", nlohmann::json::array()},
          {"cmd", {"bash"}},
          {"labels", {{"sbx.language", "test"}}},
          {"language", "test"},
          {"versions", {{"test", "1.0"}}},
          {"packages", nlohmann::json::array()},
          {"built_at", "2026-11-21T10:00:00Z"}};
}

// A state directory, and NAME.tar.zst with NAME.json beside it.
class Store {
 public:
  [[nodiscard]] std::string state() const { return directory_.file("state"); }
  [[nodiscard]] std::string tarball(const std::string& name = "test") const {
    return directory_.file(name + ".tar.zst");
  }
  [[nodiscard]] std::string sidecar(const std::string& name = "test") const {
    return directory_.file(name + ".json");
  }
  [[nodiscard]] std::string outside() const { return directory_.file("outside"); }

  void make(const std::vector<Member>& members, const std::string& name = "test") const {
    write_tarball(tarball(name), members);
    describe(name);
  }
  void describe(const std::string& name = "test") const { describe(name, sidecar_for(tarball(name), name)); }
  void describe(const std::string& name, const nlohmann::json& json) const {
    write_file(sidecar(name), json.dump());
  }

  Result<Image> import(const std::string& name = "test", const ImportLimits& limits = {},
                       const std::function<void(const ImportProgress&)>& progress = {}) const {
    return import_image(state(), tarball(name), sidecar(name), limits, progress);
  }

  // Entries of images/ that only an import at work may have.
  [[nodiscard]] std::vector<std::string> temporaries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(state() + "/images")) {
      if (entry.path().filename().string().starts_with("tmp.")) names.push_back(entry.path().filename());
    }
    return names;
  }
  // Those of digests; a lock that nobody holds has no file.
  [[nodiscard]] std::size_t locks() const {
    const fs::directory_iterator all(state() + "/images/locks");
    return static_cast<std::size_t>(std::count_if(
        begin(all), end(all), [](const auto& file) { return file.path().filename() != "names"; }));
  }
  [[nodiscard]] std::size_t trees() const {
    const fs::directory_iterator all(state() + "/images/by-digest");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  [[nodiscard]] std::size_t visible() const { return list_images(state()).value().size(); }

 private:
  TempDirectory directory_;
};

inline struct stat status_of(const std::string& path) {
  struct stat status {};
  REQUIRE_MESSAGE(lstat(path.c_str(), &status) == 0, path);
  return status;
}

// Runs `body` in a child and returns its exit status (a signal: 128+n). What it mounts ends with it.
inline int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(body());
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace sbx::testing
