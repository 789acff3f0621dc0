#include "api/prepared_images.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "base/printable.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostImages = 10'000;
constexpr std::size_t kMostLine = 1U << 16U;
constexpr std::array<std::string_view, 4> kStates{"preparing", "ready", "failed", "missing"};

}  // namespace

void PreparedImages::follow(UniqueFd lines) {
  watch_.stop();
  lines_ = std::move(lines);
  auto watch = loop_.watch(lines_.get(), [this] { read(); });
  if (watch) watch_ = std::move(*watch);
}

void PreparedImages::read() {
  std::array<char, 4096> bytes{};
  const ssize_t count = ::read(lines_.get(), bytes.data(), bytes.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0 || rest_.size() > kMostLine) {
    watch_.stop();
    lines_.reset();
    // It was killed, or had enough: of the rest nothing is known.
    std::erase_if(images_, [](const auto& image) { return image.second.name == "preparing"; });
    return;
  }
  rest_.append(bytes.data(), static_cast<std::size_t>(count));
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
    take(rest_.substr(0, end));
    rest_.erase(0, end + 1);
  }
}

void PreparedImages::take(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || images_.size() >= kMostImages) return;
  const auto text = [&](const char* key) {
    return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
  };
  State state{text("state"), text("detail"), text("state") == "ready"};
  if (std::ranges::find(kStates, state.name) == kStates.end()) return;
  if (state.name == "failed")
    (void)std::fprintf(stderr, "sbxd: image '%s': %s\n", printable(text("name")).c_str(),
                       printable(state.detail).c_str());
  images_[text("name")] = std::move(state);
}

// Of one that is being prepared that process knows more.
void PreparedImages::take_store(const OrderedJson& images) {
  std::erase_if(images_, [](const auto& image) { return image.second.in_store; });
  for (const OrderedJson& image : images) {
    State& known = images_[image.value("name", "")];
    if (known.name == "preparing") continue;
    const bool ready = image.value("state", "") == "ready";
    const OrderedJson& detail = image.value("detail", OrderedJson());
    known = {ready ? "ready" : "failed", detail.is_string() ? detail.get<std::string>() : "", true};
  }
}

OrderedJson PreparedImages::describe() const {
  OrderedJson json{{"preparing", OrderedJson::array()},
                   {"ready", OrderedJson::array()},
                   {"failed", OrderedJson::array()},
                   {"missing", OrderedJson::array()}};
  for (const auto& [name, state] : images_) {
    json[state.name].push_back(state.name == "failed" ? OrderedJson{{"name", name}, {"detail", state.detail}}
                                                      : OrderedJson(name));
  }
  return json;
}

void PreparedImages::add_absent(OrderedJson& images) const {
  for (const auto& [name, state] : images_) {
    const auto is_it = [&wanted = name](const OrderedJson& image) {
      return image.value("name", "") == wanted;
    };
    if (state.name == "ready" || std::ranges::any_of(images, is_it)) continue;
    images.push_back({{"name", name}, {"state", state.name}, {"detail", state.detail}});
  }
}

}  // namespace sbx::api
