#pragma once

#include <string>

#include "reports/gate/gate.h"

namespace moebench {

/// JUnit XML as Jenkins, GitLab and GitHub's reporters read it: one <testsuite>, a <testcase> a
/// check; a failed one holds <failure>, an inconclusive one <skipped>. Characters that XML 1.0
/// can't hold become U+FFFD.
std::string render_junit(const GateResult& result);

/// GitHub's workflow commands, one a line: ::error for a failed check, ::warning for a required one
/// that is inconclusive, ::notice with the verdict.
std::string render_github_annotations(const GateResult& result);

}  // namespace moebench
