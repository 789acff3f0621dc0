#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "base/names.h"
#include "os/file.h"
#include "policy/policy.h"
#include "policy/policy_cache.h"
#include "policy/seccomp_profile.h"
#include "policy/trusted_file.h"
#include "policy/yaml_reader.h"

namespace sbx {
namespace {

struct FoundFile {
  std::string path;
  std::string bytes;
};

// The first of `paths` that exists. One that exists but must not be trusted is an error, not passed over:
// else its owner could choose that a weaker one further down applies.
Result<std::optional<FoundFile>> first_file(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    std::optional<std::string> bytes = TRY(read_trusted_file(path, yaml::kMaxBytes));
    if (bytes) return std::optional(FoundFile{path, *std::move(bytes)});
  }
  return std::optional<FoundFile>{};
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : std::string(separator)) + word;
  return text;
}

Unexpected not_found(std::string_view what, std::string_view name,
                     const std::vector<std::string>& directories) {
  std::string text =
      "no " + std::string(what) + " '" + std::string(name) + "' in " + joined(directories, ", ");
  const std::vector<std::string> names = policy_names(directories);
  if (!names.empty()) text += "; there are " + joined(names, ", ");
  return fail(Error{std::move(text), ENOENT});
}

Result<FoundFile> find_policy(std::string_view name, const std::vector<std::string>& directories) {
  const bool is_path = is_policy_file(name);
  std::vector<std::string> paths;
  if (is_path) {
    paths.emplace_back(name);
  } else {
    TRY(check_name("policy", name));
    for (const std::string& directory : directories)
      paths.push_back(directory + "/" + std::string(name) + ".yaml");
  }
  std::optional<FoundFile> found = TRY(first_file(paths));
  if (found) return *std::move(found);
  if (is_path) return fail(Error{"no policy file '" + std::string(name) + "'", ENOENT});
  return not_found("policy", name, directories);
}

Result<FoundFile> find_seccomp(const Policy& policy, const std::vector<std::string>& directories) {
  const std::size_t slash = policy.path.find_last_of('/');
  std::vector<std::string> places{slash == std::string::npos ? "seccomp"
                                                             : policy.path.substr(0, slash) + "/seccomp"};
  for (const std::string& directory : directories) {
    std::string place = directory + "/seccomp";
    if (place != places.front()) places.push_back(std::move(place));
  }
  std::vector<std::string> paths;
  paths.reserve(places.size());
  for (const std::string& place : places) paths.push_back(place + "/" + policy.seccomp + ".yaml");
  std::optional<FoundFile> found = TRY(first_file(paths));
  if (found) return *std::move(found);
  return not_found("seccomp profile", policy.seccomp, places);
}

}  // namespace

std::vector<std::string> policy_names(const std::vector<std::string>& directories) {
  std::vector<std::string> names;
  for (const std::string& directory : directories) {
    const Result<std::vector<std::string>> files = os::list_directory(AT_FDCWD, directory);
    if (!files) continue;  // only to say what there is: a directory that is not there has none
    for (const std::string& file : *files) {
      if (!file.ends_with(".yaml")) continue;
      std::string name = file.substr(0, file.size() - 5);
      if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
  }
  std::ranges::sort(names);
  return names;
}

Result<Policy> load_policy(std::string_view name, const std::vector<std::string>& directories,
                           const std::string& cache_dir) {
  const FoundFile file = TRY(find_policy(name, directories));
  Policy policy = TRY(parse_policy_cached(file.path, file.bytes, cache_dir));
  if (!is_policy_file(name) && policy.name != name) {
    return fail(file.path + ": the name inside is '" + policy.name +
                "': a file found by name must say 'name: " + std::string(name) + "'");
  }
  policy.path = file.path;
  const std::string doing = "policy '" + policy.name + "'";
  const FoundFile seccomp = TRY_DOING(doing, find_seccomp(policy, directories));
  policy.seccomp_path = seccomp.path;
  policy.seccomp_digest = blake2b_hex(seccomp.bytes);
  policy.seccomp_filter =
      TRY_DOING(doing, compile_seccomp_cached(seccomp.path, seccomp.bytes, policy.seccomp_digest, cache_dir));
  // The digest first: it has a fixed length, so no byte can move from one file to the other unseen.
  policy.fingerprint = "sha256:" + sha256_hex(policy.seccomp_digest + file.bytes);
  return policy;
}

}  // namespace sbx
