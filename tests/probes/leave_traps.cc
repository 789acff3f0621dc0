// Fills the current directory with what may hurt whoever comes next: leave_traps TARGET, a path that links
// lead to.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "attempt.h"

namespace {

using sbx::probe::report;

constexpr int kLevels = 300;

void make_file(const std::string& name, mode_t mode = 0644) {
  const int fd = open(name.c_str(), O_CREAT | O_WRONLY | O_EXCL, mode);
  report("file", fd);
  (void)close(fd);
}

void links(const std::string& target) {
  report("link_absolute", symlink(target.c_str(), "link_absolute"));
  report("link_relative", symlink(("../../../../../../../.." + target).c_str(), "link_relative"));
  report("link_root", symlink("/", "link_root"));
  report("link_proc", symlink("/proc/self/root", "link_proc"));
  report("link_self", symlink("link_self", "link_self"));
  report("link_shadow", symlink("/etc/shadow", "shadow"));
}

void names() {
  make_file("line\nbreak");
  make_file("\x1b]0;title\x07\x1b[31mred");
  make_file("\xff\xfe not text");
  make_file("-rf");
  make_file(" ");
  make_file("\"quote'");
  make_file(std::string(255, 'n'));
}

void kinds() {
  report("fifo", mkfifo("fifo", 0666));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "socket");
  report("socket",
         bind(socket(AF_UNIX, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&address), sizeof address));
  make_file("no_rights", 0);
  report("closed_directory", mkdir("closed", 0700));
  make_file("closed/file");
  report("closed_directory", chmod("closed", 0));
  make_file("attribute");
  (void)setxattr("attribute", "user.sbx", "x", 1, 0);  // not every file system takes them
  const int sparse = open("sparse", O_CREAT | O_WRONLY, 0644);
  report("sparse", ftruncate(sparse, 1L << 40U));
  report("hard_link", link("attribute", "hard_link"));
}

// Deeper than any path can name.
void deep() {
  const std::string name(100, 'd');
  int levels = 0;
  while (levels < kLevels && mkdir(name.c_str(), 0755) == 0 && chdir(name.c_str()) == 0) ++levels;
  sbx::probe::say("levels", std::to_string(levels));
}

}  // namespace

int main(int argc, char** argv) {
  links(argc > 1 ? argv[1] : "/etc/passwd");
  names();
  kinds();
  deep();
  return 0;
}
