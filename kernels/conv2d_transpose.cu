// What a transposed convolution needs besides the kernels of conv2d.cu: its bias and ReLU, and their derivatives.

#include "common.cuh"

constexpr int THREADS = 256;

// y = relu?(y + b), in place; b null: no bias. f filters.
extern "C" __global__ void finish(const REAL* b, bool relu, Divider f, i64 size, REAL* y) {
    each(size, f.divisor % VEC == 0 && aligned(y), [&](auto count, i64 k) {
        constexpr int N = count;
        int filter;
        f.divide((int)k, filter);
        Pack<N> values = load<N>(y, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            if (b) values.v[i] += b[filter + i];
            if (relu && values.v[i] < 0) values.v[i] = 0;
        }
        store<N>(y, k, values);
    });
}

// The sum over the lanes of a column, in its first lane; threads `wide` apart share a column.
__device__ __forceinline__ REAL add_lanes(REAL sum, int wide) {
    __shared__ REAL sums[THREADS];
    __syncthreads();  // the sums of an earlier call have been read
    sums[threadIdx.x] = sum;
    for (int half = THREADS / 2; half >= wide; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    return sums[threadIdx.x];
}

// dz = dy [y > 0] (y null: dz = dy; dz null: not wanted) and db, its sum over the rows (null: not wanted); dy (rows, f).
// A block takes `height` rows and `wide` columns (a power of two); the last block of a run of columns adds up the parts.
extern "C" __global__ void __launch_bounds__(THREADS) gradient(
    const REAL* y, const REAL* dy, int rows, int f, int wide, int height, REAL* parts, int* arrivals, REAL* dz, REAL* db
) {
    const int column = blockIdx.y * wide + threadIdx.x % wide, lane = threadIdx.x / wide, lanes = THREADS / wide;
    const bool inside = column < f;
    const int first = blockIdx.x * height, stop = min(rows, first + height);
    REAL sum = 0;
    for (int r = first + lane; inside && r < stop; r += lanes) {
        const i64 k = (i64)r * f + column;
        const REAL value = !y || y[k] > 0 ? dy[k] : REAL(0);
        if (dz) dz[k] = value;
        sum += value;
    }
    if (!db) return;
    sum = add_lanes(sum, wide);
    if (inside && lane == 0) parts[(i64)blockIdx.x * f + column] = sum;
    if (!arrived_last(arrivals + blockIdx.y, gridDim.x)) return;
    sum = 0;
    for (int i = lane; inside && i < (int)gridDim.x; i += lanes) sum += __ldcg(parts + (i64)i * f + column);
    sum = add_lanes(sum, wide);
    if (inside && lane == 0) db[column] = sum;
}
