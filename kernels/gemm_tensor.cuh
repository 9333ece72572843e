// Multiplying two slices on tensor cores: inputs rounded to TF32 (10 bits of fraction) or bfloat16 (7 bits), products
// exact, sums in float32. From Ampere (sm_80) on.
//
// Shared memory holds *words*: one TF32 number, or two bfloat16 neighbors along k. In words the fragments of
// mma.m16n8k8 (TF32) and mma.m16n8k16 (bfloat16) are the same, and they are made of *blocks* of 8 rows and 4 words, of
// which lane 4 g + t of a warp holds the word (g, t). A fragment of A is four blocks, 16 rows x 8 words; one of B
// (rows: its columns) two, 8 x 8; of C a lane holds the columns 2 t and 2 t + 1 of rows g and g + 8. See the PTX
// manual, "Matrix Fragments for mma".
//
// An operand contiguous along k is stored as is, k first: a block is then eight runs of 16 bytes, and one ldmatrix
// fetches four blocks. One contiguous along its rows is stored with its rows side by side and read word by word, which
// is cheaper than transposing it.

#if PRECISION != 0

#include "ptx.cuh"

constexpr int PER_WORD = PAIRS ? 2 : 1, WORDS = BK / PER_WORD;
constexpr int DOWN = TM / 16, ACROSS = TN / 8;  // fragments of a warp's part of C
constexpr int ROWS = DOWN * 2, COLUMNS = ACROSS * 2, RUN = 2;
constexpr int MARGIN = 8;  // a line is a multiple of 32 words plus 8: the lanes of a block then read from 32 banks

static_assert(TM % 16 == 0 && TN % 16 == 0 && WORDS == 16, "whole fragments, those of B in pairs");
static_assert(BM % 32 == 0 && BN % 32 == 0, "lines without bank conflicts");

template <int EXTENT>
struct __align__(16) Tray {
    u32 words[WORDS * (EXTENT + MARGIN)];
};

struct __align__(16) Shared {
    Tray<BM> a[2];
    Tray<BN> b[2];
};

template <int N>
struct __align__(N * 4) Words {
    u32 v[N];
};

__device__ __forceinline__ Shared& shared_memory() {  // shared by all products of a kernel
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

// Where a word is stored. Two rows along k fill the 32 banks; their runs of four words are permuted from pair to pair,
// so that the eight runs of a block come from all banks, as do the runs that eight lanes store.
template <class Operand, int EXTENT>
__device__ __forceinline__ int place(int row, int word) {
    if (Operand::ALONG_K) return row * WORDS + (word / 4 ^ row / 2 % 4) * 4 + word % 4;
    return word * (EXTENT + MARGIN) + row;
}

// Rounds a slice and puts it into shared memory.
template <class Operand, int EXTENT>
__device__ __forceinline__ void keep(const Slice<Operand, EXTENT>& slice, Tray<EXTENT>& tray) {
#pragma unroll
    for (int e = 0; e < slice.COUNT; e += slice.PAIRED ? 2 : 1) {
        constexpr int COUNT = Operand::ALONG_K ? VEC / PER_WORD : VEC;
        const float* values = slice.values[e].v;
        Words<COUNT> words;
#pragma unroll
        for (int v = 0; v < COUNT; v++) {
            if constexpr (!PAIRS) {
                words.v[v] = to_tf32(values[v]);
            } else if constexpr (Operand::ALONG_K) {
                words.v[v] = to_bfloat16_pair(values[2 * v], values[2 * v + 1]);
            } else {
                words.v[v] = to_bfloat16_pair(values[v], slice.values[e + 1].v[v]);
            }
        }
        const int target = place<Operand, EXTENT>(slice.row_of(e), slice.depth_of(e) / PER_WORD);
        *reinterpret_cast<Words<COUNT>*>(tray.words + target) = words;
    }
}

// Four blocks: rows row ... row + 15 and words word ... word + 7, the second one further down in the order of A's
// fragments, further along k in that of B's.
template <class Operand, int EXTENT, bool DOWN_FIRST>
__device__ __forceinline__ void load_blocks(const Tray<EXTENT>& tray, int row, int word, u32 (&blocks)[4]) {
    const int lane = threadIdx.x % WARP;
    const auto at = [&](int block, int i, int t) {
        const int down = DOWN_FIRST ? block % 2 : block / 2, along = DOWN_FIRST ? block / 2 : block % 2;
        return tray.words + place<Operand, EXTENT>(row + down * 8 + i, word + along * 4 + t);
    };
    if constexpr (Operand::ALONG_K) {
        load_matrices(at(lane / 8, lane % 8, 0), blocks);
    } else {
#pragma unroll
        for (int block = 0; block < 4; block++) blocks[block] = *at(block, lane / 4, lane % 4);
    }
}

template <class A, class B>
__device__ __forceinline__ void multiply_slices(const Tray<BM>& a, const Tray<BN>& b, float (&sums)[SUMS]) {
#pragma unroll
    for (int word = 0; word < WORDS; word += 8) {
        u32 x[DOWN][4], y[ACROSS / 2][4];
#pragma unroll
        for (int i = 0; i < DOWN; i++) load_blocks<A, BM, true>(a, warp_row() + i * 16, word, x[i]);
#pragma unroll
        for (int j = 0; j < ACROSS / 2; j++) load_blocks<B, BN, false>(b, warp_column() + j * 16, word, y[j]);
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
#pragma unroll
            for (int j = 0; j < ACROSS; j++) {
                float* upper = &sums[(2 * i) * COLUMNS + 2 * j];
                float* lower = &sums[(2 * i + 1) * COLUMNS + 2 * j];
                const u32 first = y[j / 2][j % 2 * 2], second = y[j / 2][j % 2 * 2 + 1];
                if (PAIRS) {
                    mma_bfloat16(upper[0], upper[1], lower[0], lower[1], x[i], first, second);
                } else {
                    mma_tf32(upper[0], upper[1], lower[0], lower[1], x[i], first, second);
                }
            }
        }
    }
}

__device__ __forceinline__ void add_groups(float (&)[SUMS]) { static_assert(GROUPS == 1, "warps take all depths"); }

#endif
