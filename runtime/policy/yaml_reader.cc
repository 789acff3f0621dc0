#include "policy/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>

#include "base/suggest.h"

namespace sbx::yaml {
namespace {

// yaml-cpp's nodes forget anchors and keep the first of two equal keys, so we build our own from its events.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string_view path) : path_(path) {}

  [[nodiscard]] bool failed() const { return !error_.text.empty(); }
  Error take_error() { return std::move(error_); }
  Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) complain(mark, "a second document: only one is allowed");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node* node = add(Kind::null, mark, "", anchor);
    if (node == nullptr || stack_.empty() || stack_.back()->kind != Kind::map) return;
    // The mark of a value that is not there is where the next key begins.
    const Node& key = stack_.back()->items[stack_.back()->items.size() - 2];
    node->line = key.line;
    node->column = key.column;
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    complain(mark, "an alias (*): not allowed, write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node* node = add(Kind::scalar, mark, tag, anchor);
    if (node == nullptr) return;
    node->text = value;
    node->quoted = tag == "!";
    if (stack_.empty()) return;
    const Node& parent = *stack_.back();
    if (parent.kind == Kind::map && parent.items.size() % 2 == 1) check_new_key(parent, mark, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    enter(Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { leave(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    enter(Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { leave(); }

 private:
  // The first error is kept; what follows it is skipped.
  void complain(const YAML::Mark& mark, const std::string& what) {
    if (failed()) return;
    Node place;
    set_place(place, mark);
    error_ = error_at(path_, place, what).value();
  }

  static void set_place(Node& node, const YAML::Mark& mark) {
    node.line = static_cast<unsigned>(mark.line) + 1;
    node.column = static_cast<unsigned>(mark.column) + 1;
  }

  // nullptr after an error. A pointer stays good until the next node of the same parent.
  Node* add(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (failed()) return nullptr;
    Node* node = &root_;
    if (!stack_.empty()) {
      Node& parent = *stack_.back();
      if (parent.kind == Kind::map && parent.items.size() % 2 == 0 && kind != Kind::scalar) {
        complain(mark, "a key that is not a plain word");
        return nullptr;
      }
      node = &parent.items.emplace_back();
    }
    node->kind = kind;
    set_place(*node, mark);
    // "?" is a plain scalar or a collection without a tag, "!" a quoted one.
    if (!tag.empty() && tag != "?" && tag != "!") complain(mark, "a tag ('" + tag + "'): not allowed");
    if (anchor != 0) complain(mark, "an anchor (&): not allowed, write the value out where it is used");
    return failed() ? nullptr : node;
  }

  void enter(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    Node* node = add(kind, mark, tag, anchor);
    if (node == nullptr) return;
    stack_.push_back(node);
    if (stack_.size() > kMaxDepth) complain(mark, "nested more than " + std::to_string(kMaxDepth) + " deep");
  }

  void leave() {
    if (!failed()) stack_.pop_back();
  }

  void check_new_key(const Node& map, const YAML::Mark& mark, const std::string& key) {
    for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
      if (map.items[i].text != key) continue;
      complain(mark, "duplicate key '" + key + "', first on line " + std::to_string(map.items[i].line));
    }
  }

  std::string_view path_;
  Error error_;
  Node root_;
  std::vector<Node*> stack_;
  int documents_ = 0;
};

// The text as a stream, without a copy.
class TextBuffer : public std::streambuf {
 public:
  explicit TextBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // only read: there is no put area
    setg(begin, begin, begin + text.size());
  }
};

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string shown(const Node& node) {
  switch (node.kind) {
  case Kind::null: return "nothing";
  case Kind::scalar: return quoted(node.text);
  case Kind::sequence: return "a list";
  case Kind::map: break;
  }
  return "a map";
}

std::string expected(std::string_view what, const Node& node) {
  return "expected " + std::string(what) + ", not " + shown(node);
}

}  // namespace

Result<Node> parse_document(std::string_view path, std::string_view text) {
  if (text.size() > kMaxBytes) {
    return fail(std::string(path) + ": larger than " + std::to_string(kMaxBytes >> 10U) + " KiB");
  }
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return fail(std::string(path) + ": a NUL byte at offset " + std::to_string(nul) + ": not a text file");
  }
  // yaml-cpp takes a quote that is never closed for closed where the text ends with a line break.
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  Builder builder(path);
  try {
    TextBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    bool any = false;
    while (!builder.failed() && parser.HandleNextDocument(builder)) any = true;
    if (!any && !builder.failed()) return error_at(path, Node{}, "an empty file");
  } catch (const YAML::Exception& problem) {
    // The first error tells most: what was refused before the parser lost its way.
    if (builder.failed()) return fail(builder.take_error());
    Node place;
    place.line = static_cast<unsigned>(problem.mark.line + 1);
    place.column = static_cast<unsigned>(problem.mark.column + 1);
    return error_at(path, place, "not YAML: " + problem.msg);
  }
  if (builder.failed()) return fail(builder.take_error());
  return builder.take_root();
}

Unexpected error_at(std::string_view path, const Node& node, std::string_view what) {
  return fail(std::string(path) + ":" + std::to_string(node.line) + ":" + std::to_string(node.column) + ": " +
              std::string(what));
}

Result<std::string> scalar_text(std::string_view path, const Node& node, std::string_view what) {
  if (node.kind == Kind::scalar) return node.text;
  return error_at(path, node, std::string(what) + ": " + expected("a single value", node));
}

Result<Map> Map::open(std::string_view path, const Node& node, std::string where,
                      std::span<const std::string_view> known) {
  const std::string prefix = where.empty() ? "" : where + ": ";
  if (node.kind != Kind::map) return error_at(path, node, prefix + expected("a map of keys", node));
  for (std::size_t i = 0; i < node.items.size(); i += 2) {
    const Node& key = node.items[i];
    if (std::ranges::find(known, key.text) != known.end()) continue;
    return error_at(path, key, prefix + "unknown key " + quoted(key.text) + ": " + suggest(key.text, known));
  }
  return Map(path, node, std::move(where));
}

const Node* Map::find(std::string_view key) const {
  for (std::size_t i = 0; i < node_->items.size(); i += 2) {
    if (node_->items[i].text == key) return &node_->items[i + 1];
  }
  return nullptr;
}

Result<const Node*> Map::need(std::string_view key) const {
  const Node* value = find(key);
  if (value == nullptr) return error(key, "is missing");
  return value;
}

Result<std::string> Map::need_text(std::string_view key) const {
  const Node* value = TRY(need(key));
  if (value->kind != Kind::scalar) return error(key, expected("a single value", *value));
  return value->text;
}

Result<const std::vector<Node>*> Map::need_list(std::string_view key) const {
  const Node* value = TRY(need(key));
  if (value->kind != Kind::sequence) return error(key, expected("a list", *value));
  return &value->items;
}

Result<bool> Map::boolean(std::string_view key, bool otherwise) const {
  const Node* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->kind == Kind::scalar && !value->quoted) {
    if (value->text == "true") return true;
    if (value->text == "false") return false;
  }
  return error(key, expected("true or false", *value));
}

Result<std::size_t> Map::choice(std::string_view key, std::span<const std::string_view> words,
                                std::size_t otherwise) const {
  const Node* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->kind == Kind::scalar) {
    const auto found = std::ranges::find(words, value->text);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  }
  return error(key, expected(one_of(words), *value));
}

Unexpected Map::error(std::string_view key, std::string_view what) const {
  const Node* value = find(key);
  std::string text = where_.empty() ? "" : where_ + ": ";
  text += std::string(key) + ": " + std::string(what);
  return error_at(path_, value == nullptr ? *node_ : *value, text);
}

}  // namespace sbx::yaml
