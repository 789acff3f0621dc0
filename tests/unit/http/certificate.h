// A certificate that signed itself, for tests.
#pragma once

#include <string>

#include "http/tls.h"

namespace sbx::test {

http::TlsIdentity make_certificate();

}  // namespace sbx::test
