#include "engine/backends/cuda/kernels/matmul_kernels.cuh"

namespace moebench::cuda {

void run_product_q8_0(const Product& p, const ProductShape& shape, cudaStream_t stream) {
  run_product_in<Q8_0Format>(p, shape, stream);
}

}  // namespace moebench::cuda
