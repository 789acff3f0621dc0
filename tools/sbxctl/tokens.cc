// sbxctl token: who may come to sbxd over TCP.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/names.h"
#include "base/times.h"
#include "base/units.h"
#include "commands.h"
#include "moments.h"
#include "os/file.h"
#include "run/load_tokens.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kThen = "sbxd knows it from its next SIGHUP on (kill -HUP its process)";

struct Wish {
  std::string name;
  std::string scope = "run";
  std::vector<std::string> projects;
  bool all_projects = false;
  std::vector<std::string> policies;
  std::string expires;
  bool json = false;
};

// 256 bits of the kernel's, with a beginning by which one that got lost is known.
std::string new_token() {
  std::array<unsigned char, 32> bits{};
  randombytes_buf(bits.data(), bits.size());
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::array<char, sodium_base64_ENCODED_LEN(32, kVariant)> text{};
  (void)sodium_bin2base64(text.data(), text.size(), bits.data(), bits.size(), kVariant);
  return std::string("sbx_") + text.data();
}

Result<Token> make_token(const Wish& wish) {
  Token token;
  TRY(check_name("NAME", wish.name));
  token.name = wish.name;
  const auto* scope = std::ranges::find(kScopeNames, wish.scope);
  token.scope = static_cast<Scope>(scope - std::begin(kScopeNames));
  for (const std::string& project : wish.projects) TRY(check_name("--project", project));
  if (wish.all_projects == !wish.projects.empty())
    return fail("give --project for each project that it is for, or --all-projects");
  token.projects = wish.projects;
  token.all_projects = wish.all_projects;
  for (const std::string& policy : wish.policies) TRY(check_name("--policy", policy));
  token.policies = wish.policies.empty() ? std::vector<std::string>{"default"} : wish.policies;
  token.created_ms = utc_ms();
  if (wish.expires.empty()) return token;
  const std::uint64_t lifetime = TRY(parse_span("--expires", wish.expires));
  token.expires_ms = token.created_ms + static_cast<std::int64_t>(lifetime);
  return token;
}

// One at a time, and who reads meanwhile sees the old file or the new one.
Result<void> change(const std::string& path, const std::function<Result<void>(std::vector<Token>&)>& what) {
  if (geteuid() != 0) return fail("tokens are root's to make: start it as root");
  TRY(os::make_directories(path.substr(0, path.find_last_of('/')), 0755));
  const auto lock = TRY(os::lock_file(AT_FDCWD, path + ".lock", true));
  std::vector<Token> tokens = TRY(load_tokens(path));
  TRY(what(tokens));
  return os::replace_file(AT_FDCWD, path, write_tokens(tokens), 0600);
}

AuditEvent token_event(const char* event, const std::string& name) {
  AuditEvent about;
  about.event = event;
  about.subject = name;
  return about;
}

int create(const Settings& settings, const Wish& wish) {
  Result<Token> token = make_token(wish);
  if (!token) {
    (void)report_failure(token.error().text);
    return kExitUsage;
  }
  const std::string secret = new_token();
  token->digest = sha256_hex(secret);
  const Result<void> done = change(settings.tokens, [&](std::vector<Token>& tokens) -> Result<void> {
    if (std::ranges::find(tokens, token->name, &Token::name) != tokens.end())
      return fail("there is a token '" + token->name + "' already: revoke it first, or give another name");
    if (tokens.size() == kMostTokens)
      return fail("there are " + std::to_string(kMostTokens) + " tokens already");
    tokens.push_back(*token);
    return {};
  });
  record(settings, token_event("token.create", wish.name), done);
  if (!done) return report_failure(done.error().text);
  (void)printf("%s\n", secret.c_str());
  (void)fprintf(stderr, "sbxctl: this is the only time that it is shown; %s\n", kThen);
  return kExitOk;
}

int revoke(const Settings& settings, const std::string& name) {
  const Result<void> done = change(settings.tokens, [&](std::vector<Token>& tokens) -> Result<void> {
    if (std::erase_if(tokens, [&](const Token& token) { return token.name == name; }) == 0)
      return fail("there is no token '" + name + "'");
    return {};
  });
  record(settings, token_event("token.revoke", name), done);
  if (!done) return report_failure(done.error().text);
  (void)fprintf(stderr, "sbxctl: revoked; %s\n", kThen);
  return kExitOk;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

int list(const std::string& path, bool json) {
  const auto tokens = load_tokens(path);
  if (!tokens) return report_failure(tokens.error().text);
  const auto scope = [](const Token& token) {
    return std::string(kScopeNames[static_cast<std::size_t>(token.scope)]);
  };
  if (json) {
    Json all = Json::array();
    for (const Token& token : *tokens) {
      const auto time = [](std::int64_t ms) { return ms == 0 ? Json(nullptr) : Json(rfc3339(ms)); };
      all.push_back({{"name", token.name},
                     {"scope", scope(token)},
                     {"projects", token.all_projects ? Json("all") : Json(token.projects)},
                     {"policies", token.policies},
                     {"created", time(token.created_ms)},
                     {"expires", time(token.expires_ms)},
                     {"expired", !token.is_good_at(utc_ms())}});
    }
    (void)printf("%s\n", all.dump(2).c_str());
    return kExitOk;
  }
  if (tokens->empty()) (void)fprintf(stderr, "no tokens; sbxctl token create NAME makes one\n");
  for (const Token& token : *tokens) {
    const std::string expires = token.expires_ms == 0        ? "never expires"
                                : token.is_good_at(utc_ms()) ? "expires " + rfc3339(token.expires_ms)
                                                             : "expired " + rfc3339(token.expires_ms);
    (void)printf("%s  %s  projects %s  policies %s  %s\n", token.name.c_str(), scope(token).c_str(),
                 token.all_projects ? "all" : joined(token.projects).c_str(), joined(token.policies).c_str(),
                 expires.c_str());
  }
  return kExitOk;
}

}  // namespace

void add_token_command(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* command = app.add_subcommand("token", "Who may come to sbxd over TCP");
  command->require_subcommand(1);
  const auto wish = std::make_shared<Wish>();
  CLI::App* making = command->add_subcommand("create", "Make one, and show it: once");
  making->add_option("NAME", wish->name, "What results and lists call who has it")->required();
  making->add_option("--scope", wish->scope, "What it is good for: read, run or admin (default: run)")
      ->check(CLI::IsMember({"read", "run", "admin"}));
  making->add_option("--project", wish->projects, "A project that it is for; may be given many times")
      ->allow_extra_args(false);
  making->add_flag("--all-projects", wish->all_projects, "It is for every project, and for none");
  making
      ->add_option("--policy", wish->policies,
                   "A policy that it may choose; may be given many times (default: default)")
      ->allow_extra_args(false);
  making->add_option("--expires", wish->expires, "How long it is good, as 30d or 12h (default: for ever)");
  making->callback([&, wish] { action = [&settings, wish] { return create(settings, *wish); }; });
  CLI::App* revoking = command->add_subcommand("revoke", "End one");
  revoking->add_option("NAME", wish->name, "Its name")->required();
  revoking->callback([&, wish] { action = [&settings, wish] { return revoke(settings, wish->name); }; });
  CLI::App* listing = command->add_subcommand("list", "All that there are, without the tokens themselves");
  listing->add_flag("--json", wish->json, "As JSON");
  listing->callback([&, wish] { action = [&settings, wish] { return list(settings.tokens, wish->json); }; });
}

}  // namespace sbx
