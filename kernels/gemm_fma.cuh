// Multiplying two slices with ordinary fused multiply-adds: full float32 precision, and float64.
//
// A thread has TM x TN sums in registers. For each depth p it reads TM + TN numbers from shared memory and does TM * TN
// multiply-adds with them: with 8 x 8 sums, 16 reads, as four vectors, for 64 multiply-adds.
//
// Where C is so small that a tile has only two warps, a block has several GROUPS of them. Each takes a part of every
// slice's depths, and `add_groups` adds up their sums at the end. That keeps a processor's four schedulers busy, and a
// long sum needs fewer of the parts that go through device memory (`combine_splits`), which cost 1.4 us and more.

#if PRECISION == 0

constexpr int ROWS = TM, COLUMNS = TN, RUN = VEC;

static_assert(TM % VEC == 0 && TN % VEC == 0, "a thread's part of C is made of whole vectors");
static_assert((BM / TM) % 4 == 0 && (BN / TN) % 8 == 0, "a warp is 4 x 8 threads");

// Lines are one vector longer than necessary: see `keep`.
struct __align__(16) Shared {
    REAL a[2][BK][BM + VEC], b[2][BK][BN + VEC];
};

__device__ __forceinline__ Shared& shared_memory() {  // shared by all products of a kernel
    __shared__ Shared memory;
    return memory;
}

// The coordinates of a thread's part of C. Its rows and columns come in runs of VEC that lie BM / runs apart, so the
// lanes of a warp read neighboring vectors of shared memory, no two of them from the same bank.
__device__ __forceinline__ int tile_row(int index) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x % MEMBERS / WARP;
    const int y = warp / (BN / TN / 8) * 4 + lane / 8;
    return index / VEC * (BM / (TM / VEC)) + y * VEC + index % VEC;
}

__device__ __forceinline__ int tile_column(int index) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x % MEMBERS / WARP;
    const int x = warp % (BN / TN / 8) * 8 + lane % 8;
    return index / VEC * (BN / (TN / VEC)) + x * VEC + index % VEC;
}

// Puts a slice into shared memory with its rows side by side, as the multiplication reads it. An operand contiguous
// along k is transposed here; the longer lines make that a bank conflict of two lanes instead of eight.
template <class Operand, int EXTENT>
__device__ __forceinline__ void keep(const Slice<Operand, EXTENT>& slice, REAL (&shared)[BK][EXTENT + VEC]) {
#pragma unroll
    for (int e = 0; e < slice.COUNT; e++) {
        const int i = slice.row_of(e), p = slice.depth_of(e);
        if (Operand::ALONG_K) {
#pragma unroll
            for (int k = 0; k < VEC; k++) shared[p + k][i] = slice.values[e].v[k];
        } else {
            store<VEC>(shared[p], i, slice.values[e]);
        }
    }
}

template <class A, class B>
__device__ __forceinline__ void multiply_slices(
    const REAL (&a)[BK][BM + VEC], const REAL (&b)[BK][BN + VEC], REAL (&sums)[SUMS]
) {
    constexpr int SHARE = BK / GROUPS;
    const int row = tile_row(0), column = tile_column(0), first = threadIdx.x / MEMBERS * SHARE;
#pragma unroll
    for (int q = 0; q < SHARE; q++) {
        const int p = first + q;
        Vec x[TM / VEC], y[TN / VEC];
#pragma unroll
        for (int i = 0; i < TM / VEC; i++) x[i] = load<VEC>(a[p], row + i * (BM / (TM / VEC)));
#pragma unroll
        for (int j = 0; j < TN / VEC; j++) y[j] = load<VEC>(b[p], column + j * (BN / (TN / VEC)));
#pragma unroll
        for (int i = 0; i < TM; i++) {
#pragma unroll
            for (int j = 0; j < TN; j++) {
                REAL& sum = sums[i * TN + j];
                sum = fma(x[i / VEC].v[i % VEC], y[j / VEC].v[j % VEC], sum);
            }
        }
    }
}

// Adds up the groups' sums in order; the first group then has the block's.
__device__ __forceinline__ void add_groups(REAL (&sums)[SUMS]) {
    constexpr int PARTS = TM * TN;
    static_assert((GROUPS - 1) * MEMBERS * PARTS * sizeof(REAL) <= sizeof(Shared), "it goes through the slices' memory");
    if constexpr (GROUPS > 1) {
        REAL* memory = reinterpret_cast<REAL*>(&shared_memory()) + threadIdx.x % MEMBERS;
        const int group = threadIdx.x / MEMBERS;
        __syncthreads();
        if (group > 0) {
#pragma unroll
            for (int e = 0; e < PARTS; e++) memory[((group - 1) * PARTS + e) * MEMBERS] = sums[e];
        }
        __syncthreads();
        if (group == 0) {
#pragma unroll
            for (int e = 0; e < PARTS; e++) {
#pragma unroll
                for (int g = 0; g < GROUPS - 1; g++) sums[e] += memory[(g * PARTS + e) * MEMBERS];
            }
        }
    }
}

#endif
