// Kernel features, tried as a launch uses them. For host_facts.cc.
#pragma once

#include "resource/host_facts.h"

namespace sbx {

// Fills in what is tried: namespaces, id_maps, overlays, mounts, devices, features, seccomp. Without root
// only the filter is tried.
void probe_kernel(const std::vector<std::string>& id_map_paths, HostFacts& facts);

}  // namespace sbx
