#include "wire/wire.h"

namespace sbx::wire {

Result<void> Reader::finish(std::string_view what) const {
  if (failed_) return fail(std::string(what) + ": the message is cut short or holds a bad value");
  if (!rest_.empty()) return fail(std::string(what) + ": the message has bytes left over");
  return {};
}

}  // namespace sbx::wire
