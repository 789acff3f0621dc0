// Content as it comes to a worker (tree/worker.h, kContentIn).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

namespace sbx::project_files {

// What is read until its end. `framed`: in frames, the last one empty (wire/files_protocol.h); what ends
// without it is not all of it.
struct Content {
  int fd = -1;
  bool framed = false;
};

class ContentIn {
 public:
  explicit ContentIn(bool framed) : framed_(framed) {}
  // As read(2), never interrupted; 0: that was all of it. EPIPE: it came to an end that is none.
  ssize_t read(std::span<char> buffer);

 private:
  bool begin_frame();

  bool framed_;
  bool ended_ = false;
  std::uint32_t left_ = 0;  // of a frame
};

}  // namespace sbx::project_files
