// Tarballs that try to reach outside their tree, or to become something that the runtime trips over. Each
// must end the import with the member's name, change nothing outside, and leave nothing behind.
#include "image_fixture.h"

namespace sbx::testing {
namespace {

struct Attack {
  std::string what;
  std::vector<Member> members;
  std::string member;  // the one that is named
  std::string reason;
};

void check_refused(const Store& store, const std::string& member, const std::string& reason,
                   const ImportLimits& limits = {}) {
  const Result<Image> image = store.import("test", limits);
  REQUIRE_FALSE(image);
  const std::string& text = image.error().text;
  CHECK_MESSAGE(text.find(reason) != std::string::npos, text);
  if (!member.empty()) CHECK_MESSAGE(text.find("member '" + member + "'") != std::string::npos, text);
  CHECK(store.visible() == 0);
  CHECK(store.trees() == 0);
  CHECK(store.temporaries().empty());
  CHECK(store.locks() == 0);
}

TEST_CASE("a member that is not allowed ends the import with its name") {
  const Store outer;  // its directory is what the links point to
  const std::string outside = outer.outside();
  fs::create_directory(outside);
  write_file(outside + "/victim", "untouched");
  const auto before = fs::last_write_time(outside);

  Member device = file("dev/null", "");
  device.type = AE_IFCHR;
  Member disk = device;
  disk.type = AE_IFBLK;
  Member fifo = device;
  fifo.type = AE_IFIFO;
  Member set_uid = file("su");
  set_uid.mode = 04755;
  Member set_gid = directory("share", 02755);
  Member foreign = file("foreign");
  foreign.uid = 65536;
  Member opaque = directory("opaque");
  opaque.attributes = {{"trusted.overlay.opaque", "y"}};

  const std::vector<Attack> attacks{
      {"absolute name", {file("/etc/passwd")}, "/etc/passwd", "absolute"},
      {"absolute directory", {directory("//")}, "//", "absolute"},
      {"name that leads upwards", {file("../x")}, "../x", "upwards"},
      {"name that leads upwards from the middle", {file("a/../../x")}, "a/../../x", "upwards"},
      {"directory that leads upwards", {directory("a/..")}, "a/../", "upwards"},
      {"link that leads upwards", {symlink_to("../l", "x")}, "../l", "upwards"},
      {"file below a link", {symlink_to("l", outside), file("l/x")}, "l/x", "symbolic link"},
      {"file over a victim", {symlink_to("l", outside), file("l/victim")}, "l/victim", "symbolic link"},
      {"file far below a link", {symlink_to("l", outside), file("l/a/b/x")}, "l/a/b/x", "symbolic link"},
      {"file below a relative link",
       {directory("d"), symlink_to("l", "d"), file("l/x")},
       "l/x",
       "symbolic link"},
      {"directory below a link", {symlink_to("l", outside), directory("l/d")}, "l/d/", "symbolic link"},
      {"link below a link", {symlink_to("l", outside), symlink_to("l/m", "x")}, "l/m", "symbolic link"},
      {"hard link below a link",
       {symlink_to("l", outside), file("a"), hard_link_to("l/h", "a")},
       "l/h",
       "symbolic"},
      {"directory in place of a link", {symlink_to("l", outside), directory("l")}, "l/", "there already"},
      {"file in place of a link", {symlink_to("l", outside + "/victim"), file("l")}, "l", "there already"},
      {"link in place of a directory", {directory("d"), symlink_to("d", outside)}, "d", "there already"},
      {"file below a file", {file("f"), file("f/x")}, "f/x", "not a directory"},
      {"a file twice", {file("f"), file("./f")}, "./f", "there already"},
      {"a link twice", {symlink_to("l", "a"), symlink_to("l", "b")}, "l", "there already"},
      {"hard link to nothing", {hard_link_to("h", "missing")}, "h", "no regular file"},
      {"hard link to a link",
       {symlink_to("l", outside + "/victim"), hard_link_to("h", "l")},
       "h",
       "no regular file"},
      {"hard link through a link",
       {symlink_to("l", outside), hard_link_to("h", "l/victim")},
       "h",
       "no regular file"},
      {"hard link to a directory", {directory("d"), hard_link_to("h", "d")}, "h", "no regular file"},
      {"hard link to the root", {hard_link_to("h", ".")}, "h", "no regular file"},
      {"hard link to an absolute name", {hard_link_to("h", outside + "/victim")}, "h", "absolute"},
      {"hard link upwards", {hard_link_to("h", "../../../outside/victim")}, "h", "upwards"},
      {"hard link over a file", {file("a"), file("h"), hard_link_to("h", "a")}, "h", "there already"},
      {"character device", {device}, "dev/null", "device nodes"},
      {"block device", {disk}, "dev/null", "device nodes"},
      {"FIFO", {fifo}, "dev/null", "FIFOs"},
      {"set-user-id file", {set_uid}, "su", "set-user-id"},
      {"set-group-id directory", {set_gid}, "share/", "set-user-id"},
      {"owner above 65535", {foreign}, "foreign", "65536"},
      {"attribute of the overlay", {opaque}, "opaque/", "trusted.overlay.opaque"},
      {"name of 256 bytes", {file(std::string(256, 'n'))}, "", "more than 255 bytes"},
      {"control characters in a name", {file("../\x1b[2J\xff")}, "../\\x1b[2J\\xff", "upwards"},
      {"the root as a file", {file(".")}, ".", "must be a directory"},
      {"the root as a link", {symlink_to("./", outside)}, "./", "must be a directory"},
  };
  for (const Attack& attack : attacks) {
    CAPTURE(attack.what);
    const Store store;
    store.make(std::vector{directory("ok"), file("ok/first")} + attack.members);
    check_refused(store, attack.member, attack.reason);
    CHECK(content(outside + "/victim") == "untouched");
    CHECK(status_of(outside + "/victim").st_nlink == 1);
    CHECK(fs::last_write_time(outside) == before);
  }
}

TEST_CASE("the runtime's mount points must be directories") {
  for (const char* name : {"dev", "proc", "sys", "tmp", "var", "var/tmp", "etc", "usr", "home",
                           "home/sandbox", "workspace", "run"}) {
    for (const Member& member : {symlink_to(name, "/"), file(name), hard_link_to(name, "ok/first")}) {
      CAPTURE(name);
      const Store store;
      store.make({file("ok/first"), member});
      check_refused(store, name, "must be a directory");
    }
  }
}

TEST_CASE("a directory may come twice, and the last one counts") {
  const Store store;
  store.make(mount_points() + std::vector{directory("d", 0700), file("d/x"), directory("./d/", 0711)});
  const Result<Image> image = store.import();
  REQUIRE_MESSAGE(image, image.error().text);
  CHECK((status_of(image->root + "/d").st_mode & 07777U) == 0711);
  CHECK(content(image->root + "/d/x") == "x");
}

TEST_CASE("too deep, too many, too large") {
  const Store store;
  store.make({file("a/b/c/d")});
  check_refused(store, "a/b/c/d", "more than 3 directories deep", {.depth = 3});
  store.make({file("a"), file("b"), file("c")});
  REQUIRE(
      store.import("test", {.entries = 2}).error().text.find("3 entries, which is more than is allowed") !=
      std::string::npos);
  REQUIRE(store.import("test", {.unpacked_bytes = 2}).error().text.find("3 bytes in") != std::string::npos);
}

TEST_CASE("a tarball that holds more than its sidecar says is refused") {
  const Store store;
  const auto check_lie = [&](const char* field, std::uint64_t said, const std::string& member,
                             const std::string& reason) {
    nlohmann::json sidecar = sidecar_for(store.tarball(), "test");
    REQUIRE(sidecar[field] > said);
    sidecar[field] = said;
    store.describe("test", sidecar);
    check_refused(store, member, reason);
  };
  store.make({file("a"), file("b"), file("c")});
  check_lie("entries", 2, "", "more than the 2 entries that its sidecar says");
  store.make({file("a", std::string(600, 'a')), file("b", std::string(600, 'b'))});
  check_lie("unpacked_bytes", 1199, "b", "more than the 1199 bytes that its sidecar says");
  Member hole = file("hole");  // a file that takes no space and is read as a large one
  hole.hole = 1 << 20;
  store.make({hole});
  check_lie("unpacked_bytes", 1000, "hole", "more than the 1000 bytes that its sidecar says");
}

TEST_CASE("what is no whole tarball is refused") {
  const Store store;
  const auto check_bytes = [&](const std::string& bytes, const std::string& member,
                               const std::string& reason) {
    write_file(store.tarball(), bytes);
    store.describe();
    check_refused(store, member, reason);
  };
  write_tarball(store.tarball(), {file("big", std::string(100'000, 'x'))}, false);
  const std::string plain = content(store.tarball());
  check_bytes(plain.substr(0, 50'000), "big", "damaged");
  write_tarball(store.tarball(), {file("big", std::string(100'000, 'x'))}, true);
  const std::string packed = content(store.tarball());
  check_bytes(packed.substr(0, packed.size() / 2), "", "damaged");
  check_bytes("this is no archive\n", "", "damaged");
  check_bytes("", "", "damaged");
  check_bytes(kRawEnd, "", "empty");
  std::string broken = plain;
  broken[0] = 'B';  // the checksum of the header does not fit
  check_bytes(broken, "", "damaged");
}

TEST_CASE("members that only a tampered archive has are refused") {
  const Store store;
  const auto check_bytes = [&](const std::string& bytes, const std::string& member,
                               const std::string& reason) {
    write_file(store.tarball(), bytes + kRawEnd);
    store.describe();
    check_refused(store, member, reason);
  };
  check_bytes(raw_member("dump", 'D', "x"), "dump", "no regular file");
  check_bytes(raw_member("rest", 'M', ""), "rest", "unknown kind");
  // Only behind a pax header does the size of a hard link count.
  const std::string pax = raw_member("x", 'x', "13 comment=a\n");
  check_bytes(raw_member("a", '0', "1") + pax + raw_member("b", '1', "2", "a"), "b",
              "hard link with content");
  check_bytes(raw_member("minus", '0', "", "", {"\xff\xff\xff\xff\xff\xff\xff\xfe", 8}), "minus", "-2");
  check_bytes(raw_member("x", 'x', "30 path=cut short\n") + raw_member("a", '0', ""), "", "damaged");
  // A name with a NUL byte in it ends there; what is checked is what is made.
  write_file(store.tarball(), raw_member("x", 'x', std::string("19 path=usr/a\0/../b\n", 20)) +
                                  raw_member("f", '0', "1") + kRawEnd);
  store.describe();
  if (const Result<Image> image = store.import()) CHECK_FALSE(fs::exists(image->root + "/b"));
}

TEST_CASE("a tarball that changes its length is noticed") {
  const Store store;
  store.make({file("a", std::string(100'000, 'x'))});
  const Result<Image> image = store.import("test", {}, [&](const ImportProgress& progress) {
    if (progress.done_bytes == progress.total_bytes) {
      std::ofstream(store.tarball(), std::ios::binary | std::ios::app) << "more";
    }
  });
  REQUIRE_FALSE(image);
  CHECK(store.visible() == 0);
}

}  // namespace
}  // namespace sbx::testing
