#pragma once

#include <tl/expected.hpp>

namespace moebench {

/// A value, or the reason why there is none, for failures that belong in a report instead of ending
/// the run (a malformed row, a context overflow, no answer). tl::expected has std::expected's
/// interface, which g++ 12 lacks.
template <class T, class E>
using Expected = tl::expected<T, E>;

template <class E>
using Unexpected = tl::unexpected<E>;

}  // namespace moebench
