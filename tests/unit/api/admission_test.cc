// How many sandboxes there may be, and whose turn it is.
#include "api/admission.h"

#include <doctest/doctest.h>

#include <list>
#include <string>
#include <vector>

namespace sbx::api {
namespace {

class Place {
 public:
  explicit Place(Admission::Limits limits)
      : admission([this](std::function<void()> then) { posted_.push_back(std::move(then)); }, limits) {}
  ~Place() {
    tickets.clear();
    running.clear();
  }
  // Where it fits it has its place, else it waits; what was said when neither.
  std::string ask(const std::string& name, const std::string& queue, std::uint64_t memory = 1) {
    auto place = admission.take({queue, memory, 0});
    if (place) return begin(name, std::move(*place)), "";
    if (!place.error().may_wait) return place.error().why;
    auto ticket = admission.wait({queue, memory, 0},
                                 [this, name](Admission::Place turn) { begin(name, std::move(turn)); });
    if (!ticket) return ticket.error().why;
    tickets.emplace_back(name, std::move(*ticket));
    return "";
  }
  void end(const std::string& name) {
    running.remove_if([&](const auto& one) { return one.first == name; });
    while (!posted_.empty()) {
      const auto then = std::move(posted_.front());
      posted_.pop_front();
      then();
    }
  }
  void give_up(const std::string& name) {
    tickets.remove_if([&](const auto& one) { return one.first == name; });
    end("");
  }
  std::string order() const {
    std::string all;
    for (const std::string& name : began) all += (all.empty() ? "" : " ") + name;
    return all;
  }

  Admission admission;
  std::list<std::pair<std::string, Admission::Place>> running;
  std::list<std::pair<std::string, Admission::Ticket>> tickets;
  std::vector<std::string> began;

 private:
  void begin(const std::string& name, Admission::Place place) {
    running.emplace_back(name, std::move(place));
    began.push_back(name);
  }
  std::list<std::function<void()>> posted_;
};

}  // namespace

TEST_CASE("one project floods, and the next run of another one is begun in its turn") {
  Place place({1, {}, 100});
  for (int i = 0; i < 50; ++i) CHECK(place.ask("a" + std::to_string(i), "a") == "");
  CHECK(place.ask("b0", "b") == "");
  CHECK(place.ask("b1", "b") == "");
  CHECK(place.ask("c0", "c") == "");
  CHECK(place.admission.waiting() == 52);
  for (int i = 0; i < 8; ++i) place.end(place.running.front().first);
  CHECK(place.order() == "a0 a1 b0 c0 a2 b1 a3 a4 a5");
  CHECK(place.admission.alive() == 1);
}

TEST_CASE("a queue is so long and no longer, and the others have theirs") {
  Place place({1, {}, 2});
  CHECK(place.ask("a0", "a") == "");
  CHECK(place.ask("a1", "a") == "");
  CHECK(place.ask("a2", "a") == "");
  CHECK(place.ask("a3", "a").find("admission.queue") != std::string::npos);
  CHECK(place.ask("b0", "b") == "");
  place.end("a0");
  CHECK(place.ask("a4", "a") == "");
  CHECK(place.ask("a5", "a") != "");
  Place none({1, {}, 0});
  CHECK(none.ask("a0", "a") == "");
  CHECK(none.ask("a1", "a").find("max_sandboxes") != std::string::npos);
}

TEST_CASE("all that wait are so many and hold so much memory, whatever they are called") {
  Place place({1, {}, 10'000});
  CHECK(place.ask("first", "x") == "");
  std::vector<Admission::Ticket> tickets;
  Result<Admission::Ticket, Admission::Refusal> last = place.admission.wait({"q", 1, 300U << 20U}, {});
  CHECK_FALSE(last);
  for (int i = 0; i < 2'000 && tickets.size() == static_cast<std::size_t>(i); ++i) {
    last = place.admission.wait({"q" + std::to_string(i), 1, 1000}, {});
    if (last) tickets.push_back(std::move(*last));
  }
  CHECK(tickets.size() == 1000);
  CHECK(last.error().status == 429);
  tickets.clear();
  CHECK(place.admission.waiting() == 0);
}

TEST_CASE("who gives up waits no longer, and holds nobody up") {
  Place place({1, {}, 10});
  for (const char* name : {"a0", "a1", "b0", "a2"}) CHECK(place.ask(name, std::string(1, name[0])) == "");
  place.give_up("a1");
  place.give_up("b0");
  CHECK(place.admission.waiting() == 1);
  place.end("a0");
  CHECK(place.order() == "a0 a2");
  place.give_up("a2");  // it has its place already
  place.end("a2");
  CHECK(place.admission.alive() == 0);
  CHECK(place.admission.memory_bytes() == 0);
}

TEST_CASE("the memory of all is bounded, and who needs much is not overtaken for ever") {
  Place place({100, 10, 100});
  CHECK(place.ask("huge", "a", 11).find("more than the 10") != std::string::npos);
  CHECK(place.ask("a0", "a", 6) == "");
  CHECK(place.ask("a1", "a", 4) == "");
  CHECK(place.admission.memory_bytes() == 10);
  CHECK(place.ask("b0", "b", 8) == "");
  CHECK(place.ask("c0", "c", 1) == "");
  place.end("a1");
  CHECK(place.order() == "a0 a1");  // b0 is next, and does not fit
  place.end("a0");
  CHECK(place.order() == "a0 a1 b0 c0");
  CHECK(place.admission.memory_bytes() == 9);
  // Who is next goes, and those behind fit at once.
  CHECK(place.ask("d0", "d", 9) == "");
  CHECK(place.ask("e0", "e", 1) == "");
  CHECK(place.order() == "a0 a1 b0 c0");
  place.give_up("d0");
  CHECK(place.order() == "a0 a1 b0 c0 e0");
}

TEST_CASE("what a sandbox really has counts from when it is known") {
  Place place({100, 10, 100});
  CHECK(place.ask("a0", "a", 2) == "");
  place.running.front().second.set_memory(10);
  CHECK(place.admission.memory_bytes() == 10);
  CHECK(place.ask("a1", "a", 1) == "");
  CHECK(place.order() == "a0");
  place.running.front().second.set_memory(5);
  place.end("");
  CHECK(place.order() == "a0 a1");
  place.end("a0");
  CHECK(place.admission.memory_bytes() == 1);
}

TEST_CASE("other limits hold from then on, and one that waits is never left without a place") {
  Place place({1, {}, 10});
  for (const char* name : {"a0", "a1", "a2"}) CHECK(place.ask(name, "a", 5) == "");
  place.admission.set({3, {}, 10});
  place.end("");
  CHECK(place.order() == "a0 a1 a2");
  CHECK(place.ask("a3", "a", 5) == "");
  place.admission.set({1, 2, 10});
  for (const char* name : {"a0", "a1"}) place.end(name);
  CHECK(place.order() == "a0 a1 a2");
  place.end("a2");
  CHECK(place.order() == "a0 a1 a2 a3");
}

TEST_CASE("nobody is admitted while it stops, and its end is told when the last is gone") {
  Place place({2, {}, 10});
  CHECK(place.ask("a0", "a") == "");
  int stopped = 0;
  place.admission.stop([&] { ++stopped; });
  CHECK(place.ask("a1", "a").find("stopped") != std::string::npos);
  CHECK(stopped == 0);
  place.end("a0");
  CHECK(stopped == 1);
}

}  // namespace sbx::api
