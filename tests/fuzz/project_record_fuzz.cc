// The record of a project: its `storage` file. `layout` is one of two words.
#include <fcntl.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "fuzz/places.h"
#include "os/file.h"
#include "resource/project_record.h"

namespace sbx::fuzz {
namespace {

bool same(const ProjectRecord& one, const ProjectRecord& two) {
  return one.layout == two.layout && one.storage == two.storage && one.limits.bytes == two.limits.bytes &&
         one.limits.inodes == two.limits.inodes && one.quota_id == two.quota_id;
}

void try_record(std::string_view text) {
  static const Place place;
  place.write("layout", "flat\n");
  place.write("storage", text);
  const Result<ProjectRecord> record = read_project_record(place.path());
  if (!record) return must_say(record.error());
  must(record->layout == WorkspaceLayout::flat, "the layout stays");
  must(record->storage == ProjectStorage::directory || record->limits.bytes.value_or(0) > 0,
       "what has a limit says which");
  must(record->storage != ProjectStorage::quota || record->quota_id > 0, "a quota has an id");
  must(write_project_record(place.path(), *record).has_value(), "a record can be written");
  const Result<ProjectRecord> again = read_project_record(place.path());
  must(again && same(*again, *record), "what is read and written again is the same");
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_record(sbx::fuzz::text_of(data, size));
  return 0;
}
