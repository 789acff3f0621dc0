#include "run/check_settings.h"

#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/times.h"
#include "base/units.h"
#include "policy/policy.h"
#include "resource/cgroup.h"
#include "resource/image_store.h"
#include "run/choose_language.h"
#include "run/load_tokens.h"
#include "run/read_api_config.h"

namespace sbx {
namespace {

using Findings = std::vector<Finding>;

void add_error(Findings& findings, std::string key, std::string text) {
  findings.push_back({Finding::Kind::error, std::move(key), std::move(text)});
}

void add_warning(Findings& findings, std::string key, std::string text) {
  findings.push_back({Finding::Kind::warning, std::move(key), std::move(text)});
}

std::string at(const char* list, std::size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

// Who is not root may look at the configuration, and not at everything that it names.
bool is_hidden(const Error& error) { return error.error_number == EACCES && geteuid() != 0; }

bool is_there(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// --- ids, cgroups, who may come --------------------------------------------------------------------------

void check_ids(const Settings& settings, Findings& findings) {
  const std::uint32_t most = settings.ids.ranges - 1;  // the first one belongs to the projects
  if (settings.max_sandboxes <= most) return;
  add_error(findings, settings.named.contains("max_sandboxes") ? "max_sandboxes" : "id_pool.ranges",
            std::to_string(settings.ids.ranges) + " ranges of ids are one for the projects and " +
                std::to_string(most) + " for sandboxes, and there may be " +
                std::to_string(settings.max_sandboxes) +
                " at once: those above fail instead of waiting for their turn; give max_sandboxes at most " +
                std::to_string(most) + ", or id_pool.ranges at least " +
                std::to_string(settings.max_sandboxes + 1));
}

void check_cgroup_parent(const Settings& settings, Findings& findings) {
  constexpr std::string_view kKey = "cgroup_parent";
  if (settings.cgroup_parent.empty()) return;
  const Result<CgroupLayout> layout = look_up_cgroup_layout(settings.cgroup_parent);
  if (layout) return;
  const std::string& text = layout.error().text;
  add_error(findings, std::string(kKey), text.starts_with(kKey) ? text.substr(kKey.size() + 1) : text);
}

void check_group(const Settings& settings, Findings& findings) {
  const std::string& group = settings.socket_group;
  if (group.empty() || !settings.named.contains("socket_group") || getgrnam(group.c_str()) != nullptr) return;
  add_warning(findings, "socket_group",
              "there is no group '" + group +
                  "' on this host, so that root alone may connect: make it (groupadd --system '" + group +
                  "') and start sbxd again, or name another");
}

void check_tokens(const Settings& settings, Findings& findings) {
  if (settings.listeners.empty() && !settings.named.contains("tokens")) return;
  const Result<std::vector<Token>> tokens = load_tokens(settings.tokens);
  const std::int64_t now = utc_ms();
  if (!tokens || std::ranges::any_of(*tokens, [&](const Token& token) { return token.is_good_at(now); }))
    return;
  std::string text = "all tokens in '" + settings.tokens + "' have expired";
  if (tokens->empty()) text = "there is no token in '" + settings.tokens + "'";
  if (!is_there(settings.tokens)) text = "there is no file '" + settings.tokens + "'";
  add_warning(findings, "tokens",
              text + ", so that nobody can come over TCP: sbxctl token create NAME makes one");
}

// --- images ----------------------------------------------------------------------------------------------

bool names_images(const Settings& settings) {
  return !settings.language_images.empty() || !settings.pool.kinds.empty() ||
         (settings.prepare_images && !settings.prepare_images->empty());
}

// The names of languages, as an image has them.
std::string languages_of(const Image& image) {
  std::string text;
  for (const auto& names : image.languages) text += (text.empty() ? "" : ", ") + names.front();
  return text.empty() ? "it has none" : "it has " + text;
}

void check_languages(const Settings& settings, Findings& findings) {
  for (const auto& [language, name] : settings.language_images) {
    const std::string key = "languages." + language;
    const Result<Image> image = find_image(settings.state_dir, name);
    if (!image) {
      add_warning(findings, key, image.error().text);
    } else if (!has_language(*image, language)) {
      add_warning(findings, key,
                  "image '" + name + "' has no language '" + language + "' (" + languages_of(*image) +
                      "): name another image; 'sbxctl languages' shows what each has");
    }
  }
}

// As sbxctl images warm looks for them.
void check_prepared(const Settings& settings, const std::string& built, Findings& findings) {
  if (!settings.prepare_images) return;
  for (std::size_t i = 0; i < settings.prepare_images->size(); ++i) {
    const std::string& name = (*settings.prepare_images)[i];
    if (name == kHostImage) {
      add_warning(findings, at("prepare_images", i), "'host' is built in and always ready: leave it out");
      continue;
    }
    const Result<Image> image = find_image(settings.state_dir, name);
    if (image || (is_there(built + "/" + name + ".json") && is_there(built + "/" + name + ".tar.zst")))
      continue;
    add_warning(findings, at("prepare_images", i),
                "none was built in '" + built + "', and " + image.error().text);
  }
}

// The image of a request may be a language, too.
void check_pool_images(const Settings& settings, Findings& findings) {
  for (std::size_t i = 0; i < settings.pool.kinds.size(); ++i) {
    RunRequest request;
    request.image = settings.pool.kinds[i].image;
    (void)settle_image(settings, request);  // it fails for a request in words of a language alone
    const Result<Image> image = find_image(settings.state_dir, request.image);
    if (!image) add_warning(findings, at("pool.sandboxes", i) + ".image", image.error().text);
  }
}

void check_images(const Settings& settings, const std::string& built, Findings& findings) {
  if (!names_images(settings)) return;
  if (const auto names = list_images(settings.state_dir); !names) {
    add_warning(findings, "state_dir",
                "images were not looked for: " + names.error().text +
                    (is_hidden(names.error()) ? ": only root can see which there are" : ""));
    return;
  }
  check_languages(settings, findings);
  check_prepared(settings, built, findings);
  check_pool_images(settings, findings);
}

// --- the pool --------------------------------------------------------------------------------------------

struct Wanted {
  std::uint64_t sandboxes = 0;
  std::uint64_t memory_bytes = 0;  // no more than fits
};

void add_memory(Wanted& wanted, std::uint64_t count, std::uint64_t bytes) {
  std::uint64_t all = 0;
  if (__builtin_mul_overflow(count, bytes, &all) ||
      __builtin_add_overflow(wanted.memory_bytes, all, &wanted.memory_bytes))
    wanted.memory_bytes = UINT64_MAX;
}

// What its sandboxes come to, each with the limit of its policy, as admission counts it.
Wanted check_pool_policies(const Settings& settings, Findings& findings) {
  Wanted wanted;
  for (std::size_t i = 0; i < settings.pool.kinds.size(); ++i) {
    const PoolConfig::Kind& kind = settings.pool.kinds[i];
    if (kind.count == 0) continue;
    wanted.sandboxes += kind.count;
    const Result<Policy> policy = load_policy(kind.policy, settings.policy_dirs);
    if (policy) {
      const auto& limit = policy->limits.memory_bytes;
      add_memory(wanted, kind.count, limit ? *limit : settings.admission.memory_bytes.value_or(0));
      continue;
    }
    const Error& error = policy.error();
    const auto add = is_hidden(error) ? add_warning : add_error;
    add(findings, at("pool.sandboxes", i) + ".policy", error.text);
  }
  return wanted;
}

// Never the last quarter (Admission::take_spare).
std::uint64_t left_for_pool(std::uint64_t all) { return all / 4 * 3; }

void check_pool(const Settings& settings, Findings& findings) {
  constexpr const char* kKey = "pool.sandboxes";
  const Wanted wanted = check_pool_policies(settings, findings);
  const std::string count = std::to_string(wanted.sandboxes);
  const std::uint64_t places = left_for_pool(settings.max_sandboxes);
  if (wanted.sandboxes > places) {
    add_error(findings, kKey,
              count + " are wanted, and of max_sandboxes (" + std::to_string(settings.max_sandboxes) +
                  ") the pool may take " + std::to_string(places) +
                  ", never the last quarter: want fewer, or raise max_sandboxes");
  }
  const std::string come_to = "the limits of memory of " + count + " sandboxes come to " +
                              format_bytes(wanted.memory_bytes) + ", and ";
  const auto& memory = settings.admission.memory_bytes;
  if (memory && wanted.memory_bytes > left_for_pool(*memory)) {
    add_error(findings, kKey,
              come_to + "of admission.memory (" + format_bytes(*memory) + ") the pool may take " +
                  format_bytes(left_for_pool(*memory)) +
                  ", never the last quarter: want fewer, or raise admission.memory");
  }
  const std::uint64_t budget = settings.pool.memory_bytes.value_or(default_pool_memory());
  if (wanted.memory_bytes > budget) {
    const std::string whose =
        settings.pool.memory_bytes ? "" : ", a quarter of this host's, as it is not named";
    add_error(
        findings, kKey,
        come_to + "pool.memory is " + format_bytes(budget) + whose + ": want fewer, or raise pool.memory");
  }
}

}  // namespace

std::string Finding::told(const std::string& file) const {
  if (key.empty()) return text;
  return (file.empty() ? "" : file + ": ") + key + ": " + text;
}

bool has_error(const std::vector<Finding>& findings) {
  return std::ranges::find(findings, Finding::Kind::error, &Finding::kind) != findings.end();
}

std::vector<Finding> check_settings(const Settings& settings, const std::string& built) {
  Findings findings;
  check_ids(settings, findings);
  check_cgroup_parent(settings, findings);
  check_group(settings, findings);
  check_tokens(settings, findings);
  check_images(settings, built, findings);
  check_pool(settings, findings);
  return findings;
}

}  // namespace sbx
