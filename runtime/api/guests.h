// Runs of clients that speak to their keeper themselves (sbxrun): what we know of them is that they are
// there.
#pragma once

#include <list>

#include "api/admission.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "http/loop.h"

namespace sbx::api {

class Guests {
 public:
  explicit Guests(http::Loop& loop) : loop_(loop) {}

  // The keeper's end (wire/keeper_protocol.h): the place is taken until that is closed.
  Result<UniqueFd> add(Admission::Place place);
  // They are no longer counted.
  void forget_all() { guests_.clear(); }

 private:
  struct Guest {
    UniqueFd keeper;
    Admission::Place place;
    http::Watch watch;  // last: it goes before what it watches
  };
  void read(std::list<Guest>::iterator guest);

  http::Loop& loop_;
  std::list<Guest> guests_;
};

}  // namespace sbx::api
