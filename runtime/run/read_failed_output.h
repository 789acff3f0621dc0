// Why a program failed, read from what it wrote where a fault of the reader costs nothing.
#pragma once

#include "base/result.h"
#include "outcome/read_output.h"

namespace sbx {

// read_output in a child without rights (os/confined.h).
Result<std::optional<OutputFinding>> read_output_confined(const OutputEnds& ends,
                                                          std::optional<int> exit_code);

// The finding as the child answers it, and back. What comes back is looked at as what a program wrote: the
// child may have been taken over. Error: it is no finding.
std::string encode_finding(const std::optional<OutputFinding>& finding);
Result<std::optional<OutputFinding>> decode_finding(std::string_view bytes);

}  // namespace sbx
