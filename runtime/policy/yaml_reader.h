// Reads the YAML of our own configuration files strictly: a file that can be misread is refused. Beyond what
// yaml-cpp refuses, so are keys given twice, anchors and aliases, tags, keys that are not plain words, a
// second document, and documents that are nested deeper or are larger than any of ours.
// Every error begins with "FILE:LINE:COLUMN: ", counted from 1, as compilers and editors write it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sbx::yaml {

inline constexpr std::size_t kMaxBytes = 256U << 10U;
inline constexpr unsigned kMaxDepth = 16;

enum class Kind : std::uint8_t { null, scalar, sequence, map };

struct Node {
  Kind kind = Kind::null;
  bool quoted = false;  // a scalar in quotes or a block scalar: a string whatever it looks like
  unsigned line = 1;
  unsigned column = 1;
  std::string text;         // of a scalar
  std::vector<Node> items;  // of a sequence: its items; of a map: key, value, key, value, …
};

// The one document of `text`. `path` is for messages only.
Result<Node> parse_document(std::string_view path, std::string_view text);

// "PATH:LINE:COLUMN: what"
Unexpected error_at(std::string_view path, const Node& node, std::string_view what);

// The fields of a map. Values are asked for by key; an error names file, place and key.
class Map {
 public:
  // `where` is what the map is called in messages, such as "limits"; empty for the document itself.
  // Errors: not a map, a key that is not in `known`.
  static Result<Map> open(std::string_view path, const Node& node, std::string where,
                          std::span<const std::string_view> known);

  // nullptr where the key is missing.
  [[nodiscard]] const Node* find(std::string_view key) const;

  // Errors: missing, wrong kind.
  Result<const Node*> need(std::string_view key) const;
  Result<std::string> need_text(std::string_view key) const;
  Result<const std::vector<Node>*> need_list(std::string_view key) const;

  // `key`'s value, or `otherwise` where it is missing. Booleans are `true` and `false` alone: "yes" and "on"
  // are strings since YAML 1.2.
  Result<bool> boolean(std::string_view key, bool otherwise) const;

  // The index in `words` of the value, or `otherwise`.
  Result<std::size_t> choice(std::string_view key, std::span<const std::string_view> words,
                             std::size_t otherwise) const;

  // An error at the value of `key`, or at the map when it has none: "FILE:3:9: limits: memory: what".
  [[nodiscard]] Unexpected error(std::string_view key, std::string_view what) const;

 private:
  Map(std::string_view path, const Node& node, std::string where)
      : path_(path), node_(&node), where_(std::move(where)) {}

  std::string_view path_;
  const Node* node_;
  std::string where_;
};

// A scalar of a list, with `what` as the name of the list in messages.
Result<std::string> scalar_text(std::string_view path, const Node& node, std::string_view what);

}  // namespace sbx::yaml
