#include "keeper/answer_query.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/names.h"
#include "run/client_link.h"
#include "run/diagnose.h"
#include "run/stored_json.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFailed = 1;

Json describe_image(const StoredImage& stored) {
  Json json = image_json(stored);
  json["tarball_bytes"] = stored.sidecar.tarball_bytes;
  json["languages"] = Json::array();
  for (const Language& language : stored.sidecar.runner.languages) json["languages"].push_back(language.name);
  const Result<void> usable = check_usable(stored.image);
  json["state"] = usable ? "ready" : "damaged";
  json["detail"] = usable ? Json() : Json(usable.error().text);
  return json;
}

Result<Json> images(const Settings& settings) {
  const StoredImages stored = TRY(load_images(settings.state_dir));
  Json list = Json::array();
  for (const StoredImage& image : stored.images) list.push_back(describe_image(image));
  for (const DamagedImage& image : stored.damaged)
    list.push_back({{"name", image.name}, {"state", "damaged"}, {"detail", image.why}});
  return Json{{"images", std::move(list)}};
}

Result<Json> languages(const Settings& settings) {
  const StoredImages stored = TRY(load_images(settings.state_dir));
  Json list = Json::array();
  for (const ReadyLanguage& ready : ready_languages(stored)) list.push_back(language_json(ready));
  return Json{{"languages", std::move(list)}};
}

Result<Json> capabilities(const Settings& settings, const std::string& policy) {
  TRY(check_name("policy", policy));  // a file would be root's to read
  return diagnosis_json(diagnose(settings, policy));
}

Json swept(const Settings& settings) {
  const Sweep sweep = sweep_and_say(settings);
  return {{"removed", sweep.removed}, {"failure", sweep.failure.empty() ? Json() : Json(sweep.failure)}};
}

Result<Json> answer(const Settings& settings, HostQuery query, const RunRequest& request) {
  switch (query) {
  case HostQuery::images: return images(settings);
  case HostQuery::languages: return languages(settings);
  case HostQuery::capabilities: return capabilities(settings, request.policy);
  case HostQuery::sweep: return swept(settings);
  }
  return fail("a question of another build");
}

}  // namespace

void answer_query(const Site& site, HostQuery query, const UniqueFd& client) {
  const ClientLink link(client.get());
  const Result<ReceivedRequest> received = link.receive_request();
  const Result<Json> json =
      received ? answer(site.settings, query, received->request) : fail(received.error());
  // Who is gone needs no answer.
  if (!json) return (void)link.answer_error(kFailed, json.error());
  (void)link.answer_text(json->dump(-1, ' ', true, Json::error_handler_t::replace));
}

Sweep sweep_and_say(const Settings& settings) {
  Sweep sweep = sweep_orphans(settings);
  for (const std::string& text : {sweep.done(), sweep.failure})
    if (!text.empty()) (void)std::fprintf(stderr, "sbxd: %s\n", text.c_str());
  return sweep;
}

}  // namespace sbx
