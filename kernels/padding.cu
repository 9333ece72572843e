// Zero padding of an image, and its transpose.

#include "common.cuh"

// Copies x (n, h, w, c) into y (n, tall, wide, c), its upper left corner at (top, left), with zeros around it. With
// negative top and left and a smaller y it copies a part of x.
extern "C" __global__ void place(
    const REAL* x, int h, int w, int top, int left, Divider tall, Divider wide, Divider c, i64 size, REAL* y
) {
    each(size, c.divisor % VEC == 0 && aligned(x) && aligned(y), [&](auto count, i64 k) {
        constexpr int N = count;
        int channel, column, row;
        const int image = tall.divide(wide.divide(c.divide((int)k, channel), column), row);
        row -= top;
        column -= left;
        Pack<N> values;
#pragma unroll
        for (int i = 0; i < N; i++) values.v[i] = 0;
        if (row >= 0 && row < h && column >= 0 && column < w) {
            values = load<N>(x, (((i64)image * h + row) * w + column) * c.divisor + channel);
        }
        store<N>(y, k, values);
    });
}
