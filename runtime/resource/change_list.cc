#include "resource/change_list.h"

#include <array>
#include <cstdio>

#include "base/printable.h"
#include "wire/wire.h"

namespace sbx {
namespace {

constexpr unsigned kPermissions = 07777;

void put(wire::Writer& out, const std::optional<tree::EntryState>& state) {
  out.put(static_cast<std::uint8_t>(state.has_value()));
  if (!state) return;
  out.put(state->mode);
  out.put(state->size);
}

std::optional<tree::EntryState> get_state(wire::Reader& in) {
  if (!in.get_bool()) return std::nullopt;
  tree::EntryState state;
  state.mode = in.get<mode_t>();
  state.size = in.get<std::uint64_t>();
  return state;
}

std::string octal(mode_t mode) {
  std::array<char, 8> text{};
  (void)std::snprintf(text.data(), text.size(), "%04o", mode & kPermissions);
  return text.data();
}

}  // namespace

void add_change(ChangeList& changes, tree::Change change, std::size_t most, std::size_t& bytes_left) {
  ++(!change.before ? changes.added : !change.after ? changes.deleted : changes.changed);
  if (changes.list.size() >= most || change.path.size() > bytes_left) changes.truncated = true;
  if (changes.truncated) return;
  bytes_left -= change.path.size();
  changes.list.push_back(std::move(change));
}

std::string encode_change_list(const ChangeList& changes) {
  wire::Writer out;
  out.put(changes.added);
  out.put(changes.changed);
  out.put(changes.deleted);
  out.put(static_cast<std::uint8_t>(changes.truncated));
  out.put(static_cast<std::uint32_t>(changes.list.size()));
  for (const tree::Change& change : changes.list) {
    out.put(change.path);
    put(out, change.before);
    put(out, change.after);
    out.put(static_cast<std::uint8_t>(change.content));
  }
  return std::move(out).take();
}

Result<ChangeList> decode_change_list(std::string_view bytes) {
  wire::Reader in(bytes);
  ChangeList changes;
  changes.added = in.get<std::uint64_t>();
  changes.changed = in.get<std::uint64_t>();
  changes.deleted = in.get<std::uint64_t>();
  changes.truncated = in.get_bool();
  changes.list.resize(in.get_count());
  for (tree::Change& change : changes.list) {
    change.path = in.get_string();
    change.before = get_state(in);
    change.after = get_state(in);
    change.content = in.get_bool();
    if (!change.before && !change.after) in.mark_failed();  // nothing that was or is
  }
  TRY(in.finish("a list of changes"));
  return changes;
}

std::string describe_changes(const ChangeList& changes) {
  std::string text;
  for (const tree::Change& change : changes.list) {
    const auto& [path, before, after, content] = change;
    text += (!before ? "A " : !after ? "D " : "M ") + printable(path);
    if (S_ISDIR((after ? after : before)->mode)) text += "/";
    if (before && after && ((before->mode ^ after->mode) & kPermissions) != 0)
      text += " (" + octal(before->mode) + " to " + octal(after->mode) + ")";
    text += "\n";
  }
  const std::uint64_t all = changes.added + changes.changed + changes.deleted;
  if (changes.truncated) text += "and " + std::to_string(all - changes.list.size()) + " more\n";
  return text;
}

}  // namespace sbx
