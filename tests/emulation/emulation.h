// CUDA on one CPU thread, so that the arithmetic of kernels/*.cu can be tested where there is no GPU.
//
// A block's threads are fibers that run one after the other, from barrier to barrier; blocks run one after the other.
// What real hardware leaves open is varied instead of left to chance: `order` runs threads and blocks forwards,
// backwards or shuffled, so a race shows as a difference in bits. Shared memory is filled with NaN before every block;
// arrays end at a guard page; the compiler's checks (alignment, bounds, overflow) trap. Each of these ends the launch
// with a message that names the thread.

#pragma once
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sys/mman.h>
#include <ucontext.h>
#include <utility>

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("shared_memory")))
extern "C" char __start_shared_memory[], __stop_shared_memory[];  // the linker's, around all of it
__shared__ char shared_memory_exists __attribute__((used));

static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;

namespace emulation {

enum State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, FINISHED };

constexpr int MOST_THREADS = 1024, STACK = 1 << 17, LANES = 32;

struct Fiber {
    uint3 index;
    State state;
    unsigned exchanges;
    bool started;
    jmp_buf context;
};

static Fiber fibers[MOST_THREADS];
static char* stacks;
static int threads, current;
static jmp_buf scheduler;
static sigjmp_buf crashed;
static std::function<void()> body;
static char message[512];
static unsigned long long slots[2][MOST_THREADS];  // what lanes hand to each other, for an even and an odd exchange

inline void fail(const char* what) {
    std::snprintf(message, sizeof message, "%s (thread %u of block %u, %u, %u)", what, threadIdx.x, blockIdx.x,
                  blockIdx.y, blockIdx.z);
    siglongjmp(crashed, 1);
}

inline void on_signal(int number) {
    fail(number == SIGSEGV || number == SIGBUS ? "an address outside of the arrays" : "undefined behavior");
}

inline void wait(State state) {
    Fiber& me = fibers[current];
    me.state = state;
    if (!_setjmp(me.context)) _longjmp(scheduler, 1);
}

static void run_fiber() {
    body();
    fibers[current].state = FINISHED;
    _longjmp(scheduler, 1);
}

inline void resume(int thread) {
    Fiber& fiber = fibers[thread];
    current = thread;
    threadIdx = fiber.index;
    if (_setjmp(scheduler)) return;
    if (fiber.started) _longjmp(fiber.context, 1);
    fiber.started = true;
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = stacks + (size_t)thread * STACK;
    context.uc_stack.ss_size = STACK;
    context.uc_link = nullptr;
    makecontext(&context, run_fiber, 0);
    setcontext(&context);
}

// The i-th of `count` in the order asked for; the shuffle is a walk with a step that has no divisor in common with the
// count.
inline unsigned pick(unsigned i, unsigned count, int order) {
    if (order == 0) return i;
    if (order == 1) return count - 1 - i;
    unsigned step = count / 2 + 1;
    auto divisor = [](unsigned a, unsigned b) { while (b) a = std::exchange(b, a % b); return a; };
    while (divisor(step, count) != 1) step++;
    return (unsigned)((unsigned long long)i * step % count);
}

inline bool release(State state, int first, int last) {
    for (int t = first; t < last; t++) {
        if (fibers[t].state != state) return false;
    }
    for (int t = first; t < last; t++) fibers[t].state = READY;
    return true;
}

inline void run_block(int order) {
    std::memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
    for (int t = 0; t < threads; t++) fibers[t] = {{(unsigned)t, 0, 0}, READY, 0, false, {}};
    for (;;) {
        for (int i = 0; i < threads; i++) {
            const int t = pick(i, threads, order);
            if (fibers[t].state == READY) resume(t);
        }
        bool moved = false, waiting = false;
        for (int w = 0; w < threads; w += LANES) moved |= release(AT_WARP_BARRIER, w, std::min(w + LANES, threads));
        if (!moved) moved = release(AT_BLOCK_BARRIER, 0, threads);
        for (int t = 0; t < threads; t++) waiting |= fibers[t].state != FINISHED;
        if (!waiting) return;
        if (!moved) fail("threads wait at a barrier that others do not reach");
    }
}

inline const char* launch(const unsigned* dims, int order, std::function<void()> kernel) {
    gridDim = {dims[0], dims[1], dims[2]};
    blockDim = {dims[3], 1, 1};
    threads = dims[3];
    body = std::move(kernel);
    if (threads > MOST_THREADS) return "more than 1024 threads in a block";
    if (!stacks) {
        stacks = (char*)mmap(nullptr, (size_t)MOST_THREADS * STACK, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
    struct sigaction former[5], action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_NODEFER;
    for (int i = 0; i < 5; i++) sigaction(numbers[i], &action, &former[i]);
    const char* answer = nullptr;
    if (sigsetjmp(crashed, 1)) {
        answer = message;
    } else {
        const unsigned count = gridDim.x * gridDim.y * gridDim.z;
        for (unsigned i = 0; i < count; i++) {
            const unsigned b = pick(i, count, order);
            blockIdx = {b % gridDim.x, b / gridDim.x % gridDim.y, b / gridDim.x / gridDim.y};
            run_block(order);
        }
    }
    for (int i = 0; i < 5; i++) sigaction(numbers[i], &former[i], nullptr);
    return answer;
}

}  // namespace emulation

// What kernels call ---------------------------------------------------------------------------------------------------

inline void __syncthreads() { emulation::wait(emulation::AT_BLOCK_BARRIER); }
inline void __syncwarp(unsigned = ~0u) { emulation::wait(emulation::AT_WARP_BARRIER); }
inline void __threadfence() {}

namespace emulation {
template <class T>
T exchange(unsigned mask, T value, int lane) {
    static_assert(sizeof(T) <= 8, "a lane hands over at most eight bytes");
    if (mask != ~0u) fail("a shuffle among some lanes only");
    auto& slot = slots[fibers[current].exchanges++ % 2];
    std::memcpy(&slot[current], &value, sizeof(T));
    wait(AT_WARP_BARRIER);
    std::memcpy(&value, &slot[current / LANES * LANES + lane % LANES], sizeof(T));
    return value;
}
}  // namespace emulation

template <class T>
T __shfl_sync(unsigned mask, T value, int lane) { return emulation::exchange(mask, value, lane); }
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int distance) {
    return emulation::exchange(mask, value, emulation::current % 32 ^ distance);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int distance) {
    const int lane = emulation::current % 32 + distance;
    return emulation::exchange(mask, value, lane < 32 ? lane : lane - distance);
}

template <class T>
T __ldg(const T* address) { return *address; }
template <class T>
T __ldcg(const T* address) { return *address; }
inline int atomicAdd(int* address, int value) { return std::exchange(*address, *address + value); }

inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
template <class T>
T min(T a, T b) { return b < a ? b : a; }
template <class T>
T max(T a, T b) { return a < b ? b : a; }
using std::erfc, std::exp, std::expm1, std::fabs, std::fma, std::isfinite, std::isinf, std::isnan, std::log, std::log1p, std::pow;
using std::sqrt, std::tanh;
template <class T>
T cospi(T x) { return std::cos(T(3.14159265358979323846) * x); }
template <class T>
T sinpi(T x) { return std::sin(T(3.14159265358979323846) * x); }

// Tensor cores, as the PTX manual has their fragments: what ptx.cuh is for a CUDA compiler
// --------------------------------

inline unsigned bits_of(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float float_of(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline unsigned to_tf32(float value) {  // to nearest, ties to even
    const unsigned bits = bits_of(value);
    return std::isfinite(value) ? (bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu : bits;
}

inline unsigned to_bfloat16_pair(float first, float second) {  // to nearest, ties to even
    auto round = [](unsigned bits) { return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16; };
    return round(bits_of(first)) | round(bits_of(second)) << 16;
}

namespace emulation {

static unsigned fragments_a[MOST_THREADS][4], fragments_b[MOST_THREADS][2];
static const unsigned* rows[MOST_THREADS];

template <class Number>  // Number(word, k) is the k-th number of a word
void mma(
    float& c0, float& c1, float& c2, float& c3, const unsigned (&a)[4], unsigned b0, unsigned b1, int per_word,
    Number number
) {
    std::memcpy(fragments_a[current], a, sizeof a);
    fragments_b[current][0] = b0;
    fragments_b[current][1] = b1;
    wait(AT_WARP_BARRIER);
    const int warp = current / LANES * LANES, group = current % LANES / 4, t = current % 4;
    float* sums[2][2] = {{&c0, &c1}, {&c2, &c3}};
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            for (int word = 0; word < 8; word++) {
                const unsigned x = fragments_a[warp + group * 4 + word % 4][i + word / 4 * 2];
                const unsigned y = fragments_b[warp + (2 * t + j) * 4 + word % 4][word / 4];
                for (int k = 0; k < per_word; k++) *sums[i][j] += number(x, k) * number(y, k);
            }
        }
    }
    wait(AT_WARP_BARRIER);
}

}  // namespace emulation

inline void load_matrices(const unsigned* row, unsigned (&blocks)[4]) {
    using namespace emulation;
    rows[current] = row;
    wait(AT_WARP_BARRIER);
    for (int q = 0; q < 4; q++) {
        const unsigned* line = rows[current / LANES * LANES + q * 8 + current % LANES / 4];
        if ((unsigned long long)line % 16) fail("ldmatrix of a row that is not aligned to 16 bytes");
        if ((const char*)line < __start_shared_memory || (const char*)line >= __stop_shared_memory) {
            fail("ldmatrix outside of shared memory");
        }
        blocks[q] = line[current % 4];
    }
    wait(AT_WARP_BARRIER);
}

inline void mma_tf32(float& c0, float& c1, float& c2, float& c3, const unsigned (&a)[4], unsigned b0, unsigned b1) {
    emulation::mma(c0, c1, c2, c3, a, b0, b1, 1, [](unsigned word, int) { return float_of(word); });
}

inline void mma_bfloat16(float& c0, float& c1, float& c2, float& c3, const unsigned (&a)[4], unsigned b0, unsigned b1) {
    auto half = [](unsigned word, int k) { return float_of(k ? word & 0xffff0000u : word << 16); };
    emulation::mma(c0, c1, c2, c3, a, b0, b1, 2, half);
}
