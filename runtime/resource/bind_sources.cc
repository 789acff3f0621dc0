#include "resource/bind_sources.h"

#include <fcntl.h>
#include <linux/openat2.h>

#include <algorithm>

#include "base/path.h"
#include "os/file.h"

namespace sbx {
namespace {

// The topmost bind that the sandbox may write to and that `path` lies below; nullptr: none.
const BindRequest* writable_above(const RunRequest& request, const std::string& path) {
  const BindRequest* top = nullptr;
  const auto consider = [&](const BindRequest& bind) {
    const bool above = bind.mode == BindMode::read_write && bind.host != path && is_below(path, bind.host);
    if (above && (top == nullptr || bind.host.size() < top->host.size())) top = &bind;
  };
  std::ranges::for_each(request.binds, consider);
  if (request.here) consider(*request.here);
  return top;
}

}  // namespace

const BindSource* BindSources::find(std::string_view path) const {
  const auto found = std::ranges::find(opened, path, &BindSource::host);
  return found == opened.end() ? nullptr : &*found;
}

Result<UniqueFd> open_bind_source(const RunRequest& request, const BindRequest& bind) {
  const BindRequest* above = writable_above(request, bind.host);
  if (above == nullptr) return os::open_at(AT_FDCWD, bind.host, O_PATH);
  const UniqueFd top = TRY(os::open_at(AT_FDCWD, above->host, O_PATH | O_DIRECTORY));
  std::string rest = bind.host.substr(above->host.size());
  rest.erase(0, std::min(rest.find_first_not_of('/'), rest.size()));
  Result<UniqueFd> opened = os::open_resolved(top.get(), rest, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (!opened && opened.error().error_number == ELOOP) {
    return fail("'" + bind.host + "' passes a symbolic link in '" + above->host +
                "', which the sandbox may write to: it could lead anywhere");
  }
  return opened;
}

}  // namespace sbx
