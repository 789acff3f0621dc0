#include "resource/bind_targets.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/path.h"
#include "os/file.h"
#include "plan/plan_mounts.h"
#include "resource/host_image.h"
#include "resource/image_store.h"

namespace sbx {
namespace {

// "/a", "/a/b", "/a/b/c"
std::vector<std::string> places_down_to(const std::string& path) {
  std::vector<std::string> places;
  for (std::size_t at = 0; at != std::string::npos;) {
    at = path.find('/', at + 1);
    places.push_back(path.substr(0, at));
  }
  return places;
}

std::string link_target(const std::string& path) {
  std::array<char, 4096> target{};
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  return {target.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

// A directory of the host that lies over the image at `inside`.
struct Cover {
  std::string inside;
  std::string host;
  std::string view;                      // where it can be looked at now; empty: nowhere
  std::optional<os::FileRights> rights;  // with whose; missing: our own
};

class TargetCheck {
 public:
  TargetCheck(const RunRequest& request, const PlanFacts& facts, const BindSources& sources,
              const std::optional<os::FileRights>& client, std::size_t index)
      : request_(request),
        facts_(facts),
        sources_(sources),
        client_(client),
        index_(index),
        bind_(request.binds[index]),
        what_(std::string(bind_flag_name(bind_.flag)) + ": '" + bind_.inside + "' lies ") {}

  Result<void> check() const {
    if (const auto cover = nearest_cover()) return check_in(*cover);
    if (is_own_place(bind_.inside)) return {};
    std::vector<std::string> places = places_down_to(bind_.inside);
    places.pop_back();  // the target itself may be a link: it is replaced
    // Each is looked at when those above it are known to be directories: no link is followed.
    for (const std::string& place : places) {
      const bool there = TRY(check_directory_of_image(place));
      if (!there) return {};
    }
    return {};
  }

 private:
  // What is mounted last of all that the target lies below.
  std::optional<Cover> nearest_cover() const {
    std::optional<Cover> nearest;
    const auto consider = [&](const Cover& cover) {
      const bool below = bind_.inside != cover.inside && is_below(bind_.inside, cover.inside);
      if (below && (!nearest || is_below(cover.inside, nearest->inside))) nearest = cover;
    };
    // One that is not there yet gets its folders from the run.
    if (facts_.project == ProjectState::there && !facts_.workspace_dir.empty())
      consider({"/workspace", facts_.workspace_dir, facts_.workspace_view, {}});
    const auto consider_bind = [&](const BindRequest& bind) {
      const BindSource* source = sources_.find(bind.host);
      const std::string view = source != nullptr ? "/proc/self/fd/" + std::to_string(source->fd.get()) : "";
      consider({bind.inside, bind.host, view, client_});
    };
    if (request_.here) consider_bind(*request_.here);
    for (std::size_t i = 0; i < index_; ++i) consider_bind(request_.binds[i]);
    return nearest;
  }

  Result<void> check_in(const Cover& cover) const {
    if (cover.view.empty()) return {};  // the run will see
    const std::string what = what_ + "in '" + cover.host + "', ";
    const std::string rest = bind_.inside.substr(cover.inside.size());
    const UniqueFd top = TRY_DOING(what, os::open_at(AT_FDCWD, cover.view, O_PATH));
    const os::BorrowedRights as_client = TRY(os::BorrowedRights::take(cover.rights));
    struct stat status {};
    for (const std::string& place : places_down_to(rest)) {
      const std::string name = "'" + place.substr(1) + "'";
      // What is put there meanwhile is not followed either.
      const auto found = os::open_resolved(top.get(), place.substr(1), O_PATH | O_NOFOLLOW,
                                           RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
      if (!found) {
        const int number = found.error().error_number;
        if (number == EACCES && geteuid() != 0) return {};
        if (number != ENOENT && number != ENOTDIR) return fail(Error(found.error()).while_doing(what));
        return fail(what + "where " + name + " is missing; make it there first");
      }
      status = TRY(os::stat_fd(found->get(), place));
      if (S_ISLNK(status.st_mode)) return fail(what + "where " + name + " is a link");
    }
    const bool is_file = facts_.bind_is_file[index_];
    if (S_ISDIR(status.st_mode) != is_file) return {};
    return fail(what + "where it is " + (is_file ? "a directory" : "a file") + ", and '" + bind_.host +
                "' is not");
  }

  // Where the image has `inside`, as a path of this host; empty: only the image has it, or it cannot be seen.
  std::string place_on_host(const std::string& inside) const {
    if (request_.image == kHostImage) return host_image_original(inside);
    return facts_.image_root.starts_with('/') ? facts_.image_root + inside : "";
  }

  // False: there is nothing at `place`, or nothing can be said.
  Result<bool> check_directory_of_image(const std::string& place) const {
    const std::string path = place_on_host(place);
    if (path.empty()) return true;
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
      if (errno == ENOENT || (errno == EACCES && geteuid() != 0)) return false;
      return fail(system_error(what_ + "below '" + place + "': lstat", path, errno));
    }
    const std::string what = what_ + "below '" + place + "', which is ";
    const std::string where = " in image '" + request_.image + "'";
    if (S_ISLNK(status.st_mode)) {
      return fail(what + "a link" + where + "; name the place it leads to ('" + link_target(path) + "')");
    }
    if (!S_ISDIR(status.st_mode)) return fail(what + "not a directory" + where);
    // The directory of the layer above it is everybody's to enter. Root may open its images so, not the host.
    const bool is_hosts = !facts_.host_usr.empty() && is_below(place, "/usr");
    if ((is_hosts || client_) && (status.st_mode & 05U) != 05U)
      return fail(what + "not for everybody to read" + (is_hosts ? " on this host" : where));
    return true;
  }

  const RunRequest& request_;
  const PlanFacts& facts_;
  const BindSources& sources_;
  const std::optional<os::FileRights>& client_;
  std::size_t index_;
  const BindRequest& bind_;
  std::string what_;
};

}  // namespace

Result<void> check_bind_targets(const RunRequest& request, const PlanFacts& facts, const BindSources& sources,
                                const std::optional<os::FileRights>& client) {
  for (std::size_t i = 0; i < request.binds.size(); ++i)
    TRY(TargetCheck(request, facts, sources, client, i).check());
  return {};
}

}  // namespace sbx
