// Sums over the rows of x (rows, c), column by column. A block takes a slice of the rows and a run of columns; the last
// block of a run adds up the slices, with all its threads and always in the same order.

#include "common.cuh"

constexpr int THREADS = 256;

// Which rows and columns a thread adds up: blocks cover `wide` columns (a power of two) with THREADS / wide rows at a
// time. Slices have `height` rows, the last one what remains.
struct Slab {
    int column, lane, lanes, first, stop;
};

__device__ __forceinline__ int rows_of_slice(int slice, int rows, int height) {
    return min(height, rows - slice * height);
}

__device__ __forceinline__ Slab slab(int rows, int wide, int height) {
    Slab s;
    s.column = blockIdx.y * wide + threadIdx.x % wide;
    s.lane = threadIdx.x / wide;
    s.lanes = THREADS / wide;
    s.first = blockIdx.x * height;
    s.stop = s.first + rows_of_slice(blockIdx.x, rows, height);
    return s;
}

// The sums of a pair of numbers over the lanes of a column, for each of its threads.
__device__ __forceinline__ void add_lanes(double& a, double& b, int wide) {
    __shared__ double sums[2][THREADS];
    __syncthreads();  // the sums of an earlier call have been read
    sums[0][threadIdx.x] = a;
    sums[1][threadIdx.x] = b;
    for (int half = THREADS / 2; half >= wide; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) {
            sums[0][threadIdx.x] += sums[0][threadIdx.x + half];
            sums[1][threadIdx.x] += sums[1][threadIdx.x + half];
        }
    }
    __syncthreads();
    a = sums[0][threadIdx.x % wide];
    b = sums[1][threadIdx.x % wide];
}

// The sums of a pair of numbers over all rows, of which each thread has those of its lane in its slice. Only the thread
// that returns true has them: one for each column, in the last block of a run. `parts` (slices, 2, c) is scratch memory.
__device__ __forceinline__ bool add_slices(
    Slab s, int c, int wide, double* parts, int* arrivals, double& a, double& b
) {
    const bool inside = s.column < c;
    add_lanes(a, b, wide);
    if (inside && s.lane == 0) {
        parts[((i64)blockIdx.x * 2) * c + s.column] = a;
        parts[((i64)blockIdx.x * 2 + 1) * c + s.column] = b;
    }
    if (!arrived_last(arrivals + blockIdx.y, gridDim.x)) return false;
    a = b = 0;
    for (int i = s.lane; inside && i < (int)gridDim.x; i += s.lanes) {
        a += __ldcg(parts + (i64)i * 2 * c + s.column);
        b += __ldcg(parts + ((i64)i * 2 + 1) * c + s.column);
    }
    add_lanes(a, b, wide);
    return inside && s.lane == 0;
}
