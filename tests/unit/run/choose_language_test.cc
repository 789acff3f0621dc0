#include "run/choose_language.h"

#include "unit/resource/image_fixture.h"

namespace sbx {
namespace {

using testing::mount_points;
using testing::Store;

void add_image(const Store& store, const std::string& name, const nlohmann::json& runner) {
  store.make(mount_points() + std::vector{testing::directory("cache"), testing::symlink_to("link", "/etc")},
             name);
  nlohmann::json sidecar = testing::sidecar_for(store.tarball(name), name);
  sidecar["runner"] = runner;
  store.describe(name, sidecar);
  const Result<Image> image = store.import(name);
  REQUIRE_MESSAGE(image, image.error().text);
}

std::string runner_of(const std::string& language, const std::string& more = "") {
  return "languages: [{name: " + language + ", aliases: [" + language +
         "-x], file: f, actions: {run: [p, \"{file}\"]}}]\n" + more;
}

RunRequest request_for(const std::string& language, const std::string& image = "") {
  RunRequest request;
  request.image = image;
  request.language.emplace().name = language;
  request.language->path = "f";
  return request;
}

Settings settings_of(const Store& store) {
  Settings settings;
  settings.state_dir = store.state();
  settings.language_images = {{"pinned", "pin-1"}, {"gone", "pin-9"}};
  return settings;
}

std::string refusal(const Store& store, RunRequest request) {
  const Result<ChosenLanguage> chosen = choose_language(settings_of(store), request);
  REQUIRE_FALSE(chosen);
  return chosen.error().text;
}

std::string image_for(const Store& store, const std::string& language, const std::string& image = "") {
  RunRequest request = request_for(language, image);
  const Result<ChosenLanguage> chosen = choose_language(settings_of(store), request);
  REQUIRE_MESSAGE(chosen, chosen.error().text);
  CHECK((chosen->language.name == language || chosen->language.aliases.front() == language));
  return request.image;
}

TEST_CASE("the image of a language is the last one by its name, or the one that is named") {
  const Store store;
  add_image(store, "toy-3.9", runner_of("toy"));
  add_image(store, "toy-3.10", runner_of("toy"));
  add_image(store, "other", runner_of("other"));
  add_image(store, "zero", nullptr);
  CHECK(image_for(store, "toy") == "toy-3.10");
  CHECK(image_for(store, "toy-x") == "toy-3.10");
  CHECK(image_for(store, "toy", "toy-3.9") == "toy-3.9");
  CHECK(image_for(store, "other") == "other");

  CHECK(refusal(store, request_for("tox")) ==
        "no language 'tox' in the images that are here (there are: other, toy); did you mean 'toy'? "
        "'sbxctl images build NAME' brings more");
  CHECK(refusal(store, request_for("toy", "other"))
            .starts_with("no language 'toy' in image 'other' (there are: other); "));
  CHECK(refusal(store, request_for("toy", "zero")).starts_with("image 'zero' has no languages"));
  CHECK(refusal(store, request_for("toy", "none")).starts_with("there is no image 'none'"));
  CHECK(refusal(store, request_for("toy", "host")).starts_with("image 'host' has no languages"));
}

TEST_CASE("the configuration says which image a language is run in") {
  const Store store;
  add_image(store, "pin-1", runner_of("pinned"));
  add_image(store, "pin-2", runner_of("pinned"));
  CHECK(image_for(store, "pinned") == "pin-1");
  CHECK(image_for(store, "pinned-x") == "pin-1");
  CHECK(image_for(store, "pinned", "pin-2") == "pin-2");
  CHECK(refusal(store, request_for("gone")).starts_with("there is no image 'pin-9'"));
}

TEST_CASE("without images there is no language, and the error says how to get one") {
  const Store store;
  CHECK(refusal(store, request_for("toy")) ==
        "no language 'toy' in the images that are here; 'sbxctl images build NAME' brings more");
  CHECK(refusal(store, request_for("rs")) ==
        "no language 'rs' in the images that are here; 'sbxctl images build rust' brings it");
  CHECK(refusal(store, request_for("pwsh")) ==
        "no language 'pwsh' in the images that are here; 'sbxctl images build --variant upstream "
        "powershell-7' brings it");
  CHECK(refusal(store, request_for("pyhton")) ==
        "no language 'pyhton' in the images that are here; did you mean 'python'? "
        "'sbxctl images build NAME' brings more");
  CHECK(refusal(store, request_for("c#")).ends_with("; 'sbxctl images build mono' brings it"));
}

TEST_CASE("a damaged image does not keep others from being used, and a damaged runner is told") {
  const Store store;
  add_image(store, "toy-1", runner_of("toy"));
  add_image(store, "toy-2", runner_of("toy"));
  const Result<Image> last = find_image(store.state(), "toy-2");
  REQUIRE(last);
  const std::string directory = last->root.substr(0, last->root.find_last_of('/'));
  testing::write_file(directory + "/toy-2.runner", runner_of("new"));
  CHECK(refusal(store, request_for("toy")).starts_with("no language 'toy' in image 'toy-2'"));
  testing::write_file(directory + "/toy-2.runner", "x");
  CHECK(refusal(store, request_for("toy")).starts_with("runner.yaml of image 'toy-2':1:1: "));
  testing::write_file(directory + "/toy-2.env", "x");
  CHECK(image_for(store, "toy") == "toy-1");
}

TEST_CASE("a writable directory has to be one of the image, not behind a link") {
  const Store store;
  const auto note = [&](const std::string& directory) {
    add_image(store, "toy", runner_of("toy", "writable: [" + directory + "]\n"));
    RunRequest request = request_for("toy");
    const Result<ChosenLanguage> chosen = choose_language(settings_of(store), request);
    REQUIRE(chosen);
    PlanFacts facts;
    facts.image_root = find_image(store.state(), "toy")->root;
    LanguageCommand command;
    command.writable = chosen->runner.writable;
    const Result<void> noted = note_language(std::move(command), facts);
    CHECK(noted.has_value() == facts.language.has_value());
    return noted ? std::string() : noted.error().text;
  };
  CHECK(note("/cache").empty());
  CHECK(note("/link").starts_with("the image's runner.yaml: writable: '/link': "));
  CHECK(note("/link/ssl").starts_with("the image's runner.yaml: writable: '/link/ssl': "));
  CHECK(note("/none").starts_with("the image's runner.yaml: writable: '/none': "));
}

}  // namespace
}  // namespace sbx
