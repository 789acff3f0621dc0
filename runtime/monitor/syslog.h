// The log of the host beside our own (syslog(3) speaks the same): a datagram per line, and never a wait.
#pragma once

#include <string>
#include <string_view>

namespace sbx {

inline constexpr const char* kSyslogSocket = "/dev/log";

// As facility daemon, severity info (RFC 3164 section 4.1.1). What nobody takes at once, or is too long for
// who does, is not there: no run waits for the host's log.
void send_to_syslog(const std::string& socket, std::string_view line);

}  // namespace sbx
