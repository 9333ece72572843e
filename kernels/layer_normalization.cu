// Layer normalization of each row of x (rows, c): a warp per row, sums in double as in layer_normalization.py.

#include "column_sums.cuh"

extern "C" __global__ void layer_norm_forward(
    const REAL* x, const REAL* gamma, const REAL* beta, double epsilon, int rows, int c, REAL* y, double* mean,
    double* inverse
) {
    const int lane = threadIdx.x % WARP;
    for (i64 row = thread_index() / WARP; row < rows; row += thread_count() / WARP) {
        const REAL* source = x + row * c;
        double sum = 0, squares = 0;
        for (int k = lane; k < c; k += WARP) sum += source[k];
        const double m = across_warp(sum, Sum()) / c;
        for (int k = lane; k < c; k += WARP) squares += (source[k] - m) * (source[k] - m);
        const double scale = 1 / sqrt(across_warp(squares, Sum()) / c + epsilon);
        for (int k = lane; k < c; k += WARP) {
            const double normalized = (source[k] - m) * scale;
            y[row * c + k] = (REAL)(normalized * (gamma ? (double)gamma[k] : 1) + (beta ? (double)beta[k] : 0));
        }
        if (lane == 0) {
            mean[row] = m;
            inverse[row] = scale;
        }
    }
}

// dx = inverse (g - mean_k g - n mean_k (g n)), with g = dy gamma and n = (x - mean) inverse.
extern "C" __global__ void layer_norm_dx(
    const REAL* x, const REAL* dy, const REAL* gamma, const double* mean, const double* inverse, int rows, int c,
    REAL* dx
) {
    const int lane = threadIdx.x % WARP;
    for (i64 row = thread_index() / WARP; row < rows; row += thread_count() / WARP) {
        const double m = mean[row], scale = inverse[row];
        double plain = 0, product = 0;
        for (int k = lane; k < c; k += WARP) {
            const double g = (double)dy[row * c + k] * (gamma ? (double)gamma[k] : 1);
            plain += g;
            product += g * (x[row * c + k] - m) * scale;
        }
        plain = across_warp(plain, Sum()) / c;
        product = across_warp(product, Sum()) / c;
        for (int k = lane; k < c; k += WARP) {
            const double g = (double)dy[row * c + k] * (gamma ? (double)gamma[k] : 1);
            dx[row * c + k] = (REAL)(scale * (g - plain - (x[row * c + k] - m) * scale * product));
        }
    }
}

// dbeta = sum dy and dgamma = sum dy n over the rows.
extern "C" __global__ void __launch_bounds__(THREADS) layer_norm_parameters(
    const REAL* x, const REAL* dy, const double* mean, const double* inverse, int rows, int c, int wide, int height,
    double* parts, int* arrivals, REAL* dgamma, REAL* dbeta
) {
    const Slab s = slab(rows, wide, height);
    double plain = 0, product = 0;
    for (int r = s.first + s.lane; s.column < c && r < s.stop; r += s.lanes) {
        const double g = dy[(i64)r * c + s.column];
        plain += g;
        product += g * (x[(i64)r * c + s.column] - mean[r]) * inverse[r];
    }
    if (!add_slices(s, c, wide, parts, arrivals, plain, product)) return;
    if (dbeta) dbeta[s.column] = (REAL)plain;
    if (dgamma) dgamma[s.column] = (REAL)product;
}
