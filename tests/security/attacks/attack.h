// One attempt of hostile code to get out, to see or to change what is not its own. A vector, in the words of
// docs/containment.md, is one such row; the tables of the families are in the files beside this one.
#pragma once

#include <cerrno>
#include <span>
#include <string>
#include <string_view>

namespace sbx::attack {

// What an attempt comes to is text: "ok" (the attacker has what he wanted), the name of the error he got, the
// signal that ended him ("SIGSYS"), "in vain" (no error, but not what he wanted either), "late" (nothing
// happened for ten seconds), or "not tried" (there is nothing here to try it on). Where kernels or machines
// differ, a field names all that may come, as "ok|ENOSYS", each time with the reason.
struct Attack {
  std::string_view name;     // FAMILY.WHAT
  std::string_view aim;      // what the attacker wants, to follow "to"
  std::string_view control;  // what stops him
  // What he must get inside, under every shipped policy. Here and below: "A|B" where kernels or file systems
  // differ, each time with the reason.
  std::string_view inside;
  // Where a policy answers otherwise.
  std::string_view strict = inside;
  std::string_view permissive = inside;
  // What is left when the system call filter lets everything pass: the second control. "ok" where the filter
  // is the only one.
  std::string_view unfiltered = inside;
  // What root gets outside, in a mount namespace of its own: "ok", or "not tried: WHY". Another error is what
  // everybody gets everywhere: it says by itself why.
  std::string_view outside = "ok";
  // In a process of its own. Negative, with errno, where it failed; with errno 0 it was in vain.
  long (*attempt)();
};

// How the process of an attempt ends that was in vain, or that found nothing to try it on: no errors have
// these numbers.
inline constexpr int kInVain = 255;
inline constexpr int kNotTried = 254;

std::span<const Attack> namespace_attacks();
std::span<const Attack> namespace_entry_attacks();
std::span<const Attack> kernel_attacks();
std::span<const Attack> kernel_memory_attacks();
std::span<const Attack> administration_attacks();
std::span<const Attack> rights_attacks();
std::span<const Attack> priority_attacks();
std::span<const Attack> abi_attacks();
std::span<const Attack> argument_attacks();
std::span<const Attack> terminal_attacks();
std::span<const Attack> cgroup_attacks();
std::span<const Attack> debugging_attacks();
std::span<const Attack> init_attacks();
std::span<const Attack> init_signal_attacks();
std::span<const Attack> process_attacks();
std::span<const Attack> credential_attacks();
std::span<const Attack> socket_family_attacks();
std::span<const Attack> netlink_attacks();
std::span<const Attack> socket_option_attacks();
std::span<const Attack> multicast_attacks();
std::span<const Attack> interface_attacks();
std::span<const Attack> network_attacks();
std::span<const Attack> ipc_attacks();
std::span<const Attack> user_limit_attacks();
std::span<const Attack> proc_attacks();
std::span<const Attack> proc_victim_attacks();
std::span<const Attack> proc_sysctl_attacks();
std::span<const Attack> descriptor_attacks();
std::span<const Attack> mount_attacks();
std::span<const Attack> new_mount_attacks();
std::span<const Attack> device_attacks();
std::span<const Attack> file_attacks();
std::span<const Attack> file_rights_attacks();
std::span<const Attack> set_id_attacks();

// What the tests prepared for the attempts, by name (`attacks run NAME=VALUE …`); empty when it is not there.
//   inside        1 in a sandbox
//   key           a number in the names of objects that somebody else made
//   victim        a process that is not the attacker's: init inside
//   foreign       one of the host's, by its number there
//   place         a directory of the host that he is not shown
//   secret        a file in it; handle and handle_type: its handle
//   handle_place  a directory on the same file system that he may open
//   shown         a directory of the host's root that he is shown read-only
//   writable      one that he may write to
//   files         one of his own that he may only read
//   outputs       one of his own, beside the one that he starts in
//   home          another, whose mount has no id map
//   variables     names that his image brings, with commas between them
//   disk          the number of the host's disk
// and the names that serve_processes.cc, serve_ipc.cc and serve_network.cc say.
const std::string& target(const std::string& name);
long target_number(const std::string& name);

// Makes the targets outside, prints NAME=VALUE of each, then "serving", and keeps them until its input ends.
int serve();

}  // namespace sbx::attack
