// Losses with their derivatives; the batch's sums are added to `totals` (sum of weighted losses, number correct) on the
// GPU.
//
// A warp takes a row. Every block writes its two sums to `parts`; the last block adds them up in order, so the bits are
// the same each time. A row's quantities are computed in double, because near certainty p - 1 would lose its digits.

#include "common.cuh"

constexpr int THREADS = 256;
constexpr double EPSILON = 1e-7;  // probabilities are clipped to [EPSILON, 1 - EPSILON], as in Keras on TensorFlow

__device__ __forceinline__ double clip(double p) { return p < EPSILON ? EPSILON : p > 1 - EPSILON ? 1 - EPSILON : p; }
__device__ __forceinline__ bool inside(double p) { return !(p < EPSILON || p > 1 - EPSILON); }

// The largest number of a row and its first position.
struct Best {
    REAL value;
    int place;
};

__device__ __forceinline__ Best better(Best a, Best b) {
    const bool second = b.value > a.value || (b.value == a.value && b.place < a.place);
    return second ? b : a;
}

__device__ __forceinline__ Best best_of_row(const REAL* row, int c) {
    const int lane = threadIdx.x % WARP;
    Best best = {row[0], 0};
    for (int k = lane; k < c; k += WARP) best = better(best, {row[k], k});
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        const REAL value = __shfl_xor_sync(ALL_LANES, best.value, distance);
        const int place = __shfl_xor_sync(ALL_LANES, best.place, distance);
        best = better(best, {value, place});
    }
    return best;
}

// Calls body(row, lane), which returns the row's weighted loss and whether it is correct, and adds up the results.
struct RowLoss {
    double loss;
    bool correct;
};

template <class Body>
__device__ __forceinline__ void add_rows(int n, double* parts, int* arrivals, double* totals, Clock* clock, Body body) {
    double loss = 0, correct = 0;
    for (i64 row = thread_index() / WARP; row < n; row += thread_count() / WARP) {
        const RowLoss result = body((int)row, (int)(threadIdx.x % WARP));
        if (threadIdx.x % WARP == 0) {
            loss += result.loss;
            correct += result.correct && result.loss == result.loss;
        }
    }
    loss = block_sum(loss);
    correct = block_sum(correct);
    if (threadIdx.x == 0) {
        parts[2 * blockIdx.x] = loss;
        parts[2 * blockIdx.x + 1] = correct;
    }
    if (!arrived_last(arrivals, gridDim.x)) return;
    loss = correct = 0;
    for (int i = threadIdx.x; i < (int)gridDim.x; i += THREADS) {
        loss += __ldcg(parts + 2 * i);
        correct += __ldcg(parts + 2 * i + 1);
    }
    loss = block_sum(loss);
    correct = block_sum(correct);
    if (threadIdx.x != 0) return;
    totals[0] += loss;
    totals[1] += correct;
    if (clock && clock->failed == 0 && !isfinite(totals[0])) clock->failed = clock->step;
}

__device__ __forceinline__ double smooth(double target, double smoothing, int c) {
    return target * (1 - smoothing) + smoothing / c;
}

// Softmax and cross-entropy in one step, from the logits: loss = w sum_j t_j (log sum_k exp x_k - x_j), dx =
// (softmax(x) - t) w / n. `target(row, k)` is t before smoothing, `label(row)` the class that counts as correct.
template <class Target, class Label>
__device__ __forceinline__ RowLoss from_logits(
    const REAL* logits, const REAL* weights, double smoothing, int n, int c, int row, int lane, REAL* dlogits,
    Target target, Label label
) {
    const REAL* x = logits + (i64)row * c;
    const Best best = best_of_row(x, c);
    double s = 0;
    for (int k = lane; k < c; k += WARP) s += exp(x[k] - best.value);
    s = across_warp(s, Sum());
    const double log_s = log(s);
    double loss = 0, mass = 0;
    for (int k = lane; k < c; k += WARP) {
        const double t = smooth(target(row, k), smoothing, c);
        mass += t;
        loss += t * log_s;
        if (t != 0) loss -= t * (double)(x[k] - best.value);  // a class of probability 0 may have logit -inf
    }
    loss = across_warp(loss, Sum());
    mass = across_warp(mass, Sum());
    const double weight = weights[row];
    if (dlogits) {
        const double scale = weight / n;
        for (int k = lane; k < c; k += WARP) {
            const double t = smooth(target(row, k), smoothing, c);
            // With a mass of exactly 1 the same as e / s - t; but e - t s keeps the digits that remain near certainty.
            const double e = exp(x[k] - best.value);
            dlogits[(i64)row * c + k] = (REAL)(scale * ((e * mass - t * s) / s));
        }
    }
    return {weight * loss, best.place == label(row, lane)};
}

extern "C" __global__ void __launch_bounds__(THREADS) sparse_softmax_cross_entropy(
    const REAL* logits, const int* labels, const REAL* weights, double smoothing, int n, int c, double* parts,
    int* arrivals, double* totals, REAL* dlogits, Clock* clock
) {
    add_rows(n, parts, arrivals, totals, clock, [&](int row, int lane) {
        return from_logits(
            logits, weights, smoothing, n, c, row, lane, dlogits,
            [&](int i, int k) { return k == labels[i] ? 1.0 : 0.0; }, [&](int i, int) { return labels[i]; }
        );
    });
}

extern "C" __global__ void __launch_bounds__(THREADS) softmax_cross_entropy(
    const REAL* logits, const REAL* targets, const REAL* weights, double smoothing, int n, int c, double* parts,
    int* arrivals, double* totals, REAL* dlogits, Clock* clock
) {
    add_rows(n, parts, arrivals, totals, clock, [&](int row, int lane) {
        return from_logits(
            logits, weights, smoothing, n, c, row, lane, dlogits,
            [&](int i, int k) { return (double)targets[(i64)i * c + k]; },
            [&](int i, int) { return best_of_row(targets + (i64)i * c, c).place; }
        );
    });
}

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
