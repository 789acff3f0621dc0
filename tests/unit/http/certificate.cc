#include "unit/http/certificate.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <memory>

namespace sbx::test {

http::TlsFiles make_certificate(const std::string& directory) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  REQUIRE(key != nullptr);
  REQUIRE(certificate != nullptr);
  (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  (void)X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  (void)X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  REQUIRE(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("sbx"),
                                     -1, -1, 0) == 1);
  REQUIRE(X509_set_issuer_name(certificate.get(), name) == 1);
  REQUIRE(X509_set_pubkey(certificate.get(), key.get()) == 1);
  REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  http::TlsFiles files{directory + "/certificate.pem", directory + "/key.pem"};
  const auto write = [](const std::string& path, const auto& to) {
    const std::unique_ptr<FILE, decltype(&fclose)> file(std::fopen(path.c_str(), "we"), fclose);
    REQUIRE(file != nullptr);
    REQUIRE(to(file.get()) == 1);
  };
  write(files.certificate_chain, [&](FILE* file) { return PEM_write_X509(file, certificate.get()); });
  write(files.key, [&](FILE* file) {
    return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

}  // namespace sbx::test
