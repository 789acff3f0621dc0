// Questions about the host, which the API cannot see: a process forked from a nursery answers each
// (keeper/answer_query.h). Nothing is remembered.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <string>

#include "api/keepers.h"
#include "http/loop.h"

namespace sbx::api {

class HostQueries {
 public:
  HostQueries(http::Loop& loop, Keepers& keepers) : loop_(loop), keepers_(keepers) {}

  // `then` gets the answer, which is JSON, or why there is none. Some at once; further ones wait.
  using Then = std::function<void(Result<std::string>)>;
  void ask(HostQuery query, std::string policy, Then then);

 private:
  struct Question {
    HostQuery query{};
    std::string policy;
    Then then;
  };
  struct Asked {
    UniqueFd client;
    Then then;
    http::Watch watch;
  };
  void begin(Question question);
  void begin_next();

  http::Loop& loop_;
  Keepers& keepers_;
  std::list<Asked> asked_;
  std::deque<Question> waiting_;
};

}  // namespace sbx::api
