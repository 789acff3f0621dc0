#include "http/parse_target.h"

#include "base/printable.h"
#include "http/message.h"

namespace sbx::http {
namespace {

int value_of(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

Unexpected bad(std::string_view what, std::string_view text, std::string_view why) {
  return fail(std::string(what) + " '" + printable(text.substr(0, 200)) + "' " + std::string(why));
}

// `plus_is_space`: as forms are encoded (WHATWG URL, application/x-www-form-urlencoded).
Result<std::string> decode(std::string_view what, std::string_view text, bool plus_is_space) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? value_of(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? value_of(text[i + 2]) : -1;
      if (high < 0 || low < 0) return bad(what, text, "holds a '%' without two hexadecimal digits");
      const char byte = static_cast<char>(high * 16 + low);
      // A decoded '/' would make one component two, and '\' is a '/' for some (RFC 3986 section 2.2).
      if (!plus_is_space && (byte == '/' || byte == '\\'))
        return bad(what, text, "holds an encoded '/' or '\\'");
      decoded += byte;
      i += 2;
    }
  }
  if (printable(decoded) != decoded) return bad(what, text, "holds a control character or is not UTF-8");
  return decoded;
}

Result<void> check_components(std::string_view path) {
  for (std::string_view rest = path.substr(1);;) {
    const std::size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    if (component == "." || component == "..") return bad("the path", path, "holds a '.' or '..' component");
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

Result<void> parse_query(std::string_view text, Target& target) {
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view field = text.substr(0, end);
    if (!field.empty()) {
      if (target.query.size() == kMaxQueryFields) return bad("the query", text, "has too many fields");
      const std::size_t equals = field.find('=');
      std::string name = TRY(decode("the query", field.substr(0, equals), true));
      std::string value;
      if (equals != std::string_view::npos) value = TRY(decode("the query", field.substr(equals + 1), true));
      target.query.emplace_back(std::move(name), std::move(value));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return {};
}

// "http://host/path" becomes "/path" (RFC 9112 section 3.2.2: a server takes this form, too).
std::string_view without_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() <= scheme.size() || !equal_ignoring_case(target.substr(0, scheme.size()), scheme))
      continue;
    target.remove_prefix(scheme.size());
    const std::size_t path = target.find_first_of("/?");
    if (path == std::string_view::npos) return "/";
    return target[path] == '/' ? target.substr(path) : std::string_view();
  }
  return target;
}

}  // namespace

Result<Target> parse_target(std::string_view target) {
  if (target.size() > kMaxTargetBytes) return bad("the target", target, "is too long");
  const std::string_view origin = without_authority(target);
  if (!origin.starts_with('/')) return bad("the target", target, "does not begin with '/'");
  if (origin.find('#') != std::string_view::npos) return bad("the target", target, "holds a '#'");
  const std::size_t question = origin.find('?');
  Target parsed;
  parsed.path = TRY(decode("the path", origin.substr(0, question), false));
  TRY(check_components(parsed.path));
  if (question != std::string_view::npos) TRY(parse_query(origin.substr(question + 1), parsed));
  return parsed;
}

}  // namespace sbx::http
