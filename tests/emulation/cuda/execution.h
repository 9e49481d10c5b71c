#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>

// The CUDA execution model on one CPU thread: blocks one after another, the threads of a block as
// fibers that change at barriers and warp collectives alone. Global state under one lock: a kernel
// at a time, whatever host thread runs it.

namespace cuda_emulation {

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

inline constexpr unsigned kWarpLanes = 32;
inline constexpr unsigned kMaxBlockThreads = 1024;
inline constexpr std::size_t kMaxSharedBytes = 227 << 10;  // as on sm_90

/// A thread of the running block.
struct Lane {
  Index3 thread;
  unsigned linear = 0;  ///< its number in the block
  unsigned lane = 0;    ///< its number in its warp
  unsigned warp = 0;
};

struct Launch {
  Index3 grid, block;
  std::size_t shared_bytes = 0;
};

extern Lane* self;             ///< the thread that runs now; null outside of kernels
extern Index3 block_index;     ///< of the running block
extern Launch current_launch;  ///< of the running kernel

/// Runs `thread_body` for every thread of every block. Returns why it failed: a barrier that not
/// all threads reached, a deadlocked warp, a race or a bad access (checked builds); empty if it did
/// not.
std::string run_kernel(const Launch& launch, const std::function<void()>& thread_body);

/// Ends the running kernel with a message, from inside a thread. Does not return.
[[noreturn]] void fail(const std::string& message);

// Out of line: the checks of memory accesses must not see the emulation's own state.
int lane_number() noexcept;
Index3 thread_index() noexcept;
Index3 running_block_index() noexcept;
Index3 block_size() noexcept;
Index3 grid_size() noexcept;
void* dynamic_shared() noexcept;

using Where = std::source_location;

/// Waits until all threads of the block are here. All have to be at the same source line. Returns
/// the sum over the threads of `value`.
int block_barrier(int value, const Where& where);

// Warp collectives of the lanes in `mask`; lanes beyond the block's end are left out of it.
void warp_barrier(unsigned mask, const Where& where);
/// What lane `from` brought; its own where `keep_own`.
std::uint64_t shuffle_bits(unsigned mask, std::uint64_t bits, int from, bool keep_own,
                           const Where& where);
/// What all lanes brought, into values[32]; returns the mask of those that count.
unsigned gather_bits(unsigned mask, std::uint64_t bits, std::uint64_t* values, const Where& where);
/// One wmma product: lane l brings and gets the elements 8 l .. 8 l + 7 of 16 x 16 row-major tiles.
inline constexpr int kTileSide = 16, kTileShare = 8;
void tile_product(const float* a, const float* b, float* product, const Where& where);
/// One mma.m16n8k16: what lane 4 g + t brings and gets is laid out as the PTX ISA says, register by
/// register (a: 8 values, b: 4, product: 4). Sums in double, rounded once.
void mma_product(const float* a, const float* b, float* product, const Where& where);

// Asynchronous copies of the running thread, in groups.
struct AsyncCopy {
  void* to = nullptr;
  const void* from = nullptr;
};
void note_async_copy(void* to, const void* from);
void close_async_group();
/// The oldest copy that a wait for all but the last `groups_left` groups makes arrive; taken off
/// the list. to is null when there is none left.
AsyncCopy next_arrived_copy(unsigned groups_left);

// --- Checks of memory accesses (access_checks.cpp), in builds whose kernels are compiled with
// -fsanitize=thread: its calls are answered here instead of by libtsan.

/// The device memory of the emulation: one address range, so that an access can be looked up.
struct MemoryMap {
  std::byte* begin = nullptr;
  std::byte* end = nullptr;
  std::uint8_t* valid = nullptr;  ///< per 8 bytes: how many of them are allocated
};
extern MemoryMap device_memory;

/// Turns the checks on or off (MOEBENCH_EMULATION_CHECKS=0 starts with them off): they cost a
/// factor of about five.
void set_checks(bool on) noexcept;
void note_kernel_begin() noexcept;
void note_block_begin(const void* dynamic_begin, std::size_t dynamic_bytes) noexcept;
void note_block_barrier() noexcept;
void note_warp_barrier(unsigned warp) noexcept;
/// The fibers' stacks: accesses there are a thread's own.
void set_stack_range(const void* begin, const void* end) noexcept;

}  // namespace cuda_emulation
