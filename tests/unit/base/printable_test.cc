#include "base/printable.h"

#include <doctest/doctest.h>

namespace sbx {
namespace {

TEST_CASE("what can be shown stays as it is") {
  for (const char* text :
       {"", "plain ~ text", "\u00a0\u00e9\u07ff", "\u0800\u20ac\ud7ff\uffff", "\U0001f600\U0010ffff"})
    CHECK(printable(text) == text);
}

TEST_CASE("control characters are masked, byte by byte") {
  CHECK(printable("a\x1b[31mb") == "a?[31mb");
  CHECK(printable("a\nb\tc\rd\x7f") == "a?b?c?d?");
  CHECK(printable(std::string_view("a\0b", 3)) == "a?b");
  CHECK(printable("a\xc2\x9b"
                  "31m") == "a??31m");  // U+009B is ESC [ in one character
  CHECK(printable("\xc2\x80\xc2\x9f\xc2\xa0") == "????\xc2\xa0");
}

TEST_CASE("what is no UTF-8 is masked, and what follows it is read") {
  CHECK(printable("\x9b"
                  "31m") == "?31m");
  CHECK(printable("\xe9t\xe9") == "?t?");
  CHECK(printable("\xe2\x82") == "??");  // cut short
  CHECK(printable("\xe2\x82z\xc3\xa9") == "??z\xc3\xa9");
  CHECK(printable("\xc0\x9b") == "??");  // overlong
  CHECK(printable("\xe0\x82\x9b") == "???");
  CHECK(printable("\xf0\x80\x82\x9b") == "????");
  CHECK(printable("\xed\xa0\x80") == "???");       // a surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "????");  // beyond the last character
  CHECK(printable("\xff\xfe") == "??");
}

}  // namespace
}  // namespace sbx
