// What a comparison found, as text for people and as JSON.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "campaign.h"
#include "host.h"
#include "statistics.h"

namespace sbx::bench {

struct Report {
  Scenario scenario;
  Rounds rounds;
  HostFacts host;
  std::string load_before;
  std::string load_after;
  std::vector<Row> rows;
};

// A row compared with native, and sbx compared with the row.
struct RowRatios {
  std::optional<Ratio> to_native;
  std::optional<Ratio> sbx_to_it;
};
RowRatios find_ratios(const Report& report, const Row& row);

std::string format_text(const Report& report);

// With every sample, so that a later run can be compared with this one.
std::string format_json(const Report& report);

}  // namespace sbx::bench
