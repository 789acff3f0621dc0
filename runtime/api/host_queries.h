// Questions about the host and its projects, which the API cannot see: a process that comes from a nursery
// answers each (keeper/answer_query.h, projects/answer.h). Nothing is remembered.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "api/client.h"
#include "api/keepers.h"
#include "http/loop.h"
#include "os/socket.h"

namespace sbx::api {

// What such a process says: a text, or an error with its number.
Result<std::string> read_words(const os::Message& message);

class HostQueries {
 public:
  HostQueries(http::Loop& loop, Keepers& keepers) : loop_(loop), keepers_(keepers) {}

  // `then` gets the answer, which is JSON, or why there is none. Some at once; further ones wait.
  using Then = std::function<void(Result<std::string>)>;
  void ask(HostQuery query, const std::string& policy, Then then);
  // As wire/project_protocol.h has answers and errors; EAGAIN: too many wait. Without `asker` it is nobody's.
  void ask(ProjectQuestion question, std::shared_ptr<const Asker> asker, Then then);

 private:
  struct Question {
    std::function<Result<UniqueFd>()> start;  // the socket that the answer comes on
    Then then;
  };
  struct Asked {
    UniqueFd client;
    Then then;
    http::Watch watch;
  };
  void ask(Question question);
  void begin(Question question);
  void begin_next();

  http::Loop& loop_;
  Keepers& keepers_;
  std::list<Asked> asked_;
  std::deque<Question> waiting_;
};

}  // namespace sbx::api
