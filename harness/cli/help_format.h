#pragma once

#include <memory>

namespace CLI {
class FormatterBase;
}

namespace moebench {

/// The help's layout: option and value on the left, description and default on the right, wrapped
/// at 100 columns. A value's name is the option's option_text(), or its type_name() if it has none.
std::shared_ptr<CLI::FormatterBase> make_help_format();

}  // namespace moebench
