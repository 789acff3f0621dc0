// A project for tests, in a directory that goes with it, without runs.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>

#include "resource/generations.h"
#include "resource/transactions.h"
#include "unit/tree/some_tree.h"

namespace sbx {

// With the layout `flat`, and files that are the test's own.
class SomeProject {
 public:
  SomeProject() {
    place_.directory("workspace");
    project_.layout = WorkspaceLayout::flat;
    project_.directory = place_.path(".");
    project_.top = *os::open_at(AT_FDCWD, place_.path("workspace"), O_RDONLY | O_DIRECTORY);
    REQUIRE(make_first_generation(project_.top.get(), project_.layout, owner()));
    REQUIRE(store().set_head({}));
  }

  static uid_t owner() { return geteuid(); }
  [[nodiscard]] ProjectStore store() const { return ProjectStore(project_.directory); }
  [[nodiscard]] Transactions transactions() const { return {project_, owner()}; }
  [[nodiscard]] Generations generations() const {
    Generations settled(store(), project_.top.get(), project_.layout, owner());
    const auto done = settled.settle();
    REQUIRE_MESSAGE(done, (done ? "" : done.error().text));
    return settled;
  }
  [[nodiscard]] const tree::SomeTree& place() const { return place_; }
  [[nodiscard]] const OpenedProject& project() const { return project_; }

  [[nodiscard]] std::string head(const std::string& name) const {
    return in_generation(generations().head().generation, name);
  }
  static std::string in_generation(std::uint64_t generation, const std::string& name) {
    return "workspace/" + generation_path(generation) + "/" + name;
  }
  static std::string in_upper(const std::string& id, const std::string& name) {
    return "workspace/" + branch_path(id) + "/upper/" + name;
  }
  // As a persistent run does.
  void write(const std::string& name, const std::string& text) const {
    Generations settled = generations();
    const auto made = settled.make_writable(false);
    REQUIRE_MESSAGE(made, (made ? "" : made.error().text));
    place_.file(in_generation(*made, name), text);
  }
  void begin(const std::string& id) const {
    Generations settled = generations();
    const auto base = settled.make_lasting(false);
    REQUIRE(base);
    REQUIRE(settled.make_branch(id));
    REQUIRE(store().write_branch({id, *base, "now", "", 0}));
  }
  [[nodiscard]] std::set<std::string> names(const std::string& directory) const {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(place_.path("workspace/" + directory)))
      found.insert(entry.path().filename());
    return found;
  }
  [[nodiscard]] std::string text_of_head(const std::string& name) const { return place_.text(head(name)); }

 private:
  tree::SomeTree place_;
  OpenedProject project_;
};

}  // namespace sbx
