#include "api/told.h"

#include "api/json_object.h"
#include "os/file.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostPem = 1U << 20U;

Result<PolicyMemory> read_policies(const JsonObject& settings) {
  PolicyMemory policies;
  for (const JsonObject& policy : TRY(settings.objects("policies")).value_or(std::vector<JsonObject>())) {
    const std::string name = TRY(policy.text("name")).value_or("");
    policies.bytes[name] = TRY(policy.count("memory_bytes"));
  }
  return policies;
}

Result<PoolSettings> read_pool(const JsonObject& settings) {
  PoolSettings pool;
  pool.memory_bytes = TRY(settings.count("pool_memory_bytes")).value_or(0);
  for (const JsonObject& kind : TRY(settings.objects("pool")).value_or(std::vector<JsonObject>())) {
    const std::string image = TRY(kind.text("image")).value_or("");
    const std::string policy = TRY(kind.text("policy")).value_or("");
    pool.wanted[{image, policy}] = TRY(kind.count("count")).value_or(0);
  }
  return pool;
}

}  // namespace

Result<http::TlsIdentity> read_identity(int chain, int key) {
  http::TlsIdentity identity;
  identity.certificate_chain = TRY(os::read_sealed_memfd(chain, "certificate", kMostPem));
  identity.key = TRY(os::read_sealed_memfd(key, "key", kMostPem));
  return identity;
}

Result<void> Told::note(const DaemonMessage& message, std::vector<UniqueFd> descriptors) {
  if (message.type == DaemonMessageType::certificate && descriptors.size() == 2) {
    certificates_[static_cast<std::size_t>(message.value)] =
        TRY(read_identity(descriptors[0].get(), descriptors[1].get()));
    return {};
  }
  if (message.type != DaemonMessageType::tokens || descriptors.size() != 1)
    return fail("sbxd: a message of another build");
  tokens_ = std::move(descriptors.front());
  return {};
}

Result<ToldSettings> Told::settle(int settings) {
  const std::string text = TRY(os::read_sealed_memfd(settings, "settings", 4U << 20U));
  const JsonObject json = TRY(JsonObject::parse(text));
  ToldSettings told;
  told.root = TRY(json.text("root")).value_or("");
  told.uid = static_cast<uid_t>(TRY(json.count("uid")).value_or(0));
  if (told.root.empty() || told.uid == 0) return fail("settings: no place of its own");
  Admission::Limits& limits = told.service.limits;
  limits.sandboxes = TRY(json.count("max_sandboxes")).value_or(limits.sandboxes);
  limits.memory_bytes = TRY(json.count("memory_bytes"));
  limits.queue = TRY(json.count("queue")).value_or(limits.queue);
  HistoryLimits& history = told.service.history;
  history.runs = TRY(json.count("history_runs")).value_or(history.runs);
  history.bytes = TRY(json.count("history_bytes")).value_or(history.bytes);
  const auto days = TRY(json.count("history_days"));
  history.days = days ? std::optional(static_cast<std::uint32_t>(*days)) : std::nullopt;
  GateSettings& gate = told.service.gate;
  gate.per_client_rate = TRY(json.count("per_client_rate")).value_or(0);
  gate.burst = TRY(json.count("burst")).value_or(1);
  gate.origins = TRY(json.texts("origins")).value_or(std::vector<std::string>());
  gate.tokens = TRY(TokenList::read(std::move(tokens_)));
  told.service.policies = TRY(read_policies(json));
  told.service.pool = TRY(read_pool(json));
  told.certificates = std::move(certificates_);
  certificates_.clear();
  return told;
}

}  // namespace sbx::api
