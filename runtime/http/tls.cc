#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>

namespace sbx::http {
namespace {

// The newest error of OpenSSL's queue, which is empty then.
Unexpected tls_error(std::string_view what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return fail(std::string(what) + ": " + (reason != nullptr ? reason : "unknown error"));
}

using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio reader(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all};
}

// A key with a passphrase is an error, not a question on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

// As SSL_CTX_use_certificate_chain_file(3) does with a file.
Result<void> use_chain(ssl_ctx_st* context, const std::string& text) {
  constexpr std::string_view kWhat = "the certificate chain";
  const Bio bio = reader(text);
  const Certificate own(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_passphrase, nullptr), X509_free);
  if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) return tls_error(kWhat);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) == 1) continue;
    X509_free(next);
    return tls_error(kWhat);
  }
  const unsigned long last = ERR_peek_last_error();
  if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
    return tls_error(kWhat);
  ERR_clear_error();  // the end
  return {};
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::make(const TlsIdentity& identity) {
  ssl_ctx_st* raw = SSL_CTX_new(TLS_server_method());
  if (raw == nullptr) return tls_error("setting up TLS");
  const std::shared_ptr<TlsContext> context(new TlsContext(raw));
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1) return tls_error("setting up TLS");
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  (void)SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  // Between two requests a connection keeps no buffers of records.
  (void)SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  TRY(use_chain(raw, identity.certificate_chain));
  const Bio bio = reader(identity.key);
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  if (!key || SSL_CTX_use_PrivateKey(raw, key.get()) != 1) return tls_error("the key");
  if (SSL_CTX_check_private_key(raw) != 1) return tls_error("the key");
  return context;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

ssl_st* TlsContext::new_session() const { return SSL_new(context_); }

}  // namespace sbx::http
