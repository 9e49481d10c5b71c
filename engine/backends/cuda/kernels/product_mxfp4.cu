#include "engine/backends/cuda/kernels/matmul_kernels.cuh"

namespace moebench::cuda {

void run_product_mxfp4(const Product& p, const ProductShape& shape, cudaStream_t stream) {
  run_product_in<MXFP4Format>(p, shape, stream);
}

}  // namespace moebench::cuda
