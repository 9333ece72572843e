// What a transposed convolution needs besides the kernels of conv2d.cu: its bias and ReLU, and their derivatives.

#include "column_sums.cuh"

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

// dz = dy [y > 0] (y null: dz = dy; dz null: not wanted) and db, its sum over the rows (null: not wanted); dy (rows, f).
extern "C" __global__ void __launch_bounds__(THREADS) gradient(
    const REAL* y, const REAL* dy, int rows, int f, int wide, int height, double* parts, int* arrivals, REAL* dz,
    REAL* db
) {
    const Slab s = slab(rows, wide, height);
    double sum = 0, unused = 0;
    for (int r = s.first + s.lane; s.column < f && r < s.stop; r += s.lanes) {
        const i64 k = (i64)r * f + s.column;
        const REAL value = !y || y[k] > 0 ? dy[k] : REAL(0);
        if (dz) dz[k] = value;
        sum += value;
    }
    if (db && add_slices(s, f, wide, parts, arrivals, sum, unused)) db[s.column] = (REAL)sum;
}
