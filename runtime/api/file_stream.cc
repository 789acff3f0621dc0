#include "api/file_stream.h"

#include <algorithm>

namespace sbx::api {
namespace {

// Beyond it a client has to take something first.
constexpr std::size_t kMostWaiting = 256U << 10U;

}  // namespace

void FileStream::begin(std::shared_ptr<FileHelper> helper, int status, std::vector<http::Header> headers,
                       std::optional<std::uint64_t> length, bool body) {
  helper_ = std::move(helper);
  left_ = length;
  begun_ = streams_ = true;
  exchange_->start_stream(status, std::move(headers), length);
  if (body && left_ != 0) return;
  if (!body) helper_->cancel();
  finish();
}

void FileStream::take(std::string bytes) {
  if (!streams_) return;
  if (left_) {
    bytes.resize(std::min<std::uint64_t>(bytes.size(), *left_));
    *left_ -= bytes.size();
  }
  const auto self = shared_from_this();
  exchange_->write(std::move(bytes), [self] {
    if (self->helper_ && self->exchange_->queued_bytes() < kMostWaiting) self->helper_->go_on();
  });
  if (left_ == 0) return finish();
  if (exchange_->queued_bytes() >= kMostWaiting) helper_->hold();
}

void FileStream::finish() {
  streams_ = false;
  exchange_->finish();
  const auto helper = std::move(helper_);
  helper->leave();
}

// Before all of it was there, or with the end of what nobody could tell the length of.
void FileStream::end(bool whole) {
  if (!streams_) return;
  streams_ = false;
  if (whole && !left_) {
    exchange_->finish();
  } else {
    exchange_->abort();
  }
}

}  // namespace sbx::api
