// The writing end of a spill (wire/spill.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/spill.h"

namespace sbx {

class Spill {
 public:
  // STATE/api/output/RUN_ID, which must not be there. Only root writes it; the API may read it.
  static Result<std::unique_ptr<Spill>> create(const std::string& state_dir, const std::string& run_id);

  // `stream`: 0 standard output, 1 standard error. What cannot be written is a gap, told when it can be.
  void append(std::size_t stream, std::string_view bytes);

  // A step of the run begins.
  void begin_stage(std::string name);

  // To be handed out: the file, open for reading, and an eventfd that counts what was appended.
  [[nodiscard]] int reader() const { return reader_.get(); }
  [[nodiscard]] int event() const { return event_.get(); }

 private:
  Spill(UniqueFd file, UniqueFd reader, UniqueFd event)
      : file_(std::move(file)), reader_(std::move(reader)), event_(std::move(event)) {}
  bool write_record(const SpillHeader& header, std::string_view bytes);
  bool write_gaps();
  bool write_stages();
  void tell_readers() const;

  UniqueFd file_;
  UniqueFd reader_;
  UniqueFd event_;
  std::uint64_t size_ = 0;                  // of the file: whole records
  std::array<std::uint64_t, 2> offsets_{};  // of the streams
  std::array<std::uint64_t, 2> missing_{};  // and what is not yet told of as a gap
  std::vector<std::string> stages_;         // nor as having begun
};

}  // namespace sbx
