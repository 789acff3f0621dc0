#include "api/host_routes.h"

#include <cerrno>
#include <utility>

#include "base/names.h"

namespace sbx::api {
namespace {

constexpr std::chrono::seconds kFirstCheck{1};
constexpr std::chrono::seconds kLongestLook{5};

// What a keeper says is JSON of ours.
HostQueries::Then answer_with(const SharedCall& call, std::function<void(OrderedJson)> answer) {
  return [call, answer = std::move(answer)](const Result<std::string>& text) {
    if (!text) return answer_problem(*call, 503, text.error().text, {{"Retry-After", "1"}});
    OrderedJson json = OrderedJson::parse(*text, nullptr, false);
    if (!json.is_object()) return answer_problem(*call, 503, "an answer of another build");
    answer(std::move(json));
  };
}

HostQueries::Then pass_on(const SharedCall& call) {
  return answer_with(call, [call](const OrderedJson& json) { answer_json(*call, 200, json); });
}

}  // namespace

HostRoutes::HostRoutes(http::Loop& loop, Keepers& keepers, Metrics& metrics, PreparedImages& prepared,
                       std::chrono::milliseconds interval)
    : loop_(loop), queries_(loop, keepers), metrics_(metrics), prepared_(prepared), interval_(interval) {
  // When the first nursery is there.
  first_check_ = loop_.after(kFirstCheck, [this] { check_files([](const OrderedJson&) {}); });
  sweep_later();
}

void HostRoutes::add_routes(Router& router) {
  const auto add = [&](const char* method, const char* path, auto member) -> Router::Route& {
    return router.add(method, path, [this, member](const SharedCall& call) { (this->*member)(call); });
  };
  add("GET", "/v1/images", &HostRoutes::images);
  add("GET", "/v1/images/{image}", &HostRoutes::image);
  add("GET", "/v1/languages", &HostRoutes::languages);
  add("GET", "/v1/capabilities", &HostRoutes::capabilities).takes({"policy"});
  router.add(
      "POST", "/v1/cleanup", [this](const SharedCall& call) { clean_up(call); }, Scope::admin);
}

// Who looks may hang: whoever asks whether we are ready is told that we are not.
void HostRoutes::look_at_images(std::function<void(Result<void>)> then) {
  struct Look {
    std::function<void(Result<void>)> then;
    http::Timer timer;
    void tell(Result<void> result) {
      timer.stop();
      if (const auto once = std::exchange(then, {})) once(std::move(result));
    }
  };
  const auto look = std::make_shared<Look>(Look{std::move(then), {}});
  look->timer = loop_.after(kLongestLook, [weak = std::weak_ptr(look)] {
    if (const auto late = weak.lock())
      late->tell(fail(Error{"nothing that looks at the images answers", EAGAIN}));
  });
  queries_.ask(HostQuery::images, {}, [this, look](const Result<std::string>& text) {
    if (!text) return look->tell(fail(text.error()));
    const OrderedJson json = OrderedJson::parse(*text, nullptr, false);
    if (json.is_object()) prepared_.take_store(json.value("images", OrderedJson::array()));
    look->tell({});
  });
}

void HostRoutes::list_images(const SharedCall& call, std::function<void(OrderedJson)> then) {
  queries_.ask(HostQuery::images, {},
               answer_with(call, [this, then = std::move(then)](const OrderedJson& json) {
                 OrderedJson images = json.value("images", OrderedJson::array());
                 prepared_.add_absent(images);
                 then(std::move(images));
               }));
}

void HostRoutes::images(const SharedCall& call) {
  list_images(call, [call](OrderedJson images) { answer_json(*call, 200, {{"images", std::move(images)}}); });
}

void HostRoutes::image(const SharedCall& call) {
  list_images(call, [call](const OrderedJson& images) {
    const std::string& name = call->parts.front();
    for (const OrderedJson& image : images) {
      if (image.value("name", "") == name) return answer_json(*call, 200, image);
    }
    answer_problem(*call, 404,
                   name == "host" ? "'host' is the machine's own /usr: it is in no store"
                                  : "there is no image '" + name + "'");
  });
}

void HostRoutes::languages(const SharedCall& call) { queries_.ask(HostQuery::languages, {}, pass_on(call)); }

void HostRoutes::capabilities(const SharedCall& call) {
  const std::string* asked = call->request.query_value("policy");
  const std::string policy = asked == nullptr ? "default" : *asked;
  if (const auto named = check_name("policy", policy); !named)
    return answer_problem(*call, 400, named.error().text);
  queries_.ask(HostQuery::capabilities, policy, pass_on(call));
}

void HostRoutes::clean_up(const SharedCall& call) {
  sweep(answer_with(call, [this, call](const OrderedJson& swept) {
    check_files([call, swept](const OrderedJson& files) {
      OrderedJson json = swept;
      json["files"] = files;
      answer_json(*call, 200, json);
    });
  }));
}

void HostRoutes::check_files(const std::function<void(OrderedJson)>& then) {
  ProjectQuestion question;
  question.action = ProjectAction::check_all_files;
  queries_.ask(std::move(question), nullptr, [then](const Result<std::string>& text) {
    const OrderedJson json = text ? OrderedJson::parse(*text, nullptr, false) : OrderedJson();
    then(json.is_object() ? json.value("files", OrderedJson::array()) : OrderedJson());
  });
}

// A keeper says in sbxd's log what it was.
void HostRoutes::sweep(const HostQueries::Then& then) {
  queries_.ask(HostQuery::sweep, {}, [this, then](const Result<std::string>& text) {
    const OrderedJson json = text ? OrderedJson::parse(*text, nullptr, false) : OrderedJson();
    if (json.is_object()) metrics_.note_sweep(json.value("removed", OrderedJson::array()).size());
    then(text);
  });
}

void HostRoutes::sweep_later() {
  if (interval_.count() == 0) return;
  timer_ = loop_.after(interval_, [this] {
    sweep([this](const Result<std::string>&) { check_files([this](const OrderedJson&) { sweep_later(); }); });
  });
}

}  // namespace sbx::api
