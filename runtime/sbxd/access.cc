#include "sbxd/access.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "os/file.h"
#include "policy/policy.h"
#include "run/load_tokens.h"
#include "run/read_api_config.h"
#include "sbxd/child_program.h"
#include "wire/spill.h"

namespace sbx {
namespace {

using nlohmann::json;

constexpr std::size_t kMostPem = 1U << 20U;

// What went wrong with what a key of the configuration names.
template <class T>
Result<T, Finding> of_key(std::string key, Result<T> result) {
  if (!result)
    return tl::make_unexpected(Finding{Finding::Kind::error, std::move(key), std::move(result).error().text});
  return *std::move(result);
}

Result<std::string> read_pem(const std::string& path, bool secret) {
  const std::optional<UniqueFd> fd =
      TRY(os::open_if_exists(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK));
  if (!fd) return fail("there is no file '" + path + "': put it there, or name another");
  const struct stat status = TRY(os::stat_fd(fd->get(), path));
  if (!S_ISREG(status.st_mode)) return fail("'" + path + "' is not a regular file");
  if ((status.st_mode & S_IWOTH) != 0)
    return fail("'" + path + "' can be changed by anybody: chmod o-w '" + path + "'");
  if (secret && (status.st_mode & S_IROTH) != 0)
    return fail("'" + path + "' is a key that anybody can read: chmod o-rwx '" + path + "'");
  return os::read_all(fd->get(), path, kMostPem);
}

// By the API's program, which has OpenSSL, in a process of its own. It says what is wrong.
Result<void> check_pair(const Settings& settings, const Access::Certificate& pair) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "", errno));
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  ChildProgram checker = TRY(ChildProgram::start({settings.helpers + "/sbx-api", "check-certificate"},
                                                 {pair.chain.get(), pair.key.get(), writing.get()}, {}));
  writing.reset();
  const Result<std::string> said = os::read_all(reading.get(), "sbx-api", 1U << 16U);
  const std::string how = checker.reap();
  const std::string fine = "ok";
  if (said && *said == fine) return {};
  return fail(said && !said->empty() ? *said : "sbx-api " + how);
}

Result<UniqueFd> read_tokens(const Settings& settings) {
  const std::vector<Token> tokens = TRY(load_tokens(settings.tokens));
  return os::sealed_memfd(kTokensFileName, encode_tokens(tokens));
}

// What a sandbox has that asks for nothing: the API cannot read policies.
json policy_memories(const Settings& settings, std::vector<Finding>& findings) {
  json list = json::array();
  for (const std::string& name : policy_names(settings.policy_dirs)) {
    const auto policy = load_policy(name, settings.policy_dirs);
    if (!policy) {
      findings.push_back({Finding::Kind::warning, "", policy.error().text});
      continue;
    }
    const auto& bytes = policy->limits.memory_bytes;
    list.push_back({{"name", name}, {"memory_bytes", bytes ? json(*bytes) : json(nullptr)}});
  }
  return list;
}

json pool_kinds(const PoolConfig& pool) {
  json list = json::array();
  for (const PoolConfig::Kind& kind : pool.kinds)
    list.push_back({{"image", kind.image}, {"policy", kind.policy}, {"count", kind.count}});
  return list;
}

// Of limits and policies, for the API.
std::string api_settings(const Settings& settings, std::vector<Finding>& findings) {
  const auto& memory = settings.admission.memory_bytes;
  const json told = {{"root", settings.state_dir + "/" + kApiDirectory},
                     {"uid", settings.ids.service_id() + 1},
                     {"max_sandboxes", settings.max_sandboxes},
                     {"memory_bytes", memory ? json(*memory) : json(nullptr)},
                     {"queue", settings.admission.queue},
                     {"per_client_rate", settings.admission.per_client_rate},
                     {"burst", settings.admission.burst},
                     {"pool_memory_bytes", settings.pool.memory_bytes.value_or(default_pool_memory())},
                     {"pool", pool_kinds(settings.pool)},
                     {"origins", settings.origins},
                     {"history_runs", settings.history.runs},
                     {"history_bytes", settings.history.output_bytes},
                     {"history_days", settings.history.days ? json(*settings.history.days) : json(nullptr)},
                     {"policies", policy_memories(settings, findings)}};
  return told.dump();
}

// Into `target`, or to the findings.
template <class T>
void keep(Result<T, Finding> result, T& target, std::vector<Finding>& findings) {
  if (result) {
    target = *std::move(result);
  } else {
    findings.push_back(std::move(result).error());
  }
}

Result<Access::Certificate> usable_pair(const Settings& settings, std::size_t index, const std::string& chain,
                                        const std::string& key) {
  const TlsPaths& paths = *settings.listeners[index].tls;
  Access::Certificate pair;
  pair.listener = index;
  pair.chain = TRY(os::sealed_memfd("sbx-certificate", chain));
  pair.key = TRY(os::sealed_memfd("sbx-key", key));
  if (const auto fine = check_pair(settings, pair); !fine) {
    return fail("the certificate '" + paths.certificate + "' with the key '" + paths.key +
                "' cannot be used: " + fine.error().text);
  }
  return pair;
}

void read_certificate(const Settings& settings, std::size_t index, Access& access,
                      std::vector<Finding>& findings) {
  const TlsPaths& paths = *settings.listeners[index].tls;
  const std::string tls = "listen[" + std::to_string(index) + "].tls.";
  const std::size_t before = findings.size();
  std::string chain;
  std::string key;
  keep(of_key(tls + "certificate", read_pem(paths.certificate, false)), chain, findings);
  keep(of_key(tls + "key", read_pem(paths.key, true)), key, findings);
  if (findings.size() > before) return;
  keep(of_key(tls + "certificate", usable_pair(settings, index, chain, key)),
       access.certificates.emplace_back(), findings);
}

}  // namespace

AccessReading read_access(const Settings& settings) {
  Access access;
  std::vector<Finding> findings;
  keep(of_key("tokens", read_tokens(settings)), access.tokens, findings);
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    if (settings.listeners[i].tls) read_certificate(settings, i, access, findings);
  }
  const std::string told = api_settings(settings, findings);
  keep(of_key("", os::sealed_memfd("sbx-api", told)), access.settings, findings);
  if (has_error(findings)) return {std::nullopt, std::move(findings)};
  return {std::move(access), std::move(findings)};
}

std::vector<std::string> fixed_keys_that_differ(const Settings& running, const Settings& fresh) {
  const auto places = [](const Settings& settings) {
    std::vector<std::string> all;
    for (const TcpListener& listener : settings.listeners)
      all.push_back(listener.text() + (listener.tls ? " tls" : ""));
    return all;
  };
  std::vector<std::string> keys;
  const auto note = [&](bool same, const char* key) {
    if (!same) keys.emplace_back(key);
  };
  note(running.state_dir == fresh.state_dir, "state_dir");
  note(running.run_dir == fresh.run_dir, "run_dir");
  note(running.log.path == fresh.log.path && running.log.rotate_bytes == fresh.log.rotate_bytes &&
           running.log.keep == fresh.log.keep,
       "log");
  note(running.ids.first == fresh.ids.first && running.ids.ranges == fresh.ids.ranges, "id_pool");
  note(running.cgroup_parent == fresh.cgroup_parent, "cgroup_parent");
  note(running.language_images == fresh.language_images, "languages");
  note(running.auto_build == fresh.auto_build, "auto_build");
  note(running.socket_group == fresh.socket_group, "socket_group");
  note(running.history.runs == fresh.history.runs &&
           running.history.output_bytes == fresh.history.output_bytes &&
           running.history.days == fresh.history.days,
       "history");
  note(running.cleanup_interval_ms == fresh.cleanup_interval_ms, "cleanup_interval");
  note(running.prepare_images == fresh.prepare_images, "prepare_images");
  note(places(running) == places(fresh), "listen");
  return keys;
}

}  // namespace sbx
