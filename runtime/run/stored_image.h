// Images of the store with their descriptions, as they are shown.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "resource/image_sidecar.h"
#include "resource/image_store.h"
#include "run/settings.h"

namespace sbx {

struct StoredImage {
  Image image;
  ImageSidecar sidecar;
};

// Error: there is none of this name, or it is damaged, or it is the one that is built in.
Result<StoredImage> load_image(const std::string& state_dir, const std::string& name);

struct DamagedImage {
  std::string name;
  std::string why;
};

struct StoredImages {
  std::vector<StoredImage> images;
  std::vector<DamagedImage> damaged;  // that cannot be loaded
};

// All that are there, sorted by name.
Result<StoredImages> load_images(const std::string& state_dir);

// Whether a run could use it now, short of reading all of it (verify_image does): its tree is there.
Result<void> check_usable(const Image& image);

// Since it was built; nothing where the sidecar's time cannot be read or is still to come.
std::optional<std::uint64_t> age_in_days(const ImageSidecar& sidecar);

// What brings a newer one, as advice.
std::string how_to_renew(const StoredImage& stored, const Settings& settings);

bool is_old(const ImageSidecar& sidecar, const Settings& settings);

}  // namespace sbx
