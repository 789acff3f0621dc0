#include "supervise/supervise.h"

#include "supervise/sandbox_watch.h"

namespace sbx {

SuperviseReport supervise(SuperviseInput input) {
  SandboxCgroup* const cgroup = input.cgroup;
  Execution* program = nullptr;
  SandboxWatch sandbox({.launch = input.launch,
                        .init = input.init,
                        .memory_event = cgroup != nullptr ? cgroup->memory_event_fd() : -1,
                        .out_of_memory = [&] { program->end_because(Ending::Cause::out_of_memory); },
                        .kill =
                            [&] {
                              if (cgroup != nullptr) (void)cgroup->kill();
                            }});
  Execution execution({.client = input.client,
                       .tty = input.tty,
                       .sent_ns = input.launched_ns,
                       .limits = input.limits,
                       .captures = std::move(input.captures),
                       .spill = input.spill,
                       .cpu_us = [&] { return cgroup != nullptr ? cgroup->cpu_us() : std::nullopt; },
                       .kill = [&] { sandbox.kill(); },
                       .signal = [&](int number) { sandbox.signal(0, number); },
                       .pass_signal = [&](int number) { sandbox.signal(0, number); }});
  program = &execution;
  sandbox.add(execution);
  while (!execution.finished()) {
    PollSet turn;
    sandbox.wait_in(turn);
    execution.wait_in(turn);
    turn.wait();
    execution.check_deadlines();
  }
  SuperviseReport report;
  static_cast<ExecutionReport&>(report) = execution.take_report();
  report.spawner_ended = sandbox.spawner_ended();
  report.step_us = sandbox.step_us();
  return report;
}

}  // namespace sbx
