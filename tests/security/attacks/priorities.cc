// Limits and priorities above those that were given.
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/resource.h>

#include <cstdint>
#include <initializer_list>

#include "attempts.h"

namespace sbx::attack {
namespace {

// One more than there may be; where there is no bound, the attacker has it already.
template <int resource>
long raise_limit() {
  rlimit limit{};
  if (syscall(SYS_getrlimit, resource, &limit) != 0) return -1;
  if (limit.rlim_max == RLIM_INFINITY) return 0;
  ++limit.rlim_max;
  limit.rlim_cur = limit.rlim_max;
  return syscall(SYS_prlimit64, 0, resource, &limit, nullptr);
}

long raise_by_older_call() {
  rlimit limit{};
  if (syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit) != 0) return -1;
  ++limit.rlim_max;
  return syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit);
}

long core_limit() {
  rlimit limit{};
  return syscall(SYS_getrlimit, RLIMIT_CORE, &limit) == 0 ? static_cast<long>(limit.rlim_cur) : -1;
}

// At 0 the kernel would start the host's core handler as root, where there is one (core(5)).
template <unsigned long high>
long no_core_limit() {
  const rlimit none{0, 0};
  return syscall(SYS_setrlimit, high | RLIMIT_CORE, &none) < 0 ? -1 : only_if(core_limit() == 0);
}

template <unsigned long high>
long no_core_limit_by_prlimit() {
  const rlimit none{0, 0};
  return syscall(SYS_prlimit64, 0, high | RLIMIT_CORE, &none, nullptr) < 0 ? -1 : only_if(core_limit() == 0);
}

long raise_core_limit() {
  rlimit limit{};
  (void)syscall(SYS_getrlimit, RLIMIT_CORE, &limit);
  if (limit.rlim_max != RLIM_INFINITY) ++limit.rlim_max;
  limit.rlim_cur = limit.rlim_max;
  if (syscall(SYS_prlimit64, 0, RLIMIT_CORE, &limit, nullptr) < 0) return -1;
  return only_if(core_limit() != 1);
}

long nice_to(int value) {
  if (setpriority(PRIO_PROCESS, 0, value) != 0) return -1;
  errno = 0;
  return only_if(getpriority(PRIO_PROCESS, 0) == value);
}

template <int policy>
long real_time() {
  const sched_param parameter{1};
  return sched_setscheduler(0, policy, &parameter);
}

// linux/sched/types.h, which cannot be had beside sched.h
struct Attributes {
  std::uint32_t size = sizeof(Attributes);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

long set_attributes(const Attributes& attributes) { return syscall(SYS_sched_setattr, 0, &attributes, 0); }

long real_time_by_attributes() {
  Attributes attributes;
  attributes.policy = SCHED_FIFO;
  attributes.priority = 1;
  return set_attributes(attributes);
}

long deadline() {
  Attributes attributes;
  attributes.policy = 6;  // SCHED_DEADLINE
  attributes.runtime = 1'000'000;
  attributes.deadline = attributes.period = 1'000'000'000;
  return set_attributes(attributes);
}

long nice_by_attributes() {
  Attributes attributes;
  attributes.nice = -20;
  return set_attributes(attributes);
}

long read_first() {
  return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 0));
}

// A group of processes, where the kernel says yes when it changed one of them.
long read_first_as_user() {
  return syscall(SYS_ioprio_set, IOPRIO_WHO_PGRP, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 0));
}

template <int value>
long be_spared() {
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY);
  const std::string text = std::to_string(value);
  return write(fd, text.c_str(), text.size());
}

constexpr const char* kHard = "no capability: a hard limit stays";
constexpr const char* kNice = "no capability; RLIMIT_NICE is 0";
constexpr const char* kRealTime = "no capability; RLIMIT_RTPRIO is 0";
constexpr const char* kIgnored = "filter: a new RLIMIT_CORE is ignored";
constexpr const char* kNoResource = "ok|EPERM";  // root has no CAP_SYS_RESOURCE in many containers
// Of v1's CPU controller a group without real time has none to give (CONFIG_RT_GROUP_SCHED).
constexpr const char* kRealTimeOutside = "ok|EPERM|EBUSY";

constexpr Attack ignored(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kIgnored,
          .inside = "in vain",
          .unfiltered = "ok",
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    refused("rights.limit_files", "open more files than it may", kHard, raise_limit<RLIMIT_NOFILE>,
            kNoResource),
    refused("rights.limit_files_older", "open more files than it may, by the older call", kHard,
            raise_by_older_call, kNoResource),
    refused("rights.limit_memory", "lock more memory than it may", kHard, raise_limit<RLIMIT_MEMLOCK>,
            kNoResource),
    refused("rights.limit_queues", "have more message queues than it may", kHard,
            raise_limit<RLIMIT_MSGQUEUE>, kNoResource),
    refused("rights.limit_signals", "queue more signals than it may", kHard, raise_limit<RLIMIT_SIGPENDING>,
            kNoResource),
    refused("rights.limit_nice", "be allowed a higher priority", kHard, raise_limit<RLIMIT_NICE>,
            kNoResource),
    refused("rights.limit_real_time", "be allowed real time", kHard, raise_limit<RLIMIT_RTPRIO>, kNoResource),
    ignored("rights.core_limit", "have the host's core handler started by a crash", no_core_limit<0>),
    ignored("rights.core_limit_high", "have that handler started, with a bit set in the number of the limit",
            no_core_limit<kHighBit>),
    ignored("rights.core_limit_prlimit", "have the host's core handler started, by the newer call",
            no_core_limit_by_prlimit<0>),
    ignored("rights.core_limit_prlimit_high",
            "have that handler started, by the newer call and with such a bit",
            no_core_limit_by_prlimit<kHighBit>),
    {.name = "rights.core_limit_raise",
     .aim = "have core files written",
     .control = "filter: a new RLIMIT_CORE is ignored; no capability: a hard limit stays",
     .inside = "in vain",
     .unfiltered = "EPERM",
     .outside = kNoResource,
     .attempt = raise_core_limit},
    {.name = "rights.nice",
     .aim = "run before all others",
     .control = kNice,
     .inside = "EACCES",
     .attempt = [] { return nice_to(-20); }},
    {.name = "rights.nice_by_one",
     .aim = "run a little before others",
     .control = kNice,
     .inside = "EACCES",
     .attempt = [] { return nice_to(-1); }},
    refused("rights.nice_attributes", "run before all others, by the newer call", kNice, nice_by_attributes),
    refused("rights.real_time_fifo", "run in real time until it stops", kRealTime, real_time<SCHED_FIFO>,
            kRealTimeOutside),
    refused("rights.real_time_rr", "run in real time, in turn", kRealTime, real_time<SCHED_RR>,
            kRealTimeOutside),
    refused("rights.real_time_attributes", "run in real time, by the newer call", kRealTime,
            real_time_by_attributes, kRealTimeOutside),
    refused("rights.deadline", "have time set apart for it", kRealTime, deadline, kRealTimeOutside),
    refused("rights.io_real_time", "have its reads done first", "no capability", read_first),
    refused("rights.io_real_time_group", "have the reads of its processes done first", "no capability",
            read_first_as_user, "not tried: it would change whoever runs the tests"),
    // Root has no CAP_SYS_RESOURCE in many containers.
    {.name = "rights.oom_never",
     .aim = "be spared when memory runs out",
     .control = "no capability",
     .inside = "EACCES",
     .outside = "ok|EACCES",
     .attempt = be_spared<-1000>},
    {.name = "rights.oom_later",
     .aim = "be killed later than others when memory runs out",
     .control = "no capability",
     .inside = "EACCES",
     .outside = "ok|EACCES",
     .attempt = be_spared<-1>},
};

}  // namespace

std::span<const Attack> priority_attacks() { return kAttacks; }

}  // namespace sbx::attack
