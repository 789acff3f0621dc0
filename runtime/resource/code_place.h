// A directory of a living sandbox's own /tmp for one command of a language: `code/` with the files that came
// with it, `build/` for what a compiler makes, and whatever else it leaves there.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "request/run_request.h"
#include "resource/storage_use.h"

namespace sbx {

class CodePlace {
 public:
  // `name` is unused so far; `owner` is the workload's id outside. Until the files are there nothing in the
  // sandbox can look into it.
  static Result<CodePlace> make(const std::vector<StorageUse>& uses, const std::string& name,
                                const std::vector<SourceFile>& files, std::uint32_t owner);
  // As the sandbox sees it.
  static std::string path_of(const std::string& name) { return "/tmp/" + name; }

  CodePlace(CodePlace&& other) noexcept = default;
  CodePlace& operator=(CodePlace&&) = delete;
  ~CodePlace();  // it is removed

 private:
  CodePlace(UniqueFd tmp, std::string name) : tmp_(std::move(tmp)), name_(std::move(name)) {}

  UniqueFd tmp_;
  std::string name_;
};

}  // namespace sbx
