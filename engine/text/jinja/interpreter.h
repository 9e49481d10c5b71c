#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/text/jinja/ast.h"

namespace moebench::jinja {

/// Renders a parsed template with these variables. Steps, depth and the output's size are bounded.
/// Throws TemplateError with the line. Thread-safe: the template is only read.
std::string render(const std::vector<Statement>& body,
                   std::vector<std::pair<std::string, Value>> variables, std::int64_t unix_time);

}  // namespace moebench::jinja
