// Nearest-neighbor upsampling of an NHWC image, and its transpose: one thread per number of the target, or per run of
// VEC of its channels. The first three dividers decompose the index of such a number; `rows` and `columns` say how often
// a pixel is repeated.

#include "common.cuh"

// x (n, h, w, c), y (n, h rows, w columns, c).
extern "C" __global__ void upsample_forward(
    const REAL* x, int h, int w, Divider tall, Divider wide, Divider c, Divider rows, Divider columns, i64 size, REAL* y
) {
    each(size, c.divisor % VEC == 0 && aligned(x) && aligned(y), [&](auto count, i64 k) {
        constexpr int N = count;
        int channel, column, row;
        const int image = tall.divide(wide.divide(c.divide((int)k, channel), column), row);
        const i64 pixel = ((i64)image * h + rows.quotient(row)) * w + columns.quotient(column);
        store<N>(y, k, load<N>(x, pixel * c.divisor + channel));
    });
}

// dy (n, h rows, w columns, c), dx (n, h, w, c).
extern "C" __global__ void upsample_backward(
    const REAL* dy, int rows, int columns, Divider h, Divider w, Divider c, i64 size, REAL* dx
) {
    each(size, c.divisor % VEC == 0 && aligned(dy) && aligned(dx), [&](auto count, i64 k) {
        constexpr int N = count;
        int channel, column, row;
        const int image = h.divide(w.divide(c.divide((int)k, channel), column), row), wide = w.divisor * columns;
        Pack<N> sums;
#pragma unroll
        for (int i = 0; i < N; i++) sums.v[i] = 0;
        for (int a = 0; a < rows; a++) {
            const i64 line = ((i64)image * h.divisor + row) * rows + a;
            for (int b = 0; b < columns; b++) {
                const Pack<N> copy = load<N>(dy, (line * wide + column * columns + b) * c.divisor + channel);
#pragma unroll
                for (int i = 0; i < N; i++) sums.v[i] += copy.v[i];
            }
        }
        store<N>(dx, k, sums);
    });
}
