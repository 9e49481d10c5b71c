#include "tests/emulation/cuda/include/cublas_v2.h"
#include "tests/emulation/cuda/include/cuda_bf16.h"
#include "tests/emulation/cuda/include/cuda_fp16.h"
#include "tests/emulation/cuda/include/cuda_fp8.h"

struct EmulatedBlas {
  cudaStream_t stream = nullptr;
};

namespace {

struct Operand {
  const void* data;
  cudaDataType type;
  int leading;
  bool transposed;

  double at(long long row, long long column) const {  // of op(X), column-major
    const long long i = transposed ? column + row * leading : row + column * leading;
    switch (type) {
      case CUDA_R_32F:
        return static_cast<const float*>(data)[i];
      case CUDA_R_16F:
        return static_cast<float>(static_cast<const __half*>(data)[i]);
      case CUDA_R_16BF:
        return static_cast<float>(static_cast<const __nv_bfloat16*>(data)[i]);
      case CUDA_R_8F_E4M3:
        return static_cast<float>(static_cast<const __nv_fp8_e4m3*>(data)[i]);
    }
    return 0;
  }
};

void store(void* data, cudaDataType type, long long i, float value) {
  if (type == CUDA_R_32F)
    static_cast<float*>(data)[i] = value;
  else if (type == CUDA_R_16F)
    static_cast<__half*>(data)[i] = __half(value);
  else
    static_cast<__nv_bfloat16*>(data)[i] = __nv_bfloat16(value);
}

std::size_t size_of(cudaDataType type) {
  return type == CUDA_R_32F ? 4 : type == CUDA_R_8F_E4M3 ? 1 : 2;
}

}  // namespace

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = new EmulatedBlas;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace(cublasHandle_t, void*, std::size_t) {
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasGetVersion(cublasHandle_t, int* version) {
  *version = 0;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t op_a,
                                          cublasOperation_t op_b, int m, int n, int k,
                                          const void* alpha_pointer, const void* a,
                                          cudaDataType a_type, int lda, long long stride_a,
                                          const void* b, cudaDataType b_type, int ldb,
                                          long long stride_b, const void* beta_pointer, void* c,
                                          cudaDataType c_type, int ldc, long long stride_c,
                                          int batch, cublasComputeType_t, cublasGemmAlgo_t) {
  const bool fits = lda >= (op_a == CUBLAS_OP_N ? m : k) && ldb >= (op_b == CUBLAS_OP_N ? k : n) &&
                    ldc >= m && m >= 0 && n >= 0 && k >= 0 && batch >= 0;
  if (!fits) return CUBLAS_STATUS_INVALID_VALUE;
  if (a_type != b_type || c_type == CUDA_R_8F_E4M3) return CUBLAS_STATUS_NOT_SUPPORTED;
  const float alpha = *static_cast<const float*>(alpha_pointer);
  const float beta = *static_cast<const float*>(beta_pointer);
  cuda_emulation::enqueue(handle->stream, [=]() -> std::string {
    for (long long i = 0; i < batch; ++i) {
      const Operand left{static_cast<const std::byte*>(a) +
                             static_cast<std::size_t>(i * stride_a) * size_of(a_type),
                         a_type, lda, op_a == CUBLAS_OP_T};
      const Operand right{static_cast<const std::byte*>(b) +
                              static_cast<std::size_t>(i * stride_b) * size_of(b_type),
                          b_type, ldb, op_b == CUBLAS_OP_T};
      const Operand before{
          static_cast<std::byte*>(c) + static_cast<std::size_t>(i * stride_c) * size_of(c_type),
          c_type, ldc, false};
      for (long long column = 0; column < n; ++column)
        for (long long row = 0; row < m; ++row) {
          double sum = 0;
          for (long long j = 0; j < k; ++j) sum += left.at(row, j) * right.at(j, column);
          sum *= static_cast<double>(alpha);
          if (beta != 0.0f) sum += static_cast<double>(beta) * before.at(row, column);
          store(const_cast<void*>(before.data), c_type, row + column * ldc,
                static_cast<float>(sum));
        }
    }
    return "";
  });
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                            int m, int n, int k, const void* alpha, const void* a,
                            cudaDataType a_type, int lda, const void* b, cudaDataType b_type,
                            int ldb, const void* beta, void* c, cudaDataType c_type, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  return cublasGemmStridedBatchedEx(handle, op_a, op_b, m, n, k, alpha, a, a_type, lda, 0, b,
                                    b_type, ldb, 0, beta, c, c_type, ldc, 0, 1, compute, algorithm);
}
