// Which image and language a request in words of a language means.
#pragma once

#include "base/result.h"
#include "language/apply_language.h"
#include "outcome/run_result.h"
#include "plan/sandbox_plan.h"
#include "request/run_request.h"
#include "resource/image_store.h"
#include "run/settings.h"

namespace sbx {

struct ChosenLanguage {
  Runner runner;
  Language language;
};

// Sets the image where the request names none: the configuration's, or else of those with the language the
// one whose name is last, with numbers compared as numbers ("python-3.13" after "python-3.9"). Errors: no
// such image, or language.
Result<ChosenLanguage> choose_language(const Settings& settings, RunRequest& request);

// The image of a sandbox of many commands, which may be asked for by the name of a language, in `image` too
// where no image is called so: the request names the image then, and no language. Errors: those of
// choose_language.
Result<void> settle_image(const Settings& settings, RunRequest& request);

// By its name or an alias.
bool has_language(const Image& image, const std::string& name);

// The languages of an image that has some.
Result<std::optional<Runner>> image_runner(const Settings& settings, const std::string& image_name);
// One of them, by its name or an alias. The error names those that there are.
Result<Language> language_of(const std::optional<Runner>& runner, const std::string& name,
                             const std::string& image);

// What the request needs to run at all, in words of a language; else nothing.
LimitSet needed_by(const RunRequest& request, const std::optional<ChosenLanguage>& chosen);

// What a record says of it.
void note_language_request(const LanguageRequest& language, RunResult& result);

// Into `facts`, whose image is known. Error: a writable directory that the image has not, or that a symbolic
// link of it leads to.
Result<void> note_language(LanguageCommand command, PlanFacts& facts);
Result<void> note_writable(const std::vector<std::string>& directories, PlanFacts& facts);

}  // namespace sbx
