#pragma once

#include <string_view>
#include <vector>

#include "engine/text/jinja/ast.h"

namespace moebench::jinja {

/// Parses a template. Throws TemplateError with the line: for a syntax error, and for what Jinja
/// has but this subset has not (include, import, extends, block, call, recursive loops,
/// *arguments...).
std::vector<Statement> parse(std::string_view source);

}  // namespace moebench::jinja
