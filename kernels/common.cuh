// What all kernels share. REAL is float or double: every .cu file is compiled once per dtype, with -DREAL=...

typedef unsigned char u8;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

constexpr int WARP = 32;
#define ALL_LANES 0xffffffffu

// Sixteen bytes, the largest access that a thread can make before Blackwell: a warp then requests four full cache lines
// at once.
constexpr int VEC = 16 / sizeof(REAL);

template <int N>
struct __align__(N * sizeof(REAL)) Pack {
    REAL v[N];
};
typedef Pack<VEC> Vec;

// A number as a type, so that a generic lambda can use it as a constant.
template <int N>
struct Int {
    __device__ constexpr operator int() const { return N; }
};

__device__ __forceinline__ bool aligned(const void* pointer) { return ((u64)pointer & 15) == 0; }

template <int N>
__device__ __forceinline__ Pack<N> load(const REAL* array, i64 index) {
    return *reinterpret_cast<const Pack<N>*>(array + index);
}

template <int N>
__device__ __forceinline__ void store(REAL* array, i64 index, Pack<N> values) {
    *reinterpret_cast<Pack<N>*>(array + index) = values;
}

__device__ __forceinline__ i64 thread_index() { return (i64)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ __forceinline__ i64 thread_count() { return (i64)gridDim.x * blockDim.x; }

// Calls body(Int<N>, k) so that the runs k ... k + N - 1 cover 0 ... size - 1: N = VEC where `vectors` permits, 1 for
// the rest.
template <class Body>
__device__ __forceinline__ void each(i64 size, bool vectors, Body body) {
    const i64 whole = vectors ? size / VEC : 0;
    for (i64 k = thread_index(); k < whole; k += thread_count()) body(Int<VEC>(), k * VEC);
    for (i64 k = whole * VEC + thread_index(); k < size; k += thread_count()) body(Int<1>(), k);
}

// Division of n < 2^31 by a number known before the launch: one multiplication and one shift instead of about twenty
// instructions. Granlund and Montgomery, PLDI 1994; cuda.py computes `magic` and `shift`.
struct Divider {
    u32 divisor, magic, shift;
    __device__ __forceinline__ int quotient(int n) const { return (__umulhi(n, magic) + (u32)n) >> shift; }
    __device__ __forceinline__ int divide(int n, int& remainder) const {
        const int q = quotient(n);
        remainder = n - q * (int)divisor;
        return q;
    }
};

struct Sum {
    template <class T>
    __device__ T operator()(T a, T b) const { return a + b; }
};

struct Largest {
    template <class T>
    __device__ T operator()(T a, T b) const { return a > b || a != a ? a : b; }  // NaN stays visible
};

// The combination of all lanes' values, in every lane: the same bits in each, because `combine` is commutative.
template <class T, class Combine>
__device__ __forceinline__ T across_warp(T value, Combine combine) {
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        value = combine(value, __shfl_xor_sync(ALL_LANES, value, distance));
    }
    return value;
}

// The sum over a block, in every thread. Blocks are whole warps, at most 32 of them.
template <class T>
__device__ T block_sum(T value) {
    __shared__ T sums[WARP];
    value = across_warp(value, Sum());
    __syncthreads();  // the sums of an earlier call have been read
    if (threadIdx.x % WARP == 0) sums[threadIdx.x / WARP] = value;
    __syncthreads();
    const int warps = blockDim.x / WARP;
    T total = sums[0];
    for (int i = 1; i < warps; i++) total += sums[i];
    return total;
}

// Whether this block is the last of `count` to arrive here: only the last one sees what all have written, and it resets
// the counter to 0 for the next launch. So a sum over blocks needs no second launch and no float atomics: the last
// block, whichever it is, adds the partial sums in order.
__device__ __forceinline__ bool arrived_last(int* counter, int count) {
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        last = atomicAdd(counter, 1) == count - 1;
        if (last) *counter = 0;
    }
    __syncthreads();
    __threadfence();
    return last;
}

// What a captured graph must not bake in; clock.py has the host's side. `batch` counts batches begun in this epoch and
// `step` optimizer steps begun since training began: `begin_step` (batching.cu), the first kernel of a captured step,
// advances both. `failed` is the first step whose loss was not finite, 0 if none: from there on neither the weights nor
// any other state change.
struct Clock {
    i64 batch, step, failed;
};
