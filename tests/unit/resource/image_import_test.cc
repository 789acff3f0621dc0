// What a good tarball becomes, and how an image is replaced and removed.
#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "base/unique_fd.h"
#include "image_fixture.h"
#include "support/skip.h"

namespace sbx::testing {
namespace {

TEST_CASE("an imported image can be found and listed") {
  const Store store;
  store.make(mount_points() + std::vector{file("usr/bin/tool", "#!")});
  const Result<Image> imported = store.import();
  REQUIRE_MESSAGE(imported, imported.error().text);
  const Result<Image> image = find_image(store.state(), "test");
  REQUIRE(image);
  CHECK(image->name == "test");
  CHECK(image->digest == "sha256:" + sha256_hex(content(store.tarball())));
  CHECK(image->language == "test");
  CHECK(image->environment == std::vector<std::string>{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"});
  CHECK(content(image->root + "/usr/bin/tool") == "#!");
  CHECK(imported->root == image->root);
  CHECK(list_images(store.state()).value() == std::vector<std::string>{"test"});
  CHECK(read_sidecar(*image).value() == content(store.sidecar()));
  CHECK(store.temporaries().empty());
  CHECK((status_of(store.state() + "/images").st_mode & 07777U) == 0700);
}

TEST_CASE("without an import there are no images, and the error says how to make one") {
  const Store store;
  CHECK(list_images(store.state()).value().empty());
  const auto said = [&](const char* name) { return find_image(store.state(), name).error().text; };
  CHECK(said("python-3.11") ==
        "there is no image 'python-3.11'; 'sbxctl images build python-3.11' makes it, or sbxrun --build");
  CHECK(said("dotnet-8") ==
        "there is no image 'dotnet-8'; 'sbxctl images build --variant upstream dotnet-8' makes it");
  CHECK(said("pyhton-3.11")
            .starts_with("there is no image 'pyhton-3.11'; did you mean 'python-3.11'?; "
                         "there are: host; 'sbxctl images build NAME' makes one of: bash, "));
  CHECK_FALSE(find_image(store.state(), "../test"));
  CHECK(find_image(store.state(), "host")->root.empty());
}

TEST_CASE("modes, owners, times, links and holes are kept") {
  const Store store;
  Member tool = file("opt/tool", "tool");
  tool.mode = 0751;
  Member sparse = file("opt/sparse", "end");
  sparse.hole = 8 << 20;
  Member closed = directory("opt/closed", 0500);
  closed.modified = {-5, 0};
  store.make(mount_points() +
             std::vector{directory("opt/"), tool, file("opt/empty", ""), sparse,
                         symlink_to("opt/absolute", "/etc/passwd"), symlink_to("opt/up", "../../../x"),
                         hard_link_to("opt/again", "./opt/tool"), closed, file("opt/closed/in")});
  const Result<Image> image = store.import();
  REQUIRE_MESSAGE(image, image.error().text);
  const std::string opt = image->root + "/opt/";
  CHECK((status_of(opt + "tool").st_mode & 07777U) == 0751);
  CHECK(status_of(opt + "tool").st_mtim.tv_sec == 1'600'000'000);
  CHECK(status_of(opt + "tool").st_mtim.tv_nsec == 123'456'789);
  CHECK(status_of(opt).st_mtim.tv_sec == 1'600'000'000);
  CHECK(status_of(image->root).st_mtim.tv_sec == 1'600'000'000);
  CHECK(status_of(opt + "absolute").st_mtim.tv_sec == 1'600'000'000);
  CHECK(status_of(opt + "tool").st_ino == status_of(opt + "again").st_ino);
  CHECK(status_of(opt + "empty").st_size == 0);
  CHECK(fs::read_symlink(opt + "absolute") == "/etc/passwd");
  CHECK(fs::read_symlink(opt + "up") == "../../../x");
  CHECK(status_of(opt + "sparse").st_size == (8 << 20) + 3);
  CHECK(status_of(opt + "sparse").st_blocks < 1000);
  CHECK(content(opt + "sparse").ends_with(std::string("\0end", 4)));
  CHECK((status_of(opt + "closed").st_mode & 07777U) == 0500);
  CHECK(status_of(opt + "closed").st_mtim.tv_sec == -5);
  fs::permissions(opt + "closed", fs::perms::owner_all);  // without root it could not be removed
  CHECK((status_of(image->root + "/tmp").st_mode & 07777U) == 01777);
}

TEST_CASE("a hole at the end of a file is kept, and a plain tar is taken") {
  const Store store;
  Member sparse = file("hole", "");
  sparse.hole = 3 << 20;
  write_tarball(store.tarball(), mount_points() + std::vector{sparse}, false);
  store.describe();
  const Result<Image> image = store.import();
  REQUIRE_MESSAGE(image, image.error().text);
  CHECK(content(image->root + "/hole") == std::string(3 << 20, '\0'));
}

TEST_CASE("owners are those of the tarball, and missing mount points are made") {
  SKIP_UNLESS(test::is_root(), "needs root (chown)");
  const Store store;
  Member owned = file("owned");
  owned.uid = 65535;
  owned.gid = 7;
  Member link = symlink_to("link", "x");
  link.uid = 1000;
  store.make({owned, link});
  const Result<Image> image = store.import();
  REQUIRE_MESSAGE(image, image.error().text);
  CHECK(status_of(image->root + "/owned").st_uid == 65535);
  CHECK(status_of(image->root + "/owned").st_gid == 7);
  CHECK(status_of(image->root + "/link").st_uid == 1000);
  const std::vector<std::tuple<const char*, mode_t, uid_t>> expected{
      {"", 0755, 0},     {"dev", 0755, 0},         {"proc", 0555, 0}, {"sys", 0555, 0},
      {"tmp", 01777, 0}, {"var/tmp", 01777, 0},    {"run", 0755, 0},  {"home/sandbox", 0755, 1000},
      {"var", 0755, 0},  {"workspace", 0755, 1000}};
  for (const auto& [name, mode, owner] : expected) {
    CAPTURE(name);
    const struct stat status = status_of(image->root + "/" + name);
    CHECK(S_ISDIR(status.st_mode));
    CHECK((status.st_mode & 07777U) == mode);
    CHECK(status.st_uid == owner);
    CHECK(status.st_gid == owner);
  }
  CHECK_FALSE(fs::exists(image->root + "/usr"));
}

TEST_CASE("file capabilities, labels and user attributes are left out and counted") {
  const Store store;
  Member tool = file("tool");
  tool.attributes = {{"security.capability", std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20)},
                     {"user.comment", "x"}};
  store.make(mount_points() + std::vector{tool});
  ImportProgress last;
  const Result<Image> image =
      store.import("test", {}, [&](const ImportProgress& progress) { last = progress; });
  REQUIRE_MESSAGE(image, image.error().text);
  CHECK(last.without_attributes == 1);
  CHECK(last.done_bytes == last.total_bytes);
  CHECK(last.total_bytes == content(store.tarball()).size());
  CHECK(last.entries == mount_points().size() + 1);
  CHECK(getxattr((image->root + "/tool").c_str(), "security.capability", nullptr, 0) < 0);
  CHECK(getxattr((image->root + "/tool").c_str(), "user.comment", nullptr, 0) < 0);
}

TEST_CASE("names are bytes: not normalised, not decoded, whatever the locale is") {
  const std::string decomposed = "e\xcc\x81";  // e + combining acute; its composed form is another name
  const std::string composed = "\xc3\xa9";
  const std::string latin1 = "caf\xe9";
  for (const char* name : {"C", "C.UTF-8"}) {
    CAPTURE(name);
    locale_t locale = newlocale(LC_ALL_MASK, name, nullptr);
    REQUIRE(locale != nullptr);
    locale_t before = uselocale(locale);
    const Store store;
    store.make(mount_points() + std::vector{file("d/" + decomposed, "1"), file("d/" + composed, "2"),
                                            file("d/" + latin1, "3"), symlink_to("d/link", decomposed),
                                            hard_link_to("d/hard", "d/" + decomposed)});
    const Result<Image> image = store.import();
    (void)uselocale(before);
    freelocale(locale);
    REQUIRE_MESSAGE(image, image.error().text);
    CHECK(content(image->root + "/d/" + decomposed) == "1");
    CHECK(content(image->root + "/d/" + composed) == "2");
    CHECK(content(image->root + "/d/" + latin1) == "3");
    CHECK(fs::read_symlink(image->root + "/d/link") == decomposed);
    CHECK(content(image->root + "/d/hard") == "1");
  }
}

TEST_CASE("importing again does no work; a new sidecar for the same tarball counts") {
  const Store store;
  store.make(mount_points());
  REQUIRE(store.import());
  nlohmann::json sidecar = sidecar_for(store.tarball(), "test");
  sidecar["env"] = {"A=b"};
  store.describe("test", sidecar);
  bool worked = false;
  const Result<Image> image = store.import("test", {}, [&](const ImportProgress&) { worked = true; });
  REQUIRE_MESSAGE(image, image.error().text);
  CHECK_FALSE(worked);
  CHECK(image->environment == std::vector<std::string>{"A=b"});
}

TEST_CASE("a runner comes with its image, and a new one with a new sidecar") {
  const Store store;
  store.make(mount_points());
  const Result<Image> without = store.import();
  REQUIRE(without);
  CHECK(without->languages.empty());
  CHECK(read_runner(*without).error().text.starts_with("image 'test' has no languages"));
  nlohmann::json sidecar = sidecar_for(store.tarball(), "test");
  const std::string runner =
      "languages: [{name: toy, aliases: [t, c++], file: a, actions: {run: [toy]}}, {name: other, file: b, "
      "actions: {run: [o]}}]";
  sidecar["runner"] = runner;
  store.describe("test", sidecar);
  const Result<Image> image = store.import();
  REQUIRE_MESSAGE(image, image.error().text);
  CHECK(image->languages == std::vector<std::vector<std::string>>{{"toy", "t", "c++"}, {"other"}});
  CHECK(read_runner(*image) == runner);
  sidecar["runner"] = nullptr;
  store.describe("test", sidecar);
  REQUIRE(store.import());
  CHECK(find_image(store.state(), "test")->languages.empty());
}

TEST_CASE("two names share one tree and keep their own descriptions") {
  const Store store;
  store.make(mount_points());
  store.make(mount_points(), "other");
  nlohmann::json sidecar = sidecar_for(store.tarball("other"), "other");
  sidecar["language"] = "other";
  store.describe("other", sidecar);
  const Result<Image> first = store.import();
  const Result<Image> second = store.import("other");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->root == second->root);
  CHECK(find_image(store.state(), "test")->language == "test");
  CHECK(find_image(store.state(), "other")->language == "other");
  CHECK(remove_image(store.state(), "test")->removed.empty());
  CHECK(fs::exists(second->root));
  CHECK(remove_image(store.state(), "other")->removed == std::vector{second->digest});
  CHECK_FALSE(fs::exists(second->root));
}

TEST_CASE("a tarball that is not what its sidecar says is refused and leaves nothing") {
  const Store store;
  store.make(mount_points());
  const nlohmann::json good = sidecar_for(store.tarball(), "test");
  const auto refused = [&](const char* field, const nlohmann::json& value, const char* reason) {
    CAPTURE(field);
    nlohmann::json sidecar = good;
    sidecar[field] = value;
    store.describe("test", sidecar);
    const Result<Image> image = store.import();
    REQUIRE_FALSE(image);
    CHECK_MESSAGE(image.error().text.find(reason) != std::string::npos, image.error().text);
    CHECK(store.visible() == 0);
  };
  refused("digest", "sha256:" + std::string(64, '0'), "digest");
  CHECK(store.trees() == 0);
  CHECK(store.temporaries().empty());
  refused("tarball_bytes", 1, "its sidecar says 1");
  refused("architecture", "s390x", "s390x");
  refused("os", "windows", "windows");
  refused("name", "host", "built-in");
  refused("name", "../x", "name");
  refused("unpacked_bytes", 1ULL << 60U, "more than is allowed");
}

TEST_CASE("a new tarball takes over the name; removal then takes both trees") {
  const Store store;
  store.make(mount_points() + std::vector{file("version", "1")});
  const Result<Image> first = store.import();
  store.make(mount_points() + std::vector{file("version", "2")});
  const Result<Image> second = store.import();
  REQUIRE(first);
  REQUIRE(second);
  CHECK(content(find_image(store.state(), "test")->root + "/version") == "2");
  CHECK(content(first->root + "/version") == "1");  // a run may still use it
  CHECK(remove_image(store.state(), "test")->removed.size() == 2);
  CHECK(store.visible() == 0);
  CHECK(store.trees() == 0);
  CHECK(store.temporaries().empty());
  CHECK_FALSE(remove_image(store.state(), "test"));
  CHECK_FALSE(remove_image(store.state(), "host"));
}

TEST_CASE("a tree that somebody holds stays until it is free") {
  const Store store;
  store.make(mount_points());
  const Result<Image> image = store.import();
  REQUIRE(image);
  Result<UniqueFd> holder = hold_image(*image);
  REQUIRE(holder);
  REQUIRE(hold_image(*image));  // any number at once
  CHECK(remove_image(store.state(), "test")->in_use == std::vector{image->digest});
  CHECK(fs::exists(image->root));
  CHECK(store.visible() == 0);
  holder->reset();
  store.make(mount_points() + std::vector{file("other")}, "other");
  REQUIRE(store.import("other"));
  CHECK(remove_image(store.state(), "other")->removed.size() == 2);
  CHECK_FALSE(fs::exists(image->root));
  CHECK_FALSE(hold_image(*image));
}

TEST_CASE("a tree that is mounted stays") {
  SKIP_UNLESS(test::is_root(), "needs root (a mount)");
  const Store store;
  store.make(mount_points());
  const Result<Image> image = store.import();
  REQUIRE(image);
  const int status = in_child([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return 2;
    if (mount("overlay", "/mnt", "overlay", MS_RDONLY, ("lowerdir=" + image->root + ":/mnt").c_str()) != 0)
      return 3;
    return remove_image(store.state(), "test")->in_use.size() == 1 ? 0 : 1;
  });
  CHECK(status == 0);
  CHECK(fs::exists(image->root));
}

}  // namespace
}  // namespace sbx::testing
