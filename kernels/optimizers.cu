// One optimizer step over the flat vectors of all parameters. Formulas as in optimizers.py; moments below `floor`
// become 0.
//
// What changes from step to step (rate, bias corrections, decay) comes by value or, in a captured step, from row
// `clock->batch - 1` of `table`, with PER_STEP numbers to a row. After a loss that was not finite nothing is changed
// any more.

#include "common.cuh"

struct Step {
    REAL v[PER_STEP];
    bool wanted;
};

// Numbers that change: a ... d by value.
__device__ __forceinline__ Step step_of(
    double a, double b, double c, double d, const double* table, const Clock* clock
) {
    const double values[4] = {a, b, c, d};
    Step step;
#pragma unroll
    for (int i = 0; i < PER_STEP; i++) {
        step.v[i] = (REAL)(table ? table[(clock->batch - 1) * PER_STEP + i] : values[i]);
    }
    step.wanted = !clock || clock->failed == 0;
    return step;
}

__device__ __forceinline__ REAL flushed(REAL x, REAL floor) { return fabs(x) < floor ? REAL(0) : x; }

extern "C" __global__ void sgd(
    REAL* p, const REAL* g, REAL* m, double rate_now, double decay_now, REAL momentum, bool nesterov, REAL floor,
    const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(rate_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL rate = step.v[0], decay = step.v[1];
    each(size, aligned(p) && aligned(g) && aligned(m), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> q = load<N>(p, k), s;
        const Pack<N> d = load<N>(g, k);
        if (m) s = load<N>(m, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            REAL change = -rate * d.v[i];
            if (m) {
                s.v[i] = flushed(momentum * s.v[i] + change, floor);
                change = nesterov ? momentum * s.v[i] + change : s.v[i];
            }
            q.v[i] = q.v[i] - decay * q.v[i] + change;
        }
        store<N>(p, k, q);
        if (m) store<N>(m, k, s);
    });
}

// With v_max: AMSGrad.
extern "C" __global__ void adam(
    REAL* p, const REAL* g, REAL* m, REAL* v, REAL* v_max, double alpha_now, double decay_now, REAL rest_1, REAL
    rest_2, REAL epsilon, REAL floor, const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(alpha_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL alpha = step.v[0], decay = step.v[1];
    const bool vectors = aligned(p) && aligned(g) && aligned(m) && aligned(v) && aligned(v_max);
    each(size, vectors, [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> q = load<N>(p, k), first = load<N>(m, k), second = load<N>(v, k), largest;
        const Pack<N> d = load<N>(g, k);
        if (v_max) largest = load<N>(v_max, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            first.v[i] = flushed(first.v[i] + (d.v[i] - first.v[i]) * rest_1, floor);
            second.v[i] = flushed(second.v[i] + (d.v[i] * d.v[i] - second.v[i]) * rest_2, floor);
            REAL size_of = second.v[i];
            if (v_max) size_of = largest.v[i] = largest.v[i] >= size_of ? largest.v[i] : size_of;  // NaN passes
            q.v[i] = q.v[i] - decay * q.v[i] - alpha * first.v[i] / (sqrt(size_of) + epsilon);
        }
        store<N>(p, k, q);
        store<N>(m, k, first);
        store<N>(v, k, second);
        if (v_max) store<N>(v_max, k, largest);
    });
}

extern "C" __global__ void nadam(
    REAL* p, const REAL* g, REAL* m, REAL* v, double on_m_now, double on_g_now, double on_v_now, double decay_now,
    REAL rest_1, REAL rest_2, REAL epsilon, REAL floor, const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(on_m_now, on_g_now, on_v_now, decay_now, table, clock);
    if (!step.wanted) return;
    const REAL on_m = step.v[0], on_g = step.v[1], on_v = step.v[2], decay = step.v[3];
    each(size, aligned(p) && aligned(g) && aligned(m) && aligned(v), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> q = load<N>(p, k), first = load<N>(m, k), second = load<N>(v, k);
        const Pack<N> d = load<N>(g, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            first.v[i] = flushed(first.v[i] + (d.v[i] - first.v[i]) * rest_1, floor);
            second.v[i] = flushed(second.v[i] + (d.v[i] * d.v[i] - second.v[i]) * rest_2, floor);
            const REAL change = (on_m * first.v[i] + on_g * d.v[i]) / (sqrt(on_v * second.v[i]) + epsilon);
            q.v[i] = q.v[i] - decay * q.v[i] - change;
        }
        store<N>(p, k, q);
        store<N>(m, k, first);
        store<N>(v, k, second);
    });
}

// `a`, the mean gradient (centered), and `m`, the momentum, may be null.
extern "C" __global__ void rmsprop(
    REAL* p, const REAL* g, REAL* v, REAL* a, REAL* m, double rate_now, double decay_now, REAL rho, REAL rest, REAL
    momentum, REAL epsilon, REAL floor, const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(rate_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL rate = step.v[0], decay = step.v[1];
    const bool vectors = aligned(p) && aligned(g) && aligned(v) && aligned(a) && aligned(m);
    each(size, vectors, [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> q = load<N>(p, k), squares = load<N>(v, k), mean, speed;
        const Pack<N> d = load<N>(g, k);
        if (a) mean = load<N>(a, k);
        if (m) speed = load<N>(m, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            REAL b = squares.v[i] = flushed(rho * squares.v[i] + rest * d.v[i] * d.v[i], floor);
            if (a) {
                const REAL c = mean.v[i] = flushed(rho * mean.v[i] + rest * d.v[i], floor);
                b -= c * c;
                b = b < floor ? REAL(0) : b;  // rounding could make it negative
            }
            REAL change = rate * d.v[i] / sqrt(b + epsilon);
            if (m) change = speed.v[i] = flushed(momentum * speed.v[i] + change, floor);
            q.v[i] = q.v[i] - decay * q.v[i] - change;
        }
        store<N>(p, k, q);
        store<N>(v, k, squares);
        if (a) store<N>(a, k, mean);
        if (m) store<N>(m, k, speed);
    });
}

extern "C" __global__ void adagrad(
    REAL* p, const REAL* g, REAL* v, double rate_now, double decay_now, REAL epsilon, REAL floor,
    const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(rate_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL rate = step.v[0], decay = step.v[1];
    each(size, aligned(p) && aligned(g) && aligned(v), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> q = load<N>(p, k), squares = load<N>(v, k);
        const Pack<N> d = load<N>(g, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            squares.v[i] = flushed(squares.v[i] + d.v[i] * d.v[i], floor);
            q.v[i] = q.v[i] - decay * q.v[i] - rate * d.v[i] / sqrt(squares.v[i] + epsilon);
        }
        store<N>(p, k, q);
        store<N>(v, k, squares);
    });
}

extern "C" __global__ void adadelta(
    REAL* p, const REAL* g, REAL* v, REAL* u, double rate_now, double decay_now, REAL rho, REAL rest, REAL epsilon,
    REAL floor, const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(rate_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL rate = step.v[0], decay = step.v[1];
    each(size, aligned(p) && aligned(g) && aligned(v) && aligned(u), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> q = load<N>(p, k), squares = load<N>(v, k), steps = load<N>(u, k);
        const Pack<N> d = load<N>(g, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            squares.v[i] = flushed(rho * squares.v[i] + rest * d.v[i] * d.v[i], floor);
            const REAL change = sqrt(steps.v[i] + epsilon) / sqrt(squares.v[i] + epsilon) * d.v[i];
            steps.v[i] = flushed(rho * steps.v[i] + rest * change * change, floor);
            q.v[i] = q.v[i] - decay * q.v[i] - rate * change;
        }
        store<N>(p, k, q);
        store<N>(v, k, squares);
        store<N>(u, k, steps);
    });
}
