// Batch normalization over the rows of x (rows, c). Sums are double, as in normalization.py.
//
// Statistics: a block takes a slice of the rows and a run of columns; the last block of a run adds up the slices, with
// all its threads and always in the same order. Then one pass over x with one factor and one offset per column.

#include "column_sums.cuh"

// `parts` (slices, 2, c): mean and sum of squared deviations of each slice. The last block combines them: Chan, Golub
// and LeVeque, 1979. `columns` (2, c) gets factor and offset of each column. The moving statistics do not change where
// those of the batch are not finite or, in a captured epoch, after a loss that was not finite.
extern "C" __global__ void __launch_bounds__(THREADS) batch_norm_statistics(
    const REAL* x, const REAL* gamma, const REAL* beta, int rows, int c, int wide, int height, double momentum,
    double epsilon, double* parts, int* arrivals, REAL* moving_mean, REAL* moving_variance, const Clock* clock,
    double* mean, double* inverse, double* columns
) {
    const Slab s = slab(rows, wide, height);
    const bool inside = s.column < c;
    // Deviations are taken from the slice's first row, so that a mean far from 0 costs no digits.
    const double origin = inside ? (double)x[(i64)s.first * c + s.column] : 0;
    double sum = 0, squares = 0;
    for (int r = s.first + s.lane; inside && r < s.stop; r += s.lanes) {
        const double d = (double)x[(i64)r * c + s.column] - origin;
        sum += d;
        squares += d * d;
    }
    add_lanes(sum, squares, wide);
    if (inside && s.lane == 0) {
        const double count = s.stop - s.first;
        parts[((i64)blockIdx.x * 2) * c + s.column] = origin + sum / count;
        parts[((i64)blockIdx.x * 2 + 1) * c + s.column] = squares - sum * sum / count;
    }
    if (!arrived_last(arrivals + blockIdx.y, gridDim.x)) return;
    sum = squares = 0;
    for (int i = s.lane; inside && i < (int)gridDim.x; i += s.lanes) {
        sum += rows_of_slice(i, rows, height) * __ldcg(parts + (i64)i * 2 * c + s.column);
        squares += __ldcg(parts + ((i64)i * 2 + 1) * c + s.column);
    }
    add_lanes(sum, squares, wide);
    const double m = sum / rows;
    double between = 0, unused = 0;
    for (int i = s.lane; inside && i < (int)gridDim.x; i += s.lanes) {
        const double d = __ldcg(parts + (i64)i * 2 * c + s.column) - m;
        between += rows_of_slice(i, rows, height) * d * d;
    }
    add_lanes(between, unused, wide);
    if (!inside || s.lane != 0) return;
    const double variance = (squares + between) / rows;
    const int k = s.column;
    if (isfinite(variance) && (!clock || clock->failed == 0)) {
        moving_mean[k] = (REAL)(momentum * moving_mean[k] + (1 - momentum) * m);
        moving_variance[k] = (REAL)(momentum * moving_variance[k] + (1 - momentum) * variance);
    }
    mean[k] = m;
    inverse[k] = 1 / sqrt(variance + epsilon);
    columns[k] = inverse[k] * (gamma ? (double)gamma[k] : 1);
    columns[c + k] = beta ? (double)beta[k] : 0;
}

// The same from the moving statistics, one thread per column.
extern "C" __global__ void batch_norm_columns(
    const REAL* gamma, const REAL* beta, const REAL* moving_mean, const REAL* moving_variance, double epsilon, int
    c, double* mean, double* inverse, double* columns
) {
    const int k = (int)thread_index();
    if (k >= c) return;
    mean[k] = moving_mean[k];
    inverse[k] = 1 / sqrt((double)moving_variance[k] + epsilon);
    columns[k] = inverse[k] * (gamma ? (double)gamma[k] : 1);
    columns[c + k] = beta ? (double)beta[k] : 0;
}

// y = (x - mean) factor + offset.
extern "C" __global__ void batch_norm_apply(
    const REAL* x, const double* mean, const double* columns, Divider c, i64 size, REAL* y
) {
    each(size, c.divisor % VEC == 0 && aligned(x) && aligned(y), [&](auto count, i64 k) {
        constexpr int N = count;
        int column;
        c.divide((int)k, column);
        Pack<N> p = load<N>(x, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            const double* of = columns + column + i;
            p.v[i] = (REAL)(((double)p.v[i] - mean[column + i]) * of[0] + of[c.divisor]);
        }
        store<N>(y, k, p);
    });
}

// `parts` (slices, 2, c): the sums of dy and of dy (x - mean). The last block adds them up; `columns` (3, c) gets what
// each column of dx needs: dx = columns[0] (dy - columns[1] - (x - mean) columns[2]).
extern "C" __global__ void __launch_bounds__(THREADS) batch_norm_gradients(
    const REAL* x, const REAL* dy, const REAL* gamma, const double* mean, const double* inverse, bool training, int
    rows, int c, int wide, int height, double* parts, int* arrivals, double* columns, REAL* dgamma, REAL* dbeta
) {
    const Slab s = slab(rows, wide, height);
    const bool inside = s.column < c;
    const double m = inside ? mean[s.column] : 0;
    double plain = 0, product = 0;
    for (int r = s.first + s.lane; inside && r < s.stop; r += s.lanes) {
        const double g = dy[(i64)r * c + s.column];
        plain += g;
        product += g * ((double)x[(i64)r * c + s.column] - m);
    }
    if (!add_slices(s, c, wide, parts, arrivals, plain, product)) return;
    const int k = s.column;
    product *= inverse[k];
    if (dbeta) dbeta[k] = (REAL)plain;
    if (dgamma) dgamma[k] = (REAL)product;
    columns[k] = inverse[k] * (gamma ? (double)gamma[k] : 1);
    columns[c + k] = training ? plain / rows : 0;
    columns[2 * c + k] = training ? product * inverse[k] / rows : 0;
}

extern "C" __global__ void batch_norm_dx(
    const REAL* x, const REAL* dy, const double* mean, const double* columns, Divider c, i64 size, REAL* dx
) {
    each(size, c.divisor % VEC == 0 && aligned(x) && aligned(dy) && aligned(dx), [&](auto count, i64 k) {
        constexpr int N = count;
        int column;
        c.divide((int)k, column);
        const Pack<N> p = load<N>(x, k);
        Pack<N> g = load<N>(dy, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            const double* of = columns + column + i;
            const double d = (double)p.v[i] - mean[column + i];
            g.v[i] = (REAL)(of[0] * ((double)g.v[i] - of[c.divisor] - d * of[2 * c.divisor]));
        }
        store<N>(dx, k, g);
    });
}
