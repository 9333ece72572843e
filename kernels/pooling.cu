// Max and average pooling of NHWC images: one thread per output, or per run of VEC of its channels. POSITION is the
// dtype of positions inside a window. Backward, a thread collects for one input the gradients of the windows over it,
// so nothing is added atomically.

#include "common.cuh"

// x (n, h, w, c), y (n, oh, ow, c). The first three dividers decompose the index of a number of y (forward) or of x
// (backward).
struct Pool {
    int h, w, oh, ow, kh, kw, sh, sw, top, left;
    Divider rows, columns, channels, by_sh, by_sw;
};

struct Spot {
    int image, row, column, channel;
};

__device__ __forceinline__ Spot spot(const Pool& g, i64 index) {
    Spot at;
    at.image = g.rows.divide(g.columns.divide(g.channels.divide((int)index, at.channel), at.column), at.row);
    return at;
}

// The part of a window that lies inside the image: rows r0 ... r1 - 1, columns q0 ... q1 - 1 of the image.
struct Inside {
    int top, left, r0, r1, q0, q1;
};

__device__ __forceinline__ Inside inside(const Pool& g, int row, int column) {
    Inside box;
    box.top = row * g.sh - g.top;
    box.left = column * g.sw - g.left;
    box.r0 = max(box.top, 0);
    box.q0 = max(box.left, 0);
    box.r1 = min(box.top + g.kh, g.h);
    box.q1 = min(box.left + g.kw, g.w);
    return box;
}

// The first and the last window, along one axis, that cover a place.
__device__ __forceinline__ int first_window(int place, int extent, const Divider& stride) {
    const int past = place - extent;
    return past < 0 ? 0 : stride.quotient(past) + 1;
}
__device__ __forceinline__ int last_window(int place, const Divider& stride, int count) {
    return min(stride.quotient(place), count - 1);
}

template <int N>
struct __align__(N * sizeof(POSITION)) Positions {
    POSITION v[N];
};

extern "C" __global__ void max_pool_forward(const REAL* x, Pool g, i64 size, REAL* y, POSITION* argmax) {
    const int c = g.channels.divisor;
    each(size, c % VEC == 0 && aligned(x) && aligned(y) && aligned(argmax), [&](auto count, i64 k) {
        constexpr int N = count;
        const Spot at = spot(g, k);
        const Inside box = inside(g, at.row, at.column);
        Pack<N> best = load<N>(x, (((i64)at.image * g.h + box.r0) * g.w + box.q0) * c + at.channel);
        Positions<N> where;
#pragma unroll
        for (int i = 0; i < N; i++) where.v[i] = (POSITION)((box.r0 - box.top) * g.kw + box.q0 - box.left);
        for (int r = box.r0; r < box.r1; r++) {
            for (int q = box.q0; q < box.q1; q++) {
                const Pack<N> values = load<N>(x, (((i64)at.image * g.h + r) * g.w + q) * c + at.channel);
                const int position = (r - box.top) * g.kw + q - box.left;
#pragma unroll
                for (int i = 0; i < N; i++) {
                    if (!(values.v[i] <= best.v[i]) && best.v[i] == best.v[i]) {  // larger, or the first NaN
                        best.v[i] = values.v[i];
                        where.v[i] = (POSITION)position;
                    }
                }
            }
        }
        store<N>(y, k, best);
        *reinterpret_cast<Positions<N>*>(argmax + k) = where;
    });
}

extern "C" __global__ void max_pool_backward(
    const REAL* dy, const POSITION* argmax, Pool g, i64 size, REAL* dx
) {
    const int c = g.channels.divisor;
    each(size, c % VEC == 0 && aligned(dy) && aligned(dx) && aligned(argmax), [&](auto count, i64 k) {
        constexpr int N = count;
        const Spot at = spot(g, k);
        const int row = at.row + g.top, column = at.column + g.left;
        const int i1 = last_window(row, g.by_sh, g.oh), j1 = last_window(column, g.by_sw, g.ow);
        Pack<N> sums;
#pragma unroll
        for (int i = 0; i < N; i++) sums.v[i] = 0;
        for (int i = first_window(row, g.kh, g.by_sh); i <= i1; i++) {
            for (int j = first_window(column, g.kw, g.by_sw); j <= j1; j++) {
                const i64 window = (((i64)at.image * g.oh + i) * g.ow + j) * c + at.channel;
                const Pack<N> values = load<N>(dy, window);
                const Positions<N> where = *reinterpret_cast<const Positions<N>*>(argmax + window);
                const int position = (row - i * g.sh) * g.kw + column - j * g.sw;
#pragma unroll
                for (int n = 0; n < N; n++) sums.v[n] += where.v[n] == (POSITION)position ? values.v[n] : REAL(0);
            }
        }
        store<N>(dx, k, sums);
    });
}

extern "C" __global__ void average_pool_forward(const REAL* x, Pool g, i64 size, REAL* y) {
    const int c = g.channels.divisor;
    each(size, c % VEC == 0 && aligned(x) && aligned(y), [&](auto count, i64 k) {
        constexpr int N = count;
        const Spot at = spot(g, k);
        const Inside box = inside(g, at.row, at.column);
        Pack<N> sums;
#pragma unroll
        for (int i = 0; i < N; i++) sums.v[i] = 0;
        for (int r = box.r0; r < box.r1; r++) {
            for (int q = box.q0; q < box.q1; q++) {
                const Pack<N> values = load<N>(x, (((i64)at.image * g.h + r) * g.w + q) * c + at.channel);
#pragma unroll
                for (int i = 0; i < N; i++) sums.v[i] += values.v[i];
            }
        }
        const REAL cells = (REAL)((box.r1 - box.r0) * (box.q1 - box.q0));
#pragma unroll
        for (int i = 0; i < N; i++) sums.v[i] /= cells;
        store<N>(y, k, sums);
    });
}

extern "C" __global__ void average_pool_backward(const REAL* dy, Pool g, i64 size, REAL* dx) {
    const int c = g.channels.divisor;
    each(size, c % VEC == 0 && aligned(dy) && aligned(dx), [&](auto count, i64 k) {
        constexpr int N = count;
        const Spot at = spot(g, k);
        const int row = at.row + g.top, column = at.column + g.left;
        const int i1 = last_window(row, g.by_sh, g.oh), j1 = last_window(column, g.by_sw, g.ow);
        Pack<N> sums;
#pragma unroll
        for (int i = 0; i < N; i++) sums.v[i] = 0;
        for (int i = first_window(row, g.kh, g.by_sh); i <= i1; i++) {
            for (int j = first_window(column, g.kw, g.by_sw); j <= j1; j++) {
                const Inside box = inside(g, i, j);
                const REAL cells = (REAL)((box.r1 - box.r0) * (box.q1 - box.q0));
                const Pack<N> values = load<N>(dy, (((i64)at.image * g.oh + i) * g.ow + j) * c + at.channel);
#pragma unroll
                for (int n = 0; n < N; n++) sums.v[n] += values.v[n] / cells;
            }
        }
        store<N>(dx, k, sums);
    });
}
