// The words of --explain: what the program may do, for somebody who has not read the policy.
#include <algorithm>
#include <array>
#include <span>

#include "base/path.h"
#include "plan/make_plan.h"

namespace sbx {
namespace {

using Words = std::vector<std::string>;

// "a", "a and b", "a, b and c"
std::string listed(const Words& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

class Explanation {
 public:
  Explanation(const SandboxPlan& plan, const Policy& policy, const RunRequest& request,
              const PlanFacts& facts)
      : plan_(plan), policy_(policy), request_(request), facts_(facts) {}

  std::string text() {
    say("Under policy '" + policy_.name +
        "' the program runs as user 'sandbox' (uid 1000 inside, an unused uid outside) without any "
        "capability.");
    root();
    scratch();
    project();
    workspace();
    shared_disk();
    inodes();
    if (facts_.language) language(*facts_.language);
    if (request_.here) host_path(*request_.here);
    for (const BindRequest& bind : request_.binds) host_path(bind);
    variables();
    say("It sees no other file, process, network or device of the host: only loopback inside its own "
        "network.");
    say("System calls are limited to the allowlist '" + plan_.seccomp + "'" +
        (plan_.report_denials ? ", and refused ones are counted." : "."));
    limits();
    if (!policy_.allow_degraded.empty()) {
      say("The policy allows these controls to be missing where the host lacks them: " +
          listed(policy_.allow_degraded) + ".");
    }
    end();
    return std::move(text_);
  }

 private:
  void say(const std::string& sentence) { text_ += sentence + "\n"; }

  [[nodiscard]] std::string limit(std::string_view key) const {
    const LimitField& field = *find_limit(key);
    const auto value = plan_.limits.*field.member;
    return value ? limit_with_unit(field, *value) : "";
  }

  // "64M of memory (--tmp)": what lies in memory counts against its limit as well.
  [[nodiscard]] std::string room(std::string_view key) const {
    const std::string size = limit(key);
    return (size.empty() ? "any amount" : size) + " of memory (--" + std::string(key) + ")";
  }

  // Without those that a bind lies over: it is described by itself.
  [[nodiscard]] Words uncovered(std::span<const std::string_view> places) const {
    Words words;
    for (const std::string_view place : places) {
      const auto covers = [&](const BindRequest& bind) { return is_below(place, bind.inside); };
      if (std::ranges::any_of(request_.binds, covers) || (request_.here && covers(*request_.here))) continue;
      words.emplace_back(place);
    }
    return words;
  }

  void root() {
    const std::string sees = "It sees image '" + request_.image + "' as its file system";
    if (!policy_.writable_root) return say(sees + ", read-only.");
    say(sees + ". Its root is writable where the image lets uid 1000 write" +
        (request_.image == "host" ? " (in 'host' nowhere: all belongs to root, and /usr is read-only)" : "") +
        "; changes are thrown away.");
  }

  void scratch() {
    static constexpr std::array<std::string_view, 4> kPlaces{"/home/sandbox", "/tmp", "/var/tmp", "/dev/shm"};
    say("It may write to " + listed(uncovered(kPlaces)) + ": " + room("tmp") + " together, thrown away.");
  }

  void project() {
    if (request_.project.empty()) return;
    const std::string name = "project '" + request_.project + "'";
    const std::string layout = facts_.workspace_flat ? "flat" : "split";
    switch (facts_.project) {
    case ProjectState::there: return say("There is a " + name + " with layout " + layout + ".");
    case ProjectState::missing:
      return say("There is no " + name + " yet: a run would make it, with layout " + layout + ".");
    case ProjectState::unseen: break;
    }
    say("Only root can see whether there is a " + name + "; it is described as a new one, with layout " +
        layout + ".");
  }

  void workspace() {
    const bool project = !request_.project.empty();
    const bool flat = project && facts_.workspace_flat;
    static constexpr std::array<std::string_view, 1> kFlat{"/workspace"};
    static constexpr std::array<std::string_view, 3> kSplit{"/workspace/agent_workspace",
                                                            "/workspace/outputs", "/workspace/project_files"};
    // The files of a split project are shown read-only.
    const std::span<const std::string_view> split =
        std::span(kSplit).first(kSplit.size() - (project ? 1U : 0U));
    const Words places = uncovered(flat ? std::span<const std::string_view>(kFlat) : split);
    if (places.empty()) return;
    std::string text = "It may write to " + listed(places) + ": ";
    if (project) text += "project '" + request_.project + "', ";
    if (!writes_to_project() && on_disk().size() == 1) text += room("disk") + ", ";
    say(text + what_becomes_of_it() + ".");
  }

  [[nodiscard]] std::string what_becomes_of_it() const {
    if (keeps_workspace()) return "kept" + most_of_project();
    if (request_.show_changes) return "listed and thrown away" + most_of_project();
    if (!writes_to_project()) return "thrown away";
    return "kept beside it as a transaction, until that is committed or discarded" + most_of_project();
  }

  [[nodiscard]] std::string most_of_project() const {
    if (!facts_.project_bytes) return ", without a limit of its size";
    const std::string files = limit("inodes");
    return ", at most " + limit("disk") + (files.empty() ? "" : " in " + files + " and directories");
  }

  [[nodiscard]] bool keeps_workspace() const { return sbx::keeps_workspace(request_); }

  // What it changes in a project is on that one's own disk.
  [[nodiscard]] bool writes_to_project() const { return keeps_workspace() || branches_workspace(request_); }

  // What is kept in the scratch file system that --disk bounds.
  [[nodiscard]] Words on_disk() const {
    Words words;
    if (!writes_to_project()) {
      words.push_back(request_.project.empty() ? "the workspace"
                                               : "the changes to project '" + request_.project + "'");
    }
    if (policy_.writable_root) words.emplace_back("the changes to the root");
    if (!facts_.writable.empty()) words.emplace_back("the changes to the image's directories");
    const auto add = [&](const BindRequest& bind) {
      if (bind.mode == BindMode::copy_on_write) words.push_back("the changes to '" + bind.host + "'");
    };
    if (request_.here) add(*request_.here);
    std::ranges::for_each(request_.binds, add);
    return words;
  }

  void shared_disk() {
    const Words users = on_disk();
    if (users.empty() || (users.size() == 1 && !writes_to_project())) return;  // that one is told already
    std::string text = listed(users);
    text[0] = 'T';  // "the …"
    say(text + (users.size() == 1 ? " may take " : " share ") + room("disk") + " and are thrown away.");
  }

  void host_path(const BindRequest& bind) {
    static constexpr std::array<const char*, 3> kModes{"may read", "MAY CHANGE",
                                                       "may change a thrown-away copy of"};
    say("It " + std::string(kModes[static_cast<std::size_t>(bind.mode)]) + " the host's '" + bind.host +
        "' at " + bind.inside + ".");
  }

  void language(const LanguageCommand& language) {
    if (!language.files.empty()) {
      const std::size_t count = language.files.size();
      say("It finds " + (count == 1 ? "the file" : std::to_string(count) + " files") +
          " that came with the request in " + language.directory + ".");
    }
    for (const std::string& directory : facts_.writable)
      say("It may change a thrown-away copy of the image's " + directory + ".");
  }

  // How many files fit in what was told before.
  void inodes() {
    const std::string most = limit("inodes");
    if (most.empty()) return;
    const bool disk = !on_disk().empty();
    say("It may make " + most + " and directories (--inodes) in what --tmp bounds" +
        (disk ? ", and as many in what --disk bounds." : "."));
  }

  // Names only: values may be secret.
  void variables() {
    Words names;
    for (const EnvironmentVariable& variable : request_.environment) {
      if (std::ranges::find(names, variable.name) == names.end()) names.push_back(variable.name);
    }
    if (names.empty()) return;
    say("It is given the " + std::string(names.size() == 1 ? "variable " : "variables ") + listed(names) +
        ".");
  }

  void limits() {
    Words endings;
    Words missing;
    const auto add = [&](std::string_view key, const char* before, const char* what, const char* after = "") {
      const std::string value = limit(key);
      if (value.empty()) missing.emplace_back(what);
      if (!value.empty()) endings.push_back(before + value + " of " + what + after);
    };
    add("wall-time", "after ", "wall time");
    add("cpu-time", "after ", "CPU time");
    add("memory", "above ", "memory", ", its files there included");
    add("output-limit", "above ", "output");
    if (!endings.empty()) {
      std::string text = endings.front();
      for (std::size_t i = 1; i < endings.size(); ++i) text += " or " + endings[i];
      say("It is ended " + text + ".");
    }
    if (!missing.empty()) say("It has no limit of " + listed(missing) + ".");
    const auto amount = [&](const char* key, const char* unlimited) {
      const LimitField& field = *find_limit(key);
      const auto value = plan_.limits.*field.member;
      return value ? limit_with_unit(field, *value) : std::string(unlimited);
    };
    say("It may use " + amount("cpus", "all CPUs") + ", " + amount("pids", "any number of processes") + ", " +
        amount("nofile", "any number of open files") + " per process and no swap.");
    if (const std::string largest = limit("fsize"); !largest.empty())
      say("It may make no file larger than " + largest + " (--fsize): SIGXFSZ ends what writes beyond that.");
  }

  void end() {
    const bool transaction = request_.workspace_mode == WorkspaceMode::transaction;
    const char* but = keeps_workspace() ? ", but the project" : transaction ? ", but the transaction" : "";
    say(std::string("Nothing of it is left when it ends") + but + ".");
  }

  const SandboxPlan& plan_;
  const Policy& policy_;
  const RunRequest& request_;
  const PlanFacts& facts_;
  std::string text_;
};

}  // namespace

std::string explain_plan(const SandboxPlan& plan, const Policy& policy, const RunRequest& request,
                         const PlanFacts& facts) {
  return Explanation(plan, policy, request, facts).text();
}

}  // namespace sbx
