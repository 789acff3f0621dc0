// Where our programs and what belongs to them are, from where the running one is: a checkout, a prefix and a
// tree staged with DESTDIR work without a path compiled in.
//
//   installed:  PREFIX/bin  PREFIX/libexec/sbx  PREFIX/share/sbx/policies  PREFIX/share/sbx/rootfs
//   checkout:   build/bin (all programs together)  policies  rootfs
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx::os {

// The directory of the running program; of what a symbolic link to it leads to.
Result<std::string> own_directory();

struct OwnPlaces {
  std::string programs;  // sbxctl
  std::string helpers;   // sbx-direct, sbx-spawner, sbx-init
  std::string policies;  // the shipped ones
  std::string rootfs;    // what builds images, and their Dockerfiles
};

OwnPlaces own_places(std::string_view own_directory);

}  // namespace sbx::os
