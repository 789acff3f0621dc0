// write PATH…: makes each file and reads it back. read PATH…: reads what `write` wrote. fill PATH: writes
// until that fails, and prints how many bytes went in.
#include <fcntl.h>

#include <array>

#include "attempt.h"

namespace {

constexpr char kText[] = "written";

int write_file(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  return fd < 0 || write(fd, kText, sizeof kText) != sizeof kText ? -1 : close(fd);
}

int read_file(const char* path) {
  std::array<char, sizeof kText> text{};
  const int fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, text.data(), text.size()) < 0) return -1;
  if (memcmp(text.data(), kText, sizeof kText) == 0) return close(fd);
  errno = EBADMSG;
  return -1;
}

void fill(const char* path) {
  static constexpr std::array<char, 65536> kBlock{};
  const int fd = open(path, O_WRONLY | O_CREAT, 0644);
  long bytes = 0;
  ssize_t count = fd < 0 ? -1 : 0;
  while (count >= 0) {
    count = write(fd, kBlock.data(), kBlock.size());
    if (count > 0) bytes += count;
  }
  sbx::probe::report("end", -1);
  sbx::probe::say("bytes", std::to_string(bytes));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  for (int i = 2; i < argc; ++i) {
    if (what == "write") {
      const int written = write_file(argv[i]);
      sbx::probe::report(argv[i], written < 0 ? written : read_file(argv[i]));
    }
    if (what == "read") sbx::probe::report(argv[i], read_file(argv[i]));
    if (what == "fill") fill(argv[i]);
  }
  return 0;
}
