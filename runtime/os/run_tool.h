// A program of the host, run to its end: no shell, no input, no environment but a fixed PATH and locale.
// (run_shown: with what it is given.)
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace sbx::os {

// Where a program is: in /usr/sbin, /usr/bin, /sbin or /bin. Error: ENOENT where it is not there.
Result<std::string> find_tool(const std::string& name);

// `command[0]` is looked for as find_tool does. It is killed when we die; as that takes a moment, it keeps
// `held` (-1: nothing) open until its end: a lock of ours on what it works at. Error: its own; else what it
// said last, when it ended with a status above `most`.
Result<void> run_tool(const std::vector<std::string>& command, int most = 0, int held = -1);

// The program at the path `command[0]`, with `environment` ("NAME=value"); what it writes goes to the
// descriptors `output` and ours for errors. It gets SIGTERM when we die, and when something comes on `until`
// (-1: nothing to listen to). Its exit status. Errors: it could not be started, or was killed; ECANCELED: by
// us.
Result<int> run_shown(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                      int output, int until = -1);

}  // namespace sbx::os
