#pragma once

// Barriers, shuffles, votes.

namespace cuda_emulation {

template <class T>
std::uint64_t bits_of(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
T from_bits(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
template <class T>
T shuffle(unsigned mask, T value, int from, const Where& where, bool keep_own = false) {
  return from_bits<T>(shuffle_bits(mask, bits_of(value), from, keep_own, where));
}

/// Folds what the lanes of the mask brought, in the order of the lanes.
template <class T, class Operation>
T reduce(unsigned mask, T value, const Where& where, Operation operation) {
  std::uint64_t values[kWarpLanes];
  unsigned lanes = gather_bits(mask, bits_of(value), values, where);
  T result = from_bits<T>(values[std::countr_zero(lanes)]);
  for (lanes &= lanes - 1; lanes != 0; lanes &= lanes - 1)
    result = operation(result, from_bits<T>(values[std::countr_zero(lanes)]));
  return result;
}

}  // namespace cuda_emulation

inline void __syncthreads(const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  cuda_emulation::block_barrier(0, where);
}
inline int __syncthreads_count(
    int predicate, const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  return cuda_emulation::block_barrier(predicate != 0, where);
}
inline int __syncthreads_or(int predicate,
                            const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  return cuda_emulation::block_barrier(predicate != 0, where) != 0;
}
inline int __syncthreads_and(
    int predicate, const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  return cuda_emulation::block_barrier(predicate == 0, where) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu,
                       const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  cuda_emulation::warp_barrier(mask, where);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
              const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  const int base = cuda_emulation::lane_number() / width * width;
  return cuda_emulation::shuffle(mask, value, base + (lane & (width - 1)), where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  const int own = cuda_emulation::lane_number(), source = own ^ lane_mask;
  const bool outside = source >= (own / width + 1) * width;
  return cuda_emulation::shuffle(mask, value, source, where, outside);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  const int own = cuda_emulation::lane_number(), source = own - static_cast<int>(delta);
  return cuda_emulation::shuffle(mask, value, source, where, source < own / width * width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  const int own = cuda_emulation::lane_number(), source = own + static_cast<int>(delta);
  return cuda_emulation::shuffle(mask, value, source, where, source >= (own / width + 1) * width);
}

inline unsigned __ballot_sync(
    unsigned mask, int predicate,
    const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  std::uint64_t values[32];
  const unsigned lanes = cuda_emulation::gather_bits(mask, predicate != 0, values, where);
  unsigned ballot = 0;
  for (unsigned i = 0; i < 32; ++i)
    if ((lanes >> i & 1u) != 0 && values[i] != 0) ballot |= 1u << i;
  return ballot;
}
inline int __any_sync(unsigned mask, int predicate,
                      const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  return __ballot_sync(mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  return __ballot_sync(mask, predicate == 0, where) == 0;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value,
                          const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  const std::uint64_t bits = cuda_emulation::bits_of(value);
  std::uint64_t values[32];
  const unsigned lanes = cuda_emulation::gather_bits(mask, bits, values, where);
  unsigned same = 0;
  for (unsigned i = 0; i < 32; ++i)
    if ((lanes >> i & 1u) != 0 && values[i] == bits) same |= 1u << i;
  return same;
}
template <class T>
T __reduce_add_sync(unsigned mask, T value,
                    const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  return cuda_emulation::reduce(mask, value, where, [](T a, T b) { return static_cast<T>(a + b); });
}
template <class T>
T __reduce_max_sync(unsigned mask, T value,
                    const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  return cuda_emulation::reduce(mask, value, where, [](T a, T b) { return a < b ? b : a; });
}
template <class T>
T __reduce_min_sync(unsigned mask, T value,
                    const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  return cuda_emulation::reduce(mask, value, where, [](T a, T b) { return b < a ? b : a; });
}
