// The content of a file on its way from a helper to a client, none of it held for long.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/file_helper.h"
#include "http/exchange.h"

namespace sbx::api {

class FileStream : public std::enable_shared_from_this<FileStream> {
 public:
  explicit FileStream(std::shared_ptr<http::Exchange> exchange) : exchange_(std::move(exchange)) {}

  // `length`: nothing: until the helper's end. Without `body` the head is all.
  void begin(std::shared_ptr<FileHelper> helper, int status, std::vector<http::Header> headers,
             std::optional<std::uint64_t> length, bool body);
  [[nodiscard]] bool has_begun() const { return begun_; }
  void take(std::string bytes);
  // Of the helper. `whole`: it had said all that it had to say.
  void end(bool whole);

 private:
  void finish();

  std::shared_ptr<http::Exchange> exchange_;
  std::shared_ptr<FileHelper> helper_;
  bool begun_ = false;
  bool streams_ = false;
  std::optional<std::uint64_t> left_;
};

}  // namespace sbx::api
