// The suite without GoogleTest, for machines that have only a compiler (ci/gpu/check), and for
// planted bugs:
//   suite [--backend NAME] [--planted N] [--caught] [--rows] [CASE...]
// Runs the cases whose names hold one of the CASEs (default: all) on this program's backends, or on
// the one of that NAME, and prints each one's error; --rows: its rows alone and in a batch of 7
// too, bit by bit; --planted: with this planted bug; --caught: each case has to fail. Exits 0 when
// all is as wanted.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "engine/backends/reference/reference_backend.h"
#include "tests/conformance/backend_case.h"
#include "tests/conformance/planted.h"

namespace moebench::conformance {
namespace {

/// The largest |error| / |reference| of a row; infinity where a value is no number.
double error_of(const std::vector<float>& got, const std::vector<float>& want) {
  const std::size_t width = want.size() / kRows;
  double worst = got.size() == want.size() ? 0.0 : INFINITY;
  for (std::size_t r = 0; r < kRows && worst < INFINITY; ++r) {
    double error = 0.0, norm = 0.0;
    for (std::size_t i = r * width; i < (r + 1) * width; ++i) {
      error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
      norm += std::pow(static_cast<double>(want[i]), 2);
    }
    const double relative = error == 0.0 ? 0.0 : std::sqrt(error / norm);
    worst = std::isfinite(relative) ? std::max(worst, relative) : INFINITY;
  }
  return worst;
}

bool rows_keep_their_bits(const OpCase& op, Backend& backend, const std::vector<float>& want) {
  const std::size_t width = want.size() / kRows;
  const std::vector<int> rows = {5, 40, 3, 63, 17, 18, 0};
  for (const std::size_t batch : {std::size_t{1}, rows.size()}) {
    const std::vector<float> got = op.op(backend, {rows.data(), batch});
    for (std::size_t r = 0; r < batch; ++r)
      if (std::memcmp(&got[r * width], &want[static_cast<std::size_t>(rows[r]) * width],
                      width * sizeof(float)) != 0)
        return false;
  }
  return true;
}

/// Why the case fails; empty when it passes.
std::string failure_of(const OpCase& op, const BackendCase& c, bool check_rows, double& error) {
  try {
    c.prepare(!check_rows);
    const auto backend = c.make(1), reference = make_reference_backend();
    const std::vector<float> got = op.op(*backend, all_rows());
    error = error_of(got, op.op(*reference, all_rows()));
    if (!(error <= op.tolerance)) return "wrong";
    if (check_rows && !rows_keep_their_bits(op, *backend, got)) return "rows depend on the batch";
  } catch (const std::exception& failure) {
    return failure.what();
  }
  return {};
}

int run(const std::vector<std::string_view>& names, std::string_view only, bool caught,
        bool check_rows) {
  int n_cases = 0, n_failed = 0;
  for (const BackendCase& backend : backends()) {
    if (!only.empty() && backend.name != only) continue;
    for (const OpCase& op : op_cases()) {
      if (!backend.runs(op)) continue;
      bool named = names.empty();
      for (const std::string_view name : names) named = named || op.name.find(name) != op.name.npos;
      if (!named) continue;
      ++n_cases;
      double error = 0.0;
      const auto begin = std::chrono::steady_clock::now();
      const std::string failure = failure_of(op, backend, check_rows, error);
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      if (!failure.empty()) ++n_failed;
      std::printf("%-8s %s %s: error %.1e of %.1e, %.2f s %s\n", failure.empty() ? "ok" : "FAILED",
                  backend.name.c_str(), op.name.c_str(), error, op.tolerance, seconds,
                  failure.c_str());
    }
  }
  std::printf("%d cases, %d failed\n", n_cases, n_failed);
  return n_cases > 0 && n_failed == (caught ? n_cases : 0) ? 0 : 1;
}

}  // namespace
}  // namespace moebench::conformance

int main(int argc, char** argv) {
  std::vector<std::string_view> names;
  std::string_view backend;
  bool caught = false, rows = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--caught")
      caught = true;
    else if (argument == "--rows")
      rows = true;
    else if (argument == "--backend" && i + 1 < argc)
      backend = argv[++i];
    else if (argument == "--planted" && i + 1 < argc) {
      if (!switch_planted_bug(std::atoi(argv[++i]))) {
        std::fprintf(stderr, "no bug is planted in this program\n");
        return 2;
      }
    } else
      names.push_back(argument);
  }
  return moebench::conformance::run(names, backend, caught, rows);
}
