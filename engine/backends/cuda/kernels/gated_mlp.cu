#include "engine/backends/cuda/kernels/gated_mlp.cuh"

#include "engine/backends/cuda/kernels/expert_products.cuh"
#include "engine/backends/cuda/launch.h"
#include "engine/base/check.h"

namespace moebench::cuda {

void gated_mlp(DeviceContext& device, const Tensor& out, const Tensor& x,
               const DeviceExperts& expert, bool accumulate, const Tensor* gate_logit) {
  const std::int64_t tokens = x.shape[0];
  if (tokens == 0) return;
  MOEBENCH_CHECK(expert.n_experts == 1);
  const ExpertWorkspace sizes = expert_workspace(expert, tokens, tokens);
  std::byte* const memory = device.scratch->take(sizes.bytes);

  Product inner = expert_input_product(expert, sizes, memory, tokens);
  inner.rows = tokens;
  round_rows(device, inner.x, x);
  run_product(expert.gate.dtype, inner, {1, tokens, tokens}, device.stream);

  Product down = expert_output_product(expert, sizes, memory, tokens);
  down.rows = tokens;
  down.out = static_cast<float*>(out.data);
  down.out_stride = out.strides[0];
  down.accumulate = accumulate;
  if (gate_logit != nullptr) {
    down.gate_logit = static_cast<const float*>(gate_logit->data);
    down.gate_stride = gate_logit->strides[0];
  }
  round_rows(device, down.x, inner_rows(inner, expert, tokens));
  run_product(expert.down.dtype, down, {1, tokens, tokens}, device.stream);
}

}  // namespace moebench::cuda
