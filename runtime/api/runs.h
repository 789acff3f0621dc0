// Runs: each a program in a sandbox of its own, or a command of one that is there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "api/admission.h"
#include "api/keepers.h"
#include "api/live_sandbox.h"
#include "api/router.h"
#include "api/run.h"

namespace sbx::api {

// Of those that have ended.
struct KeptRuns {
  std::size_t most = 10'000;
  std::uint64_t output_bytes = 1ULL << 30U;
};

class Runs {
 public:
  Runs(http::Loop& loop, Keepers& keepers, Admission& admission, KeptRuns kept)
      : loop_(loop), keepers_(keepers), admission_(admission), kept_(kept) {}
  void add_routes(Router& router);

  // Begins it and answers the call, at once or with `?wait` at its end. `sandbox`: where it runs; null: in
  // one of its own, which was admitted.
  void begin(const SharedCall& call, AskedRun asked, LiveSandbox* sandbox);
  void cancel_all();

 private:
  void create(const SharedCall& call);
  void list(const SharedCall& call) const;
  void get(const SharedCall& call) const;
  void cancel(const SharedCall& call) const;
  void get_output(const SharedCall& call) const;
  void get_events(const SharedCall& call) const;
  std::shared_ptr<Run> find(const SharedCall& call) const;
  void forget_old();

  http::Loop& loop_;
  Keepers& keepers_;
  Admission& admission_;
  KeptRuns kept_;
  std::map<std::string, std::shared_ptr<Run>, std::less<>> runs_;  // by id, so by time
  std::uint64_t kept_bytes_ = 0;
};

}  // namespace sbx::api
