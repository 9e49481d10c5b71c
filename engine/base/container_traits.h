#pragma once

#include <optional>
#include <vector>

namespace moebench {

/// For code that goes through the members of a struct, whatever their types.
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

}  // namespace moebench
