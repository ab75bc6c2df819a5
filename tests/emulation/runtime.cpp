// The emulated CUDA runtime: memory the host may not touch, copies, threads as fibers, graphs.
// Fortified headers forbid to jump from stack to stack.
#undef _FORTIFY_SOURCE
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cuda_runtime.h"
#include "emulation.hpp"

struct EmulatedStream {
  std::atomic<bool> capturing = false;
  std::thread::id capturing_thread;
  EmulatedGraph* captured = nullptr;
};
struct EmulatedGraph {
  std::vector<std::function<void()>> nodes;
};

namespace emulation {

thread_local Place place;

namespace {

[[noreturn]] void give_up(const char* name, const char* what) {
  std::fprintf(stderr, "CUDA emulation, kernel '%s': %s\n", name, what);
  std::abort();
}

// ---- device memory
// -------------------------------------------------------------------------------

constexpr std::size_t kReserved = std::size_t{8} << 30;
constexpr std::size_t kLargePage = std::size_t{2} << 20;
constexpr std::size_t kPiece = 256;  // what a real device aligns to

std::recursive_mutex everything;

/// One stretch of addresses; first fit. Blocks lie apart, and freed and fresh ones are filled with
/// NaN, so that reading past an end or before a write shows.
class Memory {
 public:
  Memory() {
    base_ = static_cast<std::byte*>(::mmap(nullptr, kReserved + kLargePage, PROT_NONE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (base_ == MAP_FAILED) give_up("-", "no addresses left to emulate device memory");
    const auto address = reinterpret_cast<std::uintptr_t>(base_);
    base_ += (kLargePage - address % kLargePage) % kLargePage;
    // Forbidding and allowing take time for every page: large ones where the system has them.
    (void)::madvise(base_, kReserved, MADV_HUGEPAGE);
    free_[0] = kReserved;
  }
  void* allocate(std::size_t bytes) {
    const std::size_t size = (std::max<std::size_t>(bytes, 1) + 2 * kPiece - 1) / kPiece * kPiece;
    if (used_ + bytes > limit_) return nullptr;
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second < size) continue;
      const std::size_t begin = it->first, rest = it->second - size;
      free_.erase(it);
      if (rest > 0) free_[begin + size] = rest;
      blocks_[begin] = {size, bytes};
      used_ += bytes;
      top_ = std::max(top_, (begin + size + kLargePage - 1) / kLargePage * kLargePage);
      open();
      std::memset(base_ + begin, 0xff, size);
      close();
      return base_ + begin;
    }
    return nullptr;
  }
  bool release(void* memory) {
    if (!holds(memory)) return false;
    const auto begin = static_cast<std::size_t>(static_cast<std::byte*>(memory) - base_);
    const auto block = blocks_.find(begin);
    if (block == blocks_.end()) return false;
    used_ -= block->second.bytes;
    auto [at, _] = free_.emplace(begin, block->second.size);
    blocks_.erase(block);
    if (const auto next = std::next(at);
        next != free_.end() && at->first + at->second == next->first) {
      at->second += next->second;
      free_.erase(next);
    }
    if (at != free_.begin()) {
      if (const auto before = std::prev(at); before->first + before->second == at->first) {
        before->second += at->second;
        free_.erase(at);
      }
    }
    return true;
  }
  /// Whether all these bytes lie in one block.
  bool holds(const void* from, std::size_t bytes) const {
    if (!holds(from)) return false;
    const auto at = static_cast<std::size_t>(static_cast<const std::byte*>(from) - base_);
    auto block = blocks_.upper_bound(at);
    if (block == blocks_.begin()) return false;
    --block;
    return at + bytes <= block->first + block->second.bytes;
  }
  bool holds(const void* memory) const { return memory >= base_ && memory < base_ + kReserved; }
  void open() {
    if (depth_++ == 0 && top_ > 0) ::mprotect(base_, top_, PROT_READ | PROT_WRITE);
  }
  void close() {
    if (--depth_ == 0 && top_ > 0) ::mprotect(base_, top_, PROT_NONE);
  }
  std::size_t used() const { return used_; }
  std::size_t limit() const { return limit_; }
  void set_limit(std::size_t bytes) { limit_ = std::min(bytes, kReserved / 2); }

 private:
  struct Block {
    std::size_t size, bytes;
  };
  std::byte* base_ = nullptr;
  std::map<std::size_t, std::size_t> free_;
  std::map<std::size_t, Block> blocks_;
  std::size_t used_ = 0, top_ = 0;
  std::atomic<std::size_t> limit_ = std::size_t{2} << 30;  // set by tests while others allocate
  int depth_ = 0;
};

Memory& memory() {
  static Memory& instance = *new Memory;
  return instance;
}

/// Open as long as it lives.
struct OpenMemory {
  OpenMemory() { memory().open(); }
  ~OpenMemory() { memory().close(); }
};

/// A copy to the host that has been made but has not arrived.
struct Arrival {
  void* to;
  std::vector<std::byte> bytes;
};
std::vector<Arrival> arrivals;

// Set by a test while the engine's thread works.
std::atomic<long> call_count = 0, failing_call = 0, waits = 0, host_copies = 0, launch_count = 0;
std::atomic<int> failing_error = 0, sticky = 0, device_count = 1;
Order order = Order::ascending;

bool loses_device(int error) {
  return error == cudaErrorIllegalAddress || error == cudaErrorLaunchFailure ||
         error == cudaErrorDevicesUnavailable;
}

/// Counts a call; what it has to fail with, or success.
int next_call() {
  const long call = ++call_count;
  if (const int lost = sticky; lost != 0) return lost;
  if (failing_call == call) {
    const int error = failing_error;
    failing_call = 0;
    if (loses_device(error)) sticky = error;
    return error;
  }
  return cudaSuccess;
}

// ---- threads
// -------------------------------------------------------------------------------------

constexpr std::size_t kStack = 64 * 1024;

/// One thread of a block.
struct Fiber {
  ucontext_t context{};
  jmp_buf at{};  // where it waits once it has begun
  bool begun = false;
  void* known = nullptr;  // to the thread sanitizer, which follows a change only when told
  std::unique_ptr<std::byte[]> stack;
  dim3 thread;
  enum class State { ready, at_barrier, in_warp, done } state = State::ready;
  unsigned mask = 0;  // of the warp operation it waits in
  std::uint64_t given = 0;
  int source = 0;
  std::uint64_t got = 0;
  bool vote = false;
  unsigned votes = 0;
};

struct Block {
  const char* name = "";
  std::deque<Fiber> fibers;  // as many as there ever were threads
  int threads = 0;
  int running = -1;
  ucontext_t scheduler{};
  jmp_buf back{};
  void* known = nullptr;  // the scheduler, to the thread sanitizer
  const std::function<void()>* kernel = nullptr;
  std::vector<std::byte> shared;
  void* shared_begin = nullptr;
};
Block* current = nullptr;

Fiber& self() {
  return current->fibers[static_cast<std::size_t>(current->running)];
}

// Changing over by swapcontext asks the system each time; jumping does not, but sanitizers lose
// track of the stack.
#if defined(__SANITIZE_THREAD__)
void enter(Block& block, Fiber& fiber) {
  if (fiber.known == nullptr) fiber.known = __tsan_create_fiber(0);
  block.known = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(fiber.known, 0);
  ::swapcontext(&block.scheduler, &fiber.context);
}
void leave(Fiber& fiber) {
  __tsan_switch_to_fiber(current->known, 0);
  ::swapcontext(&fiber.context, &current->scheduler);
}
#elif defined(__SANITIZE_ADDRESS__)
void enter(Block& block, Fiber& fiber) {
  ::swapcontext(&block.scheduler, &fiber.context);
}
void leave(Fiber& fiber) {
  ::swapcontext(&fiber.context, &current->scheduler);
}
#else
void enter(Block& block, Fiber& fiber) {
  if (_setjmp(block.back) != 0) return;
  if (fiber.begun) _longjmp(fiber.at, 1);
  fiber.begun = true;
  ::setcontext(&fiber.context);
}
void leave(Fiber& fiber) {
  if (_setjmp(fiber.at) == 0) _longjmp(current->back, 1);
}
#endif

/// One thread of one kernel after the other.
void fiber_main() {
  for (;;) {
    (*current->kernel)();
    self().state = Fiber::State::done;
    leave(self());
  }
}

void wait_as(Fiber::State state) {
  self().state = state;
  leave(self());
}

/// Lets a warp go on when all lanes it waits for have come.
bool settle_warp(Block& block, int warp) {
  const int begin = warp * 32, end = std::min(begin + 32, block.threads);
  unsigned waiting = 0, mask = 0;
  for (int t = begin; t < end; ++t) {
    Fiber& fiber = block.fibers[static_cast<std::size_t>(t)];
    if (fiber.state != Fiber::State::in_warp) continue;
    if (mask == 0) mask = fiber.mask;
    if (fiber.mask == mask) waiting |= 1u << (t - begin);
  }
  if (mask == 0) return false;
  unsigned present = 0;
  for (int t = begin; t < end; ++t) present |= 1u << (t - begin);
  if ((mask & present) != waiting) return false;
  unsigned votes = 0;
  for (int t = begin; t < end; ++t) {
    if ((waiting >> (t - begin) & 1u) && block.fibers[static_cast<std::size_t>(t)].vote)
      votes |= 1u << (t - begin);
  }
  for (int t = begin; t < end; ++t) {
    if (!(waiting >> (t - begin) & 1u)) continue;
    Fiber& fiber = block.fibers[static_cast<std::size_t>(t)];
    const int from = begin + fiber.source;
    // Reading from a lane that takes no part gives nothing sure; here it gives a NaN.
    const bool there = fiber.source >= 0 && fiber.source < 32 && (waiting >> fiber.source & 1u);
    fiber.got = there ? block.fibers[static_cast<std::size_t>(from)].given : ~std::uint64_t{0};
    fiber.votes = votes;
    fiber.state = Fiber::State::ready;
  }
  return true;
}

int turn_of(int index, int count) {
  switch (order) {
    case Order::descending:
      return count - 1 - index;
    case Order::interleaved: {
      const int half = (count + 1) / 2;
      return index < half ? 2 * index : 2 * (index - half) + 1;
    }
    case Order::ascending:
      break;
  }
  return index;
}

void run_block(Block& block, dim3 index, dim3 grid) {
  // What shared memory holds at the start is nobody's promise.
  std::fill(block.shared.begin(), block.shared.end(), std::byte{0xff});
  for (int t = 0; t < block.threads; ++t) {
    Fiber& fiber = block.fibers[static_cast<std::size_t>(t)];
    fiber.state = Fiber::State::ready;
    fiber.thread = dim3(static_cast<unsigned>(t), 0, 0);
  }
  const dim3 size(static_cast<unsigned>(block.threads));
  const auto state = [&](int t) -> Fiber::State& {
    return block.fibers[static_cast<std::size_t>(t)].state;
  };
  for (;;) {
    bool ran = false;
    for (int turn = 0; turn < block.threads; ++turn) {
      const int t = turn_of(turn, block.threads);
      Fiber& fiber = block.fibers[static_cast<std::size_t>(t)];
      if (fiber.state != Fiber::State::ready) continue;
      ran = true;
      block.running = t;
      place = {fiber.thread, index, size, grid};
      enter(block, fiber);
    }
    bool settled = false;
    for (int warp = 0; warp * 32 < block.threads; ++warp) settled |= settle_warp(block, warp);
    if (settled || ran) {
      // Only when nobody can go on is it time for the barrier.
      bool ready = false;
      for (int t = 0; t < block.threads; ++t) ready |= state(t) == Fiber::State::ready;
      if (ready) continue;
    }
    int done = 0, waiting = 0;
    for (int t = 0; t < block.threads; ++t) {
      done += state(t) == Fiber::State::done;
      waiting += state(t) == Fiber::State::at_barrier;
    }
    if (done == block.threads) return;
    if (waiting != block.threads) {
      give_up(block.name, waiting > 0 ? "some threads wait at a barrier that others never reach"
                                      : "lanes wait in a warp operation that others never reach");
    }
    for (int t = 0; t < block.threads; ++t) state(t) = Fiber::State::ready;
  }
}

void run_kernel(const char* name, dim3 blocks, int threads, std::size_t shared_bytes,
                const std::function<void()>& kernel) {
  if (current != nullptr) give_up(name, "a kernel was started inside a kernel");
  const OpenMemory open;
  static Block& block = *new Block;
  block.name = name;
  block.threads = threads;
  block.kernel = &kernel;
  while (static_cast<int>(block.fibers.size()) < threads) {
    Fiber& fiber = block.fibers.emplace_back();
    fiber.stack = std::make_unique<std::byte[]>(kStack);
    ::getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStack;
    fiber.context.uc_link = nullptr;
    ::makecontext(&fiber.context, fiber_main, 0);
  }
  block.shared.resize(shared_bytes + 16);
  const auto address = reinterpret_cast<std::uintptr_t>(block.shared.data());
  block.shared_begin = reinterpret_cast<void*>((address + 15) / 16 * 16);
  current = &block;
  const int count = static_cast<int>(blocks.x * blocks.y * blocks.z);
  for (int b = 0; b < count; ++b) {
    const auto at = static_cast<unsigned>(turn_of(b, count));
    run_block(block, dim3(at % blocks.x, at / blocks.x % blocks.y, at / blocks.x / blocks.y),
              blocks);
  }
  current = nullptr;
}

/// Whether what this thread asks for is recorded. Other threads have streams of their own.
bool records(cudaStream_t stream) {
  return stream != nullptr && stream->capturing &&
         stream->capturing_thread == std::this_thread::get_id();
}

/// Does `work` now, or when the graph that is being made is launched.
void do_or_capture(cudaStream_t stream, std::function<void()> work) {
  if (records(stream)) {
    stream->captured->nodes.push_back(std::move(work));
  } else {
    work();
  }
}

EmulatedStream the_stream;

void arrive() {
  for (const Arrival& arrival : arrivals)
    std::memcpy(arrival.to, arrival.bytes.data(), arrival.bytes.size());
  arrivals.clear();
}

}  // namespace

void set_order(Order wanted) {
  order = wanted;
}
void fail_call(long n, int error) {
  failing_error = error;
  failing_call = n == 0 ? 0 : call_count + n;
}
long calls() {
  return call_count;
}
std::size_t allocated_bytes() {
  return memory().used();
}
void set_memory_bytes(std::size_t bytes) {
  memory().set_limit(bytes);
}
long synchronisations() {
  return waits;
}
long copies_to_host() {
  return host_copies;
}
long launches() {
  return launch_count;
}
void set_devices(int count) {
  device_count = count;
}
void restore() {
  failing_call = 0;
  sticky = 0;
  device_count = 1;
  memory().set_limit(std::size_t{2} << 30);
}

void* shared_memory() {
  return current->shared_begin;
}
void block_barrier() {
  wait_as(Fiber::State::at_barrier);
}
int lane() {
  return static_cast<int>(place.thread.x) % 32;
}

std::uint64_t exchange(unsigned mask, std::uint64_t value, int source) {
  self().mask = mask;
  self().given = value;
  self().source = source;
  wait_as(Fiber::State::in_warp);
  return self().got;
}
unsigned ballot(unsigned mask, bool vote) {
  self().mask = mask;
  self().vote = vote;
  self().source = lane();
  wait_as(Fiber::State::in_warp);
  self().vote = false;
  return self().votes;
}

int launch(const char* name, dim3 blocks, int threads, std::size_t shared_bytes,
           std::function<void()> kernel) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  const bool possible = blocks.x > 0 && blocks.y > 0 && blocks.z > 0 && blocks.y < 65536 &&
                        blocks.z < 65536 && threads > 0 && threads <= 1024 &&
                        shared_bytes <= 96 * 1024;
  if (!possible) return cudaErrorInvalidConfiguration;
  ++launch_count;
  do_or_capture(&the_stream, [=, kernel = std::move(kernel)] {
    run_kernel(name, blocks, threads, shared_bytes, kernel);
  });
  return cudaSuccess;
}

}  // namespace emulation

using namespace emulation;

cudaError_t cudaGetDeviceCount(int* count) {
  *count = device_count;
  return device_count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::snprintf(properties->name, sizeof properties->name, "CUDA emulated on the CPU");
  properties->totalGlobalMem = memory().limit();
  properties->major = 8;
  properties->minor = 0;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
  *value = which == cudaDevAttrMultiProcessorCount ? 4 : 96 * 1024;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = device_count > 0 ? CUDART_VERSION : 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  return device < device_count ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaMalloc(void** out, std::size_t bytes) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  *out = memory().allocate(bytes);
  return *out != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFree(void* block) {
  const std::lock_guard lock(everything);
  if (block == nullptr || memory().release(block)) return cudaSuccess;
  return cudaErrorInvalidValue;
}

cudaError_t cudaMallocHost(void** out, std::size_t bytes) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  *out = std::malloc(bytes);
  return *out != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void* block) {
  std::free(block);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  *total_bytes = memory().limit();
  *free_bytes = memory().limit() - memory().used();
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  const bool from_device = kind != cudaMemcpyHostToDevice,
             to_device = kind != cudaMemcpyDeviceToHost;
  const auto fits = [&](const void* block, bool on_device) {
    return on_device ? memory().holds(block, bytes) : !memory().holds(block);
  };
  if (!fits(from, from_device) || !fits(to, to_device)) return cudaErrorInvalidValue;
  if (kind == cudaMemcpyDeviceToHost) ++host_copies;
  do_or_capture(stream, [=] {
    const OpenMemory open;
    if (kind != cudaMemcpyDeviceToHost) {
      std::memmove(to, from, bytes);
      return;
    }
    const auto* begin = static_cast<const std::byte*>(from);
    arrivals.push_back({to, {begin, begin + bytes}});
  });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* block, int value, std::size_t bytes, cudaStream_t stream) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  if (!memory().holds(block, bytes)) return cudaErrorInvalidValue;
  do_or_capture(stream, [=] {
    const OpenMemory open;
    std::memset(block, value, bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = &the_stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  if (records(stream)) return cudaErrorStreamCaptureUnsupported;
  ++waits;
  arrive();
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t) {
  return sticky;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  stream->capturing = true;
  stream->capturing_thread = std::this_thread::get_id();
  stream->captured = new EmulatedGraph;
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const std::lock_guard lock(everything);
  *status = stream->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(everything);
  stream->capturing = false;
  *graph = stream->captured;
  stream->captured = nullptr;
  return next_call();
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  *executable = new EmulatedGraph(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  const std::lock_guard lock(everything);
  if (const int error = next_call()) return error;
  for (const auto& node : executable->nodes) node();
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  return sticky;
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorLaunchFailure:
      return "unspecified launch failure";
    case cudaErrorDevicesUnavailable:
      return "CUDA-capable device(s) is/are busy or unavailable";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    default:
      return "error of the emulation";
  }
}
