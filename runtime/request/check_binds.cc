#include "request/check_binds.h"

#include <algorithm>

#include "base/names.h"
#include "base/path.h"

namespace sbx {

Result<void> check_binds(const std::vector<BindRequest>& binds) {
  std::vector<std::string> seen;
  for (const BindRequest& bind : binds) {
    const std::string inside = TRY(check_inside_path("--bind", bind.inside));
    if (inside != bind.inside) return fail("--bind: '" + bind.inside + "' ends with a '/'");
    for (const std::string_view reserved : {"/proc", "/sys", "/dev"}) {
      if (is_below(inside, reserved)) {
        return fail("--bind: '" + inside + "' is below " + std::string(reserved) +
                    ", which belongs to the sandbox");
      }
    }
    if (inside == "/") return fail("--bind: '/' cannot be replaced; use --image");
    if (std::ranges::find(seen, inside) != seen.end()) return fail("--bind: '" + inside + "' is given twice");
    seen.push_back(inside);
  }
  return {};
}

}  // namespace sbx
