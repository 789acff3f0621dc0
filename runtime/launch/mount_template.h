// The mount namespace that sandboxes are started from. A clone copies every mount of its parent, and has to
// make each private and to detach it: here there are two, on a host there may be hundreds
// (mount_namespaces(7)).
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

class MountTemplate {
 public:
  // A small file system of its own in memory, with a place for the stage and the host's /proc. The calling
  // process stays where it is; it is single-threaded (setns(2)).
  static Result<MountTemplate> make();

  static constexpr const char* kStage = "/stage";  // in the template

  // As long as it lives the calling process is elsewhere than on the host; it ends the process if it cannot
  // go back, which would take what is there for the host.
  class Visit {
   public:
    static Result<Visit> begin();
    Visit(Visit&&) = default;
    Visit& operator=(Visit&&) = delete;
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit();

   private:
    Visit() = default;

    UniqueFd home_;  // the mount namespace to go back to
    UniqueFd root_;
    UniqueFd directory_;
  };

  [[nodiscard]] Result<Visit> enter() const;

 private:
  explicit MountTemplate(UniqueFd name_space) : namespace_(std::move(name_space)) {}

  UniqueFd namespace_;
};

}  // namespace sbx
