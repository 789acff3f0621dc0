#include "resource/image_sidecar.h"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/hash.h"
#include "base/names.h"
#include "base/printable.h"
#include "os/file.h"
#include "resource/image_layout.h"

namespace sbx {
namespace {

using Json = nlohmann::json;

constexpr unsigned kMaxDepth = 16;
constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxVariables = 1024;
constexpr std::size_t kMaxVariableBytes = 128U << 10U;  // as the kernel's MAX_ARG_STRLEN

// The parser needs about 30 times the bytes of a text that is all brackets; look before it does.
bool is_nested_deeper(std::string_view text, unsigned limit) {
  unsigned depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      if (++depth > limit) return true;
    } else if (!in_string && (c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

Result<Json> parse_object(std::string_view text) {
  if (text.size() > kSidecarLimit) return fail("is larger than 4 MiB");
  if (is_nested_deeper(text, kMaxDepth)) return fail("is nested more than 16 deep");
  try {
    Json json = Json::parse(text);
    if (!json.is_object()) return fail("is not a JSON object");
    return json;
  } catch (const Json::exception& error) {
    return fail("is not JSON: " + std::string(error.what()).substr(0, 200));
  }
}

bool is_plain_text(std::string_view text) { return printable(text) == text; }

// A reader of fields; the error names the field.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  [[nodiscard]] Result<std::string> text(const char* name) const {
    const Json* field = find(name);
    if (field == nullptr || !field->is_string()) return fail(quoted(name) + " must be a string");
    auto value = field->get<std::string>();
    if (value.size() > kMaxText || !is_plain_text(value)) {
      return fail(quoted(name) + " is too long or holds control characters");
    }
    return value;
  }
  [[nodiscard]] Result<std::string> text_or_empty(const char* name) const {
    return find(name) == nullptr ? Result<std::string>(std::string()) : text(name);
  }
  [[nodiscard]] Result<std::uint64_t> count(const char* name) const {
    const Json* field = find(name);
    if (field == nullptr || !field->is_number_unsigned())
      return fail(quoted(name) + " must be a number of at least 0");
    return field->get<std::uint64_t>();
  }
  [[nodiscard]] Result<std::vector<std::string>> texts(const char* name) const {
    std::vector<std::string> values;
    const Json* field = find(name);
    if (field == nullptr) return values;
    if (!field->is_array()) return fail(quoted(name) + " must be a list of strings");
    for (const Json& item : *field) {
      if (!item.is_string()) return fail(quoted(name) + " must be a list of strings");
      values.push_back(item.get<std::string>());
    }
    return values;
  }
  [[nodiscard]] Result<std::map<std::string, std::string>> map(const char* name) const {
    std::map<std::string, std::string> values;
    const Json* field = find(name);
    if (field == nullptr) return values;
    if (!field->is_object()) return fail(quoted(name) + " must be an object of strings");
    for (const auto& [key, item] : field->items()) {
      if (!item.is_string()) return fail(quoted(name) + " must be an object of strings");
      if (!is_plain_text(key) || !is_plain_text(item.get_ref<const std::string&>()))
        return fail(quoted(name) + " holds control characters");
      values.emplace(key, item.get<std::string>());
    }
    return values;
  }
  [[nodiscard]] Result<void> list(const char* name) const {
    const Json* field = find(name);
    if (field != nullptr && !field->is_array()) return fail(quoted(name) + " must be a list");
    return {};
  }

 private:
  // null counts as not there: an image without an entry point has "entrypoint": null in some builders.
  [[nodiscard]] const Json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  static std::string quoted(const char* name) { return "'" + std::string(name) + "'"; }

  const Json& object_;
};

Result<void> check_environment(const std::vector<std::string>& variables) {
  if (variables.size() > kMaxVariables) return fail("'env' has more than 1024 variables");
  for (const std::string& variable : variables) {
    const std::size_t equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos || !is_plain_text(variable.substr(0, equals)) ||
        variable.find('\0') != std::string::npos || variable.size() >= kMaxVariableBytes) {
      return fail("'env' holds something that is not NAME=value");
    }
  }
  return {};
}

Result<void> read_runner_text(const Json& json, ImageSidecar& sidecar) {
  const auto field = json.find("runner");
  if (field == json.end() || field->is_null()) return {};
  if (!field->is_string()) return fail("'runner' must be a string");
  sidecar.runner_text = field->get<std::string>();
  if (sidecar.runner_text.size() > kRunnerLimit) return fail("'runner' is larger than 64 KiB");
  sidecar.runner = TRY_DOING("'runner'", parse_runner("runner.yaml", sidecar.runner_text));
  return {};
}

Result<ImageSidecar> read_fields(const Json& json) {
  const Fields fields(json);
  if (TRY(fields.count("schema")) != 1)
    return fail("'schema' is not 1: it was made for another version of sbx");
  ImageSidecar sidecar;
  sidecar.name = TRY(fields.text("name"));
  TRY(check_name("'name'", sidecar.name));
  if (sidecar.name == kHostImage) return fail("'name': 'host' is the name of the built-in image");
  const std::string digest = TRY(fields.text("digest"));
  if (!digest.starts_with(image_layout::kDigestPrefix) ||
      !is_sha256_hex(std::string_view(digest).substr(image_layout::kDigestPrefix.size()))) {
    return fail("'digest' is not sha256: and 64 characters of 0-9 a-f");
  }
  sidecar.digest_hex = digest.substr(image_layout::kDigestPrefix.size());
  sidecar.tarball_bytes = TRY(fields.count("tarball_bytes"));
  sidecar.unpacked_bytes = TRY(fields.count("unpacked_bytes"));
  sidecar.entries = TRY(fields.count("entries"));
  sidecar.architecture = TRY(fields.text("architecture"));
  sidecar.os = TRY(fields.text("os"));
  sidecar.environment = TRY(fields.texts("env"));
  TRY(check_environment(sidecar.environment));
  sidecar.variant = TRY(fields.text_or_empty("variant"));
  sidecar.workdir = TRY(fields.text_or_empty("workdir"));
  sidecar.user = TRY(fields.text_or_empty("user"));
  sidecar.language = TRY(fields.text_or_empty("language"));
  sidecar.built_at = TRY(fields.text_or_empty("built_at"));
  sidecar.versions = TRY(fields.map("versions"));
  TRY(read_runner_text(json, sidecar));
  // Not used by us; wrong here means that the file is not what it says it is.
  (void)TRY(fields.texts("entrypoint"));
  (void)TRY(fields.texts("cmd"));
  (void)TRY(fields.map("labels"));
  TRY(fields.list("packages"));
  return sidecar;
}

}  // namespace

Result<ImageSidecar> parse_sidecar(std::string_view text) {
  const Json json = TRY(parse_object(text));
  return read_fields(json);
}

std::string_view host_architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#else
#error "name this architecture as `docker image inspect` does"
#endif
}

Result<std::string> read_sidecar(const Image& image) {
  const std::string directory = image.root.substr(0, image.root.find_last_of('/'));
  return os::read_file(AT_FDCWD, directory + "/" + image_layout::sidecar_file(image.name), kSidecarLimit);
}

}  // namespace sbx
