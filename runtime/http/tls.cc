#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace sbx::http {
namespace {

// The newest error of OpenSSL's queue, which is empty then.
Unexpected tls_error(std::string_view what, std::string_view file) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = std::string(what);
  if (!file.empty()) text += " '" + std::string(file) + "'";
  ERR_clear_error();
  return fail(text + ": " + (reason != nullptr ? reason : "unknown error"));
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::load(const TlsFiles& files) {
  ssl_ctx_st* raw = SSL_CTX_new(TLS_server_method());
  if (raw == nullptr) return tls_error("setting up TLS", "");
  const std::shared_ptr<TlsContext> context(new TlsContext(raw));
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1) return tls_error("setting up TLS", "");
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  (void)SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  // Between two requests a connection keeps no buffers of records.
  (void)SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  // A key with a passphrase is an error, not a question on the terminal.
  SSL_CTX_set_default_passwd_cb(raw, [](char*, int, int, void*) { return -1; });
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate_chain.c_str()) != 1) {
    return tls_error("the certificate chain", files.certificate_chain);
  }
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return tls_error("the key", files.key);
  }
  if (SSL_CTX_check_private_key(raw) != 1) return tls_error("the key", files.key);
  return context;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

ssl_st* TlsContext::new_session() const { return SSL_new(context_); }

}  // namespace sbx::http
