#include "run/inputs.h"

#include "resource/host_image.h"
#include "resource/image_store.h"
#include "run/gather_facts.h"

namespace sbx {

Result<Inputs> gather_inputs(const Settings& settings, const Policy& policy, const RunRequest& request,
                             const std::optional<os::FileRights>& client, const LimitSet& granted,
                             std::vector<std::string>& degradations) {
  Inputs inputs;
  if (request.image == "host") {
    HostImage image = TRY(host_image(settings.state_dir));
    inputs.facts.image_root = std::move(image.root);
    inputs.facts.host_usr = "/usr";
    inputs.image_in_use = std::move(image.in_use);
  } else {
    Image image = TRY(find_image(settings.state_dir, request.image));
    inputs.image_in_use = TRY(hold_image(image));
    inputs.facts.image_root = std::move(image.root);
    inputs.facts.image_environment = std::move(image.environment);
    inputs.image_digest = std::move(image.digest);
    inputs.language = std::move(image.language);
  }
  if (!request.project.empty()) {
    inputs.project =
        TRY(open_project(settings.state_dir, request.project, project_wish(request, policy, granted),
                         settings.ids.service_id(), degradations));
    note_project(inputs.project, inputs.facts);
  }
  TRY(gather_caller_facts(request, policy, client, inputs.facts, inputs.binds));
  return inputs;
}

}  // namespace sbx
