// Conv2D as a matrix product whose operands are the images themselves (implicit GEMM): the windows are never written
// anywhere.
//
//     y  (pixels, f)       = windows of x (pixels, kh kw c)   times filters (kh kw c, f)
//     dw (kh kw c, f)      = windows of x, transposed         times dz (pixels, f)
//     dx (input pixels, c) = windows of dz (.., kh kw f)      times filters, transposed (kh kw f, c)
//
// dz = dy [y > 0] is made while it is read. Groups are the grid's second dimension.

#include "gemm.cuh"

// x (n, h, w, c), y (n, oh, ow, f); cg and fg are channels and filters of a group. Depths are taken apart by the
// dividers.
struct Geometry {
    int h, w, c, oh, ow, f, kh, kw, cg, fg, sh, sw, dh, dw, top, left;
    Divider by_oh, by_ow, by_h, by_w, by_kw, by_cg, by_fg, by_sh, by_sw;
};

struct Pixel {
    int image, row, column;
};

__device__ __forceinline__ Pixel output_pixel(const Geometry& g, int i) {
    Pixel at;
    at.image = g.by_oh.divide(g.by_ow.divide(i, at.column), at.row);
    return at;
}

__device__ __forceinline__ Vec zeros() {
    Vec values;
#pragma unroll
    for (int v = 0; v < VEC; v++) values.v[v] = 0;
    return values;
}

// The windows of x as rows of a matrix: row i is an output pixel, depth p = (kh, kw, channel).
struct Windows {
    static constexpr bool ALONG_K = true;
    struct Row {
        const REAL* image;
        int row, column;  // of the window's upper left corner in x; far below 0 for a row outside the matrix
    };
    const Geometry& g;
    const REAL* x;
    int pixels;
    bool vectors;

    __device__ __forceinline__ Windows(const Geometry& g, const REAL* x, int pixels)
        : g(g), x(x), pixels(pixels), vectors(g.cg % VEC == 0 && aligned(x)) {}

    __device__ __forceinline__ Row row(int i) const {
        if (i >= pixels) return {x, -(1 << 30), 0};
        const Pixel at = output_pixel(g, i);
        return {x + (i64)at.image * g.h * g.w * g.c, at.row * g.sh - g.top, at.column * g.sw - g.left};
    }

    // Where depth p stands in the image, or -1.
    __device__ __forceinline__ int index(const Row& at, int p) const {
        int channel, b;
        const int a = g.by_kw.divide(g.by_cg.divide(p, channel), b);
        const int row = at.row + a * g.dh, column = at.column + b * g.dw;
        return row >= 0 && row < g.h && column >= 0 && column < g.w ? (row * g.w + column) * g.c + channel : -1;
    }

    __device__ __forceinline__ Vec fetch(const Row& at, int p, int end) const {
        Vec values = zeros();
        if (vectors) {
            const int k = p < end ? index(at, p) : -1;
            if (k >= 0) values = load<VEC>(at.image, k);
        } else {
#pragma unroll
            for (int v = 0; v < VEC; v++) {
                const int k = p + v < end ? index(at, p + v) : -1;
                if (k >= 0) values.v[v] = at.image[k];
            }
        }
        return values;
    }
};

// The same matrix, transposed: row i = (kh, kw, channel), depth p is an output pixel.
struct WindowsTransposed {
    static constexpr bool ALONG_K = false;
    struct Row {
        int i, row, column, channel;  // of the first of VEC rows: what it adds to the window's corner, and its channel
    };
    const Geometry& g;
    const REAL* x;
    int depth;
    bool vectors;

    __device__ __forceinline__ WindowsTransposed(const Geometry& g, const REAL* x, int depth)
        : g(g), x(x), depth(depth), vectors(g.cg % VEC == 0 && aligned(x)) {}

    __device__ __forceinline__ Row row(int i) const {
        int channel, b;
        const int a = g.by_kw.divide(g.by_cg.divide(i, channel), b);
        return {i, a * g.dh - g.top, b * g.dw - g.left, channel};
    }

    __device__ __forceinline__ Vec fetch(const Row& first, int p, int end) const {
        Vec values = zeros();
        if (p >= end) return values;
        const Pixel at = output_pixel(g, p);
        const REAL* image = x + (i64)at.image * g.h * g.w * g.c;
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            if (first.i + v >= depth) break;
            const Row of = v ? row(first.i + v) : first;
            const int line = at.row * g.sh + of.row, column = at.column * g.sw + of.column;
            const bool inside = line >= 0 && line < g.h && column >= 0 && column < g.w;
            const int k = (line * g.w + column) * g.c + of.channel;
            if (vectors) return inside ? load<VEC>(image, k) : values;
            if (inside) values.v[v] = image[k];
        }
        return values;
    }
};

// The windows of dz that see a pixel of the input, as rows of a matrix: row i is an input pixel, depth p = (kh, kw,
// filter).
struct GradientWindows {
    static constexpr bool ALONG_K = true;
    struct Row {
        i64 image;        // offset of the first output pixel of the image
        int row, column;  // of the pixel in the padded input; far below 0 for a row outside the matrix
    };
    const Geometry& g;
    const REAL *dy, *mask;
    int pixels;
    bool vectors;

    __device__ __forceinline__ GradientWindows(const Geometry& g, const REAL* dy, const REAL* mask, int pixels)
        : g(g), dy(dy), mask(mask), pixels(pixels),
          vectors(g.fg % VEC == 0 && aligned(dy) && aligned(mask)) {}

    __device__ __forceinline__ Row row(int i) const {
        if (i >= pixels) return {0, -(1 << 30), 0};
        int row, column;
        const int image = g.by_h.divide(g.by_w.divide(i, column), row);
        return {(i64)image * g.oh * g.ow * g.f, row + g.top, column + g.left};
    }

    __device__ __forceinline__ i64 index(const Row& at, int p) const {
        int filter, b, skipped_rows, skipped_columns;
        const int a = g.by_kw.divide(g.by_fg.divide(p, filter), b);
        const int row = at.row - a * g.dh, column = at.column - b * g.dw;
        if (row < 0 || column < 0) return -1;
        const int i = g.by_sh.divide(row, skipped_rows), j = g.by_sw.divide(column, skipped_columns);
        if (skipped_rows || skipped_columns || i >= g.oh || j >= g.ow) return -1;
        return at.image + (i * g.ow + j) * g.f + filter;
    }

    __device__ __forceinline__ Vec fetch(const Row& at, int p, int end) const {
        if (vectors) {
            const i64 k = p < end ? index(at, p) : -1;
            return k >= 0 ? masked(dy, mask, k, VEC, true) : zeros();
        }
        Vec values = zeros();
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            const i64 k = p + v < end ? index(at, p + v) : -1;
            if (k >= 0 && (!mask || mask[k] > 0)) values.v[v] = dy[k];
        }
        return values;
    }
};

// The filters of a group, transposed: row i is a channel, depth p = (kh, kw, filter).
struct FiltersTransposed {
    static constexpr bool ALONG_K = true;
    struct Row {
        int i;
    };
    const Geometry& g;
    const REAL* w;
    bool vectors;

    __device__ __forceinline__ FiltersTransposed(const Geometry& g, const REAL* w)
        : g(g), w(w), vectors(g.fg % VEC == 0 && aligned(w)) {}

    __device__ __forceinline__ Row row(int i) const { return {i}; }

    __device__ __forceinline__ int index(const Row& at, int p) const {
        int filter;
        const int tap = g.by_fg.divide(p, filter);
        return (tap * g.cg + at.i) * g.f + filter;
    }

    __device__ __forceinline__ Vec fetch(const Row& at, int p, int end) const {
        Vec values = zeros();
        if (at.i >= g.cg) return values;
        if (vectors && p < end) return load<VEC>(w, index(at, p));
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            if (p + v < end) values.v[v] = w[index(at, p + v)];
        }
        return values;
    }
};

extern "C" __global__ void __launch_bounds__(THREADS) conv2d_forward(
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
extern "C" __global__ void __launch_bounds__(THREADS) conv2d_filter_gradient(
    const REAL* x, const REAL* mask, const REAL* dy, Geometry g, int n, int splits, REAL* partials, int* arrivals,
    REAL* dw, REAL* db
) {
    const int group = blockIdx.y, pixels = n * g.oh * g.ow, depth = g.kh * g.kw * g.cg, filter = group * g.fg;
    const WindowsTransposed windows(g, x + group * g.cg, depth);
    const Matrix<false> gradient(dy + filter, mask ? mask + filter : nullptr, g.f, g.fg);
    const Result result(dw + filter, g.f, g.fg, nullptr, false, db ? db + filter : nullptr);
    product(windows, gradient, result, blockIdx.x, depth, g.fg, pixels, splits, db != nullptr, partials, arrivals);
}

extern "C" __global__ void __launch_bounds__(THREADS) conv2d_input_gradient(
    const REAL* w, const REAL* mask, const REAL* dy, Geometry g, int n, int splits, REAL* partials, int* arrivals,
    REAL* dx
) {
    const int group = blockIdx.y, pixels = n * g.h * g.w, depth = g.kh * g.kw * g.fg, filter = group * g.fg;
    const GradientWindows windows(g, dy + filter, mask ? mask + filter : nullptr, pixels);
    const FiltersTransposed filters(g, w + filter);
    const Result result(dx + group * g.cg, g.c, g.cg, nullptr, false, nullptr);
    product(windows, filters, result, blockIdx.x, pixels, g.cg, depth, splits, false, partials, arrivals);
}
