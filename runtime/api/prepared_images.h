// What is known of the images. When sbxd starts, `sbxctl images warm` looks at one after the other, imports
// what was built, and tells here, a line of JSON for each that it knows more of; later the store is looked
// at.
#pragma once

#include <map>
#include <string>

#include "api/call.h"
#include "base/unique_fd.h"
#include "http/loop.h"

namespace sbx::api {

class PreparedImages {
 public:
  explicit PreparedImages(http::Loop& loop) : loop_(loop) {}

  // The reading end of its pipe.
  void follow(UniqueFd lines);

  // What the store has now (keeper/answer_query.h).
  void take_store(const OrderedJson& images);

  // By state: names, and of those that failed why.
  [[nodiscard]] OrderedJson describe() const;
  // Into the list of those that the store has: what is not there yet, or could not come there.
  void add_absent(OrderedJson& images) const;

 private:
  struct State {
    std::string name;  // "preparing", "ready", "failed", "missing"
    std::string detail;
    bool in_store = false;
  };
  void read();
  void take(const std::string& line);

  http::Loop& loop_;
  UniqueFd lines_;
  http::Watch watch_;
  std::string rest_;
  std::map<std::string, State> images_;
};

}  // namespace sbx::api
