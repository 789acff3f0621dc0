#include "outcome/read_output.h"

#include <re2/re2.h>

#include <algorithm>
#include <vector>

#include "base/printable.h"

namespace sbx {
namespace {

// A needle that stands everywhere costs no more than this many tries.
constexpr std::size_t kMostTries = 200;
constexpr std::size_t kMostEvidence = 300;
constexpr std::size_t kMostSubject = 120;
constexpr std::size_t kMostFrames = 60;
constexpr std::string_view kStandardError = "stderr";

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const re2::StringPiece& text) { return {text.data(), text.size()}; }

// A pattern and what its groups caught. Bytes, not characters: the text may be no UTF-8.
class Matcher {
 public:
  explicit Matcher(std::string_view pattern) : pattern_(piece(pattern), options()) {
    groups_.resize(static_cast<std::size_t>(pattern_.NumberOfCapturingGroups()) + 1);
  }

  // At the beginning of `text`, which begins a line.
  bool matches(std::string_view text, RE2::Anchor anchor = RE2::ANCHOR_START) {
    return pattern_.Match(piece(text), 0, text.size(), anchor, groups_.data(),
                          static_cast<int>(groups_.size()));
  }

  [[nodiscard]] std::string_view all() const { return view(groups_.front()); }
  [[nodiscard]] std::string_view group(const std::string& name) const {
    const auto found = pattern_.NamedCapturingGroups().find(name);
    if (found == pattern_.NamedCapturingGroups().end()) return {};
    const re2::StringPiece& caught = groups_[static_cast<std::size_t>(found->second)];
    return caught.data() == nullptr ? std::string_view() : view(caught);
  }

 private:
  static RE2::Options options() {
    RE2::Options options(RE2::Latin1);
    options.set_log_errors(false);
    options.set_posix_syntax(false);
    options.set_one_line(false);
    return options;
  }

  RE2 pattern_;
  std::vector<re2::StringPiece> groups_;
};

std::string bounded(std::string_view text, std::size_t most) {
  // Control bytes and what is no UTF-8 become '?'; so does a character that the bound cuts.
  const std::string shown = printable(text.substr(0, most));
  return text.size() > most ? shown + "…" : shown;
}

std::optional<std::uint64_t> number(std::string_view text) {
  constexpr std::size_t kMostDigits = 9;
  if (text.empty() || text.size() > kMostDigits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return value;
}

// What tools colour, without the colours, and lines that end as others do.
std::string plain(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\x1b' && at + 1 < text.size() && text[at + 1] == '[') {
      at += 2;
      while (at < text.size() && (text[at] < '@' || text[at] > '~')) ++at;
    } else if (text[at] != '\r' && text[at] != '\0') {
      out += text[at];
    }
  }
  return out;
}

// The end of `text`, from the beginning of a line where one is in it.
std::string_view end_of(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  text.remove_prefix(text.size() - most);
  const std::size_t line = text.find('\n');
  return line == std::string_view::npos ? text : text.substr(line + 1);
}

std::size_t line_begin(std::string_view text, std::size_t at) {
  const std::size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  return before == std::string_view::npos ? 0 : before + 1;
}

// What runtimes and packages are made of: an error that is raised there is seldom one of theirs.
bool is_of_the_system(std::string_view file) {
  for (const std::string_view part : {"site-packages/", "dist-packages/", "node_modules/", "/vendor/"}) {
    if (file.find(part) != std::string_view::npos) return true;
  }
  for (const std::string_view start :
       {"/usr/", "/opt/", "/rustc/", "node:", "<", "internal/", "/var/cache/"}) {
    if (file.starts_with(start)) return true;
  }
  return file.empty();
}

std::optional<FailurePlace> place_of(const Matcher& matcher) {
  const auto line = number(matcher.group("line"));
  const std::string_view file = matcher.group("file");
  if (!line || file.empty()) return std::nullopt;
  return FailurePlace{bounded(file, kMostEvidence), *line, number(matcher.group("column"))};
}

// The frame of the program's own that is nearest to the match.
std::optional<FailurePlace> own_frame(const FailureRule& rule, std::string_view text, std::size_t begin,
                                      std::size_t end) {
  Matcher matcher(rule.frame);
  std::size_t at = rule.frames == Frames::before ? begin : end;
  for (std::size_t tried = 0; tried < kMostFrames; ++tried) {
    if (rule.frames == Frames::before) {
      if (at == 0) break;
      at = line_begin(text, at - 1);
    } else {
      at = text.find('\n', at);
      if (at == std::string_view::npos || ++at >= text.size()) break;
    }
    const std::string_view line = text.substr(at, text.find('\n', at) - at);
    if (matcher.matches(line) && !is_of_the_system(matcher.group("file"))) return place_of(matcher);
  }
  return std::nullopt;
}

std::optional<FailureClass> kind_of_message(std::string_view message) {
  for (const SystemWords& words : system_words()) {
    if (Matcher(words.pattern).matches(message, RE2::UNANCHORED)) return words.kind;
  }
  return std::nullopt;
}

struct Candidate {
  OutputFinding finding;
  std::size_t end = 0;  // of the last match: the later, the nearer to the end of the program
};

// One rule on one text.
class Search {
 public:
  Search(const FailureRule& rule, std::string_view text) : rule_(rule), text_(text), matcher_(rule.pattern) {}

  std::optional<Candidate> find(std::string_view stream) {
    const auto last = find_last();
    if (!last) return std::nullopt;
    Candidate candidate;
    candidate.end = end_of_match();
    if (rule_.at == MatchAt::first) (void)find_first();
    OutputFinding& finding = candidate.finding;
    finding.rule = &rule_;
    finding.kind = rule_.kind;
    finding.subject = bounded(matcher_.group("subject"), kMostSubject);
    const std::string_view message = matcher_.group("message");
    finding.message = bounded(message, kMostEvidence);
    if (rule_.read_message) {
      const std::string said = std::string(matcher_.group("subject")) + ": " + std::string(message);
      finding.kind = kind_of_message(said).value_or(rule_.kind);
    }
    if (finding.kind == FailureClass::unknown) return std::nullopt;
    finding.evidence = {std::string(stream), bounded(evidence(), kMostEvidence)};
    finding.place = place();
    return candidate;
  }

 private:
  bool try_at(std::size_t at) {
    begin_ = line_begin(text_, at);
    return matcher_.matches(text_.substr(begin_));
  }

  std::optional<std::size_t> find_last() {
    std::size_t at = text_.size();
    for (std::size_t tried = 0; tried < kMostTries; ++tried) {
      at = text_.rfind(rule_.needle, at);
      if (at == std::string_view::npos) return std::nullopt;
      if (try_at(at)) return begin_;
      if (begin_ == 0) return std::nullopt;
      at = begin_ - 1;
    }
    return std::nullopt;
  }

  std::optional<std::size_t> find_first() {
    std::size_t at = 0;
    for (std::size_t tried = 0; tried < kMostTries; ++tried) {
      at = text_.find(rule_.needle, at);
      if (at == std::string_view::npos) break;
      if (try_at(at)) return begin_;
      at = text_.find('\n', at);
      if (at == std::string_view::npos) break;
    }
    return find_last();
  }

  // Of what says why, without the lines that a pattern looks for behind it.
  [[nodiscard]] std::size_t end_of_match() const {
    const std::string_view said = matcher_.group("said");
    if (!said.empty()) return static_cast<std::size_t>(said.data() - text_.data()) + said.size();
    return begin_ + std::min(matcher_.all().find('\n'), matcher_.all().size());
  }

  // The line that says it: what the group `said` caught, else the first of the match.
  [[nodiscard]] std::string_view evidence() const {
    const std::string_view said = matcher_.group("said");
    const std::string_view shown = said.empty() ? matcher_.all() : said;
    return shown.substr(0, shown.find('\n'));
  }

  [[nodiscard]] std::optional<FailurePlace> place() const {
    auto told = place_of(matcher_);
    if (rule_.frames == Frames::none || (told && !is_of_the_system(told->file))) return told;
    const auto own = own_frame(rule_, text_, begin_, end_of_match());
    return own ? own : told;
  }

  const FailureRule& rule_;
  std::string_view text_;
  Matcher matcher_;
  std::size_t begin_ = 0;
};

bool may_apply(const FailureRule& rule, std::string_view text, std::optional<int> exit_code) {
  if (text.find(rule.needle) == std::string_view::npos) return false;
  if (!rule.also.empty() && text.find(rule.also) == std::string_view::npos) return false;
  if (rule.exit_code == 0 || !exit_code) return true;
  if (rule.exactly) return *exit_code == rule.exit_code;
  // What started the program ends with its status, or with 1 or 2; xargs(1) with 123.
  constexpr int kOfXargs = 123;
  return *exit_code == rule.exit_code || *exit_code == 1 || *exit_code == 2 || *exit_code == kOfXargs;
}

std::optional<Candidate> read_stream(std::string_view text, std::string_view stream,
                                     std::optional<int> exit_code, bool weak) {
  std::optional<Candidate> best;
  for (const std::span<const FailureRule> rules : failure_rules()) {
    for (const FailureRule& rule : rules) {
      if (rule.weak != weak || !may_apply(rule, text, exit_code)) continue;
      if (rule.only_error && stream != kStandardError) continue;
      std::optional<Candidate> found = Search(rule, text).find(stream);
      if (found && (!best || found->end > best->end)) best = std::move(found);
    }
  }
  return best;
}

}  // namespace

std::optional<OutputFinding> read_output(const OutputEnds& ends, std::optional<int> exit_code) {
  const std::string error = plain(end_of(ends.standard_error, kReadOfError));
  const std::string output = plain(end_of(ends.standard_output, kReadOfOutput));
  for (const bool weak : {false, true}) {
    if (auto found = read_stream(error, kStandardError, exit_code, weak)) return std::move(found->finding);
    if (auto found = read_stream(output, "stdout", exit_code, weak)) return std::move(found->finding);
  }
  return std::nullopt;
}

}  // namespace sbx
