// Conv2D as a matrix product whose operands are the images themselves (implicit GEMM): the windows are never
// materialized.
//
//     y  (pixels, f)       = windows of x (pixels, kh kw c)   times filters (kh kw c, f)
//     dw (kh kw c, f)      = windows of x, transposed         times dz (pixels, f)
//     dx (input pixels, c) = windows of dz (.., kh kw f)      times filters, transposed (kh kw f, c)
//
// dz = dy [y > 0] is computed on the fly. Groups are the grid's second dimension.

#include "gemm.cuh"

// x (n, h, w, c), y (n, oh, ow, f); cg and fg are channels and filters of a group. The dividers decompose depths.
struct Geometry {
    int h, w, c, oh, ow, f, kh, kw, cg, fg, sh, sw, dh, dw, top, left;
    Divider by_oh, by_ow, by_h, by_w, by_kw, by_cg, by_fg, by_sh, by_sw;
};

constexpr int OUTSIDE = -(1 << 30);  // a coordinate that no addition brings back into an image

__device__ __forceinline__ bool inside(int coordinate, int size) { return (u32)coordinate < (u32)size; }

__device__ __forceinline__ Vec zeros() {
    Vec values;
#pragma unroll
    for (int v = 0; v < VEC; v++) values.v[v] = 0;
    return values;
}

// The place of a number in an array and of its pixel in an image: the sum of a window's corner and a place in the
// window.
struct Position {
    i64 offset;
    int row, column;
};

// What VEC neighboring depths of a window add to its corner.
struct Steps {
    int offset[VEC], row[VEC], column[VEC];
};

// The corner of the window of output pixel i.
__device__ __forceinline__ Position corner(const Geometry& g, int i) {
    int row, column;
    const int image = g.by_oh.divide(g.by_ow.divide(i, column), row);
    row = row * g.sh - g.top;
    column = column * g.sw - g.left;
    return {(((i64)image * g.h + row) * g.w + column) * g.c, row, column};
}

// What place p = (kh, kw, channel) of a window adds to its corner.
__device__ __forceinline__ Position in_window(const Geometry& g, int p) {
    int channel, b;
    const int a = g.by_kw.divide(g.by_cg.divide(p, channel), b);
    return {(a * g.dh * g.w + b * g.dw) * g.c + channel, a * g.dh, b * g.dw};
}

// The windows of x as rows of a matrix: row i is an output pixel, depth p = (kh, kw, channel).
struct Windows {
    static constexpr bool ALONG_K = true;
    using Row = Position;
    using Depth = Steps;
    const Geometry& g;
    const REAL* x;
    int pixels;
    bool vectors;

    __device__ __forceinline__ Windows(const Geometry& g, const REAL* x, int pixels)
        : g(g), x(x), pixels(pixels), vectors(g.cg % VEC == 0 && aligned(x)) {}

    __device__ __forceinline__ Row row(int i) const { return i < pixels ? corner(g, i) : Row{0, OUTSIDE, 0}; }

    __device__ __forceinline__ Depth depth(int p, int end) const {
        Depth steps;
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            if (v && vectors) break;
            const Position step = p + v < end ? in_window(g, p + v) : Position{0, OUTSIDE, 0};
            steps.offset[v] = step.offset, steps.row[v] = step.row, steps.column[v] = step.column;
        }
        return steps;
    }

    __device__ __forceinline__ Vec fetch(const Row& at, const Depth& by) const {
        Vec values = zeros();
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            const i64 k = at.offset + by.offset[v];
            const bool counts = inside(at.row + by.row[v], g.h) && inside(at.column + by.column[v], g.w);
            if (vectors) return counts ? load<VEC>(x, k) : values;
            if (counts) values.v[v] = x[k];
        }
        return values;
    }
};

// The same matrix, transposed: row i = (kh, kw, channel), depth p is an output pixel.
struct WindowsTransposed {
    static constexpr bool ALONG_K = false;
    using Row = Steps;
    using Depth = Position;
    const Windows windows;
    int size;  // of a window

    __device__ __forceinline__ WindowsTransposed(const Geometry& g, const REAL* x, int size)
        : windows(g, x, 0), size(size) {}

    __device__ __forceinline__ Row row(int i) const { return windows.depth(i, size); }

    __device__ __forceinline__ Depth depth(int p, int end) const {
        return p < end ? corner(windows.g, p) : Depth{0, OUTSIDE, 0};
    }

    __device__ __forceinline__ Vec fetch(const Row& by, const Depth& at) const { return windows.fetch(at, by); }
};

// The windows of dz that cover a pixel of the input, as rows of a matrix: row i is an input pixel, depth p = (kh, kw,
// filter).
struct GradientWindows {
    static constexpr bool ALONG_K = true;
    using Row = Position;  // of the first output pixel of the image, and of the pixel in the padded input
    using Depth = Steps;
    const Geometry& g;
    const REAL *dy, *mask;
    int pixels;
    bool vectors;

    __device__ __forceinline__ GradientWindows(const Geometry& g, const REAL* dy, const REAL* mask, int pixels)
        : g(g), dy(dy), mask(mask), pixels(pixels),
          vectors(g.fg % VEC == 0 && aligned(dy) && aligned(mask)) {}

    __device__ __forceinline__ Row row(int i) const {
        if (i >= pixels) return {0, OUTSIDE, 0};
        int row, column;
        const int image = g.by_h.divide(g.by_w.divide(i, column), row);
        return {(i64)image * g.oh * g.ow * g.f, row + g.top, column + g.left};
    }

    __device__ __forceinline__ Depth depth(int p, int end) const {
        Depth steps;
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            if (v && vectors) break;
            int filter = 0, b = 0, a = 0;
            if (p + v < end) a = g.by_kw.divide(g.by_fg.divide(p + v, filter), b);
            steps.offset[v] = filter;
            steps.row[v] = p + v < end ? -a * g.dh : OUTSIDE;
            steps.column[v] = -b * g.dw;
        }
        return steps;
    }

    __device__ __forceinline__ Vec fetch(const Row& at, const Depth& by) const {
        Vec values = zeros();
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            int i = at.row + by.row[v], j = at.column + by.column[v];
            bool counts = i >= 0 && j >= 0;
            if (counts && (g.sh > 1 || g.sw > 1)) {
                int skipped_rows, skipped_columns;
                i = g.by_sh.divide(i, skipped_rows), j = g.by_sw.divide(j, skipped_columns);
                counts = !skipped_rows && !skipped_columns;
            }
            counts = counts && i < g.oh && j < g.ow;
            const i64 k = at.offset + (counts ? (i * g.ow + j) * g.f + by.offset[v] : 0);
            if (vectors) return counts ? masked(dy, mask, k, VEC, true) : values;
            if (counts && (!mask || mask[k] > 0)) values.v[v] = dy[k];
        }
        return values;
    }
};

// The filters of a group, transposed: row i is a channel, depth p = (kh, kw, filter).
struct FiltersTransposed {
    static constexpr bool ALONG_K = true;
    using Row = int;  // its offset, or -1
    struct Depth {
        int offset[VEC];  // or -1
    };
    const Geometry& g;
    const REAL* w;
    bool vectors;

    __device__ __forceinline__ FiltersTransposed(const Geometry& g, const REAL* w)
        : g(g), w(w), vectors(g.fg % VEC == 0 && aligned(w)) {}

    __device__ __forceinline__ Row row(int i) const { return i < g.cg ? i * g.f : -1; }

    __device__ __forceinline__ Depth depth(int p, int end) const {
        Depth depth;
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            if (v && vectors) break;
            int filter = 0;
            const int tap = p + v < end ? g.by_fg.divide(p + v, filter) : 0;
            depth.offset[v] = p + v < end ? tap * g.cg * g.f + filter : -1;
        }
        return depth;
    }

    __device__ __forceinline__ Vec fetch(const Row& row, const Depth& depth) const {
        Vec values = zeros();
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            const bool counts = row >= 0 && depth.offset[v] >= 0;
            if (vectors) return counts ? load<VEC>(w, row + depth.offset[v]) : values;
            if (counts) values.v[v] = w[row + depth.offset[v]];
        }
        return values;
    }
};

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) conv2d_forward(
    const REAL* x, const REAL* w, const REAL* b, Geometry g, int n, bool relu, int splits, REAL* partials,
    int* arrivals, REAL* y
) {
    const int group = blockIdx.y, pixels = n * g.oh * g.ow, depth = g.kh * g.kw * g.cg, filter = group * g.fg;
    const Windows windows(g, x + group * g.cg, pixels);
    const Matrix<false> filters(w + filter, nullptr, g.f, g.fg);
    const Result result(y + filter, g.f, g.fg, b ? b + filter : nullptr, relu, nullptr);
    product(windows, filters, result, blockIdx.x, pixels, g.fg, depth, splits, false, partials, arrivals);
}

// dw and db; `mask` null: no ReLU; db null: not wanted.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) conv2d_filter_gradient(
    const REAL* x, const REAL* mask, const REAL* dy, Geometry g, int n, int splits, REAL* partials, int* arrivals,
    REAL* dw, REAL* db
) {
    const int group = blockIdx.y, pixels = n * g.oh * g.ow, depth = g.kh * g.kw * g.cg, filter = group * g.fg;
    const WindowsTransposed windows(g, x + group * g.cg, depth);
    const Matrix<false> gradient(dy + filter, mask ? mask + filter : nullptr, g.f, g.fg);
    const Result result(dw + filter, g.f, g.fg, nullptr, false, db ? db + filter : nullptr);
    product(windows, gradient, result, blockIdx.x, depth, g.fg, pixels, splits, db != nullptr, partials, arrivals);
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) conv2d_input_gradient(
    const REAL* w, const REAL* mask, const REAL* dy, Geometry g, int n, int splits, REAL* partials, int* arrivals,
    REAL* dx
) {
    const int group = blockIdx.y, pixels = n * g.h * g.w, depth = g.kh * g.kw * g.fg, filter = group * g.fg;
    const GradientWindows windows(g, dy + filter, mask ? mask + filter : nullptr, pixels);
    const FiltersTransposed filters(g, w + filter);
    const Result result(dx + group * g.cg, g.c, g.cg, nullptr, false, nullptr);
    product(windows, filters, result, blockIdx.x, pixels, g.cg, depth, splits, false, partials, arrivals);
}
