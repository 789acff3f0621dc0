#include "api/json_object.h"

#include <sodium.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "base/printable.h"
#include "base/suggest.h"

namespace sbx::api {
namespace {

constexpr std::size_t kMostLevels = 32;
constexpr std::size_t kMostValues = 100'000;  // of a document: what a client means has far fewer

// Looks at a document before it is taken into memory: how deep and how large it is, and for what nlohmann's
// parser lets pass. It stops at the first thing that is wrong.
class Look : public Json::json_sax_t {
 public:
  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override { return value() && deeper(); }
  bool start_array(std::size_t) override { return value() && deeper(); }
  bool end_object() override { return keys_.pop_back(), true; }
  bool end_array() override { return keys_.pop_back(), true; }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    return refuse(": '" + printable(name.substr(0, 64)) + "' is given twice");
  }
  bool parse_error(std::size_t at, const std::string&, const Json::exception& error) override {
    if (dynamic_cast<const Json::parse_error*>(&error) == nullptr)
      return refuse(" is no JSON that can be read: " + printable(error.what()));
    return refuse(" is no JSON: an error at byte " + std::to_string(at));
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  bool refuse(std::string why) {
    problem_ = std::move(why);
    return false;
  }
  bool value() {
    return ++values_ <= kMostValues || refuse(" has more than " + std::to_string(kMostValues) + " values");
  }
  bool deeper() {
    keys_.emplace_back();
    return keys_.size() <= kMostLevels || refuse(" has more than " + std::to_string(kMostLevels) + " levels");
  }

  std::string problem_;
  std::size_t values_ = 0;
  std::vector<std::set<std::string>> keys_;  // of what is open; of a list none
};

}  // namespace

Result<JsonObject> JsonObject::parse(std::string_view text) {
  try {
    Look look;
    if (!Json::sax_parse(text, &look)) return fail("the body" + look.problem());
    Json json = Json::parse(text);
    if (!json.is_object()) return fail("the body is no JSON object");
    return JsonObject(std::move(json), "");
  } catch (const Json::exception& error) {
    return fail("the body is no JSON that can be read: " + printable(error.what()));
  }
}

std::string JsonObject::name(std::string_view key) const {
  return where_.empty() ? std::string(key) : where_ + "." + std::string(key);
}

Result<void> JsonObject::only(std::span<const std::string_view> known) const {
  for (const auto& [key, value] : json_.items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    return fail("'" + printable(name(key.substr(0, 64))) + "' is not known: " + suggest(key, known));
  }
  return {};
}

const Json* JsonObject::find(std::string_view key) const {
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonObject::has(std::string_view key) const { return find(key) != nullptr; }

std::string JsonObject::dump() const { return json_.dump(-1, ' ', false, Json::error_handler_t::replace); }

void JsonObject::rename(std::string_view from, std::string_view to) {
  if (!has(from)) return;
  json_[std::string(to)] = *find(from);
  json_.erase(std::string(from));
}

JsonObject JsonObject::completed_by(const JsonObject& other,
                                    std::span<const std::string_view> objects) const {
  const auto complete = [](Json& json, const Json& from) {
    for (const auto& [key, value] : from.items()) {
      if (Json& own = json[key]; own.is_null()) own = value;
    }
  };
  JsonObject whole = *this;
  for (const std::string_view key : objects) {
    const Json* own = find(key);
    const Json* its = other.find(key);
    if (own != nullptr && its != nullptr && own->is_object() && its->is_object())
      complete(whole.json_[std::string(key)], *its);
  }
  complete(whole.json_, other.json_);
  return whole;
}

Unexpected JsonObject::expected(std::string_view key, std::string_view what) const {
  return fail("'" + name(key) + "' is not " + std::string(what));
}

Result<std::optional<std::string>> JsonObject::text(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return expected(key, "a string");
  return std::optional(value->get<std::string>());
}

Result<std::optional<bool>> JsonObject::boolean(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<bool>();
  if (!value->is_boolean()) return expected(key, "true or false");
  return std::optional(value->get<bool>());
}

Result<std::optional<std::uint64_t>> JsonObject::count(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<std::uint64_t>();
  if (!value->is_number_unsigned()) return expected(key, "a whole number of at least 0");
  return std::optional(value->get<std::uint64_t>());
}

Result<std::optional<std::string>> JsonObject::bytes(std::string_view key) const {
  const std::optional<std::string> encoded = TRY(text(key));
  if (!encoded) return std::optional<std::string>();
  std::string decoded(encoded->size(), '\0');
  std::size_t size = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(decoded.data()), decoded.size(), encoded->data(),
                        encoded->size(), nullptr, &size, nullptr, sodium_base64_VARIANT_ORIGINAL) != 0)
    return expected(key, "base64");
  decoded.resize(size);
  return std::optional(std::move(decoded));
}

Result<std::optional<std::vector<std::string>>> JsonObject::texts(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<std::vector<std::string>>();
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!value->is_array() || !std::ranges::all_of(*value, is_text)) return expected(key, "a list of strings");
  return std::optional(value->get<std::vector<std::string>>());
}

Result<std::optional<std::map<std::string, std::string>>> JsonObject::text_map(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<std::map<std::string, std::string>>();
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!value->is_object() || !std::ranges::all_of(*value, is_text))
    return expected(key, "an object of strings");
  return std::optional(value->get<std::map<std::string, std::string>>());
}

Result<std::optional<JsonObject>> JsonObject::object(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<JsonObject>();
  if (!value->is_object()) return expected(key, "an object");
  return std::optional(JsonObject(*value, name(key)));
}

Result<std::optional<std::vector<JsonObject>>> JsonObject::objects(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::optional<std::vector<JsonObject>>();
  const auto is_object = [](const Json& item) { return item.is_object(); };
  if (!value->is_array() || !std::ranges::all_of(*value, is_object))
    return expected(key, "a list of objects");
  std::vector<JsonObject> list;
  std::ranges::transform(*value, std::back_inserter(list), [&](const Json& item) {
    return JsonObject(item, name(key) + "[" + std::to_string(list.size()) + "]");
  });
  return std::optional(std::move(list));
}

Result<LimitSet> JsonObject::limits(std::string_view key) const {
  LimitSet limits;
  const std::optional<JsonObject> given = TRY(object(key));
  if (!given) return limits;
  std::vector<std::string_view> known;
  std::ranges::transform(kLimits, std::back_inserter(known), &LimitField::name);
  TRY(given->only(known));
  for (const LimitField& field : kLimits) {
    const Json* value = given->find(field.name);
    if (value == nullptr) continue;
    const std::string what = given->name(field.name);
    if (field.unit == LimitUnit::milli_cpus) {
      const double cpus = value->is_number() ? value->get<double>() : -1;
      if (!(cpus > 0) || cpus > 1e6) return fail("'" + what + "' is not a number of CPUs above 0");
      limits.*field.member = static_cast<std::uint64_t>(std::llround(cpus * 1000));
    } else {
      if (!value->is_number_unsigned()) return fail("'" + what + "' is not a whole number above 0");
      limits.*field.member = value->get<std::uint64_t>();
    }
    TRY(check_limit(field, what, *(limits.*field.member)));
  }
  return limits;
}

}  // namespace sbx::api
