#include "project_files/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <map>
#include <random>

#include "some_files.h"

namespace sbx::project_files {
namespace {

using Names = std::vector<std::string>;

struct Member {
  std::string name;
  std::string content;
  unsigned type = AE_IFREG;
  std::string target = {};  // of a link
  unsigned mode = 0644;
  bool hard = false;
};

enum class Packed { tar, gzip, xz, zstd, bzip2, zip };

la_ssize_t append(archive* /*writer*/, void* to, const void* bytes, size_t size) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

class Maker {
 public:
  explicit Maker(Packed packed) : writer_(archive_write_new()) {
    if (packed == Packed::zip) {
      archive_write_set_format_zip(writer_);
    } else {
      archive_write_set_format_pax_restricted(writer_);
    }
    const std::map<Packed, int> filters{{Packed::gzip, ARCHIVE_FILTER_GZIP},
                                        {Packed::xz, ARCHIVE_FILTER_XZ},
                                        {Packed::zstd, ARCHIVE_FILTER_ZSTD},
                                        {Packed::bzip2, ARCHIVE_FILTER_BZIP2}};
    if (filters.contains(packed))
      REQUIRE(archive_write_add_filter(writer_, filters.at(packed)) == ARCHIVE_OK);
    REQUIRE(archive_write_set_bytes_in_last_block(writer_, 1) == ARCHIVE_OK);
    REQUIRE(archive_write_open(writer_, &bytes_, nullptr, append, nullptr) == ARCHIVE_OK);
  }
  Maker(const Maker&) = delete;
  Maker& operator=(const Maker&) = delete;
  ~Maker() { archive_write_free(writer_); }

  void add(const Member& member) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.name.c_str());
    archive_entry_set_filetype(entry, member.type);
    archive_entry_set_perm(entry, member.mode);
    archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
    if (!member.target.empty() && member.hard) archive_entry_set_hardlink(entry, member.target.c_str());
    if (!member.target.empty() && !member.hard) archive_entry_set_symlink(entry, member.target.c_str());
    CHECK(archive_write_header(writer_, entry) >= ARCHIVE_WARN);
    if (!member.content.empty())
      CHECK(archive_write_data(writer_, member.content.data(), member.content.size()) >= 0);
    archive_entry_free(entry);
  }
  std::string finish() {
    CHECK(archive_write_close(writer_) == ARCHIVE_OK);
    return std::move(bytes_);
  }

 private:
  archive* writer_;
  std::string bytes_;
};

std::string archive_of(const std::vector<Member>& members, Packed packed = Packed::tar) {
  Maker maker(packed);
  for (const Member& member : members) maker.add(member);
  return maker.finish();
}

Result<ExtractAnswer> extract(const SomeFiles& files, const std::string& bytes,
                              OnRefused on_refused = OnRefused::fail,
                              const std::function<void(UnpackRules&)>& change = {}) {
  ExtractRequest request;
  request.name = "x";
  request.rules.on_refused = on_refused;
  if (change) change(request.rules);
  return files.open().extract(request, {content_of(bytes).get()});
}

TEST_CASE("an archive becomes a folder whose files have ids, whatever it is packed with") {
  const SomeFiles files;
  const std::vector<Member> members{{.name = "./", .content = "", .type = AE_IFDIR},
                                    {.name = "./a.txt", .content = "one"},
                                    {.name = "d/", .content = "", .type = AE_IFDIR},
                                    {.name = "d/e/run", .content = "#!/bin/sh\n", .mode = 06777}};
  unsigned number = 0;
  for (const Packed packed :
       {Packed::tar, Packed::gzip, Packed::xz, Packed::zstd, Packed::bzip2, Packed::zip}) {
    CAPTURE(static_cast<int>(packed));
    const auto done = extract(files, archive_of(members, packed));
    REQUIRE_MESSAGE(done, error_text(done));
    const std::string top = "project_files/x" + (number == 0 ? "" : " (" + std::to_string(number) + ")");
    ++number;
    CHECK(done->folder == top);
    REQUIRE(done->files.size() == 2);
    CHECK(done->files[0].file.path == top + "/a.txt");
    CHECK(done->files[0].file.sha256 == sha256_hex("one"));
    CHECK(files.open().path_of(done->files[1].id) == top + "/d/e/run");
    CHECK(files.get(top + "/d/e/run") == "#!/bin/sh\n");
    if (packed != Packed::zip)
      CHECK((files.tree().stat(SomeFiles::in(top + "/d/e/run")).st_mode & 07777) == 0755);
    CHECK((files.tree().stat(SomeFiles::in(top + "/a.txt")).st_mode & 07777) == 0644);
  }
  const auto report = files.open().check(false);
  CHECK((report->unknown.empty() && report->changed.empty() && report->unfinished.empty()));
}

TEST_CASE("each hostile member is refused by its name; all of the archive, or all but these") {
  const std::vector<Member> hostile{
      {.name = "/etc/cron.d/x", .content = "x"},
      {.name = "../up", .content = "x"},
      {.name = "a/../../up", .content = "x"},
      {.name = "a//b", .content = "x"},
      {.name = "link", .content = "", .type = AE_IFLNK, .target = "/etc"},
      {.name = "hard", .content = "", .target = "good", .hard = true},
      {.name = "fifo", .content = "", .type = AE_IFIFO},
      {.name = "device", .content = "", .type = AE_IFCHR},
      {.name = "bad\x1b", .content = "x"},
      {.name = "txt\xe2\x80\xae"
               "exe",
       .content = "x"},
      {.name = "dot.", .content = "x"},
      {.name = std::string(256, 'n'), .content = "x"},
      {.name = "good", .content = "second"},
      {.name = "good/below", .content = "x"},
      {.name = ".sbx-upload-0000000000000000/x", .content = "x"},
  };
  for (const Member& member : hostile) {
    CAPTURE(member.name);
    const SomeFiles files;
    const std::string bytes =
        archive_of({{.name = "good", .content = "one"}, member, {.name = "last", .content = "2"}});
    const auto failed = extract(files, bytes);
    CHECK(error_number(failed) == EPERM);
    CHECK(error_text(failed).find("is refused: ") != std::string::npos);
    CHECK(files.names().empty());
    const auto skipped = extract(files, bytes, OnRefused::skip);
    REQUIRE_MESSAGE(skipped, error_text(skipped));
    CHECK(skipped->refused_count == 1);
    REQUIRE(skipped->refused.size() == 1);
    CHECK(files.names() == Names{"x"});
    CHECK(files.names("project_files/x") == Names{"good", "last"});
    CHECK(files.get("project_files/x/good") == "one");
  }
}

TEST_CASE("nothing lies below a link that the archive made") {
  const SomeFiles files;
  files.tree().file("outside/f", "secret");
  const std::string bytes =
      archive_of({{.name = "l", .content = "", .type = AE_IFLNK, .target = files.tree().path("outside")},
                  {.name = "l/f", .content = "taken"}});
  const auto done = extract(files, bytes, OnRefused::skip);
  REQUIRE(done);
  CHECK(done->refused_count == 1);
  CHECK(files.get("project_files/x/l/f") == "taken");
  CHECK(files.tree().text("outside/f") == "secret");
}

TEST_CASE("what is cut short, damaged or no archive leaves nothing") {
  std::string text;
  std::mt19937 random(1);  // the same each time
  while (text.size() < 20'000) text += static_cast<char>(random());
  for (const Packed packed :
       {Packed::tar, Packed::gzip, Packed::xz, Packed::zstd, Packed::bzip2, Packed::zip}) {
    CAPTURE(static_cast<int>(packed));
    const SomeFiles files;
    const std::string whole =
        archive_of({{.name = "a", .content = text}, {.name = "b", .content = text}}, packed);
    const std::size_t steps = 7;
    for (std::size_t step = 0; step < steps; ++step) {
      // A tar that ends behind a member is as good as another one.
      const std::size_t length = whole.size() * step / steps;
      CAPTURE(length);
      const auto done = extract(files, whole.substr(0, length));
      CHECK(error_number(done) == EBADMSG);
    }
    // Of a tar the last byte says nothing.
    if (packed != Packed::tar)
      CHECK(error_number(extract(files, whole.substr(0, whole.size() - 1))) == EBADMSG);
    CHECK(files.names().empty());
  }
  const SomeFiles files;
  const auto no_archive = extract(files, "this is no archive");
  CHECK(error_number(no_archive) == EBADMSG);
  CHECK(error_text(no_archive).starts_with("the archive cannot be read (tar,"));
  CHECK(files.names().empty());
}

TEST_CASE("nothing of an archive is passed over") {
  const SomeFiles files;
  const std::string one = archive_of({{.name = "a", .content = "1"}});
  const std::string two = archive_of({{.name = "b", .content = "2"}});
  REQUIRE(extract(files, one + two));
  CHECK(files.names("project_files/x") == Names{"a", "b"});
  const std::string zip = archive_of({{.name = "a", .content = "1"}}, Packed::zip);
  CHECK(error_number(extract(files, zip + "more")) == EBADMSG);
  CHECK(files.names() == Names{"x"});
}

TEST_CASE("bombs go off nowhere") {
  const SomeFiles files;
  const std::string zeros(64U << 20U, '\0');
  const auto ratio = extract(files, archive_of({{.name = "a", .content = zeros}}, Packed::zstd));
  CHECK(error_number(ratio) == E2BIG);
  CHECK(error_text(ratio) == "member 'a': the archive unpacks to more than 1100 times its size");
  const std::vector<Member> two{{.name = "a", .content = "123456"}, {.name = "b", .content = "123456"}};
  const auto total =
      extract(files, archive_of(two), OnRefused::skip, [](UnpackRules& rules) { rules.total_bytes = 10; });
  CHECK(error_number(total) == E2BIG);
  const auto many =
      extract(files, archive_of(two), OnRefused::skip, [](UnpackRules& rules) { rules.entries = 1; });
  CHECK(error_text(many) == "the archive has more than 1 members");
  std::string deep = "f";
  for (int i = 0; i < 70; ++i) deep.insert(0, "d/");
  CHECK(error_number(extract(files, archive_of({{.name = deep, .content = "x"}}))) == EPERM);
  const auto one = extract(files, archive_of(two), OnRefused::fail,
                           [](UnpackRules& rules) { rules.content.most_bytes = 5; });
  CHECK(error_text(one) == "member 'a' is refused: it has more than the 5 bytes that a file may have");
  const auto types = extract(files, archive_of(two), OnRefused::skip,
                             [](UnpackRules& rules) { rules.content.types = {"image/*"}; });
  CHECK(types->refused_count == 2);
  CHECK(types->files.empty());
  CHECK(files.names() == Names{"x"});
  CHECK(files.names("project_files/x").empty());
}

TEST_CASE("an archive in an archive is a file") {
  const SomeFiles files;
  const std::string inner = archive_of({{.name = "../evil", .content = "x"}}, Packed::zip);
  REQUIRE(extract(files, archive_of({{.name = "inner.zip", .content = inner}})));
  CHECK(files.get("project_files/x/inner.zip") == inner);
}

TEST_CASE("a million members are too many, and told soon") {
  const SomeFiles files;
  Maker maker(Packed::zstd);
  for (int i = 0; i < 1'000'000; ++i)
    maker.add({.name = "d" + std::to_string(i) + "/", .content = "", .type = AE_IFDIR});
  const auto many = extract(files, maker.finish(), OnRefused::skip, [](UnpackRules& rules) {
    rules.entries = 2'000;  // the limit itself is a number
    rules.ratio = 1U << 20U;
  });
  CHECK(error_number(many) == E2BIG);
  CHECK(files.names().empty());
}

// What libarchive reads of it: names with their contents, "-> TARGET" of links.
std::map<std::string, std::string> content_of_archive(const std::string& bytes) {
  std::map<std::string, std::string> found;
  archive* reader = archive_read_new();
  archive_read_support_format_tar(reader);
  archive_read_support_format_zip(reader);
  REQUIRE(archive_read_open_memory(reader, bytes.data(), bytes.size()) == ARCHIVE_OK);
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    std::string& content = found[archive_entry_pathname(entry)];
    if (archive_entry_filetype(entry) == AE_IFLNK)
      content = std::string("-> ") + archive_entry_symlink(entry);
    std::array<char, 4096> buffer{};
    la_ssize_t count = 0;
    while ((count = archive_read_data(reader, buffer.data(), buffer.size())) > 0)
      content.append(buffer.data(), static_cast<std::size_t>(count));
  }
  archive_read_free(reader);
  return found;
}

TEST_CASE("a folder comes as tar or zip, with links as links and without what is no file") {
  const SomeFiles files;
  REQUIRE(files.put("a", "one", Taken::rename, "outputs/r"));
  REQUIRE(files.put("b", std::string(100'000, 'b'), Taken::rename, "outputs/r/d"));
  files.tree().file("outside/f", "secret");
  files.tree().link(SomeFiles::in("outputs/r/l"), files.tree().path("outside"));
  REQUIRE(mkfifo(files.tree().path(SomeFiles::in("outputs/r/fifo")).c_str(), 0666) == 0);
  const std::map<std::string, std::string> expected{{"r/a", "one"},
                                                    {"r/d/", ""},
                                                    {"r/d/b", std::string(100'000, 'b')},
                                                    {"r/l", "-> " + files.tree().path("outside")}};
  for (const ArchiveFormat format : {ArchiveFormat::tar, ArchiveFormat::zip}) {
    const UniqueFd out = content_of("");
    const auto done = files.open(Access::read).get_archive("outputs/r", format, {out.get()});
    REQUIRE_MESSAGE(done, error_text(done));
    CHECK(content_of_archive(bytes_in(out)) == expected);
  }
  const UniqueFd out = content_of("");
  CHECK(error_number(files.open(Access::read).get_archive("outputs/r/l", ArchiveFormat::tar, {out.get()})) ==
        ELOOP);
}

}  // namespace
}  // namespace sbx::project_files
