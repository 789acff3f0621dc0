// A certificate that signed itself, for tests.
#pragma once

#include <string>

#include "http/tls.h"

namespace sbx::test {

// Writes "certificate.pem" and "key.pem" into the directory.
http::TlsFiles make_certificate(const std::string& directory);

}  // namespace sbx::test
