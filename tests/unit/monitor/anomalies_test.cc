#include "monitor/anomalies.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "monitor/robust.h"

namespace sbx {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;

RunEntry run_of(std::int64_t time_ms, const std::string& outcome = "exited", bool completed = true) {
  RunEntry run;
  run.id = "run" + std::to_string(time_ms);
  run.project = "p";
  run.outcome = outcome;
  run.status = completed ? "completed" : "error";
  run.created_ms = run.finished_ms = time_ms;
  return run;
}

std::vector<Alert> active(const Anomalies& anomalies, const std::string& kind) {
  std::vector<Alert> found;
  for (Alert& alert : anomalies.alerts().list()) {
    if (alert.active() && alert.kind == kind) found.push_back(std::move(alert));
  }
  return found;
}

bool is_raised(const Anomalies& anomalies, const std::string& kind) {
  return !active(anomalies, kind).empty();
}

// What a series of many runs led to.
struct Counted {
  unsigned series = 0;
  unsigned missed = 0;
  unsigned false_alarms = 0;
  unsigned cleared = 0;  // after the end of what was out of the ordinary
  double runs_until_raised = 0;
};

}  // namespace

TEST_CASE(
    "the middle and the usual distance from it are not moved by wild values; tails are those of tables") {
  CHECK(median_of({}) == 0);
  CHECK(median_of({3, 1, 2}) == 2);
  CHECK(median_of({4, 1, 2, 3}) == doctest::Approx(2.5));
  const Usual usual = usual_of({1, 2, 3, 4, 5, 6, 7, 8, 1e9});
  CHECK(usual.median == 5);
  CHECK(usual.deviation == doctest::Approx(2 * 1.4826));
  CHECK(binomial_tail(0, 20, 0.3) == 1);
  CHECK(binomial_tail(21, 20, 0.3) == 0);
  CHECK(binomial_tail(20, 20, 0.5) == doctest::Approx(std::pow(0.5, 20)));
  CHECK(binomial_tail(15, 20, 0.5) == doctest::Approx(0.020695).epsilon(1e-4));
  CHECK(binomial_tail(5, 20, 0) == 0);
  CHECK(binomial_tail(5, 20, 1) == 1);
}

TEST_CASE("an alert is one for its kind and scope until it is over") {
  Alerts alerts;
  alerts.raise({.kind = "k", .scope = "a", .message = "first"}, 10, "r1");
  alerts.raise({.kind = "k", .scope = "a", .severity = Severity::critical, .message = "second"}, 20, "r2");
  alerts.raise({.kind = "k", .scope = "a", .message = "third"}, 30);
  alerts.raise({.kind = "k", .scope = "b", .message = "other"}, 30);
  CHECK(alerts.raised() == 2);
  auto all = alerts.list();
  REQUIRE(all.size() == 2);
  CHECK(all[0].scope == "a");  // the severest first
  CHECK(all[0].severity == Severity::critical);
  CHECK(all[0].since_ms == 10);
  CHECK(all[0].seen_ms == 30);
  CHECK(all[0].times == 3);
  CHECK(all[0].message == "third");
  CHECK(all[0].runs == std::vector<std::string>{"r1", "r2"});
  alerts.clear("k", "a", 40);
  alerts.clear("k", "none", 40);
  all = alerts.list();
  CHECK(all[0].scope == "b");
  CHECK(all[1].cleared_ms == 40);
  CHECK_FALSE(alerts.has("k", "a"));
  alerts.clear_quiet("k", 100, 129);
  CHECK(alerts.has("k", "b"));
  alerts.clear_quiet("k", 100, 200);
  CHECK(alerts.list()[0].cleared_ms == 130);
  // The next one is another.
  alerts.raise({.kind = "k", .scope = "a", .message = "again"}, 300);
  CHECK(alerts.list()[0].times == 1);
  const std::string json = alert_to_json(alerts.list()[0]);
  CHECK(json.find(R"("kind":"k","scope":"a","severity":"warning","active":true)") != std::string::npos);
  CHECK(json.find(R"("cleared":null)") != std::string::npos);
  for (int i = 0; i < 5'000; ++i)
    alerts.raise({.kind = "many", .scope = std::to_string(i), .message = ""}, 400);
  CHECK(alerts.list().size() <= 1'202);
}

// Failure rates of all kinds, that stay as they are, or jump.
TEST_CASE("a failure rate that jumps is found, and one that does not raises next to nothing") {
  std::mt19937 random(1);
  Counted jumps;
  Counted still;
  for (const double rate : {0.0, 0.02, 0.1, 0.3, 0.5}) {
    for (int series = 0; series < 40; ++series) {
      std::bernoulli_distribution usual(rate);
      std::bernoulli_distribution worse(rate + 0.45);
      Anomalies anomalies;
      std::int64_t time = 0;
      const auto runs = [&](int count, std::bernoulli_distribution& fails) {
        for (int i = 0; i < count; ++i) anomalies.observe(run_of(time += 1'000, "exited", !fails(random)));
      };
      runs(1'000, usual);
      ++still.series;
      still.false_alarms += anomalies.alerts().raised() > 0 ? 1 : 0;
      const bool before = is_raised(anomalies, "failure_rate");
      int until = 0;
      while (until < 60 && !is_raised(anomalies, "failure_rate")) {
        runs(1, worse);
        ++until;
      }
      ++jumps.series;
      const bool found = is_raised(anomalies, "failure_rate");
      if (!found) ++jumps.missed;
      if (found && !before) jumps.runs_until_raised += until;
      runs(40, usual);
      jumps.cleared += is_raised(anomalies, "failure_rate") ? 0 : 1;
    }
  }
  MESSAGE("failure rate: of " << jumps.series << " jumps by 45 % " << jumps.missed << " missed, found after "
                              << jumps.runs_until_raised / (jumps.series - jumps.missed) << " runs, "
                              << jumps.cleared << " over within 40 runs; of " << still.series
                              << " series of 1,000 runs without one " << still.false_alarms << " raised one");
  CHECK(jumps.missed <= jumps.series / 20);
  CHECK(still.false_alarms <= still.series / 50);
  CHECK(jumps.cleared >= jumps.series * 19 / 20);
}

TEST_CASE("a failure rate that stays high is what is usual after a while, and cancelled runs are none") {
  Anomalies anomalies;
  std::int64_t time = 0;
  for (int i = 0; i < 100; ++i) anomalies.observe(run_of(++time));
  for (int i = 0; i < 50; ++i) anomalies.observe(run_of(++time, "cancelled", false));
  CHECK_FALSE(is_raised(anomalies, "failure_rate"));
  for (int i = 0; i < 30; ++i) anomalies.observe(run_of(++time, "exited", false));
  REQUIRE(active(anomalies, "failure_rate").size() == 2);  // of the project, and of all
  CHECK(active(anomalies, "failure_rate")[0].severity == Severity::critical);
  CHECK(active(anomalies, "failure_rate")[0].message.find("usual are 1.1 %") != std::string::npos);
  for (int i = 0; i < 300; ++i) anomalies.observe(run_of(++time, "exited", false));
  CHECK_FALSE(is_raised(anomalies, "failure_rate"));
}

// Times of programs are spread on a logarithmic scale.
TEST_CASE("a run far from its task's own history is found, and ordinary ones raise next to nothing") {
  std::mt19937 random(2);
  Counted counted;
  unsigned ordinary = 0;
  for (const double deviation : {0.01, 0.1, 0.3, 0.6}) {
    for (const double middle : {50.0, 500.0, 20'000.0}) {
      for (int series = 0; series < 20; ++series) {
        std::normal_distribution<double> usual(std::log(middle), deviation);
        Anomalies anomalies;
        std::int64_t time = 0;
        const auto observe = [&](double wall) {
          RunEntry run = run_of(time += 1'000);
          run.task = "t";
          run.wall_ms = static_cast<std::int64_t>(wall);
          anomalies.observe(run);
        };
        for (int i = 0; i < 100; ++i) observe(std::exp(usual(random)));
        ordinary += 100;
        counted.false_alarms += static_cast<unsigned>(anomalies.alerts().raised());
        ++counted.series;
        const auto before = anomalies.alerts().raised();
        // So far that it is beyond what deviates, and half a second.
        observe(middle * std::exp(8 * std::max(deviation, 0.1)) + 500);
        if (anomalies.alerts().raised() == before) ++counted.missed;
        observe(middle);
        counted.cleared += is_raised(anomalies, "duration") ? 0 : 1;
      }
    }
  }
  MESSAGE("duration: of " << counted.series << " runs eight deviations from usual " << counted.missed
                          << " missed; of " << ordinary << " ordinary ones " << counted.false_alarms
                          << " raised an alert");
  CHECK(counted.missed <= counted.series / 20);
  CHECK(counted.false_alarms <= ordinary / 1'000);
  CHECK(counted.cleared == counted.series);
}

TEST_CASE("memory is held against the task's own history, and little is not told") {
  Anomalies anomalies;
  std::int64_t time = 0;
  const auto observe = [&](std::int64_t bytes) {
    RunEntry run = run_of(++time);
    run.memory_bytes = bytes;
    anomalies.observe(run);
  };
  for (int i = 0; i < 20; ++i) observe(1'000'000 + i);
  observe(8'000'000);
  CHECK_FALSE(is_raised(anomalies, "memory"));
  observe(200'000'000);
  REQUIRE(active(anomalies, "memory").size() == 1);
  CHECK(active(anomalies, "memory")[0].message == "memory_peak_bytes was 200000000; usual are 1000010");
  observe(1'000'000);
  CHECK_FALSE(is_raised(anomalies, "memory"));
}

TEST_CASE("the same crash again and again is one alert, and it is over when it is gone") {
  Anomalies anomalies;
  std::int64_t time = 0;
  const auto crash = [&](const char* place) {
    RunEntry run = run_of(++time, "signaled", false);
    run.signal = "SIGSEGV";
    run.place = place;
    anomalies.observe(run);
  };
  crash("a.c:1");
  crash("a.c:2");
  crash("a.c:1");
  CHECK_FALSE(is_raised(anomalies, "repeated_crash"));
  crash("a.c:1");
  REQUIRE(active(anomalies, "repeated_crash").size() == 1);
  CHECK(active(anomalies, "repeated_crash")[0].scope == "project:p SIGSEGV at a.c:1");
  crash("a.c:1");
  CHECK(active(anomalies, "repeated_crash")[0].times == 2);
  for (int i = 0; i < 9; ++i) anomalies.observe(run_of(++time));
  CHECK(is_raised(anomalies, "repeated_crash"));
  anomalies.observe(run_of(++time));
  CHECK_FALSE(is_raised(anomalies, "repeated_crash"));
}

TEST_CASE(
    "limits in a row, floods, fork storms and refused calls are told, and are over after a quiet hour") {
  Anomalies anomalies;
  std::int64_t time = 0;
  const auto with = [&](auto change) {
    RunEntry run = run_of(++time);
    change(run);
    anomalies.observe(run);
  };
  for (int i = 0; i < 4; ++i) with([](RunEntry& run) { run.limits_hit = {"memory_bytes"}; });
  with([](RunEntry&) {});
  for (int i = 0; i < 4; ++i) with([](RunEntry& run) { run.limits_hit = {"memory_bytes", "cpus"}; });
  CHECK(anomalies.alerts().raised() == 0);
  with([](RunEntry& run) { run.limits_hit = {"cpus"}; });
  REQUIRE(active(anomalies, "limit_in_a_row").size() == 1);
  CHECK(active(anomalies, "limit_in_a_row")[0].scope == "project:p cpus");
  with([](RunEntry&) {});
  CHECK_FALSE(is_raised(anomalies, "limit_in_a_row"));

  with([](RunEntry& run) { run.outcome = "output_limit"; });
  with([](RunEntry& run) { run.limits_hit = {"pids"}; });
  for (int i = 0; i < 50; ++i) with([](RunEntry& run) { run.denied = 20; });
  with([](RunEntry& run) { run.denied = 200; });
  CHECK_FALSE(is_raised(anomalies, "denied_calls"));
  with([](RunEntry& run) { run.denied = 1'000; });
  for (const char* kind : {"output_flood", "fork_storm", "denied_calls"})
    CHECK_MESSAGE(is_raised(anomalies, kind), kind);
  anomalies.pass(time + kHourMs);
  CHECK(active(anomalies, "output_flood").empty());
  for (const Alert& alert : anomalies.alerts().list()) CHECK_FALSE(alert.active());
}

TEST_CASE("what events of the log say of the host is told") {
  Anomalies anomalies;
  const auto event = [&](const std::string& name, std::int64_t minute, const std::string& more) {
    const std::string minutes = (minute < 10 ? "0" : "") + std::to_string(minute);
    const auto read = event_in_line("{\"event\":\"" + name + "\",\"time\":\"2026-11-24T10:" + minutes +
                                    ":00.000Z\"" + more + "}");
    REQUIRE(read);
    anomalies.observe(*read);
  };
  event("cleanup", 0, R"(,"message":null,"outcome":"done")");
  event("file.upload", 0, R"(,"message":"x")");
  CHECK(anomalies.alerts().raised() == 0);
  event("cleanup", 1, R"(,"message":"run: cgroup")");
  event("log.lost", 2, R"(,"lines":7,"why":"ENOSPC")");
  event("sbxd.restart", 3, R"(,"subject":"sbx-api","message":"was killed by SIGSEGV")");
  CHECK(active(anomalies, "orphans").size() == 1);
  REQUIRE(active(anomalies, "log_lost").size() == 1);
  CHECK(active(anomalies, "log_lost")[0].severity == Severity::critical);
  CHECK(active(anomalies, "log_lost")[0].message ==
        "7 lines of the monitor log could not be written (ENOSPC)");
  CHECK(active(anomalies, "restarts")[0].severity == Severity::warning);
  event("sbxd.restart", 4, R"(,"subject":"sbx-api","message":"was killed by SIGSEGV")");
  event("sbxd.restart", 5, R"(,"subject":"sbx-api","message":"was killed by SIGSEGV")");
  CHECK(active(anomalies, "restarts")[0].severity == Severity::critical);
  for (const char* none :
       {"", "x", "[]", R"({"event":"cleanup"})", R"({"event":7,"time":"2026-11-24T10:00:00Z"})"})
    CHECK_FALSE(event_in_line(none));
}

// Who makes a name for each run takes no memory for each.
TEST_CASE("of very many tasks the last ones are remembered") {
  Anomalies anomalies;
  for (int i = 0; i < 20'000; ++i) {
    RunEntry run = run_of(i);
    run.project = "";
    run.task = "t" + std::to_string(i);
    run.outcome = "output_limit";
    anomalies.observe(run);
  }
  CHECK(anomalies.alerts().list().size() <= 1'200);
}

}  // namespace sbx
