// The tokens of clients that come over TCP: what each is good for. sbxd reads them from their file and gives
// them to the API as one sealed memory file, and the API gives that to a keeper to say whose request it is. A
// keeper believes it because the kernel says that root made it, with this name: the API can make no such one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sbx {

// Each with all of those before it.
enum class Scope : std::uint8_t {
  read,   // look
  run,    // make and control runs and sandboxes
  admin,  // those of everybody
};
inline constexpr std::string_view kScopeNames[] = {"read", "run", "admin"};

struct Token {
  std::string name;
  std::string digest;  // SHA-256 of the token, hexadecimal. It is 256 random bits: no slow hash is needed
  Scope scope = Scope::read;
  bool all_projects = false;          // and none
  std::vector<std::string> projects;  // else these alone
  std::vector<std::string> policies;
  std::int64_t created_ms = 0;  // since 1970, UTC
  std::int64_t expires_ms = 0;  // 0: never
  bool operator==(const Token&) const = default;

  [[nodiscard]] bool is_good_at(std::int64_t now_ms) const { return expires_ms == 0 || now_ms < expires_ms; }
  // Empty: of no project.
  [[nodiscard]] bool is_for_project(std::string_view project) const;
  [[nodiscard]] bool is_for_policy(std::string_view policy) const;
};

inline constexpr std::size_t kMostTokens = 1000;
inline constexpr std::size_t kMostTokenBytes = 4U << 20U;  // of all, encoded
inline constexpr const char* kTokensFileName = "sbx-tokens";

std::string encode_tokens(const std::vector<Token>& tokens);
Result<std::vector<Token>> decode_tokens(std::string_view bytes);

}  // namespace sbx
