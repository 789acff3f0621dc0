#include "wire/tokens.h"

#include <algorithm>

#include "wire/wire.h"

namespace sbx {

bool Token::is_for_project(std::string_view project) const {
  return all_projects || std::ranges::find(projects, project) != projects.end();
}

bool Token::is_for_policy(std::string_view policy) const {
  return std::ranges::find(policies, policy) != policies.end();
}

std::string encode_tokens(const std::vector<Token>& tokens) {
  wire::Writer out;
  out.put(static_cast<std::uint32_t>(tokens.size()));
  for (const Token& token : tokens) {
    out.put(token.name);
    out.put(token.digest);
    out.put(token.scope);
    out.put(static_cast<std::uint8_t>(token.all_projects));
    out.put(token.projects);
    out.put(token.policies);
    out.put(token.created_ms);
    out.put(token.expires_ms);
  }
  return std::move(out).take();
}

Result<std::vector<Token>> decode_tokens(std::string_view bytes) {
  wire::Reader in(bytes);
  std::vector<Token> tokens;
  const std::uint32_t count = in.get_count();
  if (count > kMostTokens) return fail("tokens: too many");
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
    Token& token = tokens.emplace_back();
    token.name = in.get_string();
    token.digest = in.get_string();
    token.scope = in.get_enum(Scope::admin);
    token.all_projects = in.get_bool();
    token.projects = in.get_strings();
    token.policies = in.get_strings();
    token.created_ms = in.get<std::int64_t>();
    token.expires_ms = in.get<std::int64_t>();
  }
  TRY(in.finish("tokens"));
  return tokens;
}

}  // namespace sbx
