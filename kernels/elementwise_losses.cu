// Elementwise losses with their derivatives.

#include "loss_sums.cuh"

// loss = mean_j f(y_j, t_j), f by its kind (numbered in elementwise_losses.py), DIVERGENCE's the sum / delta; nothing is counted
// as correct.
enum Kind {
    SQUARED, ABSOLUTE, BINARY, BINARY_LOGITS, HUBER, LOG_COSH, HINGE, SQUARED_HINGE, POISSON, DIVERGENCE
};

struct ElementLoss {
    double loss;
    REAL slope;  // d loss / d y
};

// The kinds from HUBER on, in doubles.
__device__ __forceinline__ ElementLoss other_loss(double y, double t, int kind, double delta) {
    const double d = y - t;
    if (kind == HUBER) {
        const double clipped = d < -delta ? -delta : d > delta ? delta : d;
        return {clipped * (d - clipped / 2), (REAL)clipped};
    }
    if (kind == LOG_COSH) return {fabs(d) + log1p(exp(-2 * fabs(d))) - log(2.0), (REAL)tanh(d)};
    if (kind == POISSON) return {y - t * log(y + EPSILON), (REAL)(1 - t / (y + EPSILON))};
    if (kind == DIVERGENCE) {
        const double target = t < EPSILON ? EPSILON : t > 1 ? 1 : t, q = y < EPSILON ? EPSILON : y > 1 ? 1 : y;
        return {target * log(target / q), (REAL)(q == y ? -target / q : y - y)};
    }
    const double margin = 1 - t * y < 0 ? 0 : 1 - t * y;  // NaN stays
    if (kind == HINGE) return {margin, (REAL)(margin > 0 ? -t : margin)};
    return {margin * margin, (REAL)(-2 * t * margin)};
}

__device__ __forceinline__ ElementLoss element_loss(REAL y, REAL t, int kind, double delta) {
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
    if (kind >= HUBER) return other_loss(y, t, kind, delta);
    const REAL e = exp(-fabs(y));  // sigmoid(y) - t would lose its digits near 0
    const REAL above = y < 0 ? (1 - t) * e - t : 1 - t - t * e;
    return {(y > 0 ? y : REAL(0)) - y * t + log1p(e), above / (1 + e)};
}

extern "C" __global__ void __launch_bounds__(THREADS) elementwise_loss(
    const REAL* y, const REAL* targets, const REAL* weights, int kind, REAL smoothing, double delta, int n,
    int features, double* parts, int* arrivals, double* totals, REAL* dy, Clock* clock
) {
    add_rows(n, parts, arrivals, totals, clock, [&](int row, int lane) -> RowLoss {
        double loss = 0;
        const double weight = weights[row];
        const int count = kind == DIVERGENCE ? (int)delta : features;
        const REAL scale = (REAL)(weight / n / count);
        for (int k = lane; k < features; k += WARP) {
            const i64 index = (i64)row * features + k;
            const REAL t = targets[index] * (1 - smoothing) + smoothing / 2;
            const ElementLoss one = element_loss(y[index], t, kind, delta);
            loss += one.loss;
            if (dy) dy[index] = one.slope * scale;
        }
        return {weight * (across_warp(loss, Sum()) / count), false};
    });
}
