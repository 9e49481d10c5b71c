#include "engine/backends/cuda/kernels/matmul_kernels.cuh"

namespace moebench::cuda {

void run_product_f32(const Product& p, const ProductShape& shape, cudaStream_t stream) {
  run_product_in<F32Format>(p, shape, stream);
}

}  // namespace moebench::cuda
