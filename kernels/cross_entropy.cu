// Cross-entropies of the probabilities that a model outputs, with their derivatives.

#include "loss_sums.cuh"

__device__ __forceinline__ double clip(double p) { return p < EPSILON ? EPSILON : p > 1 - EPSILON ? 1 - EPSILON : p; }
__device__ __forceinline__ bool inside(double p) { return !(p < EPSILON || p > 1 - EPSILON); }

// loss = log sum_k q_k - sum_j t_j log q_j, q the clipped p.
extern "C" __global__ void __launch_bounds__(THREADS) sparse_cross_entropy(
    const REAL* p, const int* labels, const REAL* weights, double smoothing, int n, int c, double* parts,
    int* arrivals, double* totals, REAL* dp, Clock* clock
) {
    add_rows(n, parts, arrivals, totals, clock, [&](int row, int lane) -> RowLoss {
        const REAL* x = p + (i64)row * c;
        const int label = labels[row];
        double s = 0, loss = 0;
        for (int k = lane; k < c; k += WARP) {
            const double q = clip(x[k]);
            s += q;
            loss -= smooth(k == label, smoothing, c) * log(q);
        }
        s = across_warp(s, Sum());
        loss = across_warp(loss, Sum()) + log(s);
        const double weight = weights[row], scale = weight / n;
        for (int k = lane; dp && k < c; k += WARP) {
            const double q = x[k], t = smooth(k == label, smoothing, c);
            dp[(i64)row * c + k] = inside(q) ? (REAL)(scale * (1 / s - t / q)) : REAL(0);
        }
        return {weight * loss, best_of_row(x, c).place == label};
    });
}

// loss = -sum_j t_j log q_j, q the clipped p / sum p.
extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy(
    const REAL* p, const REAL* targets, const REAL* weights, double smoothing, int n, int c, double* parts,
    int* arrivals, double* totals, REAL* dp, Clock* clock
) {
    add_rows(n, parts, arrivals, totals, clock, [&](int row, int lane) -> RowLoss {
        const REAL *x = p + (i64)row * c, *y = targets + (i64)row * c;
        double s = 0, loss = 0, dot = 0;
        for (int k = lane; k < c; k += WARP) s += x[k];
        s = across_warp(s, Sum());
        for (int k = lane; k < c; k += WARP) {
            const double t = smooth(y[k], smoothing, c), r = x[k] / s;
            loss -= t * log(clip(r));
            if (inside(r)) dot -= t;
        }
        loss = across_warp(loss, Sum());
        dot = across_warp(dot, Sum());
        const double weight = weights[row], scale = weight / n;
        for (int k = lane; dp && k < c; k += WARP) {
            const double t = smooth(y[k], smoothing, c), r = x[k] / s;
            dp[(i64)row * c + k] = (REAL)(scale * (((inside(r) ? -t / r : 0) - dot) / s));
        }
        return {weight * loss, best_of_row(x, c).place == best_of_row(y, c).place};
    });
}
