#include "os/own_places.h"

#include <doctest/doctest.h>

namespace sbx {

TEST_CASE("an installed program finds the others in its own prefix, wherever that is") {
  for (const std::string prefix : {"/usr/local", "/usr", "", "/srv/stage/usr/local", "/srv/build"}) {
    CAPTURE(prefix);
    const os::OwnPlaces user = os::own_places(prefix + "/bin");
    CHECK(user.helpers == prefix + "/libexec/sbx");
    CHECK(user.policies == prefix + "/share/sbx/policies");
    const os::OwnPlaces helper = os::own_places(prefix + "/libexec/sbx");
    CHECK(helper.helpers == user.helpers);
    CHECK(helper.policies == user.policies);
    CHECK(user.programs == prefix + "/bin");
    CHECK(helper.programs == user.programs);
    CHECK(user.rootfs == prefix + "/share/sbx/rootfs");
  }
}

TEST_CASE("in a checkout all programs are together, and the policies two above") {
  const os::OwnPlaces places = os::own_places(os::own_directory().value() + "/../bin");
  CHECK(places.helpers.ends_with("/../bin"));
  CHECK(places.policies == places.helpers + "/../../policies");
  CHECK(places.rootfs == places.helpers + "/../../rootfs");
  CHECK(places.programs == places.helpers);
}

}  // namespace sbx
