// Archives that clients bring into projects: whatever the members say, what is unpacked lies in its own new
// folder and is files and folders alone, told as they are; and of what is refused as a whole nothing is left.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "base/hash.h"
#include "base/unique_fd.h"
#include "fuzz/fuzz.h"
#include "fuzz/places.h"
#include "fuzz/ustar.h"
#include "project_files/archive.h"
#include "tree/worker.h"

namespace sbx::fuzz {
namespace {

namespace fs = std::filesystem;
using project_files::ContentTypes;
using project_files::Unpacked;
using project_files::UnpackOrder;

constexpr std::uint64_t kMostBytes = 1U << 20U;
constexpr std::uint64_t kMostEntries = 100;
constexpr std::size_t kMostDepth = 8;

// Of a worker: before the fuzzer itself opens anything.
const bool kNumbersAreTaken = [] {
  for (const int fd : {tree::kContentIn, tree::kContentOut, tree::kLock}) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null != fd) (void)dup3(null, fd, O_CLOEXEC);
    if (null > tree::kLock) (void)close(null);
  }
  return true;
}();

void give(std::string_view bytes) {
  const UniqueFd memory(memfd_create("archive", MFD_CLOEXEC));
  must(memory.valid() &&
           write(memory.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
           lseek(memory.get(), 0, SEEK_SET) == 0 && dup2(memory.get(), tree::kContentIn) == tree::kContentIn,
       "the fuzzer can give an archive");
}

// Of each file its size.
std::map<std::string, std::uint64_t> files_below(const fs::path& folder) {
  std::map<std::string, std::uint64_t> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat status {};
    must(lstat(entry.path().c_str(), &status) == 0, "what is there can be looked at", entry.path().native());
    const mode_t mode = status.st_mode & 07777;
    must(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode), "files and folders alone",
         entry.path().native());
    must(mode == 0755 || (mode == 0644 && S_ISREG(status.st_mode)), "no other permissions",
         entry.path().native());
    if (!S_ISREG(status.st_mode)) continue;
    must(status.st_nlink == 1, "no links", entry.path().native());
    found[entry.path().native()] = static_cast<std::uint64_t>(status.st_size);
  }
  return found;
}

void must_be_as_told(const Unpacked& unpacked) {
  must(unpacked.folder == "in/new", "the folder has the name that was wanted", unpacked.folder);
  std::map<std::string, std::uint64_t> found = files_below(unpacked.folder);
  std::uint64_t bytes = 0;
  for (const project_files::FileFacts& file : unpacked.files) {
    const auto there = found.find(file.path);
    must(there != found.end() && there->second == file.size, "each file is there as told", file.path);
    must(is_sha256_hex(file.sha256) && !file.mime.empty(), "hash and type are told", file.path);
    bytes += file.size;
    found.erase(there);
  }
  must(found.empty(), "each file that is there was told");
  must(bytes <= kMostBytes && unpacked.files.size() <= kMostEntries, "no limit is passed");
  must(unpacked.refused.size() <= unpacked.refused_count, "what was refused is counted");
}

// There for as long as this is: the fuzzer's own files have paths of where it was.
class WorkingIn {
 public:
  explicit WorkingIn(const std::string& path) : before_(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    must(before_.valid() && chdir(path.c_str()) == 0, "the fuzzer can work in its place");
  }
  WorkingIn(const WorkingIn&) = delete;
  WorkingIn& operator=(const WorkingIn&) = delete;
  ~WorkingIn() { must(fchdir(before_.get()) == 0, "the fuzzer can go back"); }

 private:
  UniqueFd before_;
};

void try_archive(std::string_view text) {
  static const Place place;
  static const project_files::Utf8Names names;
  static const Result<ContentTypes> types = ContentTypes::load();
  must(kNumbersAreTaken && types.has_value(), "the fuzzer can begin");
  const WorkingIn there(place.path());
  fs::remove_all("in");
  place.write("outside", "untouched\n");
  UnpackOrder order;
  order.folder = "in";
  order.name = "new";
  order.rules.total_bytes = kMostBytes;
  order.rules.entries = kMostEntries;
  order.rules.depth = kMostDepth;
  order.rules.on_refused =
      !text.empty() && text.front() == 's' ? project_files::OnRefused::skip : project_files::OnRefused::fail;
  give(text.substr(std::min<std::size_t>(1, text.size())));
  const Result<Unpacked> unpacked = project_files::unpack(order, *types);
  must(place.read("outside") == "untouched\n", "what is outside is untouched");
  std::size_t beside = 0;
  for (const auto& entry : fs::directory_iterator(place.path()))
    beside += entry.path().filename() == "in" ? 0 : 1;
  must(beside == 1, "nothing appears outside of the folder");
  if (!unpacked) {
    must(!fs::exists("in") || fs::is_empty("in"), "of what is refused nothing is left");
    return must_say(unpacked.error());
  }
  must_be_as_told(*unpacked);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, most);
  if (seed % 8 != 0 && mutated > 0) sbx::fuzz::repair_checksums(data + 1, mutated - 1);
  return mutated;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_archive(sbx::fuzz::text_of(data, size));
  return 0;
}
