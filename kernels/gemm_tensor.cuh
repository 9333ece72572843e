// The multiplication of two slices on tensor cores: inputs rounded to TF32 (10 bits of fraction) or bfloat16 (7 bits),
// products exact, sums in float32. From Ampere (sm_80) on.
//
// Shared memory holds *words*: one TF32 number, or two bfloat16 neighbors along k. In words the fragments of
// mma.m16n8k8 (TF32) and mma.m16n8k16 (bfloat16) are the same: lane 4 g + t of a warp holds of A the words (g, t), (g +
// 8, t), (g, t + 4), (g + 8, t + 4), of B (t, g), (t + 4, g), and of C the columns 2 t and 2 t + 1 of rows g and g + 8.
// See the PTX manual, "Matrix Fragments for mma".

#if PRECISION != 0

#include "ptx.cuh"

constexpr int PER_WORD = PAIRS ? 2 : 1, WORDS = BK / PER_WORD;
constexpr int DOWN = TM / 16, ACROSS = TN / 8;  // fragments of a warp's part of C
constexpr int ROWS = DOWN * 2, COLUMNS = ACROSS * 2, RUN = 2;
constexpr int MARGIN = 8;  // lines of a multiple of 32 words and 8: the lanes of a fragment then read from 32 banks

static_assert(TM % 16 == 0 && TN % 8 == 0 && WORDS % 8 == 0, "whole fragments");
static_assert(BM % 32 == 0 && BN % 32 == 0, "lines without bank conflicts");

struct __align__(16) Shared {
    u32 a[2][WORDS][BM + MARGIN], b[2][WORDS][BN + MARGIN];
};

__device__ __forceinline__ Shared& shared_memory() {  // one for all products of a kernel
    __shared__ Shared memory;
    return memory;
}

__device__ __forceinline__ int warp_row() { return threadIdx.x / WARP / (BN / TN) * TM; }
__device__ __forceinline__ int warp_column() { return threadIdx.x / WARP % (BN / TN) * TN; }

// The coordinates of a thread's sums in the tile.
__device__ __forceinline__ int tile_row(int index) {
    return warp_row() + index / 2 * 16 + index % 2 * 8 + threadIdx.x % WARP / 4;
}

__device__ __forceinline__ int tile_column(int index) {
    return warp_column() + index / 2 * 8 + threadIdx.x % 4 * 2 + index % 2;
}

// Rounds a slice and puts it into shared memory with its rows side by side.
template <class Operand, int EXTENT>
__device__ __forceinline__ void keep(const Slice<Operand, EXTENT>& slice, u32 (&shared)[WORDS][EXTENT + MARGIN]) {
#pragma unroll
    for (int e = 0; e < slice.COUNT; e += slice.PAIRED ? 2 : 1) {
        const int i = slice.row_of(e), word = slice.depth_of(e) / PER_WORD;
        const float* values = slice.values[e].v;
#pragma unroll
        for (int v = 0; v < VEC; v += Operand::ALONG_K ? PER_WORD : 1) {
            u32& target = Operand::ALONG_K ? shared[word + v / PER_WORD][i] : shared[word][i + v];
            if constexpr (!PAIRS) {
                target = to_tf32(values[v]);
            } else if constexpr (Operand::ALONG_K) {
                target = to_bfloat16_pair(values[v], values[v + 1]);
            } else {
                target = to_bfloat16_pair(values[v], slice.values[e + 1].v[v]);
            }
        }
    }
}

__device__ __forceinline__ void multiply_slices(
    const u32 (&a)[WORDS][BM + MARGIN], const u32 (&b)[WORDS][BN + MARGIN], float (&sums)[SUMS]
) {
    const int group = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const int row = warp_row() + group, column = warp_column() + group;
#pragma unroll
    for (int word = 0; word < WORDS; word += 8) {
        u32 x[DOWN][4], y[ACROSS][2];
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
#pragma unroll
            for (int r = 0; r < 4; r++) x[i][r] = a[word + t + r / 2 * 4][row + i * 16 + r % 2 * 8];
        }
#pragma unroll
        for (int j = 0; j < ACROSS; j++) {
#pragma unroll
            for (int r = 0; r < 2; r++) y[j][r] = b[word + t + r * 4][column + j * 8];
        }
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
#pragma unroll
            for (int j = 0; j < ACROSS; j++) {
                float* upper = &sums[(2 * i) * COLUMNS + 2 * j];
                float* lower = &sums[(2 * i + 1) * COLUMNS + 2 * j];
                if (PAIRS) {
                    mma_bfloat16(upper[0], upper[1], lower[0], lower[1], x[i], y[j]);
                } else {
                    mma_tf32(upper[0], upper[1], lower[0], lower[1], x[i], y[j]);
                }
            }
        }
    }
}

#endif
