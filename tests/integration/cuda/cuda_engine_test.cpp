// The engine on cuda:0, through the plugin's loader, over the emulated device.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "engine/base/error.h"
#include "engine/engine.h"

namespace moebench {
namespace {

EngineOptions canary_on(const std::string& device) {
  // The loader looks once, at the first use of a CUDA device.
  setenv("MOEBENCH_CUDA_PLUGIN", EMULATED_PLUGIN, 1);
  setenv("MOEBENCH_EMULATION_CHECKS", "0", 1);  // the conformance suite has them on
  EngineOptions options;
  options.model = "canary";
  options.device = device;
  options.threads = 1;
  options.max_batch_sequences = 4;
  options.max_step_tokens = 64;
  options.max_context_tokens = 256;
  return options;
}

using Tokens = std::map<std::uint64_t, std::vector<std::int32_t>>;

Tokens answers(const EngineOptions& options, const std::vector<std::string>& questions,
               double temperature, std::int64_t max_tokens) {
  const auto engine = Engine::load(options);
  for (std::size_t i = 0; i < questions.size(); ++i) {
    GenerationRequest request;
    request.id = i;
    request.prompt = std::vector<ChatMessage>{{"user", questions[i]}};
    request.max_tokens = max_tokens;
    request.sampling.temperature = temperature;
    request.sampling.top_p = 0.9;
    request.sampling.seed = 7;
    engine->submit(request);
  }
  Tokens tokens;
  for (std::size_t ended = 0; ended < questions.size();)
    for (const GenerationEvent& event : engine->next_events(std::chrono::seconds(120))) {
      EXPECT_EQ(event.failure, "");
      auto& t = tokens[event.request_id];
      t.insert(t.end(), event.tokens.begin(), event.tokens.end());
      if (event.finish != FinishReason::kNone) ++ended;
    }
  return tokens;
}

const std::vector<std::string> kQuestions = {
    "Tom has 3 apples and buys 4 more. How many apples does he have?", "What is 12 + 30?",
    "A box holds 6 eggs. How many eggs do 5 boxes hold?"};

TEST(CudaEngine, GreedyAnswersAreTheCpusToTheirEnds) {
  std::vector<std::string> questions = kQuestions;
  questions.push_back(
      "Leo bakes 4 trays of 3 pies. 6 of them burn. He sells the others for 4 dollars "
      "each and pays 9 dollars for flour. How many dollars are left?");
  questions.push_back("Simplify $\\sqrt{96}$.");  // joins when one of the four ends
  const Tokens cpu = answers(canary_on("cpu"), questions, 0.0, 200);
  for (const auto& [id, tokens] : cpu) ASSERT_LT(tokens.size(), 200u) << "cut: " << questions[id];
  EXPECT_EQ(answers(canary_on("cuda:0"), questions, 0.0, 200), cpu)
      << "a kernel's error is larger than the canary's margins: run the conformance suite";
}

TEST(CudaEngine, TokensDontDependOnTheBatchOrTheGraphs) {
  EngineOptions options = canary_on("cuda:0");
  const Tokens together = answers(options, kQuestions, 0.8, 10);
  setenv("MOEBENCH_CUDA_GRAPHS", "0", 1);
  options.max_batch_sequences = 1;
  options.max_step_tokens = 16;
  options.prefix_cache = false;
  const Tokens alone = answers(options, kQuestions, 0.8, 10);
  unsetenv("MOEBENCH_CUDA_GRAPHS");
  EXPECT_EQ(alone, together);
}

TEST(CudaEngine, DenseProductsByCublasLtGiveTheSameTokensAndAreStated) {
  EngineOptions options = canary_on("cuda:0");
  options.cuda_dense = "cublaslt";
  const Tokens greedy = answers(options, kQuestions, 0.0, 12);
  EXPECT_EQ(greedy, answers(canary_on("cpu"), kQuestions, 0.0, 12));
  const std::string isa = Engine::load(options)->info().isa;
  EXPECT_EQ(isa, "sm_90, dense products by cuBLASLt 1.2.3");
  const Tokens together = answers(options, kQuestions, 0.8, 10);
  setenv("MOEBENCH_CUDA_GRAPHS", "0", 1);
  options.max_batch_sequences = 1;
  options.max_step_tokens = 16;
  EXPECT_EQ(answers(options, kQuestions, 0.8, 10), together) << "tokens depend on the batch";
  unsetenv("MOEBENCH_CUDA_GRAPHS");
}

TEST(CudaEngine, ExpertsOnTheCpuGiveTheSameTokensAndAreStated) {
  EngineOptions options = canary_on("cuda:0");
  options.cpu_experts = true;
  EXPECT_EQ(answers(options, kQuestions, 0.0, 12), answers(canary_on("cpu"), kQuestions, 0.0, 12));
  const EngineInfo info = Engine::load(options)->info();
  EXPECT_EQ(info.device, "cuda:0");
  EXPECT_EQ(info.experts_device, "cpu");
  EXPECT_EQ(Engine::load(canary_on("cuda:0"))->info().experts_device, "");
  const Tokens together = answers(options, kQuestions, 0.8, 10);
  options.max_batch_sequences = 1;
  options.max_step_tokens = 16;
  EXPECT_EQ(answers(options, kQuestions, 0.8, 10), together) << "tokens depend on the batch";
}

TEST(CudaEngine, RefusesWhatItCannotServe) {
  const auto refusal = [](const EngineOptions& options) {
    try {
      Engine::load(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
      return std::string(error.what());
    }
    return std::string("it was loaded");
  };
  EXPECT_EQ(refusal(canary_on("cuda:7")),
            "cuda:7 cannot serve: there is no device cuda:7; there is 1");
  EXPECT_EQ(refusal(canary_on("cuda:x")), "unknown device \"cuda:x\"");
  EXPECT_EQ(refusal(canary_on("cuda")), "unknown device \"cuda\"");
  EngineOptions options = canary_on("cpu");
  options.cpu_experts = true;
  EXPECT_EQ(refusal(options),
            "experts on the CPU are for a model whose rest is on a GPU; the device is cpu");
  options.cpu_experts = false;
  options.cuda_dense = "cublaslt";
  EXPECT_EQ(refusal(options), "cuBLASLt is for GPUs; the device is cpu");
  options.cuda_dense = "mkl";
  EXPECT_EQ(refusal(options), "nobody makes dense products by the name of \"mkl\"");
  options.device = "cuda:0";
  options.cuda_dense = "cublaslt";
  setenv("MOEBENCH_EMULATION_CUBLASLT", "0", 1);
  EXPECT_EQ(refusal(options),
            "cuda:0 cannot serve: dense products by cuBLASLt need libcublasLt.so, which cannot be "
            "loaded: no such file");
  unsetenv("MOEBENCH_EMULATION_CUBLASLT");
}

TEST(CudaEngine, ListsItsDevice) {
  setenv("MOEBENCH_CUDA_PLUGIN", EMULATED_PLUGIN, 1);
  const DeviceList list = list_devices();
  ASSERT_EQ(list.devices.size(), 3u);
  EXPECT_EQ(list.devices[0].device, "cpu");
  EXPECT_EQ(list.devices[2].device, "cuda:0");
  EXPECT_EQ(list.devices[2].description, "emulated GPU");
  EXPECT_EQ(list.cuda_unavailable, "");
  EXPECT_FALSE(read_power("cuda:0").has_value()) << "an emulated device has no meters";
  EXPECT_FALSE(read_power("cpu").has_value());
}

}  // namespace
}  // namespace moebench
