#include "engine/backends/cuda/kernels/blas_lt.h"

#include "engine/base/error.h"

#if __has_include(<cublasLt.h>)

#include <cublasLt.h>

#include <initializer_list>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "engine/backends/cuda/kernels/packing.h"
#include "engine/base/check.h"
#ifndef MOEBENCH_CUDA_EMULATED
#include <dlfcn.h>
#endif

namespace moebench::cuda {
namespace {

#ifdef MOEBENCH_CUDA_EMULATED
constexpr const char* kLibraryName = "libcublasLt.so";
using cuda_emulation::library_error;
using cuda_emulation::library_symbol;
using cuda_emulation::open_library;
#else
#define MOEBENCH_TEXT_OF(value) #value
#define MOEBENCH_TEXT(value) MOEBENCH_TEXT_OF(value)
constexpr const char* kLibraryName = "libcublasLt.so." MOEBENCH_TEXT(CUBLAS_VER_MAJOR);
void* open_library(const char* name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }
void* library_symbol(void* library, const char* name) { return dlsym(library, name); }
const char* library_error() { return dlerror(); }
#endif

/// The algorithm is chosen for this many columns (32 rows of x in two planes: a batch of decoding
/// sequences), and has to take each of kCheckedColumns.
constexpr std::int64_t kNominalColumns = 64;
constexpr std::int64_t kCheckedColumns[] = {1, 2, 16, 64, 250, BlasLt::kMostColumns};
constexpr int kCandidates = 16;

void check(cublasStatus_t status, const char* doing) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ErrorCode::kDevice, std::string("cuBLASLt failed while ") + doing + ": status " +
                                      std::to_string(static_cast<int>(status)));
}

/// A handle of the library's with what destroys it.
template <class Handle>
class Owned {
 public:
  explicit Owned(cublasStatus_t (*destroy)(Handle)) : destroy_(destroy) {}
  Owned(Owned&& other) noexcept
      : destroy_(other.destroy_), handle_(std::exchange(other.handle_, nullptr)) {}
  ~Owned() {
    if (handle_ != nullptr) destroy_(handle_);
  }
  Handle* place() { return &handle_; }
  Handle get() const { return handle_; }

 private:
  cublasStatus_t (*destroy_)(Handle);
  Handle handle_ = nullptr;
};

}  // namespace

/// The calls, and the algorithms that were chosen.
struct BlasLt::Library {
  template <class Call>
  static void find(void* library, Call& call, const char* name) {
    call = reinterpret_cast<Call>(library_symbol(library, name));
    if (call == nullptr)
      throw Error(ErrorCode::kUsage, std::string(kLibraryName) + " has no " + name,
                  "--cuda-dense own needs no library");
  }
  Library() {
    void* const library = open_library(kLibraryName);
    if (library == nullptr)
      throw Error(ErrorCode::kUsage,
                  std::string("dense products by cuBLASLt need ") + kLibraryName +
                      ", which cannot be loaded: " + library_error(),
                  "add its folder to LD_LIBRARY_PATH; --cuda-dense own needs no library");
    find(library, create, "cublasLtCreate");
    find(library, destroy, "cublasLtDestroy");
    find(library, get_version, "cublasLtGetVersion");
    find(library, create_operation, "cublasLtMatmulDescCreate");
    find(library, destroy_operation, "cublasLtMatmulDescDestroy");
    find(library, set_operation, "cublasLtMatmulDescSetAttribute");
    find(library, create_layout, "cublasLtMatrixLayoutCreate");
    find(library, destroy_layout, "cublasLtMatrixLayoutDestroy");
    find(library, create_preference, "cublasLtMatmulPreferenceCreate");
    find(library, destroy_preference, "cublasLtMatmulPreferenceDestroy");
    find(library, set_preference, "cublasLtMatmulPreferenceSetAttribute");
    find(library, heuristic, "cublasLtMatmulAlgoGetHeuristic");
    find(library, check_algorithm, "cublasLtMatmulAlgoCheck");
    find(library, get_configuration, "cublasLtMatmulAlgoConfigGetAttribute");
    find(library, matmul, "cublasLtMatmul");
    cuda::check(create(&handle), "creating a handle");
  }
  ~Library() { destroy(handle); }

  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetVersion) get_version;
  decltype(&cublasLtMatmulDescCreate) create_operation;
  decltype(&cublasLtMatmulDescDestroy) destroy_operation;
  decltype(&cublasLtMatmulDescSetAttribute) set_operation;
  decltype(&cublasLtMatrixLayoutCreate) create_layout;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_layout;
  decltype(&cublasLtMatmulPreferenceCreate) create_preference;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulAlgoCheck) check_algorithm;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) get_configuration;
  decltype(&cublasLtMatmul) matmul;

  cublasLtHandle_t handle = nullptr;
  using Key = std::tuple<DType, std::int64_t, std::int64_t>;
  std::map<Key, std::optional<cublasLtMatmulAlgo_t>> algorithms;

  std::optional<cublasLtMatmulAlgo_t> choose(const DeviceMatrix& weight);
  bool adds_in_one_chain(const cublasLtMatmulAlgo_t& algorithm);
};

/// Column-major, as the library sees it: out (n, columns) = W (k, n)^T x (k, columns).
struct BlasLt::Problem {
  Problem(const Library& l, const DeviceMatrix& weight, std::int64_t columns)
      : operation(l.destroy_operation),
        w(l.destroy_layout),
        x(l.destroy_layout),
        out(l.destroy_layout) {
    const cudaDataType type = weight.dtype == DType::kF16 ? CUDA_R_16F : CUDA_R_16BF;
    const auto k = static_cast<std::uint64_t>(packed_units(weight.k) * kUnit);
    const auto n = static_cast<std::uint64_t>(weight.n);
    const auto count = static_cast<std::uint64_t>(columns);
    const auto leading = static_cast<std::int64_t>(k);
    const cublasOperation_t transposed = CUBLAS_OP_T;
    check(l.create_operation(operation.place(), CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing");
    check(l.set_operation(operation.get(), CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                          sizeof transposed),
          "describing");
    check(l.create_layout(w.place(), type, k, n, leading), "describing");
    check(l.create_layout(x.place(), type, k, count, leading), "describing");
    check(l.create_layout(out.place(), CUDA_R_32F, n, count, product_width(weight.n)),
          "describing");
  }
  Owned<cublasLtMatmulDesc_t> operation;
  Owned<cublasLtMatrixLayout_t> w, x, out;
};

bool BlasLt::Library::adds_in_one_chain(const cublasLtMatmulAlgo_t& algorithm) {
  std::int32_t splits = 0;
  std::uint32_t scheme = 0;
  const auto get = [&](cublasLtMatmulAlgoConfigAttributes_t which, auto& value) {
    std::size_t written = 0;
    return get_configuration(&algorithm, which, &value, sizeof value, &written) ==
           CUBLAS_STATUS_SUCCESS;
  };
  return get(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, splits) && splits <= 1 &&
         get(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, scheme) &&
         scheme == CUBLASLT_REDUCTION_SCHEME_NONE;
}

std::optional<cublasLtMatmulAlgo_t> BlasLt::Library::choose(const DeviceMatrix& weight) {
  Owned<cublasLtMatmulPreference_t> preference(destroy_preference);
  check(create_preference(preference.place()), "choosing an algorithm");
  const std::uint64_t workspace_bytes = 0;
  const std::uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE;
  check(set_preference(preference.get(), CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                       sizeof workspace_bytes),
        "choosing an algorithm");
  check(set_preference(preference.get(), CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes,
                       sizeof schemes),
        "choosing an algorithm");
  const Problem nominal(*this, weight, kNominalColumns);
  cublasLtMatmulHeuristicResult_t found[kCandidates];
  int n_found = 0;
  if (heuristic(handle, nominal.operation.get(), nominal.w.get(), nominal.x.get(),
                nominal.out.get(), nominal.out.get(), preference.get(), kCandidates, found,
                &n_found) != CUBLAS_STATUS_SUCCESS)
    return std::nullopt;
  for (int i = 0; i < n_found; ++i) {
    bool fits = found[i].state == CUBLAS_STATUS_SUCCESS && adds_in_one_chain(found[i].algo);
    for (const std::int64_t columns : kCheckedColumns) {
      if (!fits) break;
      const Problem p(*this, weight, columns);
      cublasLtMatmulHeuristicResult_t checked{};
      fits = check_algorithm(handle, p.operation.get(), p.w.get(), p.x.get(), p.out.get(),
                             p.out.get(), &found[i].algo, &checked) == CUBLAS_STATUS_SUCCESS &&
             checked.workspaceSize == 0;
    }
    if (fits) return found[i].algo;
  }
  return std::nullopt;
}

BlasLt::BlasLt() : library_(std::make_unique<Library>()) {}
BlasLt::~BlasLt() = default;

std::string BlasLt::version() const {
  const std::size_t v = library_->get_version();
  return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." +
         std::to_string(v % 100);
}

bool BlasLt::takes(const DeviceMatrix& weight) {
  if (weight.n == 0 || (weight.dtype != DType::kF16 && weight.dtype != DType::kBF16)) return false;
  const Library::Key key{weight.dtype, weight.n, packed_units(weight.k)};
  auto known = library_->algorithms.find(key);
  if (known == library_->algorithms.end())
    known = library_->algorithms.emplace(key, library_->choose(weight)).first;
  return known->second.has_value();
}

void BlasLt::product(float* out, const std::uint16_t* x, std::int64_t columns,
                     const DeviceMatrix& weight, cudaStream_t stream) {
  MOEBENCH_CHECK(takes(weight) && columns <= kMostColumns);
  const cublasLtMatmulAlgo_t& chosen =
      *library_->algorithms.at({weight.dtype, weight.n, packed_units(weight.k)});
  const Problem p(*library_, weight, columns);
  const float one = 1.0f, zero = 0.0f;
  check(library_->matmul(library_->handle, p.operation.get(), &one, weight.data, p.w.get(), x,
                         p.x.get(), &zero, out, p.out.get(), out, p.out.get(), &chosen, nullptr, 0,
                         stream),
        "starting a product");
}

}  // namespace moebench::cuda

#else

namespace moebench::cuda {

struct BlasLt::Library {};

BlasLt::BlasLt() {
  throw Error(ErrorCode::kUsage, "this build has no cuBLASLt: there was no cublasLt.h",
              "--cuda-dense own needs no library");
}
BlasLt::~BlasLt() = default;
std::string BlasLt::version() const { return {}; }
bool BlasLt::takes(const DeviceMatrix&) { return false; }
void BlasLt::product(float*, const std::uint16_t*, std::int64_t, const DeviceMatrix&,
                     cudaStream_t) {}

}  // namespace moebench::cuda

#endif
