// cuBLASLt over the emulated device. Three algorithms, as far apart in their bits as real ones are:
//   1  one chain of sums over k, 16 values at a time: the heuristic's first for few columns
//   2  the same, 64 at a time: its first for many
//   3  split-K through a workspace, in more parts the fewer columns there are: its first for very
//      few, where the reduction and the workspace are allowed

#include "tests/emulation/cuda/include/cublasLt.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tests/emulation/cuda/include/cuda_bf16.h"
#include "tests/emulation/cuda/include/cuda_fp16.h"

struct EmulatedBlasLt {};
struct EmulatedMatmulDesc {
  cublasComputeType_t compute;
  cudaDataType scale;
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
};
struct EmulatedMatrixLayout {
  cudaDataType type;
  std::uint64_t rows, columns;
  std::int64_t leading;
};
struct EmulatedMatmulPreference {
  std::uint64_t workspace_bytes = 0;
  std::uint32_t reduction_schemes = CUBLASLT_REDUCTION_SCHEME_MASK;
};

namespace {

enum Algorithm : std::uint64_t { kNone, kShortSteps, kLongSteps, kSplit };
constexpr std::uint64_t kSignature = 0x6d6f656c74;  // a cublasLtMatmulAlgo_t that was made here
constexpr std::size_t kAlignment = 16;

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % kAlignment == 0; }

std::size_t size_of(cudaDataType type) { return type == CUDA_R_32F ? 4 : 2; }

/// D (m, n) = op(A) (m, k) op(B) (k, n).
struct Problem {
  cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
  std::int64_t m = 0, n = 0, k = 0;
};

Problem problem_of(const EmulatedMatmulDesc& op, const EmulatedMatrixLayout& a,
                   const EmulatedMatrixLayout& b, const EmulatedMatrixLayout& c,
                   const EmulatedMatrixLayout& d) {
  const auto rows = [](const EmulatedMatrixLayout& x, cublasOperation_t t) {
    return static_cast<std::int64_t>(t == CUBLAS_OP_N ? x.rows : x.columns);
  };
  const auto columns = [](const EmulatedMatrixLayout& x, cublasOperation_t t) {
    return static_cast<std::int64_t>(t == CUBLAS_OP_N ? x.columns : x.rows);
  };
  Problem p{CUBLAS_STATUS_SUCCESS, rows(a, op.a), columns(b, op.b), columns(a, op.a)};
  for (const EmulatedMatrixLayout* x : {&a, &b, &c, &d})
    if (x->leading < static_cast<std::int64_t>(x->rows)) p.status = CUBLAS_STATUS_INVALID_VALUE;
  if (rows(b, op.b) != p.k || static_cast<std::int64_t>(d.rows) != p.m ||
      static_cast<std::int64_t>(d.columns) != p.n || c.rows != d.rows || c.columns != d.columns ||
      p.m == 0 || p.n == 0 || p.k == 0)
    p.status = CUBLAS_STATUS_INVALID_VALUE;
  const bool types = (a.type == CUDA_R_16F || a.type == CUDA_R_16BF) && b.type == a.type &&
                     c.type == CUDA_R_32F && d.type == CUDA_R_32F &&
                     op.compute == CUBLAS_COMPUTE_32F && op.scale == CUDA_R_32F;
  if (p.status == CUBLAS_STATUS_SUCCESS && !types) p.status = CUBLAS_STATUS_NOT_SUPPORTED;
  return p;
}

int splits_of(const Problem& p) { return static_cast<int>(std::max<std::int64_t>(2, 18 - p.n)); }
std::size_t workspace_of(Algorithm algorithm, const Problem& p) {
  return algorithm == kSplit ? static_cast<std::size_t>(p.m * p.n * splits_of(p)) * 4 : 0;
}

Algorithm algorithm_of(const cublasLtMatmulAlgo_t& algo) {
  return algo.data[0] == kSignature && algo.data[1] >= kShortSteps && algo.data[1] <= kSplit
             ? static_cast<Algorithm>(algo.data[1])
             : kNone;
}

cublasLtMatmulHeuristicResult_t result_of(Algorithm algorithm, const Problem& p) {
  cublasLtMatmulHeuristicResult_t result{};
  result.algo.data[0] = kSignature;
  result.algo.data[1] = algorithm;
  result.workspaceSize = workspace_of(algorithm, p);
  result.state = CUBLAS_STATUS_SUCCESS;
  result.wavesCount = 1.0f;
  return result;
}

/// Whether all of it is allocated device memory.
bool is_allocated(const void* pointer, std::size_t bytes) {
  const auto& memory = cuda_emulation::device_memory;
  const auto* const p = static_cast<const std::byte*>(pointer);
  if (memory.begin == nullptr || p < memory.begin || p + bytes > memory.end) return false;
  const auto first = static_cast<std::size_t>(p - memory.begin), last = first + bytes - 1;
  for (std::size_t group = first / 8; group <= last / 8; ++group)
    if (memory.valid[group] < (group == last / 8 ? last % 8 + 1 : 8)) return false;
  return true;
}

std::size_t span_bytes(const EmulatedMatrixLayout& x) {
  return (static_cast<std::size_t>(x.leading) * (x.columns - 1) + x.rows) * size_of(x.type);
}

float element(const void* data, cudaDataType type, std::int64_t i) {
  return type == CUDA_R_16F ? static_cast<float>(static_cast<const __half*>(data)[i])
                            : static_cast<float>(static_cast<const __nv_bfloat16*>(data)[i]);
}

/// Rows of op(A), or columns of op(B), as (count, k) F32.
std::vector<float> lines(const void* data, const EmulatedMatrixLayout& layout, bool along_columns,
                         std::int64_t count, std::int64_t k) {
  std::vector<float> values(static_cast<std::size_t>(count * k));
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t j = 0; j < k; ++j)
      values[static_cast<std::size_t>(i * k + j)] = element(
          data, layout.type, along_columns ? i * layout.leading + j : i + j * layout.leading);
  return values;
}

/// From `begin` to `end`: steps are added exactly, their sums in F32.
float chain(const float* x, const float* y, std::int64_t begin, std::int64_t end,
            std::int64_t step) {
  float sum = 0.0f;
  for (std::int64_t j = begin; j < end; j += step) {
    double part = 0.0;
    for (std::int64_t i = j; i < std::min(j + step, end); ++i)
      part += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    sum = static_cast<float>(static_cast<double>(sum) + part);
  }
  return sum;
}

float dot(Algorithm algorithm, const Problem& p, const float* x, const float* y) {
  if (algorithm != kSplit) return chain(x, y, 0, p.k, algorithm == kShortSteps ? 16 : 64);
  float sum = 0.0f;
  const int splits = splits_of(p);
  for (int s = 0; s < splits; ++s) sum += chain(x, y, p.k * s / splits, p.k * (s + 1) / splits, 16);
  return sum;
}

template <class T, class... Arguments>
cublasStatus_t create(T** object, Arguments... arguments) {
  if (object == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *object = new T{arguments...};
  return CUBLAS_STATUS_SUCCESS;
}
template <class T>
cublasStatus_t destroy(T* object) {
  delete object;
  return CUBLAS_STATUS_SUCCESS;
}
template <class T>
cublasStatus_t set(T& member, const void* value, std::size_t bytes) {
  if (value == nullptr || bytes != sizeof member) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&member, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) { return create(handle); }
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) { return destroy(handle); }
std::size_t cublasLtGetVersion() { return 10203; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute,
                                        cudaDataType scale) {
  return create(desc, compute, scale);
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) { return destroy(desc); }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  return set(attribute == CUBLASLT_MATMUL_DESC_TRANSA ? desc->a : desc->b, value, bytes);
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t leading) {
  return create(layout, type, rows, columns, leading);
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return destroy(layout);
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  return create(preference);
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return destroy(preference);
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  return attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
             ? set(preference->workspace_bytes, value, bytes)
             : set(preference->reduction_schemes, value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t op,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* returned) {
  if (handle == nullptr || requested <= 0 || returned == nullptr)
    return CUBLAS_STATUS_INVALID_VALUE;
  *returned = 0;
  const Problem p = problem_of(*op, *a, *b, *c, *d);
  if (p.status != CUBLAS_STATUS_SUCCESS) return p.status;
  std::vector<Algorithm> order = p.n <= 64 ? std::vector<Algorithm>{kShortSteps, kLongSteps}
                                           : std::vector<Algorithm>{kLongSteps, kShortSteps};
  if (p.n <= 16 && (preference->reduction_schemes & CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) != 0 &&
      workspace_of(kSplit, p) <= preference->workspace_bytes)
    order.insert(order.begin(), kSplit);
  for (const Algorithm algorithm : order)
    if (*returned < requested) results[(*returned)++] = result_of(algorithm, p);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t op,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t* algo,
                                       cublasLtMatmulHeuristicResult_t* result) {
  const Problem p = problem_of(*op, *a, *b, *c, *d);
  if (p.status != CUBLAS_STATUS_SUCCESS) return p.status;
  if (handle == nullptr || algo == nullptr || result == nullptr || algorithm_of(*algo) == kNone)
    return CUBLAS_STATUS_INVALID_VALUE;
  result->workspaceSize = workspace_of(algorithm_of(*algo), p);  // result->algo stays as it is
  result->state = CUBLAS_STATUS_SUCCESS;
  result->wavesCount = 1.0f;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t attribute,
                                                    void* value, std::size_t bytes,
                                                    std::size_t* written) {
  const Algorithm algorithm = algorithm_of(*algo);
  if (algorithm == kNone || value == nullptr || bytes != sizeof(std::int32_t))
    return CUBLAS_STATUS_INVALID_VALUE;
  const bool split = algorithm == kSplit;
  std::int32_t result = static_cast<std::int32_t>(algorithm);
  if (attribute == CUBLASLT_ALGO_CONFIG_SPLITK_NUM) result = split ? 2 : 1;
  if (attribute == CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME)
    result = split ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE : CUBLASLT_REDUCTION_SCHEME_NONE;
  std::memcpy(value, &result, bytes);
  if (written != nullptr) *written = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t op,
                              const void* alpha_pointer, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta_pointer,
                              const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
  const Problem p = problem_of(*op, *a_layout, *b_layout, *c_layout, *d_layout);
  if (p.status != CUBLAS_STATUS_SUCCESS) return p.status;
  const std::pair<const void*, const EmulatedMatrixLayout*> operands[] = {
      {a, a_layout}, {b, b_layout}, {c, c_layout}, {d, d_layout}};
  for (const auto& [data, layout] : operands)
    if (data == nullptr || !aligned(data) ||
        static_cast<std::size_t>(layout->leading) * size_of(layout->type) % kAlignment != 0)
      return CUBLAS_STATUS_INVALID_VALUE;
  if (c == d && c_layout->leading != d_layout->leading) return CUBLAS_STATUS_INVALID_VALUE;
  // Without an algorithm the library asks its heuristic, for any that needs no more than this.
  const Algorithm algorithm = algo != nullptr ? algorithm_of(*algo)
                              : p.n <= 64     ? kShortSteps
                                              : kLongSteps;
  if (handle == nullptr || algorithm == kNone ||
      (workspace == nullptr ? 0 : workspace_bytes) < workspace_of(algorithm, p))
    return CUBLAS_STATUS_INVALID_VALUE;
  const float alpha = *static_cast<const float*>(alpha_pointer);
  const float beta = *static_cast<const float*>(beta_pointer);
  cuda_emulation::enqueue(
      stream,
      [=, op = *op, al = *a_layout, bl = *b_layout, cl = *c_layout,
       dl = *d_layout]() -> std::string {
        if (!is_allocated(a, span_bytes(al)) || !is_allocated(b, span_bytes(bl)) ||
            !is_allocated(d, span_bytes(dl)) || (beta != 0.0f && !is_allocated(c, span_bytes(cl))))
          return "cublasLtMatmul outside of any allocation";
        const std::vector<float> left = lines(a, al, op.a == CUBLAS_OP_T, p.m, p.k);
        const std::vector<float> right = lines(b, bl, op.b == CUBLAS_OP_N, p.n, p.k);
        for (std::int64_t column = 0; column < p.n; ++column)
          for (std::int64_t row = 0; row < p.m; ++row) {
            float value =
                alpha * dot(algorithm, p, left.data() + row * p.k, right.data() + column * p.k);
            if (beta != 0.0f)
              value += beta * static_cast<const float*>(c)[row + column * cl.leading];
            static_cast<float*>(d)[row + column * dl.leading] = value;
          }
        return "";
      });
  return CUBLAS_STATUS_SUCCESS;
}

namespace cuda_emulation {

void* open_library(const char* name) {
  const char* const there = std::getenv("MOEBENCH_EMULATION_CUBLASLT");
  if (there != nullptr && std::string_view(there) == "0") return nullptr;
  static int library;
  return std::string_view(name).starts_with("libcublasLt.so") ? &library : nullptr;
}

const char* library_error() { return "no such file"; }

void* library_symbol(void*, const char* name) {
#define MOEBENCH_EMULATED(function) \
  if (std::string_view(name) == #function) return reinterpret_cast<void*>(&function)
  MOEBENCH_EMULATED(cublasLtCreate);
  MOEBENCH_EMULATED(cublasLtDestroy);
  MOEBENCH_EMULATED(cublasLtGetVersion);
  MOEBENCH_EMULATED(cublasLtMatmulDescCreate);
  MOEBENCH_EMULATED(cublasLtMatmulDescDestroy);
  MOEBENCH_EMULATED(cublasLtMatmulDescSetAttribute);
  MOEBENCH_EMULATED(cublasLtMatrixLayoutCreate);
  MOEBENCH_EMULATED(cublasLtMatrixLayoutDestroy);
  MOEBENCH_EMULATED(cublasLtMatmulPreferenceCreate);
  MOEBENCH_EMULATED(cublasLtMatmulPreferenceDestroy);
  MOEBENCH_EMULATED(cublasLtMatmulPreferenceSetAttribute);
  MOEBENCH_EMULATED(cublasLtMatmulAlgoGetHeuristic);
  MOEBENCH_EMULATED(cublasLtMatmulAlgoCheck);
  MOEBENCH_EMULATED(cublasLtMatmulAlgoConfigGetAttribute);
  MOEBENCH_EMULATED(cublasLtMatmul);
#undef MOEBENCH_EMULATED
  return nullptr;
}

}  // namespace cuda_emulation
