// sbxctl images import, build and warm: how an image gets into the store.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/printable.h"
#include "base/suggest.h"
#include "commands.h"
#include "os/file.h"
#include "os/run_tool.h"
#include "progress.h"
#include "resource/image_folders.h"
#include "run/stored_image.h"

namespace sbx {
namespace {

// The sidecar lies beside its tarball under the same name.
std::string default_sidecar(const std::string& tarball) {
  for (const std::string_view ending : {".tar.zst", ".tar"}) {
    if (tarball.ends_with(ending)) return tarball.substr(0, tarball.size() - ending.size()) + ".json";
  }
  return {};
}

// A tarball can be made to need any amount of memory (a map of holes); it ends this program then, not the
// host. What is started afterwards, such as the next build, has the limit of before.
class MemoryLimit {
 public:
  MemoryLimit() {
#if !defined(__SANITIZE_ADDRESS__)
    constexpr rlim_t kEnough = 2ULL << 30U;
    if (getrlimit(RLIMIT_AS, &before_) != 0) return;
    const rlimit limit{std::min(before_.rlim_cur, kEnough), before_.rlim_max};
    set_ = setrlimit(RLIMIT_AS, &limit) == 0;  // without it the import is as good
#endif
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
  ~MemoryLimit() {
    if (set_) (void)setrlimit(RLIMIT_AS, &before_);
  }

 private:
  rlimit before_{};
  bool set_ = false;
};

// Of what the store has by the name that the sidecar tells; empty: nothing.
std::string digest_now(const Settings& settings, const std::string& path) {
  const Result<std::string> text = os::read_file(AT_FDCWD, path, kSidecarLimit);
  const Result<ImageSidecar> sidecar = text ? parse_sidecar(*text) : fail(text.error());
  const Result<Image> image = sidecar ? find_image(settings.state_dir, sidecar->name) : fail(sidecar.error());
  return image ? image->digest : "";
}

// As it is called, and what it is now; one that could not be imported, by its tarball.
void record_import(const Settings& settings, const std::string& tarball, const Result<Image>& image) {
  AuditEvent event;
  event.event = "image.import";
  event.subject = image ? image->name : tarball;
  if (image) event.to = image->digest;
  record(settings, std::move(event), image);
}

int import(const Settings& settings, const std::string& tarball, std::string sidecar) {
  if (sidecar.empty()) sidecar = default_sidecar(tarball);
  if (sidecar.empty()) {
    (void)report_failure("'" + tarball +
                         "' does not end in .tar.zst or .tar: name its description with --sidecar, or, if "
                         "another tool made it, the image with --as");
    return kExitUsage;
  }
  const MemoryLimit limit;
  const std::string before = digest_now(settings, sidecar);
  const auto start = std::chrono::steady_clock::now();
  ProgressDisplay display("importing");
  std::optional<ImportProgress> last;
  const Result<Image> image =
      import_image(settings.state_dir, tarball, sidecar, ImportLimits{}, [&](const ImportProgress& progress) {
        last = progress;
        display.update(progress);
      });
  display.finish();
  if (!image || last) record_import(settings, tarball, image);
  if (!image) {
    const bool has_sidecar = access(sidecar.c_str(), F_OK) == 0;
    return report_failure(image.error().text +
                          (has_sidecar ? "" : "; an image that another tool made needs a name: --as NAME"));
  }
  if (!last) {
    (void)printf("%s is there already: %s\n", image->name.c_str(), image->digest.c_str());
    return kExitOk;
  }
  if (last->without_attributes > 0) {
    (void)fprintf(stderr, "the extended attributes of %lu entries were left out\n",
                  static_cast<unsigned long>(last->without_attributes));
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  (void)printf("imported %s: %s, %lu entries in %.1f s\n", image->name.c_str(), image->digest.c_str(),
               static_cast<unsigned long>(last->entries), time.count());
  if (!before.empty() && before != image->digest)
    (void)printf("%s was %s; runs that are going on keep it\n", image->name.c_str(), before.c_str());
  return kExitOk;
}

std::string built_here() { return built_images(std::getenv("SBX_CACHE_DIR")); }

// Runs rootfs/build or rootfs/import, which say what they do; their exit status, or one of ours with a word
// about it.
int run_maker(const Settings& settings, const std::string& program,
              const std::vector<std::string>& arguments) {
  std::vector<std::string> command{settings.rootfs + "/" + program};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
  (void)fflush(stdout);
  const Result<int> status = os::run_shown(command, environment, STDOUT_FILENO);
  return status ? *status : report_failure(status.error().text);
}

// One after the other: what could not be built now may be there from before, and is not what was asked for.
int build(const Settings& settings, const std::vector<std::string>& names, const std::string& variant,
          bool refresh) {
  for (const std::string& name : names) {
    if (!command_that_builds(settings.rootfs, name).empty()) continue;
    const std::vector<std::string> folders = image_folders(settings.rootfs);
    const std::vector<std::string_view> known(folders.begin(), folders.end());
    (void)report_failure("there is no image '" + name + "' to build; " + suggest(name, known));
    return kExitUsage;
  }
  int status = kExitOk;
  for (const std::string& name : names) {
    std::vector<std::string> arguments{name, "--variant", variant};
    if (refresh) arguments.emplace_back("--refresh");
    const int built = run_maker(settings, "build", arguments);
    if (built == kExitUsage) return kExitUsage;  // it said why
    status = std::max(
        status, built == 0 ? import(settings, built_here() + "/" + name + ".tar.zst", "") : kExitFailed);
  }
  return status;
}

// What another tool made.
int import_foreign(const Settings& settings, const std::string& source, const std::string& name) {
  const int made = run_maker(settings, "import", {name, source});
  if (made != 0) return made == kExitUsage ? kExitUsage : kExitFailed;
  return import(settings, built_here() + "/" + name + ".tar.zst", "");
}

// --- warm --------------------------------------------------------------------------------------------

struct Readiness {
  std::string name;
  const char* state = "ready";  // or "failed", "missing"
  std::string detail;
};

Result<std::set<std::string>> stored_images(const Settings& settings) {
  const std::vector<std::string> stored = TRY(list_images(settings.state_dir));
  return std::set<std::string>(stored.begin(), stored.end());
}

// The names that there are: of images in the store, and of those that could be built.
Result<std::set<std::string>> known_images(const Settings& settings) {
  std::set<std::string> names = TRY(stored_images(settings));
  const std::vector<std::string> folders = image_folders(settings.rootfs);
  names.insert(folders.begin(), folders.end());
  return names;
}

// Ready means: the store has what was built last, its description can be read, and its tree can be held.
Readiness make_ready(const Settings& settings, const std::string& name) {
  const std::string built = built_here() + "/" + name;
  const Result<StoredImage> before = load_image(settings.state_dir, name);
  const Result<std::string> text = os::read_file(AT_FDCWD, built + ".json", kSidecarLimit);
  if (text) {
    const Result<ImageSidecar> sidecar = parse_sidecar(*text);
    if (!sidecar) return {name, "failed", "sidecar '" + built + ".json': " + sidecar.error().text};
    // What is newer in the store came from somewhere else. A runner can change without a build.
    const bool is_newer = !before || before->sidecar.built_at < sidecar->built_at;
    const bool same_tree = before && before->sidecar.digest_hex == sidecar->digest_hex;
    if (is_newer || (same_tree && before->sidecar.runner_text != sidecar->runner_text)) {
      const Result<Image> image = import_image(settings.state_dir, built + ".tar.zst", built + ".json",
                                               ImportLimits{}, [](const ImportProgress&) {});
      record_import(settings, built + ".tar.zst", image);
      if (!image) return {name, "failed", image.error().text};
      return {name, "ready", "imported now: " + image->digest};
    }
  }
  const Result<std::vector<std::string>> stored = list_images(settings.state_dir);
  const std::string command = command_that_builds(settings.rootfs, name);
  const bool known = !stored || std::ranges::find(*stored, name) != stored->end();
  if (!before && !known && !command.empty()) return {name, "missing", "'" + command + "' makes it"};
  if (!before) return {name, known ? "failed" : "missing", before.error().text};
  if (const Result<void> usable = check_usable(before->image); !usable)
    return {name, "failed", usable.error().text};
  return {name, "ready", before->image.digest};
}

struct Warming {
  std::vector<std::string> names;
  bool stored = false;
  bool json = false;
  bool lines = false;
  bool background = false;
};

nlohmann::ordered_json readiness_json(const Readiness& readiness) {
  return {{"name", readiness.name}, {"state", readiness.state}, {"detail", readiness.detail}};
}

void print_line(const Readiness& readiness) {
  (void)printf("%s\n", readiness_json(readiness)
                           .dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace)
                           .c_str());
  (void)fflush(stdout);
}

// Whoever runs programs meanwhile goes first. Without it the work is as good.
void become_background() {
  constexpr int kIdle = 3 << 13;  // ioprio_set(2): IOPRIO_CLASS_IDLE
  (void)setpriority(PRIO_PROCESS, 0, 19);
  (void)syscall(SYS_ioprio_set, 1, 0, kIdle);
}

int warm(const Settings& settings, const Warming& how) {
  if (how.background) become_background();
  const std::vector<std::string>& asked = how.names;
  std::set<std::string> names(asked.begin(), asked.end());
  if (asked.empty()) {
    Result<std::set<std::string>> known = how.stored ? stored_images(settings) : known_images(settings);
    if (!known) return report_failure(known.error().text);
    names = std::move(*known);
  }
  const MemoryLimit limit;
  if (how.lines) {
    for (const std::string& name : names) print_line({name, "preparing", ""});
  }
  int status = kExitOk;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const std::string& name : names) {
    const Readiness readiness = make_ready(settings, name);
    const std::string_view state = readiness.state;
    // What nobody asked for by name may be missing.
    if (state == "failed" || (state == "missing" && !asked.empty())) status = kExitFailed;
    if (how.lines) {
      print_line(readiness);
    } else if (how.json) {
      list.push_back(readiness_json(readiness));
    } else {
      (void)printf("%-16s  %-7s  %s\n", name.c_str(), readiness.state, printable(readiness.detail).c_str());
      (void)fflush(stdout);
    }
  }
  if (how.json && !how.lines)
    (void)printf("%s\n", list.dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace).c_str());
  return status;
}

}  // namespace

void add_image_making_commands(CLI::App& images, const Settings& settings, Action& action) {
  struct Line {
    std::string tarball;
    std::string sidecar;
    std::string name;
    std::string variant = "debian";
    std::vector<std::string> names;
    bool refresh = false;
  };
  const auto line = std::make_shared<Line>();

  CLI::App* build_command =
      images.add_subcommand("build", "Build images from their Dockerfiles, and import them");
  build_command->add_option("NAME", line->names, "The images (folders of rootfs/images)")->required();
  build_command->add_flag("--refresh", line->refresh, "Build again, with new packages");
  build_command
      ->add_option("--variant", line->variant,
                   "debian (the default), or upstream, which needs a container registry")
      ->check(CLI::IsMember({"debian", "upstream"}));
  build_command->callback([&settings, &action, line] {
    action = [&settings, line] { return build(settings, line->names, line->variant, line->refresh); };
  });

  CLI::App* import_command = images.add_subcommand("import", "Verify and unpack a tarball (NAME.tar.zst)");
  import_command->add_option("TARBALL", line->tarball, "The tarball")->required();
  CLI::Option* sidecar = import_command->add_option("--sidecar", line->sidecar,
                                                    "Its description (default: NAME.json beside it)");
  import_command
      ->add_option("--as", line->name,
                   "TARBALL is an OCI layout or a 'docker save' file; import it under this name")
      ->excludes(sidecar);
  import_command->callback([&settings, &action, line] {
    action = [&settings, line] {
      return line->name.empty() ? import(settings, line->tarball, line->sidecar)
                                : import_foreign(settings, line->tarball, line->name);
    };
  });

  CLI::App* warm_command =
      images.add_subcommand("warm", "Import what was built, and say of each image whether it is ready");
  const auto warming = std::make_shared<Warming>();
  CLI::Option* names = warm_command->add_option("NAME", warming->names,
                                                "The images (default: all that are there or could be built)");
  warm_command->add_flag("--stored", warming->stored, "Only those that are in the store")->excludes(names);
  warm_command->add_flag("--json", warming->json, "As JSON");
  warm_command->add_flag("--lines", warming->lines, "As JSON, a line whenever more is known of one");
  warm_command->add_flag("--background", warming->background, "Everything else goes first");
  warm_command->callback(
      [&settings, &action, warming] { action = [&settings, warming] { return warm(settings, *warming); }; });
}

}  // namespace sbx
