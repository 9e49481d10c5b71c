#include "tests/emulation/cuda/execution.h"

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace cuda_emulation {

Lane* self = nullptr;
Index3 block_index;
Launch current_launch;

namespace {

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

constexpr std::size_t kStackBytes = 256 << 10;
constexpr std::size_t kStackStagger = 320;  // so that equal frames don't share their cache sets

/// One warp collective: what its lanes brought. It lasts until each of them has read.
struct Exchange {
  unsigned mask = 0, arrived = 0, unread = 0;
  Where where;
  std::uint64_t values[kWarpLanes];
  float a[kTileSide][kTileSide], b[kTileSide][kTileSide], product[kTileSide][kTileSide];
  Exchange* next_free = nullptr;
};

enum class State : std::uint8_t { kUnstarted, kReady, kAtBarrier, kAtCollective, kDone };

struct PendingCopy {
  AsyncCopy copy;
  unsigned group;
};

struct Thread : Lane {
  std::deque<PendingCopy> copies;
  unsigned copy_group = 0;
  State state = State::kUnstarted;
  fcontext_t context = nullptr;  // where it waits
  std::size_t fiber = 0;         // whose stack it is on
  Where where;                   // of the barrier or the collective it waits at
};

struct Warp {
  std::vector<Exchange*> open;  // collectives that not all lanes have joined
};

/// The running block and its fibers. A fiber runs thread after thread until one has to wait; then
/// that thread keeps the fiber, and the next threads get another. So a kernel without barriers uses
/// one stack, and others no more than they have threads.
struct Block {
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Thread* ready[kMaxBlockThreads];  // a ring: a thread is in it at most once
  unsigned ready_begin = 0, n_ready = 0;
  unsigned n_threads = 0, next_unstarted = 0, n_at_barrier = 0, n_done = 0;
  int barrier_sum = 0, barrier_result = 0;
  Where barrier_where;

  std::byte* stacks = nullptr;
  std::vector<fcontext_t> fibers;  // of idle ones: where to go on
  std::vector<std::size_t> idle;   // last used on top
  fcontext_t scheduler = nullptr;  // the host context while a fiber runs
  const std::function<void()>* body = nullptr;
  std::string failure;
  Exchange* free_exchanges = nullptr;
  std::deque<Exchange> exchanges;  // owner; addresses stay
};

Block block;
std::mutex kernel_lock;
alignas(256) std::byte dynamic_buffer[kMaxSharedBytes + 64];

std::string describe(const Thread& t) {
  return "thread (" + std::to_string(t.thread.x) + ", " + std::to_string(t.thread.y) + ", " +
         std::to_string(t.thread.z) + ")";
}

std::string describe(const Where& where) {
  const std::string_view path = where.file_name();
  const std::size_t slash = path.rfind('/');
  return std::string(slash == path.npos ? path : path.substr(slash + 1)) + ":" +
         std::to_string(where.line());
}

/// Hands the processor back to the scheduler and stores where to go on.
void suspend(fcontext_t& here) {
  const transfer_t back = jump_fcontext(block.scheduler, &here);
  block.scheduler = back.fctx;
}

/// What each fiber does for ever: unstarted threads, then waiting for a new block.
void fiber_main(transfer_t from) {
  block.scheduler = from.fctx;
  std::size_t number = reinterpret_cast<std::size_t>(from.data);
  for (;;) {
    while (block.next_unstarted < block.n_threads) {
      Thread& thread = block.threads[block.next_unstarted++];
      thread.fiber = number;
      self = &thread;
      (*block.body)();
      thread.state = State::kDone;
      ++block.n_done;
      // Threads that wait go before new ones: a warp then finishes together.
      if (block.n_ready > 0) break;
    }
    block.idle.push_back(number);
    suspend(block.fibers[number]);
  }
}

std::byte* stack_top(std::size_t fiber) {
  return block.stacks + (fiber + 1) * kStackBytes - (fiber % 13) * kStackStagger - 64;
}

void make_fibers_anew() {
  if (block.stacks == nullptr) {
    const std::size_t bytes = kMaxBlockThreads * kStackBytes;
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    block.stacks = static_cast<std::byte*>(memory);
    set_stack_range(block.stacks, block.stacks + bytes);
  }
  block.fibers.assign(kMaxBlockThreads, nullptr);
  block.idle.clear();
  for (std::size_t i = kMaxBlockThreads; i-- > 0;) block.idle.push_back(i);
}

/// Jumps to where `context` waits; comes back at the next suspension. `context` is updated by it.
void run(fcontext_t context, void* data) {
  const transfer_t back = jump_fcontext(context, data);
  if (back.data != nullptr) *static_cast<fcontext_t*>(back.data) = back.fctx;
  self = nullptr;
}

std::string unreached() {
  std::string waiting, missing;
  unsigned n_waiting = 0, n_done = 0;
  for (unsigned i = 0; i < block.n_threads; ++i) {
    const Thread& t = block.threads[i];
    if (t.state == State::kDone) {
      if (n_done++ == 0) missing = describe(t);
    } else if (n_waiting++ == 0) {
      waiting = describe(t) +
                (t.state == State::kAtBarrier ? " at the barrier " : " at the warp collective ") +
                describe(t.where);
    }
  }
  return "not all threads reached a barrier: " + std::to_string(n_waiting) +
         " wait (the first: " + waiting + "), " + std::to_string(n_done) + " have ended" +
         (n_done > 0 ? " (the first: " + missing + ")" : "");
}

void prepare_threads(const Launch& launch) {
  const Index3& size = launch.block;
  block.n_threads = size.x * size.y * size.z;
  block.threads.resize(block.n_threads);
  unsigned i = 0;
  for (unsigned z = 0; z < size.z; ++z)
    for (unsigned y = 0; y < size.y; ++y)
      for (unsigned x = 0; x < size.x; ++x, ++i) {
        Thread& t = block.threads[i];
        t.thread = {x, y, z};
        t.linear = i;
        t.lane = i % kWarpLanes;
        t.warp = i / kWarpLanes;
      }
  block.warps.assign((block.n_threads + kWarpLanes - 1) / kWarpLanes, {});
}

bool run_block() {
  for (Thread& t : block.threads) {
    t.state = State::kUnstarted;
    t.copies.clear();
    t.copy_group = 0;
  }
  block.next_unstarted = block.n_at_barrier = block.n_done = 0;
  block.barrier_sum = 0;
  block.n_ready = 0;
  for (;;) {
    if (block.n_ready > 0) {
      Thread* const thread = block.ready[block.ready_begin++ % kMaxBlockThreads];
      --block.n_ready;
      run(thread->context, thread);
    } else if (block.next_unstarted < block.n_threads) {
      const std::size_t fiber = block.idle.back();
      block.idle.pop_back();
      if (block.fibers[fiber] == nullptr)
        block.fibers[fiber] = make_fcontext(stack_top(fiber), kStackBytes / 2, fiber_main);
      run(block.fibers[fiber], reinterpret_cast<void*>(fiber));
    } else {
      break;
    }
    if (!block.failure.empty()) return false;
  }
  if (block.n_done < block.n_threads) block.failure = unreached();
  return block.failure.empty();
}

/// Waits until somebody puts this thread into the ready queue.
void wait_as(Thread& thread, State state, const Where& where) {
  thread.state = state;
  thread.where = where;
  suspend(thread.context);
  self = &thread;
  thread.state = State::kReady;
}

void wake(Thread& thread) {
  thread.state = State::kReady;
  block.ready[(block.ready_begin + block.n_ready++) % kMaxBlockThreads] = &thread;
}

Exchange& take_exchange() {
  if (block.free_exchanges == nullptr) {
    block.exchanges.emplace_back();
    return block.exchanges.back();
  }
  Exchange* const e = block.free_exchanges;
  block.free_exchanges = e->next_free;
  return *e;
}

/// The lanes that a warp has: the last one of a block may be short.
unsigned present_lanes(unsigned warp) {
  const unsigned first = warp * kWarpLanes;
  return block.n_threads - first >= kWarpLanes ? ~0u : (1u << (block.n_threads - first)) - 1;
}

/// The open collective of `mask` for the running thread, made by the first to come.
Exchange& open_exchange(unsigned mask, const Where& where) {
  Thread& thread = *static_cast<Thread*>(self);
  const unsigned own = 1u << thread.lane;
  if ((mask & own) == 0) fail("it is not in the mask of its own collective " + describe(where));
  const unsigned wanted = mask & present_lanes(thread.warp);
  Warp& warp = block.warps[thread.warp];
  // Lanes may be ahead at a wider collective while others still are in a narrower one.
  for (Exchange* open : warp.open) {
    if (open->mask != wanted || (open->arrived & own) != 0) continue;
    if (open->where.line() != where.line())
      fail("it joins the collective " + describe(where) + " while others of its mask are at " +
           describe(open->where));
    return *open;
  }
  Exchange& exchange = take_exchange();
  exchange.mask = wanted;
  exchange.arrived = 0;
  exchange.where = where;
  warp.open.push_back(&exchange);
  return exchange;
}

/// Waits until all lanes of the mask are here. The last calls `finish` before the others go on.
template <class Finish>
void arrive(Exchange& exchange, const Where& where, Finish finish) {
  Thread& thread = *static_cast<Thread*>(self);
  exchange.arrived |= 1u << thread.lane;
  if (exchange.arrived != exchange.mask) {
    wait_as(thread, State::kAtCollective, where);
    return;
  }
  std::erase(block.warps[thread.warp].open, &exchange);
  exchange.unread = exchange.mask;
  finish(exchange);
  for (unsigned lane = 0; lane < kWarpLanes; ++lane)
    if ((exchange.mask >> lane & 1u) != 0 && lane != thread.lane)
      wake(block.threads[thread.warp * kWarpLanes + lane]);
}

void leave(Exchange& exchange) noexcept {
  exchange.unread &= ~(1u << self->lane);
  if (exchange.unread != 0) return;
  exchange.next_free = block.free_exchanges;
  block.free_exchanges = &exchange;
}

void no_finish(Exchange&) {}

}  // namespace

std::string run_kernel(const Launch& launch, const std::function<void()>& thread_body) {
  const std::lock_guard lock(kernel_lock);
  if (block.stacks == nullptr) make_fibers_anew();
  current_launch = launch;
  block.body = &thread_body;
  block.failure.clear();
  prepare_threads(launch);
  note_kernel_begin();
  for (unsigned z = 0; z < launch.grid.z; ++z)
    for (unsigned y = 0; y < launch.grid.y; ++y)
      for (unsigned x = 0; x < launch.grid.x; ++x) {
        block_index = {x, y, z};
        // What a block leaves in shared memory means nothing to the next: NaN, in all types.
        std::memset(dynamic_buffer, 0xff, launch.shared_bytes);
        note_block_begin(dynamic_buffer, launch.shared_bytes);
        if (run_block()) continue;
        const std::string failure = "block (" + std::to_string(x) + ", " + std::to_string(y) +
                                    ", " + std::to_string(z) + "): " + block.failure;
        make_fibers_anew();  // what hangs on their stacks is left behind
        block.free_exchanges = nullptr;
        block.exchanges.clear();
        return failure;
      }
  return {};
}

void fail(const std::string& message) {
  Thread& thread = *static_cast<Thread*>(self);
  block.failure = describe(thread) + ": " + message;
  suspend(thread.context);
  std::abort();  // nobody resumes it
}

int lane_number() noexcept { return static_cast<int>(self->lane); }
Index3 thread_index() noexcept { return self->thread; }
Index3 running_block_index() noexcept { return block_index; }
Index3 block_size() noexcept { return current_launch.block; }
Index3 grid_size() noexcept { return current_launch.grid; }
void* dynamic_shared() noexcept { return dynamic_buffer; }

int block_barrier(int value, const Where& where) {
  Thread& thread = *static_cast<Thread*>(self);
  if (block.n_at_barrier == 0) block.barrier_where = where;
  if (where.line() != block.barrier_where.line() ||
      std::strcmp(where.file_name(), block.barrier_where.file_name()) != 0)
    fail("it waits at the barrier " + describe(where) + " while others wait at " +
         describe(block.barrier_where));
  block.barrier_sum += value;
  if (++block.n_at_barrier < block.n_threads) {
    wait_as(thread, State::kAtBarrier, where);
    return block.barrier_result;
  }
  block.n_at_barrier = 0;
  block.barrier_result = block.barrier_sum;
  block.barrier_sum = 0;
  note_block_barrier();
  for (Thread& other : block.threads)
    if (&other != &thread) wake(other);
  return block.barrier_result;
}

void warp_barrier(unsigned mask, const Where& where) {
  Exchange& e = open_exchange(mask, where);
  arrive(e, where, [](const Exchange& all) {
    if (all.mask == present_lanes(self->warp)) note_warp_barrier(self->warp);
  });
  leave(e);
}

std::uint64_t shuffle_bits(unsigned mask, std::uint64_t bits, int from, bool keep_own,
                           const Where& where) {
  Exchange& e = open_exchange(mask, where);
  e.values[self->lane] = bits;
  arrive(e, where, no_finish);
  if (!keep_own && (from < 0 || from > 31 || (e.mask >> from & 1u) == 0))
    fail("the shuffle " + describe(where) + " reads lane " + std::to_string(from) +
         ", which is not in its mask");
  const std::uint64_t result = keep_own ? bits : e.values[from];
  leave(e);
  return result;
}

unsigned gather_bits(unsigned mask, std::uint64_t bits, std::uint64_t* values, const Where& where) {
  Exchange& e = open_exchange(mask, where);
  e.values[self->lane] = bits;
  arrive(e, where, no_finish);
  std::memcpy(values, e.values, sizeof e.values);
  const unsigned all = e.mask;
  leave(e);
  return all;
}

void tile_product(const float* a, const float* b, float* product, const Where& where) {
  Exchange& e = open_exchange(~0u, where);
  const unsigned begin = self->lane * kTileShare;
  std::memcpy(&e.a[0][0] + begin, a, kTileShare * sizeof(float));
  std::memcpy(&e.b[0][0] + begin, b, kTileShare * sizeof(float));
  arrive(e, where, [](Exchange& all) {
    if (all.mask != ~0u) fail("a tile product needs all 32 lanes of its warp");
    std::memset(all.product, 0, sizeof all.product);
    for (int i = 0; i < kTileSide; ++i)
      for (int k = 0; k < kTileSide; ++k)
        for (int j = 0; j < kTileSide; ++j) all.product[i][j] += all.a[i][k] * all.b[k][j];
  });
  std::memcpy(product, &e.product[0][0] + begin, kTileShare * sizeof(float));
  leave(e);
}

void mma_product(const float* a, const float* b, float* product, const Where& where) {
  Exchange& e = open_exchange(~0u, where);
  const unsigned g = self->lane / 4, t = self->lane % 4;
  for (unsigned i = 0; i < 8; ++i) e.a[g + i / 2 % 2 * 8][2 * t + i / 4 * 8 + i % 2] = a[i];
  for (unsigned i = 0; i < 4; ++i) e.b[2 * t + i / 2 * 8 + i % 2][g] = b[i];
  arrive(e, where, [](Exchange& all) {
    if (all.mask != ~0u) fail("a tile product needs all 32 lanes of its warp");
    for (int i = 0; i < kTileSide; ++i) {
      double sums[8] = {};
      for (int k = 0; k < kTileSide; ++k)
        for (int j = 0; j < 8; ++j)
          sums[j] += static_cast<double>(all.a[i][k]) * static_cast<double>(all.b[k][j]);
      for (int j = 0; j < 8; ++j) all.product[i][j] = static_cast<float>(sums[j]);
    }
  });
  for (unsigned i = 0; i < 4; ++i) product[i] = e.product[g + i / 2 * 8][2 * t + i % 2];
  leave(e);
}

void note_async_copy(void* to, const void* from) {
  Thread& thread = *static_cast<Thread*>(self);
  thread.copies.push_back({{to, from}, thread.copy_group});
}

void close_async_group() { ++static_cast<Thread*>(self)->copy_group; }

AsyncCopy next_arrived_copy(unsigned groups_left) {
  Thread& thread = *static_cast<Thread*>(self);
  if (thread.copies.empty() || thread.copies.front().group + groups_left >= thread.copy_group)
    return {};
  const AsyncCopy copy = thread.copies.front().copy;
  thread.copies.pop_front();
  return copy;
}

}  // namespace cuda_emulation
