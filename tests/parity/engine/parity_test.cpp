// The engine against Hugging Face transformers: make_goldens.py made the checkpoints and the
// answers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <ostream>

#include "engine/backends/reference/reference_backend.h"
#include "engine/engine.h"
#include "engine/model/forward.h"
#include "engine/model/model_source.h"
#include "engine/model/weights.h"
#include "engine/runtime/kv_cache.h"
#include "tests/parity/engine/parity_backends.h"

namespace moebench {
namespace {

constexpr double kLogitTolerance = 2e-4;  // of the largest logit

std::filesystem::path case_directory(const std::string& name) {
  return std::filesystem::path(MOEBENCH_SOURCE_DIR) / "tests/parity/engine/goldens" / name;
}

struct Golden {
  std::vector<std::int32_t> prompt, tokens;
  std::vector<float> logits;  // (prompt, vocab)
};

std::vector<std::int32_t> token_ids(const TensorView& view) {
  std::vector<std::int64_t> wide(static_cast<std::size_t>(view.shape.elements()));
  std::memcpy(wide.data(), view.data, view.size_bytes());
  return {wide.begin(), wide.end()};
}

Golden read_golden(const std::string& name) {
  const MappedFile file(case_directory(name) / "golden.bin");
  const Checkpoint answers = open_safetensors(ModelFiles::from_memory(
      {{"model.safetensors", file.bytes()}}, case_directory(name).string()));
  Golden golden;
  golden.prompt = token_ids(answers.find("prompt")->view);
  golden.tokens = token_ids(answers.find("tokens")->view);
  const TensorView logits = answers.find("logits")->view;
  golden.logits.resize(static_cast<std::size_t>(logits.shape.elements()));
  std::memcpy(golden.logits.data(), logits.data, logits.size_bytes());
  return golden;
}

/// One sequence through Forward: a step for the prompt, then one a token.
class Generator {
 public:
  Generator(const ModelSource& source, Backend& backend)
      : source_(source),
        backend_(backend),
        weights_(load_weights(source.config, source.checkpoint, backend)),
        cache_(source.config, backend, DType::kF32, kPages),
        forward_(source.config, weights_, backend, {kMaxTokens, 1, kPages, kMaxTokens}) {}

  /// Logits of each of these tokens, (tokens, vocab).
  std::vector<float> step(const std::vector<std::int32_t>& tokens) {
    const auto n = static_cast<std::int32_t>(tokens.size());
    std::vector<std::int32_t> positions(tokens.size()), rows(tokens.size()), blocks(kPages);
    std::iota(positions.begin(), positions.end(), context_);
    std::iota(rows.begin(), rows.end(), 0);
    std::iota(blocks.begin(), blocks.end(), 0);
    const std::vector<std::int32_t> sequence(tokens.size(), 0), begin = {0, n};
    context_ += n;
    const std::vector<std::int32_t> context = {context_};
    const Tensor logits = forward_.run(
        {tokens, positions, sequence, begin, context, blocks, rows, nullptr}, cache_.layers());
    std::vector<float> result(static_cast<std::size_t>(n * source_.config.vocab));
    backend_.download(result.data(), logits.data, result.size() * sizeof(float));
    return result;
  }

 private:
  static constexpr std::int64_t kPages = 4, kMaxTokens = 32;
  const ModelSource& source_;
  Backend& backend_;
  Weights weights_;
  KvCache cache_;
  Forward forward_;
  std::int32_t context_ = 0;
};

struct ParityCase {
  std::string name, format, backend;
};

/// For GoogleTest's messages.
void PrintTo(const ParityCase& c, std::ostream* out) {
  *out << c.name << " (" << c.format << ", " << c.backend << ")";
}

class Parity : public testing::TestWithParam<ParityCase> {};

TEST_P(Parity, LogitsAndGreedyTokensAreTransformers) {
  const ParityCase& c = GetParam();
  const Golden golden = read_golden(c.name);
  const std::filesystem::path directory = case_directory(c.name);
  const ModelSource source =
      open_model(ModelFiles::open(c.format == "gguf" ? directory / "model.gguf" : directory));
  const std::unique_ptr<Backend> backend = parity_backends().at(c.backend).make();
  Generator generator(source, *backend);

  const std::vector<float> logits = generator.step(golden.prompt);
  ASSERT_EQ(logits.size(), golden.logits.size());
  double largest = 0.0, difference = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(golden.logits[i])));
    const double here = std::fabs(static_cast<double>(logits[i]) - golden.logits[i]);
    difference = std::isnan(here) ? INFINITY : std::max(difference, here);
  }
  RecordProperty("relative_logit_difference", std::to_string(difference / largest));
  std::printf("%s %s %s: logits differ by %.2e of the largest\n", c.name.c_str(), c.format.c_str(),
              c.backend.c_str(), difference / largest);
  EXPECT_LE(difference, kLogitTolerance * largest)
      << "the forward pass no longer computes what transformers computes for " << c.name;

  const auto vocab = static_cast<std::ptrdiff_t>(source.config.vocab);
  std::vector<float> row(logits.end() - vocab, logits.end());
  std::vector<std::int32_t> tokens;
  while (tokens.size() < golden.tokens.size()) {
    tokens.push_back(
        static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
    row = generator.step({tokens.back()});
  }
  EXPECT_EQ(tokens, golden.tokens) << "greedy decoding leaves transformers' path";
}

std::vector<std::string> case_names() {
  const std::filesystem::path goldens = case_directory("");
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(goldens)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<ParityCase> all_cases() {
  std::vector<ParityCase> cases;
  for (const std::string& name : case_names()) {
    for (const char* format : {"safetensors", "gguf"}) {
      for (const auto& [backend, how] : parity_backends())
        if (how.only.empty() || how.only == name) cases.push_back({name, format, backend});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Families, Parity, testing::ValuesIn(all_cases()), [](const auto& test) {
  return test.param.name + "_" + test.param.format + "_" + test.param.backend;
});

class ExportedGguf : public testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { std::filesystem::remove(output_); }
  std::string output_ = testing::TempDir() + "exported_" + GetParam() + ".gguf";
};

TEST_P(ExportedGguf, ComputesWhatTheSafetensorsCompute) {
  const Golden golden = read_golden(GetParam());
  quantize_model(case_directory(GetParam()).string(), output_, "f32");
  const ModelSource original = open_model(ModelFiles::open(case_directory(GetParam())));
  const ModelSource exported = open_model(ModelFiles::open(output_));
  const std::unique_ptr<Backend> backend = make_reference_backend();
  Generator from_original(original, *backend), from_exported(exported, *backend);
  std::vector<std::int32_t> step = golden.prompt;
  for (std::size_t n = 0; n < golden.tokens.size(); ++n) {
    const std::vector<float> want = from_original.step(step), got = from_exported.step(step);
    ASSERT_EQ(got.size(), want.size());
    double largest = 0.0, difference = 0.0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      largest = std::max(largest, std::fabs(static_cast<double>(want[i])));
      const double here = std::fabs(static_cast<double>(got[i]) - want[i]);
      difference = std::isnan(here) ? INFINITY : std::max(difference, here);
    }
    if (n == 0) {
      std::printf("%s exported: logits differ by %.2e of the largest\n", GetParam().c_str(),
                  difference / largest);
    }
    // Metadata are floats of 32 bits and Llama 3's divisors too, so a few frequencies differ in
    // their last bit.
    ASSERT_LE(difference, 2e-6 * largest)
        << "the GGUF describes another model, seen at token " << n;
    const auto last = got.end() - static_cast<std::ptrdiff_t>(original.config.vocab);
    step = {static_cast<std::int32_t>(std::max_element(last, got.end()) - last)};
    ASSERT_EQ(step.front(), golden.tokens[n]) << "greedy decoding leaves transformers' path";
  }
}

// Every program of this file has these cases; ctest wants names of their own.
INSTANTIATE_TEST_SUITE_P(Families, ExportedGguf, testing::ValuesIn(case_names()),
                         [](const auto& test) {
                           return test.param + "_beside_" + parity_backends().begin()->first;
                         });

}  // namespace
}  // namespace moebench
