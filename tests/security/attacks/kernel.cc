// Parts of the kernel that programs rarely need and that have had holes, and those that change the machine.
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

namespace sbx::attack {
namespace {

long make_bpf_map() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
}

constexpr Attack kAttacks[] = {
    {.name = "kernel.bpf",
     .aim = "load code into the kernel's BPF machine",
     .control = "filter: bpf; no capability",
     .inside = "EPERM",
     .attempt = make_bpf_map},
    {.name = "kernel.reboot",
     .aim = "restart the machine",
     .control = "filter: reboot; no capability",
     .inside = "EPERM",
     .outside = "not tried: it would",
     .attempt =
         [] { return syscall(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef /* caps off */, nullptr); }},
};

}  // namespace

std::span<const Attack> kernel_attacks() { return kAttacks; }

}  // namespace sbx::attack
