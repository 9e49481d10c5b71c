#include "engine/backends/cuda/kernels/matmul_kernels.cuh"

namespace moebench::cuda {

void run_product_q4_k(const Product& p, const ProductShape& shape, cudaStream_t stream) {
  run_product_in<Q4_KFormat>(p, shape, stream);
}

}  // namespace moebench::cuda
