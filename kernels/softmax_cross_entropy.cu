// Softmax and cross-entropy in one step, from logits, with the derivative: softmax_cross_entropy.py has the formula.

#include "loss_sums.cuh"

// One row: loss = w sum_j t_j (log sum_k exp x_k - x_j), dx =
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
