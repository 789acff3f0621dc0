#include "resource/foreign_ids.h"

#include <doctest/doctest.h>

namespace sbx {

TEST_CASE("ids of others in the pool are found, at its edges too") {
  const IdPool pool{1'000'000, 2};  // to 1,131,071
  const auto overlaps = [&pool](std::uint64_t first, std::uint64_t count) {
    return !pool_overlaps(pool, {{"x", first, count}}).empty();
  };
  CHECK(!overlaps(999'999, 1));
  CHECK(overlaps(999'999, 2));
  CHECK(overlaps(1'000'000, 1));
  CHECK(overlaps(1'131'071, 1));
  CHECK(!overlaps(1'131'072, 1));
  CHECK(overlaps(0, 4'294'967'295));
  CHECK(!overlaps(1'000'000, 0));
  CHECK(overlaps(1, ~0ULL));
  CHECK(pool_overlaps(pool, {{"x", 1'000'000, 1}, {"x", 1'000'001, 1}}).size() == 1);
}

TEST_CASE("accounts and subordinate ids are read, and lines that are none passed over") {
  CHECK(parse_account_ids("/etc/passwd",
                          "root:x:0:0::/:/bin/sh\n# old:x:7:7\n\n+::\nbad:x:no\nnobody:x:65534:1::\n") ==
        std::vector<IdRange>{{"/etc/passwd: root", 0, 1}, {"/etc/passwd: nobody", 65534, 1}});
  CHECK(parse_subordinate_ids("/etc/subuid", "alice:100000:65536\n1000:7:8\nshort:1\nx:-1:2\n") ==
        std::vector<IdRange>{{"/etc/subuid: alice", 100'000, 65'536}, {"/etc/subuid: 1000", 7, 8}});
  CHECK(parse_account_ids("/etc/passwd", "").empty());
  CHECK(parse_account_ids("/etc/passwd", "last:x:5").size() == 1);  // no line break at its end
}

TEST_CASE("a pool over ids of an account is refused, with whose they are and the fix") {
  const IdPool over_root{0, 1};
  const auto checked = check_id_pool(over_root);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().text.starts_with("the id pool, 0 to 65535, overlaps with /etc/passwd: root"));
  CHECK(checked.error().text.find("; fix: set id_pool") != std::string::npos);
}

}  // namespace sbx
