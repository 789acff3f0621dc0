// The filter of a sandbox whose commands have control groups of their own.
#pragma once

#include <string>

namespace sbx {

// `filter` (struct sock_filter[]) with clone3 let through, whatever it said of it: init starts each command
// with it in its group, and the command's own process refuses it again before it is anything else's
// (init/init.cc). A filter cannot see what clone3 is to do.
std::string with_clone3(const std::string& filter);

}  // namespace sbx
