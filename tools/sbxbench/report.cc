#include "report.h"

#include <algorithm>

namespace sbx::bench {
namespace {

const Row* find_row(const Report& report, const std::string& name) {
  const auto found = std::ranges::find(report.rows, name, &Row::name);
  return found == report.rows.end() ? nullptr : &*found;
}

}  // namespace

RowRatios find_ratios(const Report& report, const Row& row) {
  const Row* native = find_row(report, kNative);
  const Row* sbx = find_row(report, kSbx);
  RowRatios ratios;
  if (native != nullptr) ratios.to_native = compare(row.samples, native->samples);
  if (sbx != nullptr) ratios.sbx_to_it = compare(sbx->samples, row.samples);
  return ratios;
}

}  // namespace sbx::bench
