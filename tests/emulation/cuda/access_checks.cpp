// Answers the calls that -fsanitize=thread puts before each memory access of the kernels: accesses
// outside of allocations, races between barriers, and shared memory read before it was written.
// libtsan itself is not linked: it knows nothing of blocks and barriers.

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/emulation/cuda/execution.h"

extern "C" char __bss_start, _end;  // the linker's: static __shared__ variables lie between

namespace cuda_emulation {

MemoryMap device_memory;

namespace {

bool on_at_start() {
  const char* const setting = std::getenv("MOEBENCH_EMULATION_CHECKS");
  return setting == nullptr || std::strcmp(setting, "0") != 0;
}

bool checks_on = on_at_start();
bool checking = false;  // in this kernel: the setting holds from a kernel's begin

/// One side of a word's history: who touched which of its bytes last.
struct Access {
  std::uint32_t tick = 0;  // of the barrier interval it happened in
  std::uint16_t thread = 0, warp_epoch = 0;
  std::uint8_t bytes = 0;
  bool several_threads = false, several_warps = false;  // readers only
};
struct Word {
  Access write, read;
};
struct SharedWord {
  std::uintptr_t key = 0;
  std::uint32_t block_tick = 0;  // older than the block: an empty place
  std::uint8_t written = 0;      // bytes that this block wrote
  Word word;
};

constexpr std::size_t kSharedPlaces = 1 << 18;

// Ticks count barrier intervals over the whole program: each kernel, block and barrier starts one.
std::uint32_t tick = 1, kernel_tick = 1, block_tick = 1;
std::uint16_t warp_epochs[kMaxBlockThreads / kWarpLanes];
std::uintptr_t stack_begin = 0, stack_end = 0, dynamic_begin = 0, dynamic_end = 0;
Word* global_words = nullptr;  // one a 4-byte word of device memory, mapped lazily
std::vector<SharedWord> shared_words;

[[noreturn]] void fail_at(const char* what, std::uintptr_t address, const void* pc,
                          const Access* other) {
  char text[256];
  std::snprintf(text, sizeof text, "%s at %#zx (code %p)%s", what,
                static_cast<std::size_t>(address), pc, other != nullptr ? "" : "");
  std::string message = text;
  if (other != nullptr)
    message += ", against thread " + std::to_string(other->thread) +
               (other->tick < block_tick ? " of another block" : "");
  fail(message);
}

/// Whether an earlier access is unordered with one by the running thread now.
bool unordered(const Access& earlier, std::uint8_t bytes, bool global) {
  if ((earlier.bytes & bytes) == 0) return false;
  if (earlier.tick != tick)
    return global && earlier.tick >= kernel_tick && earlier.tick < block_tick;
  if (earlier.several_warps) return true;
  const unsigned warp = earlier.thread / kWarpLanes;
  if (warp != self->warp) return true;
  if (earlier.warp_epoch < warp_epochs[warp]) return false;
  return earlier.several_threads || earlier.thread != self->linear;
}

void note_word(Word& word, std::uintptr_t address, std::uint8_t bytes, bool write, bool global,
               const void* pc) {
  if (unordered(word.write, bytes, global))
    fail_at(write ? "a write races with a write" : "a read races with a write", address, pc,
            &word.write);
  if (write && unordered(word.read, bytes, global))
    fail_at("a write races with a read", address, pc, &word.read);
  const auto thread = static_cast<std::uint16_t>(self->linear);
  const std::uint16_t epoch = warp_epochs[self->warp];
  if (write) {
    word.write = {tick, thread, epoch, bytes, false, false};
    return;
  }
  Access& read = word.read;
  if (read.tick != tick || read.bytes != bytes) {
    // Readers of other blocks are remembered as one: any write against them is a race.
    read = {tick, thread, epoch, bytes, false, false};
    return;
  }
  read.several_warps = read.several_warps || read.thread / kWarpLanes != self->warp;
  if (read.warp_epoch != epoch)
    read.several_threads = false;  // a warp barrier lies between: those reads are over
  else
    read.several_threads = read.several_threads || read.thread != thread;
  read.thread = thread;
  read.warp_epoch = epoch;
}

SharedWord& shared_word(std::uintptr_t key) {
  std::size_t place = key * 0x9e3779b97f4a7c15ull >> 46;  // 18 bits
  for (;;) {
    SharedWord& word = shared_words[place];
    if (word.block_tick < block_tick) {
      word = {key, block_tick, 0, {}};
      return word;
    }
    if (word.key == key) return word;
    place = (place + 1) % kSharedPlaces;
  }
}

bool in_shared_memory(std::uintptr_t address) {
  if (address >= dynamic_begin && address < dynamic_end) return true;
  return address >= reinterpret_cast<std::uintptr_t>(&__bss_start) &&
         address < reinterpret_cast<std::uintptr_t>(&_end);
}

void note_access(const void* pointer, std::size_t size, bool write, const void* pc) {
  if (!checking || self == nullptr) return;  // off, or host code
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  if (address >= stack_begin && address < stack_end) return;
  const auto memory_begin = reinterpret_cast<std::uintptr_t>(device_memory.begin);
  const bool global =
      address >= memory_begin && address < reinterpret_cast<std::uintptr_t>(device_memory.end);
  if (global) {
    const std::size_t at = address - memory_begin;
    for (std::size_t i = at / 8; i <= (at + size - 1) / 8; ++i)
      if (std::min<std::size_t>(at + size, (i + 1) * 8) - i * 8 > device_memory.valid[i])
        fail_at(write ? "a write outside of any allocation" : "a read outside of any allocation",
                address, pc, nullptr);
  } else if (address < 4096) {
    fail_at("an access through a null pointer", address, pc, nullptr);
  }
  for (std::uintptr_t at = address; at < address + size;) {
    const std::uintptr_t next = std::min((at / 4 + 1) * 4, address + size);
    const auto bytes = static_cast<std::uint8_t>(((1u << (next - at)) - 1u) << (at % 4));
    if (global) {
      note_word(global_words[(at - memory_begin) / 4], at, bytes, write, true, pc);
    } else {
      SharedWord& word = shared_word(at / 4);
      if (write) {
        word.written |= bytes;
      } else if ((word.written & bytes) != bytes && in_shared_memory(at)) {
        fail_at("shared memory is read before this block wrote it", at, pc, nullptr);
      }
      note_word(word.word, at, bytes, write, false, pc);
    }
    at = next;
  }
}

}  // namespace

void set_checks(bool on) noexcept { checks_on = on; }

void note_kernel_begin() noexcept {
  checking = checks_on;
  if (!checking) return;
  kernel_tick = ++tick;
  if (global_words == nullptr && device_memory.begin != nullptr) {
    const std::size_t words = static_cast<std::size_t>(device_memory.end - device_memory.begin) / 4;
    void* const memory = mmap(nullptr, words * sizeof(Word), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    global_words = static_cast<Word*>(memory);
    shared_words.resize(kSharedPlaces);
  }
}

void note_block_begin(const void* begin, std::size_t bytes) noexcept {
  block_tick = ++tick;
  dynamic_begin = reinterpret_cast<std::uintptr_t>(begin);
  dynamic_end = dynamic_begin + bytes;
  std::memset(warp_epochs, 0, sizeof warp_epochs);
}

void note_block_barrier() noexcept { ++tick; }
void note_warp_barrier(unsigned warp) noexcept { ++warp_epochs[warp]; }

void set_stack_range(const void* begin, const void* end) noexcept {
  stack_begin = reinterpret_cast<std::uintptr_t>(begin);
  stack_end = reinterpret_cast<std::uintptr_t>(end);
}

}  // namespace cuda_emulation

// The instrumentation's interface (GCC's sanitizer.def).
#define MOEBENCH_PC __builtin_return_address(0)
#define MOEBENCH_ACCESS(bits, bytes)                                                             \
  void __tsan_read##bits(void* p) { cuda_emulation::note_access(p, bytes, false, MOEBENCH_PC); } \
  void __tsan_write##bits(void* p) { cuda_emulation::note_access(p, bytes, true, MOEBENCH_PC); }
extern "C" {
void __tsan_init();
void __tsan_func_entry(void*);
void __tsan_func_exit(void*);
void __tsan_read_range(void*, std::size_t);
void __tsan_write_range(void*, std::size_t);
#define MOEBENCH_DECLARE(bits)   \
  void __tsan_read##bits(void*); \
  void __tsan_write##bits(void*);
MOEBENCH_DECLARE(1)
MOEBENCH_DECLARE(2)
MOEBENCH_DECLARE(4)
MOEBENCH_DECLARE(8)
MOEBENCH_DECLARE(16)
void __tsan_vptr_update(void*, void*);

// Guards of function-local statics in host code.
char __tsan_atomic8_load(const volatile char*, int);
char __tsan_atomic8_load(const volatile char* p, int) {
  return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit(void*) {}
void __tsan_vptr_update(void*, void*) {}
MOEBENCH_ACCESS(1, 1)
MOEBENCH_ACCESS(2, 2)
MOEBENCH_ACCESS(4, 4)
MOEBENCH_ACCESS(8, 8)
MOEBENCH_ACCESS(16, 16)
void __tsan_read_range(void* p, std::size_t n) {
  cuda_emulation::note_access(p, n, false, MOEBENCH_PC);
}
void __tsan_write_range(void* p, std::size_t n) {
  cuda_emulation::note_access(p, n, true, MOEBENCH_PC);
}
}
