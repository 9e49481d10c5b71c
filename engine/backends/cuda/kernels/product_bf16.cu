#include "engine/backends/cuda/kernels/matmul_kernels.cuh"

namespace moebench::cuda {

void run_product_bf16(const Product& p, const ProductShape& shape, cudaStream_t stream) {
  run_product_in<BF16Format>(p, shape, stream);
}

}  // namespace moebench::cuda
