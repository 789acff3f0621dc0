// A form as clients send it: in whatever pieces it comes, its parts are the same and end the same way, and no
// more comes out than went in.
#include <vector>

#include "api/multipart.h"
#include "fuzz/fuzz.h"

namespace sbx::fuzz {
namespace {

struct Parts {
  std::vector<std::string> all;  // field, name and content of each
  std::size_t bytes = 0;
  bool ended = false;
  bool failed = false;
  bool operator==(const Parts&) const = default;
};

// False: nothing more comes of it.
bool take(api::MultipartReader& reader, Parts& parts) {
  using Next = api::MultipartReader::Next;
  while (true) {
    const auto next = reader.next();
    if (!next) must_say(next.error());
    parts.failed = !next;
    parts.ended = next && *next == Next::end;
    if (parts.failed || parts.ended) return false;
    if (*next == Next::more) return true;
    if (*next == Next::part) parts.all.push_back(reader.part().name + '\0' + reader.part().file + '\0');
    if (*next != Next::content) continue;
    must(!reader.content().empty(), "content is some");
    parts.bytes += reader.content().size();
    parts.all.back() += reader.content();
  }
}

Parts parts_of(std::string_view body, std::size_t size) {
  api::MultipartReader reader("b");
  Parts parts;
  while (!body.empty()) {
    reader.add(body.substr(0, size));
    body.remove_prefix(std::min(size, body.size()));
    if (!take(reader, parts)) break;
  }
  return parts;
}

void try_form(std::string_view text) {
  const std::size_t size = text.empty() ? 1 : static_cast<unsigned char>(text.front()) + std::size_t{1};
  const std::string_view body = text.substr(std::min<std::size_t>(1, text.size()));
  Parts whole = parts_of(body, body.size() + 1);
  Parts pieces = parts_of(body, size);
  must(whole.bytes <= body.size(), "no more comes out than went in");
  must(whole.failed == pieces.failed && whole.ended == pieces.ended, "it ends the same way");
  if (!whole.failed) must(whole == pieces, "its parts are the same");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_form(sbx::fuzz::text_of(data, size));
  (void)sbx::api::multipart_boundary(sbx::fuzz::text_of(data, size));
  return 0;
}
