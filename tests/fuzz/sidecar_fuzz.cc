// Sidecars of image tarballs: what is read is within bounds, and written again it is read as the same.
#include <nlohmann/json.hpp>

#include "base/names.h"
#include "base/printable.h"
#include "fuzz/fuzz.h"
#include "resource/image_sidecar.h"

namespace sbx::fuzz {
namespace {

std::string written(const ImageSidecar& sidecar) {
  const nlohmann::json object{{"schema", 1},
                              {"name", sidecar.name},
                              {"variant", sidecar.variant},
                              {"digest", "sha256:" + sidecar.digest_hex},
                              {"tarball_bytes", sidecar.tarball_bytes},
                              {"unpacked_bytes", sidecar.unpacked_bytes},
                              {"entries", sidecar.entries},
                              {"architecture", sidecar.architecture},
                              {"os", sidecar.os},
                              {"env", sidecar.environment},
                              {"workdir", sidecar.workdir},
                              {"user", sidecar.user},
                              {"language", sidecar.language},
                              {"versions", sidecar.versions},
                              {"built_at", sidecar.built_at}};
  return object.dump();
}

void try_sidecar(std::string_view text) {
  const Result<ImageSidecar> sidecar = parse_sidecar(text);
  if (!sidecar) return must_say(sidecar.error());
  must(check_name("name", sidecar->name).has_value(), "the name is a file name");
  must(sidecar->digest_hex.size() == 64, "the digest is whole");
  for (const std::string& shown : {sidecar->variant, sidecar->os, sidecar->user, sidecar->language,
                                   sidecar->architecture, sidecar->workdir, sidecar->built_at}) {
    must(printable(shown) == shown, "no field drives a terminal");
  }
  for (const auto& [name, version] : sidecar->versions)
    must(printable(name + version) == name + version, "no version drives a terminal");
  const std::string again = written(*sidecar);
  const Result<ImageSidecar> second = parse_sidecar(again);
  must(second.has_value(), "what was written is read", again);
  must(written(*second) == again, "it stays the same", again);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_sidecar(sbx::fuzz::text_of(data, size));
  return 0;
}
