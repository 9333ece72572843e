// Elementwise losses with their derivatives.

#include "loss_sums.cuh"

// loss = mean_j f(y_j, t_j), f by its kind (numbered in elementwise_losses.py); nothing is counted as correct.
enum Kind { SQUARED, ABSOLUTE, BINARY, BINARY_LOGITS };

struct ElementLoss {
    double loss;
    REAL slope;  // d loss / d y
};

__device__ __forceinline__ ElementLoss element_loss(REAL y, REAL t, int kind) {
    if (kind == SQUARED) {
        const REAL d = y - t;
        return {(double)d * d, d + d};
    }
    if (kind == ABSOLUTE) {
        const REAL d = y - t;
        return {fabs(d), d > 0 ? REAL(1) : d < 0 ? REAL(-1) : d};  // NaN stays
    }
    if (kind == BINARY) {  // in doubles: 1 - p keeps all its digits
        const double most = (REAL)(1 - EPSILON), p = y, q = p < EPSILON ? EPSILON : p > most ? most : p;
        return {-t * log(q) - (1 - t) * log(1 - q), q == p ? (REAL)((p - t) / (q * (1 - q))) : y - y};
    }
    const REAL e = exp(-fabs(y));  // sigmoid(y) - t would lose its digits near 0
    const REAL above = y < 0 ? (1 - t) * e - t : 1 - t - t * e;
    return {(y > 0 ? y : REAL(0)) - y * t + log1p(e), above / (1 + e)};
}

extern "C" __global__ void __launch_bounds__(THREADS) elementwise_loss(
    const REAL* y, const REAL* targets, const REAL* weights, int kind, REAL smoothing, int n, int features,
    double* parts, int* arrivals, double* totals, REAL* dy, Clock* clock
) {
    add_rows(n, parts, arrivals, totals, clock, [&](int row, int lane) -> RowLoss {
        double loss = 0;
        const double weight = weights[row];
        const REAL scale = (REAL)(weight / n / features);
        for (int k = lane; k < features; k += WARP) {
            const i64 index = (i64)row * features + k;
            const ElementLoss one = element_loss(y[index], targets[index] * (1 - smoothing) + smoothing / 2, kind);
            loss += one.loss;
            if (dy) dy[index] = one.slope * scale;
        }
        return {weight * (across_warp(loss, Sum()) / features), false};
    });
}
