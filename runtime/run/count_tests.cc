#include "run/count_tests.h"

#include "base/printable.h"
#include "os/confined.h"
#include "wire/wire.h"

namespace sbx {
namespace {

std::string encode(const Result<TestCounts>& counts) {
  wire::Writer out;
  out.put(static_cast<std::uint8_t>(counts.has_value()));
  out.put(counts ? std::string() : counts.error().text);
  const TestCounts numbers = counts ? *counts : TestCounts{};
  for (const std::uint64_t number : {numbers.passed, numbers.failed, numbers.errors, numbers.skipped})
    out.put(number);
  return std::move(out).take();
}

Result<TestCounts> decode(std::string_view bytes) {
  wire::Reader in(bytes);
  const bool counted = in.get_bool();
  const std::string error = in.get_string();
  TestCounts counts;
  for (std::uint64_t* number : {&counts.passed, &counts.failed, &counts.errors, &counts.skipped})
    *number = in.get<std::uint64_t>();
  TRY(in.finish("counts"));
  if (!counted) return fail(printable(error));
  return counts;
}

}  // namespace

Result<TestCounts> count_tests(ReportFormat format, const std::string& report) {
  const std::string bytes = TRY(os::call_confined([&] {
    switch (format) {
    case ReportFormat::junit: break;
    }
    return encode(parse_junit(report));
  }));
  return decode(bytes);
}

}  // namespace sbx
