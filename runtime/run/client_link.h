// The supervisor's end of a client's socket (wire/client_protocol.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "request/run_request.h"
#include "run/run_one.h"
#include "wire/client_protocol.h"

namespace sbx {

struct ReceivedRequest {
  RunRequest request;
  std::vector<UniqueFd> streams;
};

class ClientLink {
 public:
  // Not owned.
  explicit ClientLink(int socket) : socket_(socket) {}

  // Waits for it.
  [[nodiscard]] Result<ReceivedRequest> receive_request() const;

  // EPIPE: the client is gone.
  [[nodiscard]] Result<void> show_compiler_output(std::string_view text) const;
  [[nodiscard]] Result<void> answer_text(std::string_view text) const;
  [[nodiscard]] Result<void> answer_error(int exit_status, const Error& error) const;
  // `notices` besides the report's own; `sweep`: what was removed that killed runs had left.
  [[nodiscard]] Result<void> answer_finished(const RunRequest& request, RunReport report,
                                             const std::vector<std::string>& notices = {},
                                             const std::string& sweep = {}) const;

 private:
  [[nodiscard]] Result<void> answer(ClientMessageType type, int exit_status, std::string_view bytes) const;

  int socket_;
};

}  // namespace sbx
