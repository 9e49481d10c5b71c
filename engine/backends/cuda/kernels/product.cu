#include "engine/backends/cuda/kernels/product.cuh"

#include "engine/base/check.h"

namespace moebench::cuda {

// One source file each, so that they compile side by side.
void run_product_f32(const Product&, const ProductShape&, cudaStream_t);
void run_product_f16(const Product&, const ProductShape&, cudaStream_t);
void run_product_bf16(const Product&, const ProductShape&, cudaStream_t);
void run_product_f8(const Product&, const ProductShape&, cudaStream_t);
void run_product_q8_0(const Product&, const ProductShape&, cudaStream_t);
void run_product_q4_0(const Product&, const ProductShape&, cudaStream_t);
void run_product_q4_k(const Product&, const ProductShape&, cudaStream_t);
void run_product_q6_k(const Product&, const ProductShape&, cudaStream_t);
void run_product_mxfp4(const Product&, const ProductShape&, cudaStream_t);

int row_planes(DType packed) {
  switch (packed) {
    case DType::kF32:
      return 3;
    case DType::kF16:
    case DType::kBF16:
      return 2;
    default:
      return 1;
  }
}

bool row_is_brain(DType packed) { return packed == DType::kF32 || packed == DType::kBF16; }

void run_product(DType packed, const Product& p, const ProductShape& shape, cudaStream_t stream) {
  if (p.n == 0 || shape.groups == 0 || shape.most_rows == 0) return;
  switch (packed) {
    case DType::kF32:
      return run_product_f32(p, shape, stream);
    case DType::kF16:
      return run_product_f16(p, shape, stream);
    case DType::kBF16:
      return run_product_bf16(p, shape, stream);
    case DType::kF8E4M3:
      return run_product_f8(p, shape, stream);
    case DType::kQ8_0:
      return run_product_q8_0(p, shape, stream);
    case DType::kQ4_0:
      return run_product_q4_0(p, shape, stream);
    case DType::kQ4_K:
      return run_product_q4_k(p, shape, stream);
    case DType::kQ6_K:
      return run_product_q6_k(p, shape, stream);
    case DType::kMXFP4:
      return run_product_mxfp4(p, shape, stream);
    default:
      MOEBENCH_CHECK(!"a packed type");
  }
}

}  // namespace moebench::cuda
