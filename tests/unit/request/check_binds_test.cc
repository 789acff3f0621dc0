#include "request/check_binds.h"

#include <doctest/doctest.h>

namespace sbx {
namespace {

std::vector<BindRequest> many(std::size_t count, BindFlag last) {
  std::vector<BindRequest> binds;
  for (std::size_t i = 0; i < count; ++i) {
    binds.push_back(
        {"/host", "/mnt/" + std::to_string(i), BindMode::read_only, i + 1 == count ? last : BindFlag::bind});
  }
  return binds;
}

std::string error_of(const std::vector<BindRequest>& binds) {
  const Result<void> checked = check_binds(binds);
  return checked ? "" : checked.error().text;
}

}  // namespace

TEST_CASE("as many binds as one message carries, and no more") {
  CHECK(error_of(many(kMostBinds, BindFlag::bind)).empty());
  CHECK(
      error_of(many(kMostBinds + 1, BindFlag::volume)) ==
      "--volume: 201 paths to show, and a sandbox takes at most 200; show a directory that holds several of "
      "them");
}

TEST_CASE("what is wrong with a bind is said of the flag that asked for it") {
  for (const BindFlag flag : {BindFlag::bind, BindFlag::volume}) {
    const std::string name = bind_flag_name(flag);
    const auto error_at = [&](const char* inside) {
      return error_of({{"/host", "/mnt", BindMode::read_only, BindFlag::bind},
                       {"/host", inside, BindMode::read_only, flag}});
    };
    CHECK(error_at("relative") == name + ": 'relative' is not an absolute path");
    CHECK(error_at("/a/") == name + ": '/a/' ends with a '/'");
    CHECK(error_at("/proc/x") == name + ": '/proc/x' is below /proc, which belongs to the sandbox");
    CHECK(error_at("/") == name + ": '/' cannot be replaced; use --image");
    CHECK(error_at("/mnt") == name + ": '/mnt' is given twice");
    CHECK(error_at("/other").empty());
  }
}

}  // namespace sbx
