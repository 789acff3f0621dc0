#include "request/check_binds.h"

#include <algorithm>

#include "base/names.h"
#include "base/path.h"

namespace sbx {

Result<void> check_binds(const std::vector<BindRequest>& binds) {
  if (binds.size() > kMostBinds) {
    return fail(std::string(bind_flag_name(binds[kMostBinds].flag)) + ": " + std::to_string(binds.size()) +
                " paths to show, and a sandbox takes at most " + std::to_string(kMostBinds) +
                "; show a directory that holds several of them");
  }
  std::vector<std::string> seen;
  for (const BindRequest& bind : binds) {
    const std::string what = bind_flag_name(bind.flag);
    const std::string inside = TRY(check_inside_path(what, bind.inside));
    if (inside != bind.inside) return fail(what + ": '" + bind.inside + "' ends with a '/'");
    for (const std::string_view reserved : {"/proc", "/sys", "/dev"}) {
      if (is_below(inside, reserved)) {
        return fail(what + ": '" + inside + "' is below " + std::string(reserved) +
                    ", which belongs to the sandbox");
      }
    }
    if (inside == "/") return fail(what + ": '/' cannot be replaced; use --image");
    if (std::ranges::find(seen, inside) != seen.end())
      return fail(what + ": '" + inside + "' is given twice");
    seen.push_back(inside);
  }
  return {};
}

}  // namespace sbx
