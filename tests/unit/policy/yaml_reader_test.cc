#include "policy/yaml_reader.h"

#include "policy_fixture.h"

namespace sbx::yaml {
namespace {

using testing::error_of;

std::string refused(const std::string& text) { return error_of(parse_document("f.yaml", text)); }

TEST_CASE("a document becomes nodes with their places") {
  const Result<Node> root = parse_document("f", "# first\na: 1\nlist: [x, \"y\"]\nmap:\n  b: ~\n");
  REQUIRE_MESSAGE(root, error_of(root));
  CHECK(root->kind == Kind::map);
  REQUIRE(root->items.size() == 6);
  CHECK(root->items[0].text == "a");
  CHECK(root->items[0].line == 2);
  CHECK(root->items[0].column == 1);
  CHECK(root->items[1].text == "1");
  CHECK(root->items[1].column == 4);
  const Node& list = root->items[3];
  CHECK(list.kind == Kind::sequence);
  CHECK(list.line == 3);
  CHECK(list.column == 7);
  REQUIRE(list.items.size() == 2);
  CHECK_FALSE(list.items[0].quoted);
  CHECK(list.items[1].quoted);
  CHECK(list.items[1].text == "y");
  const Node& map = root->items[5];
  CHECK(map.kind == Kind::map);
  CHECK(map.items[1].kind == Kind::null);
  CHECK(map.items[1].line == 5);
  CHECK(map.items[1].column == 3);
}

TEST_CASE("what can be misread is refused with its place") {
  struct Bad {
    const char* text;
    const char* error;
  };
  const Bad table[] = {
      {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: duplicate key 'a', first on line 1"},
      {"m:\n  x: 1\n  y: 2\n  x: 1\n", "f.yaml:4:3: duplicate key 'x', first on line 2"},
      {"{a: 1, a: 1}", "f.yaml:1:8: duplicate key 'a', first on line 1"},
      {"a: 1\n'a': 2\n", "f.yaml:2:1: duplicate key 'a', first on line 1"},
      {"a: &x 1\nb: 2\n", "f.yaml:1:4: an anchor (&): not allowed, write the value out where it is used"},
      {"&x a: 1\n", "f.yaml:1:1: an anchor (&): not allowed, write the value out where it is used"},
      {"a: &x [1]\n", "f.yaml:1:4: an anchor (&): not allowed, write the value out where it is used"},
      {"a: &x {b: 1}\n", "f.yaml:1:4: an anchor (&): not allowed, write the value out where it is used"},
      {"a: &x\nb: 1\n", "f.yaml:1:4: an anchor (&): not allowed, write the value out where it is used"},
      {"a: !!int 5\n", "f.yaml:1:4: a tag ('tag:yaml.org,2002:int'): not allowed"},
      {"a: !x [1]\n", "f.yaml:1:4: a tag ('!x'): not allowed"},
      {"? [a]\n: 1\n", "f.yaml:1:3: a key that is not a plain word"},
      {"~: 1\n", "f.yaml:1:1: a key that is not a plain word"},
      {"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document: only one is allowed"},
      {"a: 1\n...\n---\nb: 2\n", "f.yaml:3:1: a second document: only one is allowed"},
      {"", "f.yaml:1:1: an empty file"},
      {"# nothing\n", "f.yaml:1:1: an empty file"},
      {"a: [1, 2\n", "f.yaml:1:1: not YAML: end of sequence flow not found"},
      {"a: 'x\n", "f.yaml:1:6: not YAML: illegal EOF in scalar"},
      {"a: \"x\nb: 2\n\n", "f.yaml:2:5: not YAML: illegal EOF in scalar"},
      {"a:\n\tb: 1\n", "f.yaml:2:3: not YAML: illegal map value"},
      {"a: b: c\n", "f.yaml:1:5: not YAML: illegal map value"},
      {"a: *x\n", "f.yaml:1:4: not YAML: the referenced anchor is not defined"},
  };
  for (const Bad& bad : table) {
    CAPTURE(bad.text);
    CHECK(refused(bad.text) == bad.error);
  }
}

TEST_CASE("an alias is refused through its anchor, which must come first") {
  CHECK(refused("a: &x 1\nb: *x\n") ==
        "f.yaml:1:4: an anchor (&): not allowed, write the value out where it is used");
}

TEST_CASE("one document with a start and an end mark is one document") {
  CHECK(parse_document("f", "---\na: 1\n...\n"));
  CHECK(parse_document("f", "%YAML 1.2\n---\na: 1\n"));
}

TEST_CASE("files that are no text or too much are refused") {
  CHECK(refused(std::string("a: \0b\n", 6)) == "f.yaml: a NUL byte at offset 3: not a text file");
  const std::string comment = "a: 1\n#" + std::string(kMaxBytes, 'x');
  CHECK(refused(comment) == "f.yaml: larger than 256 KiB");
  CHECK(parse_document("f", "a: 1\n#" + std::string(kMaxBytes - 6, 'x')));
}

TEST_CASE("deep nesting is refused and ends") {
  CHECK(refused(std::string(17, '[') + std::string(17, ']')) == "f.yaml:1:17: nested more than 16 deep");
  CHECK(parse_document("f", std::string(16, '[') + std::string(16, ']')));
  CHECK_FALSE(parse_document("f", std::string(100000, '[')));
  CHECK_FALSE(parse_document("f", std::string(100000, '{')));
  std::string stairs;
  for (std::size_t depth = 0; depth < 600; ++depth) stairs += std::string(depth, ' ') + "a:\n";
  CHECK(refused(stairs) == "f.yaml:17:17: nested more than 16 deep");
}

TEST_CASE("a map gives its values and says what is wrong with them") {
  const Result<Node> root =
      parse_document("f", "on: true\noff: 'false'\nword: two\nlist: [1]\nempty:\nyes: yes\n");
  REQUIRE_MESSAGE(root, error_of(root));
  static constexpr std::string_view kKeys[] = {"on", "off", "word", "list", "empty", "yes", "gone"};
  static constexpr std::string_view kWords[] = {"one", "two"};
  const Result<Map> map = Map::open("f", *root, "here", kKeys);
  REQUIRE_MESSAGE(map, error_of(map));
  CHECK(map->boolean("on", false).value());
  CHECK(map->boolean("gone", true).value());
  CHECK(error_of(map->boolean("off", true)) == "f:2:6: here: off: expected true or false, not 'false'");
  CHECK(error_of(map->boolean("yes", true)) == "f:6:6: here: yes: expected true or false, not 'yes'");
  CHECK(map->choice("word", kWords, 0).value() == 1);
  CHECK(map->choice("gone", kWords, 1).value() == 1);
  CHECK(error_of(map->choice("on", kWords, 0)) == "f:1:5: here: on: expected 'one' or 'two', not 'true'");
  CHECK(error_of(map->need_text("list")) == "f:4:7: here: list: expected a single value, not a list");
  CHECK(error_of(map->need_text("empty")) == "f:5:1: here: empty: expected a single value, not nothing");
  CHECK(error_of(map->need_list("on")) == "f:1:5: here: on: expected a list, not 'true'");
  CHECK(error_of(map->need("gone")) == "f:1:1: here: gone: is missing");
}

TEST_CASE("an unknown key names the nearest known one, or all where none is near") {
  static constexpr std::string_view kKeys[] = {"memory", "wall-time", "cpu-time"};
  const auto open = [](const std::string& text) {
    const Result<Node> root = parse_document("f", text);
    REQUIRE(root);
    return error_of(Map::open("f", *root, "limits", kKeys));
  };
  CHECK(open("memroy: 1\n") == "f:1:1: limits: unknown key 'memroy': did you mean 'memory'?");
  CHECK(open("wall_time: 1\n") == "f:1:1: limits: unknown key 'wall_time': did you mean 'wall-time'?");
  CHECK(open("memory: 1\n  \nCPU-time: 2\n") ==
        "f:3:1: limits: unknown key 'CPU-time': did you mean 'cpu-time'?");
  CHECK(open("q: 1\n") == "f:1:1: limits: unknown key 'q': known: 'memory', 'wall-time' or 'cpu-time'");
  CHECK(open("[a]") == "f:1:1: limits: expected a map of keys, not a list");
}

}  // namespace
}  // namespace sbx::yaml
