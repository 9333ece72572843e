// The matrix product by hand, the one door for dense layers and convolutions: C (m, n) = A (m, k) B (k, n).
//
// A block computes a tile BM x BN of C (-DBM, -DBN, -DBK, -DTM, -DTN, -DGROUPS: gemm_cuda.py chooses). It walks along k
// in steps of BK:
//
//     next slices of A and B: device memory -> registers       (in flight while the current ones are multiplied)
//     current slices: shared memory -> registers -> multiply-adds
//     next slices: registers -> the other half of shared memory; one barrier
//
// gemm_fma.cuh multiplies with ordinary instructions (exact float32, float64), gemm_tensor.cuh with tensor cores (TF32,
// bfloat16).
//
// A and B are not matrices but *operands*: objects that give the number at row i (of A; column of B) and depth p. So
// transposes are free, a ReLU's mask is applied on the way in, and a convolution's windows are never materialized. An
// operand defines
//
//     ALONG_K                  whether its neighbors in memory are neighbors in k (else in i)
//     Row row(i)               what can be precomputed for row i (and the VEC - 1 after it, if neighbors are in i)
//     Depth depth(p, end)      likewise for depth p (and the VEC - 1 after it, if neighbors are in k); what lies
//                              from `end` on counts as zero
//     Vec fetch(row, depth)    VEC numbers, along k or along i; zeros outside
//
// Rows are precomputed once per tile and kept in registers. All that a thread fetches from a slice shares one depth if
// the operand is contiguous along k, and one row if along i. So a division by the size of a window, say, is done once
// per slice and not per vector, which reduced the instructions of a 3x3 convolution's step from 290 to 190.
//
// Where C alone has too few tiles to fill a GPU, k is cut into `splits` parts. Each part's sums go to `partials`; the
// last of FAN parts to arrive adds them up in order, and so on upwards: the same bits each time, no float atomics, one
// launch.
//
// The scheme is that of CUTLASS, see https://developer.nvidia.com/blog/cutlass-linear-algebra-cuda/. cuBLASLt would be
// the other product that can be captured; it reads neither windows nor masks. benchmarks/gpu/products.py measures both.

#include "common.cuh"

constexpr int FAN = 16;
constexpr bool PAIRS = PRECISION == 2;  // bfloat16 goes through shared memory in pairs of neighbors along k

// TM x TN is a thread's part of C, on tensor cores a warp's. MEMBERS threads cover the tile; there may be several GROUPS
// of them, see gemm_fma.cuh.
constexpr int MEMBERS = (BM / TM) * (BN / TN) * (PRECISION == 0 ? 1 : WARP), THREADS = MEMBERS * GROUPS;
constexpr int SUMS = BM * BN / MEMBERS + 1;  // what a thread adds up: its part of C, and one column sum of B

// Blocks that a multiprocessor must have room for, which limits a thread to 128 or 168 registers: while one block waits
// for memory or at a barrier, another multiplies. Without a limit the compiler uses 129 for the largest tile, so only
// one block fits. (bfloat16's largest tile needs 166; with 128 it would spill.)
constexpr int BLOCKS = THREADS < 256 ? 3 : PAIRS ? 1 : 2;

// One operand's slice of BK depths and EXTENT rows, on its way from device memory to shared memory: COUNT vectors per
// thread.
template <class Operand, int EXTENT>
struct Slice {
    static constexpr int COUNT = EXTENT * BK / VEC / THREADS, LINE = Operand::ALONG_K ? BK / VEC : EXTENT / VEC;
    static constexpr bool PAIRED = PAIRS && !Operand::ALONG_K;  // vectors e and e + 1 are neighbors along k
    static_assert(COUNT * THREADS * VEC == EXTENT * BK && (!PAIRED || COUNT % 2 == 0), "threads share a slice evenly");
    static_assert(THREADS % LINE == 0, "a thread keeps to its depth or its row");

    typename Operand::Row rows[Operand::ALONG_K ? COUNT : 1];
    Vec values[COUNT];

    static __device__ __forceinline__ int row_of(int e) {
        const u32 v = threadIdx.x + (PAIRED ? e / 2 : e) * THREADS;
        return Operand::ALONG_K ? v / LINE : v % LINE * VEC;
    }

    static __device__ __forceinline__ int depth_of(int e) {
        const u32 v = threadIdx.x + (PAIRED ? e / 2 : e) * THREADS;
        if (Operand::ALONG_K) return v % LINE * VEC;
        return PAIRED ? v / LINE * 2 + e % 2 : v / LINE;
    }

    __device__ __forceinline__ void begin(const Operand& operand, int first_row) {
#pragma unroll
        for (int e = 0; e < (Operand::ALONG_K ? COUNT : 1); e++) rows[e] = operand.row(first_row + row_of(e));
    }

    __device__ __forceinline__ void fetch(const Operand& operand, int p, int end) {
        if constexpr (Operand::ALONG_K) {
            const auto depth = operand.depth(p + depth_of(0), end);
#pragma unroll
            for (int e = 0; e < COUNT; e++) values[e] = operand.fetch(rows[e], depth);
        } else {
#pragma unroll
            for (int e = 0; e < COUNT; e++) values[e] = operand.fetch(rows[0], operand.depth(p + depth_of(e), end));
        }
    }

    // Adds up the slice along k, if the operand is contiguous along its rows.
    __device__ __forceinline__ void add_to(Vec& total) const {
#pragma unroll
        for (int e = 0; e < COUNT; e++) {
#pragma unroll
            for (int v = 0; v < VEC; v++) total.v[v] += values[e].v[v];
        }
    }
};

// Where a block works: its tile of C, and its part of k.
struct Place {
    int tile, i, j, split, begin, end;
};

__device__ __forceinline__ Place place(int block, int n, int k, int splits) {
    const int across = (n + BN - 1) / BN;
    const int part = (k + splits * BK - 1) / (splits * BK) * BK;
    Place at;
    at.tile = block / splits;
    at.split = block % splits;
    at.i = at.tile / across * BM;
    at.j = at.tile % across * BN;
    at.begin = at.split * part;
    at.end = min(k, at.begin + part);
    return at;
}

#include "gemm_fma.cuh"
#include "gemm_tensor.cuh"

// This block's sums over its part of k, and in sums[SUMS - 1] of thread j, if wanted, the sum of column j of B.
template <class A, class B>
__device__ __forceinline__ void multiply(
    const A& a, const B& b, const Place& at, bool column_sums, REAL (&sums)[SUMS]
) {
    Shared& shared = shared_memory();
    Slice<A, BM> slice_a;
    Slice<B, BN> slice_b;
    slice_a.begin(a, at.i);
    slice_b.begin(b, at.j);
    Vec total;
#pragma unroll
    for (int v = 0; v < VEC; v++) total.v[v] = 0;
#pragma unroll
    for (int e = 0; e < SUMS; e++) sums[e] = 0;

    int half = 0;
    for (int p = at.begin;; p += BK) {
        const bool more = p < at.end;
        if (more) {
            slice_a.fetch(a, p, at.end);
            slice_b.fetch(b, p, at.end);
        }
        if (p > at.begin) multiply_slices<A, B>(shared.a[half ^ 1], shared.b[half ^ 1], sums);
        if (!more) break;
        if (column_sums) slice_b.add_to(total);
        keep(slice_a, shared.a[half]);
        keep(slice_b, shared.b[half]);
        __syncthreads();
        half ^= 1;
    }
    if (column_sums) {
        __syncthreads();
        REAL* memory = reinterpret_cast<REAL*>(&shared);
        store<VEC>(memory, threadIdx.x * VEC, total);
        __syncthreads();
        if (threadIdx.x < BN) {
            for (int e = threadIdx.x; e < THREADS * VEC; e += BN) sums[SUMS - 1] += memory[e];
        }
    }
    add_groups(sums);
}

// Parts that are fetched together before they are added: an addition waits some 300 cycles for its number, so a thread
// with few sums requests those of several parts at once.
constexpr int TOGETHER = SUMS <= 17 ? 4 : SUMS <= 33 ? 2 : 1;

// Adds up the parts of k, see above. `sums` are this block's, in its first group; returns true in the one block that
// ends up with the total. `partials` has room for tiles x splits x (1 + 1 / FAN + ...) x SUMS x MEMBERS numbers,
// `arrivals` for one counter per FAN parts.
__device__ __forceinline__ bool combine_splits(
    REAL (&sums)[SUMS], const Place& at, int tiles, int splits, REAL* partials, int* arrivals
) {
    const bool member = GROUPS == 1 || threadIdx.x < MEMBERS;
    int slot = at.split;
    for (int count = splits; count > 1;) {
        const int fans = (count + FAN - 1) / FAN;
        const int fan = slot / FAN, first = fan * FAN, size = min(FAN, count - first);
        REAL* mine = partials + ((i64)at.tile * count + slot) * SUMS * MEMBERS + threadIdx.x;
        if (member) {
#pragma unroll
            for (int e = 0; e < SUMS; e++) mine[e * MEMBERS] = sums[e];
        }
        if (!arrived_last(arrivals + at.tile * fans + fan, size)) return false;
        const REAL* all = partials + ((i64)at.tile * count + first) * SUMS * MEMBERS + threadIdx.x;
#pragma unroll
        for (int e = 0; e < SUMS; e++) sums[e] = 0;
        for (int s = 0; member && s < size; s += TOGETHER) {
            REAL parts[TOGETHER][SUMS];
#pragma unroll
            for (int t = 0; t < TOGETHER; t++) {
#pragma unroll
                for (int e = 0; e < SUMS; e++) {
                    parts[t][e] = s + t < size ? __ldcg(all + ((s + t) * SUMS + e) * MEMBERS) : REAL(0);
                }
            }
#pragma unroll
            for (int t = 0; t < TOGETHER; t++) {
#pragma unroll
                for (int e = 0; e < SUMS; e++) sums[e] += parts[t][e];
            }
        }
        partials += (i64)tiles * count * SUMS * MEMBERS;
        arrivals += tiles * fans;
        slot = fan;
        count = fans;
    }
    return true;
}

// C = A B, handed to `output` in runs of RUN columns: output(i, j, values); with column_sums also output.column_sum(j,
// sum), once for each column of B.
template <class A, class B, class Output>
__device__ __forceinline__ void product(
    const A& a, const B& b, const Output& output, int block, int m, int n, int k, int splits, bool column_sums,
    REAL* partials, int* arrivals
) {
    static_assert(BN <= MEMBERS, "column sums: a thread for each column");
    const Place at = place(block, n, k, splits);
    const bool sums_wanted = column_sums && at.i == 0;
    REAL sums[SUMS];
    multiply(a, b, at, sums_wanted, sums);
    const int tiles = ((m + BM - 1) / BM) * ((n + BN - 1) / BN);
    if (!combine_splits(sums, at, tiles, splits, partials, arrivals) || threadIdx.x >= MEMBERS) return;
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
        if (at.i + tile_row(i) >= m) continue;
#pragma unroll
        for (int j = 0; j < COLUMNS; j += RUN) {
            Pack<RUN> values;
#pragma unroll
            for (int v = 0; v < RUN; v++) values.v[v] = sums[i * COLUMNS + j + v];
            output(at.i + tile_row(i), at.j + tile_column(j), values);
        }
    }
    if (sums_wanted && threadIdx.x < BN && at.j + (int)threadIdx.x < n) {
        output.column_sum(at.j + threadIdx.x, sums[SUMS - 1]);
    }
}

#include "gemm_matrix.cuh"
