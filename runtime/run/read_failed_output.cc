#include "run/read_failed_output.h"

#include "base/printable.h"
#include "os/confined.h"
#include "wire/wire.h"

namespace sbx {
namespace {

// Rules have a number: their place among all.
std::uint32_t number_of(const FailureRule* rule) {
  std::uint32_t before = 0;
  for (const auto& rules : failure_rules()) {
    if (rule >= rules.data() && rule < rules.data() + rules.size())
      return before + static_cast<std::uint32_t>(rule - rules.data());
    before += static_cast<std::uint32_t>(rules.size());
  }
  return before;
}

const FailureRule* rule_of(std::uint32_t number) {
  for (const auto& rules : failure_rules()) {
    if (number < rules.size()) return &rules[number];
    number -= static_cast<std::uint32_t>(rules.size());
  }
  return nullptr;
}

void put_place(wire::Writer& out, const FailurePlace& place) {
  out.put(place.file);
  out.put(place.line);
  out.put(static_cast<std::uint8_t>(place.column.has_value()));
  out.put(place.column.value_or(0));
}

FailurePlace get_place(wire::Reader& in) {
  FailurePlace place;
  place.file = printable(in.get_string());
  place.line = in.get<std::uint64_t>();
  const bool has_column = in.get_bool();
  const auto column = in.get<std::uint64_t>();
  if (has_column) place.column = column;
  return place;
}

}  // namespace

std::string encode_finding(const std::optional<OutputFinding>& finding) {
  wire::Writer out;
  out.put(static_cast<std::uint8_t>(finding.has_value()));
  if (!finding) return std::move(out).take();
  out.put(number_of(finding->rule));
  out.put(static_cast<std::uint8_t>(finding->kind));
  out.put(finding->subject);
  out.put(finding->message);
  out.put(static_cast<std::uint8_t>(finding->evidence.stream == "stdout"));
  out.put(finding->evidence.text);
  out.put(static_cast<std::uint8_t>(finding->place.has_value()));
  if (finding->place) put_place(out, *finding->place);
  return std::move(out).take();
}

Result<std::optional<OutputFinding>> decode_finding(std::string_view bytes) {
  wire::Reader in(bytes);
  if (!in.get_bool()) {
    TRY(in.finish("finding"));
    return std::nullopt;
  }
  OutputFinding finding;
  finding.rule = rule_of(in.get<std::uint32_t>());
  const auto kind = in.get<std::uint8_t>();
  finding.subject = printable(in.get_string());
  finding.message = printable(in.get_string());
  finding.evidence.stream = in.get_bool() ? "stdout" : "stderr";
  finding.evidence.text = printable(in.get_string());
  if (in.get_bool()) finding.place = get_place(in);
  TRY(in.finish("finding"));
  if (finding.rule == nullptr || kind >= kFailureClassNames.size()) return fail("no finding");
  finding.kind = static_cast<FailureClass>(kind);
  return finding;
}

Result<std::optional<OutputFinding>> read_output_confined(const OutputEnds& ends,
                                                          std::optional<int> exit_code) {
  const std::string bytes =
      TRY(os::call_confined([&] { return encode_finding(read_output(ends, exit_code)); }));
  return TRY(decode_finding(bytes));
}

}  // namespace sbx
