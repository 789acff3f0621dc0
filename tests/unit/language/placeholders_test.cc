#include "language/placeholders.h"

#include <doctest/doctest.h>

namespace sbx {
namespace {

using Words = std::vector<std::string>;

PlaceholderValues some_values() {
  PlaceholderValues values;
  values.file = "src/Main.java";
  values.directory = "/tmp/code";
  values.arguments = {"a b", ""};
  values.sources = {"src/Main.java", "Other.java"};
  values.memory_bytes = 512ULL << 20U;
  values.milli_cpus = 1500;
  return values;
}

std::string expanded(std::string_view text, const PlaceholderValues& values = some_values()) {
  return expand_text(text, values).value_or("nothing");
}

TEST_CASE("placeholders stand for what the run knows") {
  CHECK(expanded("{file}") == "src/Main.java");
  CHECK(expanded("{stem}") == "Main");
  CHECK(expanded("x={path}!") == "x=src/Main.java!");
  CHECK(expanded("{path}{file}", {}) == ".");
  CHECK(expanded("{dir}/{stem}.class") == "/tmp/code/Main.class");
  CHECK(expanded("{memory_bytes}") == "536870912");
  CHECK(expanded("-Xmx{memory_mb}m") == "-Xmx512m");
  CHECK(expanded("{memory_hex}") == "20000000");
  CHECK(expanded("{memory_mb:75%}") == "384");
  CHECK(expanded("{memory_bytes:100%}") == "536870912");
  CHECK(expanded("{cpus}") == "2");
  CHECK(expanded("--out={report}") == "--out=/tmp/test-report");
}

TEST_CASE("a stem is without directories and ending") {
  PlaceholderValues values;
  for (const auto& [file, stem] :
       {std::pair{"a.b.c", "a.b"}, {"/x.y/z", "z"}, {".profile", ".profile"}, {"", ""}}) {
    values.file = file;
    CHECK(expanded("{stem}", values) == stem);
  }
}

TEST_CASE("a share of little memory is not none") {
  PlaceholderValues values;
  values.memory_bytes = 1000;
  CHECK(expanded("{memory_mb:1%}", values) == "1");
}

TEST_CASE("other braces are braces") {
  for (const char* text : {"{", "}", "{}", "{ print $1 }", "a{1,2}", "${HOME}", "{File}", "{:5%}", "{a b}"}) {
    CAPTURE(text);
    CHECK(check_placeholders(text, true));
    CHECK(expanded(text) == text);
  }
  CHECK(expanded("{{file}") == "{file}");
  CHECK(expanded("{{{file}") == "{src/Main.java");
  CHECK(expanded("{{") == "{");
}

TEST_CASE("lists are words, and what needs a limit that is not there is left out") {
  CHECK(*expand_command({"java", "-Xmx{memory_mb}m", "{stem}", "{args}", "{sources}"}, some_values()) ==
        Words{"java", "-Xmx512m", "Main", "a b", "", "src/Main.java", "Other.java"});
  PlaceholderValues values = some_values();
  values.memory_bytes.reset();
  values.milli_cpus.reset();
  CHECK(*expand_command({"java", "-Xmx{memory_mb}m", "-j{cpus}", "{stem}"}, values) == Words{"java", "Main"});
}

TEST_CASE("a command has a length, however often its lists stand in it") {
  PlaceholderValues values;
  values.arguments = {std::string(1U << 20U, 'x')};
  CHECK(expand_command({"a", "{args}"}, values));
  CHECK(expand_command({"a", "{args}", "{args}"}, values).error().text ==
        "the command is longer than 2M with its arguments");
}

TEST_CASE("a command says which placeholders it names") {
  CHECK(names_placeholder({"a", "x{file}"}, "file"));
  CHECK_FALSE(names_placeholder({"file", "{{file}", "{path}"}, "file"));
}

TEST_CASE("wrong placeholders are refused") {
  CHECK(check_placeholders("{wrong}", true)
            .error()
            .text.starts_with("no placeholder '{wrong}': known: 'file', "));
  for (const char* share : {"0%", "101%", "%", "75", "7x5%", "", "99999999999%"}) {
    CAPTURE(share);
    CHECK(check_placeholders("{memory_mb:" + std::string(share) + "}", true).error().text ==
          "'{memory_mb}' with a share is written '{memory_mb:75%}', 1 to 100");
  }
  CHECK_FALSE(check_placeholders("x{args}", true));
  CHECK_FALSE(check_placeholders("{args}", false));
  CHECK_FALSE(check_placeholders("{sources}{file}", true));
  CHECK_FALSE(check_placeholders("{cpus:50%}", true));
  CHECK(check_placeholders("{args}", true));
}

}  // namespace
}  // namespace sbx
