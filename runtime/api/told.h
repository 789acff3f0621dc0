// What sbxd told (wire/daemon_protocol.h) of who may come and how many, as it comes: in force all at once.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "api/service.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "http/tls.h"
#include "wire/daemon_protocol.h"

namespace sbx::api {

struct ToldSettings {
  ServiceSettings service;
  std::map<std::size_t, http::TlsIdentity> certificates;  // by listener
  std::string root;
  uid_t uid = 0;
};

class Told {
 public:
  // A certificate, or the tokens. Error: another build's.
  Result<void> note(const DaemonMessage& message, std::vector<UniqueFd> descriptors);
  // With the settings, the last of it.
  Result<ToldSettings> settle(int settings);

 private:
  std::map<std::size_t, http::TlsIdentity> certificates_;
  UniqueFd tokens_;
};

Result<http::TlsIdentity> read_identity(int chain, int key);

}  // namespace sbx::api
