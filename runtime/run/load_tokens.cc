#include "run/load_tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/names.h"
#include "base/times.h"
#include "os/file.h"
#include "policy/yaml_reader.h"

namespace sbx {
namespace {

constexpr std::array<std::string_view, 1> kFileKeys{"tokens"};
constexpr std::array<std::string_view, 7> kTokenKeys{"name",     "digest",  "scope",  "projects",
                                                     "policies", "created", "expires"};
constexpr std::string_view kDigestKind = "sha256:";
constexpr std::size_t kMostNames = 1000;
constexpr std::int64_t kLastMs = 253'402'300'799'999;  // of the year 9999

Result<std::string> read_digest(const yaml::Map& map) {
  const std::string text = TRY(map.need_text("digest"));
  const std::string_view hex = std::string_view(text).substr(std::min(kDigestKind.size(), text.size()));
  // What stands there instead may be a token: it is not repeated.
  if (!text.starts_with(kDigestKind) || hex.size() != 64 ||
      hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return map.error("digest", "expected 'sha256:' and 64 hexadecimal digits, as sbxctl token writes them");
  }
  return std::string(hex);
}

Result<std::vector<std::string>> read_names(std::string_view path, const yaml::Node& node,
                                            std::string_view what) {
  if (node.kind != yaml::Kind::sequence || node.items.empty() || node.items.size() > kMostNames) {
    return yaml::error_at(path, node,
                          std::string(what) + ": expected a list of 1 to " + std::to_string(kMostNames) +
                              " names" + (what == "projects" ? ", or 'all'" : ""));
  }
  std::vector<std::string> names;
  for (const yaml::Node& item : node.items) {
    std::string name = TRY(yaml::scalar_text(path, item, what));
    const Result<void> fine = check_name(what, name);
    if (!fine) return yaml::error_at(path, item, fine.error().text);
    names.push_back(std::move(name));
  }
  return names;
}

Result<std::int64_t> read_time(const yaml::Map& map, std::string_view key) {
  if (map.find(key) == nullptr) return 0;
  const std::string text = TRY(map.need_text(key));
  const std::optional<std::int64_t> ms = parse_rfc3339(text);
  if (!ms || *ms <= 0 || *ms > kLastMs)
    return map.error(key, "'" + text + "' is no time, as 2026-12-31T23:59:59Z is");
  return *ms;
}

Result<Token> read_token(std::string_view path, const yaml::Node& node) {
  const yaml::Map map = TRY(yaml::Map::open(path, node, "tokens", kTokenKeys));
  Token token;
  token.name = TRY(map.need_text("name"));
  const Result<void> named = check_name("name", token.name);
  if (!named) return map.error("name", std::string_view(named.error().text).substr(6));
  token.digest = TRY(read_digest(map));
  TRY(map.need("scope"));
  token.scope = static_cast<Scope>(TRY(map.choice("scope", kScopeNames, 0)));
  const yaml::Node& projects = *TRY(map.need("projects"));
  token.all_projects = projects.kind == yaml::Kind::scalar && projects.text == "all";
  if (!token.all_projects) token.projects = TRY(read_names(path, projects, "projects"));
  token.policies = {"default"};
  if (const yaml::Node* policies = map.find("policies"))
    token.policies = TRY(read_names(path, *policies, "policies"));
  token.created_ms = TRY(read_time(map, "created"));
  token.expires_ms = TRY(read_time(map, "expires"));
  return token;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "\"" : ", \"") + name + "\"";
  return "[" + text + "]";
}

}  // namespace

Result<std::vector<Token>> load_tokens(const std::string& path) {
  const std::optional<UniqueFd> fd =
      TRY(os::open_if_exists(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK));
  if (!fd) return std::vector<Token>{};
  const struct stat status = TRY(os::stat_fd(fd->get(), path));
  if (!S_ISREG(status.st_mode)) return fail("'" + path + "' is not a regular file");
  if (geteuid() == 0 && status.st_uid != 0) {
    return fail("'" + path + "' belongs to uid " + std::to_string(status.st_uid) +
                ", who could let in anybody: chown root '" + path + "'");
  }
  if ((status.st_mode & 077U) != 0)
    return fail("'" + path + "' can be read or changed by others: chmod 600 '" + path + "'");
  const std::string text = TRY(os::read_all(fd->get(), path, yaml::kMaxBytes));
  return parse_tokens(path, text);
}

Result<std::vector<Token>> parse_tokens(std::string_view path, std::string_view text) {
  const yaml::Node document = TRY(yaml::parse_document(path, text));
  const yaml::Map map = TRY(yaml::Map::open(path, document, "", kFileKeys));
  std::vector<Token> tokens;
  for (const yaml::Node& item : *TRY(map.need_list("tokens"))) {
    Token token = TRY(read_token(path, item));
    if (std::ranges::find(tokens, token.name, &Token::name) != tokens.end())
      return yaml::error_at(path, item, "tokens: '" + token.name + "' is there twice");
    if (std::ranges::find(tokens, token.digest, &Token::digest) != tokens.end())
      return yaml::error_at(path, item, "tokens: '" + token.name + "' has the digest of another");
    if (tokens.size() == kMostTokens)
      return yaml::error_at(path, item, "tokens: more than " + std::to_string(kMostTokens));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

std::string write_tokens(const std::vector<Token>& tokens) {
  std::string text =
      "# Written by sbxctl token. A digest is that of 256 random bits, which cannot be found again.\n";
  text += tokens.empty() ? "tokens: []\n" : "tokens:\n";
  for (const Token& token : tokens) {
    text += "  - name: \"" + token.name + "\"\n";
    text += "    digest: " + std::string(kDigestKind) + token.digest + "\n";
    text += "    scope: " + std::string(kScopeNames[static_cast<std::size_t>(token.scope)]) + "\n";
    text += "    projects: " + (token.all_projects ? "all" : quoted_list(token.projects)) + "\n";
    text += "    policies: " + quoted_list(token.policies) + "\n";
    if (token.created_ms > 0) text += "    created: " + rfc3339(token.created_ms) + "\n";
    if (token.expires_ms > 0) text += "    expires: " + rfc3339(token.expires_ms) + "\n";
  }
  return text;
}

}  // namespace sbx
