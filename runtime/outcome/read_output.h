// What the output of a failed program says about why. The text is hostile: it is bounded, and the time that
// reading it takes is linear in it (RE2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "outcome/failure.h"
#include "outcome/failure_rules.h"

namespace sbx {

// As much of the ends of both streams is looked at.
inline constexpr std::size_t kReadOfError = 64U << 10U;
inline constexpr std::size_t kReadOfOutput = 8U << 10U;

struct OutputFinding {
  const FailureRule* rule = nullptr;
  FailureClass kind{};
  std::string subject;
  std::string message;
  FailureEvidence evidence;
  std::optional<FailurePlace> place;
};

struct OutputEnds {
  std::string_view standard_output;
  std::string_view standard_error;
};

// `exit_code`: of the program; nothing when it aborted. Standard error counts before standard output, where
// fewer tools write why they failed. Nothing: no rule matches.
std::optional<OutputFinding> read_output(const OutputEnds& ends, std::optional<int> exit_code);

}  // namespace sbx
