// TLS of a server. Nothing of OpenSSL opens a file.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace sbx::http {

struct TlsIdentity {
  std::string certificate_chain;  // PEM, the server's own certificate first
  std::string key;                // PEM, without a passphrase
};

// TLS 1.2 and 1.3, without compression, renegotiation and a session cache, which would grow.
class TlsContext {
 public:
  // Errors say which of both is wrong. A key that is not that of the certificate is one.
  static Result<std::shared_ptr<TlsContext>> make(const TlsIdentity& identity);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  // The state of one connection, the caller's to free; nullptr: no memory.
  [[nodiscard]] ssl_st* new_session() const;

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

}  // namespace sbx::http
