#include "resource/spill.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "base/times.h"
#include "os/file.h"

namespace sbx {
Result<std::unique_ptr<Spill>> Spill::create(const std::string& state_dir, const std::string& run_id) {
  const std::string path = state_dir + "/" + kSpillDirectory + "/" + run_id;
  UniqueFd file = TRY_DOING("keeping the output",
                            os::open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  // Whatever our umask: who may come here at all is said by the directories above.
  if (fchmod(file.get(), 0644) != 0) return fail(system_error("fchmod", path, errno));
  UniqueFd reader = TRY(os::open_at(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW));
  UniqueFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return fail(system_error("eventfd", "", errno));
  return std::unique_ptr<Spill>(new Spill(std::move(file), std::move(reader), std::move(event)));
}

bool Spill::write_record(const SpillHeader& header, std::string_view bytes) {
  const std::array<iovec, 2> parts{
      {{const_cast<SpillHeader*>(&header), sizeof header}, {const_cast<char*>(bytes.data()), bytes.size()}}};
  const ssize_t written = pwritev(file_.get(), parts.data(), parts.size(), static_cast<off_t>(size_));
  if (written == static_cast<ssize_t>(sizeof header + bytes.size())) {
    size_ += static_cast<std::uint64_t>(written);
    return true;
  }
  // A reader waits for the rest of a record that is cut short; the next one is written over it.
  [[maybe_unused]] const int cut = written > 0 ? ftruncate(file_.get(), static_cast<off_t>(size_)) : 0;
  return false;
}

bool Spill::write_gaps() {
  for (std::size_t stream = 0; stream < missing_.size(); ++stream) {
    if (missing_[stream] == 0) continue;
    SpillHeader gap;
    gap.kind = stream == 0 ? SpillKind::output_gap : SpillKind::error_gap;
    gap.offset = offsets_[stream] - missing_[stream];
    gap.missing = missing_[stream];
    gap.when_ms = utc_ms();
    if (!write_record(gap, {})) return false;
    missing_[stream] = 0;
  }
  return true;
}

bool Spill::write_stages() {
  while (!stages_.empty()) {
    SpillHeader header;
    header.kind = SpillKind::stage;
    header.size = static_cast<std::uint32_t>(stages_.front().size());
    header.offset = offsets_[0];
    header.missing = offsets_[1];
    header.when_ms = utc_ms();
    if (!write_record(header, stages_.front())) return false;
    stages_.erase(stages_.begin());
  }
  return true;
}

void Spill::append(std::size_t stream, std::string_view bytes) {
  SpillHeader header;
  header.kind = stream == 0 ? SpillKind::standard_output : SpillKind::standard_error;
  header.size = static_cast<std::uint32_t>(bytes.size());
  header.offset = offsets_[stream];
  header.when_ms = utc_ms();
  const bool kept = write_gaps() && write_stages() && write_record(header, bytes);
  offsets_[stream] += bytes.size();
  if (!kept) missing_[stream] += bytes.size();
  tell_readers();
}

void Spill::begin_stage(std::string name) {
  stages_.push_back(std::move(name));
  if (write_gaps() && write_stages()) tell_readers();
}

void Spill::tell_readers() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = write(event_.get(), &one, sizeof one);  // full: told already
}

}  // namespace sbx
