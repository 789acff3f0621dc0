// Result<T>: failure as a value. Our code never throws; exceptions are caught where a
// library throws (yaml-cpp, nlohmann-json) and become an Error there.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace sbx {

// What went wrong, for a person. `text` is lower case, has no final period and holds the value
// that failed in quotes. `error_number` is the errno of the system call behind it, else 0.
struct Error {
  std::string text;
  int error_number = 0;

  // The same error with what we were doing in front: "mounting workspace: …".
  [[nodiscard]] Error while_doing(std::string_view what) && {
    text.insert(0, std::string(what) + ": ");
    return std::move(*this);
  }
};

// "EPERM" and "operation not permitted"; unknown numbers give "E123" and "unknown error".
std::string errno_name(int error_number);
std::string errno_text(int error_number);

// A failed system call: "move_mount '/workspace': operation not permitted (EPERM)".
Error system_error(std::string_view call, std::string_view object, int error_number);

template <class T, class E = Error>
class [[nodiscard]] Result : public tl::expected<T, E> {
 public:
  using tl::expected<T, E>::expected;
};

using Unexpected = tl::unexpected<Error>;

inline Unexpected fail(std::string text) { return Unexpected(Error{std::move(text), 0}); }
inline Unexpected fail(Error error) { return Unexpected(std::move(error)); }

template <class T, class E>
T take(tl::expected<T, E>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// TRY(expression): the value, or return the error from this function. Alone in its expression: what else the
// expression made before would not be destroyed on return (tests/style/try_is_alone).
#define TRY(expression)                                             \
  (__extension__({                                                  \
    auto try_result_ = (expression);                                \
    if (!try_result_.has_value()) [[unlikely]]                      \
      return ::tl::make_unexpected(std::move(try_result_).error()); \
    ::sbx::take(std::move(try_result_));                            \
  }))

// TRY_DOING("mounting workspace", expression): as TRY, with what we were doing in the message.
#define TRY_DOING(what, expression)                                                   \
  (__extension__({                                                                    \
    auto try_result_ = (expression);                                                  \
    if (!try_result_.has_value()) [[unlikely]]                                        \
      return ::tl::make_unexpected(std::move(try_result_).error().while_doing(what)); \
    ::sbx::take(std::move(try_result_));                                              \
  }))

}  // namespace sbx
