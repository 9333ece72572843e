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
    REAL* ps, const REAL* gs, REAL* ms, double rate_now, double decay_now, REAL momentum, bool nesterov, REAL floor,
    const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(rate_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL rate = step.v[0], decay = step.v[1];
    each(size, aligned(ps) && aligned(gs) && aligned(ms), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(ps, k), m;
        const Pack<N> g = load<N>(gs, k);
        if (ms) m = load<N>(ms, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            REAL change = -rate * g.v[i];
            if (ms) {
                m.v[i] = flushed(momentum * m.v[i] + change, floor);
                change = nesterov ? momentum * m.v[i] + change : m.v[i];
            }
            p.v[i] = p.v[i] - decay * p.v[i] + change;
        }
        store<N>(ps, k, p);
        if (ms) store<N>(ms, k, m);
    });
}

// With v_maxs: AMSGrad.
extern "C" __global__ void adam(
    REAL* ps, const REAL* gs, REAL* ms, REAL* vs, REAL* v_maxs, double alpha_now, double decay_now,
    REAL one_minus_beta_1, REAL one_minus_beta_2, REAL epsilon, REAL floor, const double* table, const Clock* clock,
    i64 size
) {
    const Step step = step_of(alpha_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL alpha = step.v[0], decay = step.v[1];
    const bool vectors = aligned(ps) && aligned(gs) && aligned(ms) && aligned(vs) && aligned(v_maxs);
    each(size, vectors, [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(ps, k), m = load<N>(ms, k), v = load<N>(vs, k), v_max;
        const Pack<N> g = load<N>(gs, k);
        if (v_maxs) v_max = load<N>(v_maxs, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            m.v[i] = flushed(m.v[i] + (g.v[i] - m.v[i]) * one_minus_beta_1, floor);
            v.v[i] = flushed(v.v[i] + (g.v[i] * g.v[i] - v.v[i]) * one_minus_beta_2, floor);
            REAL variance = v.v[i];
            if (v_maxs) variance = v_max.v[i] = v_max.v[i] >= variance ? v_max.v[i] : variance;  // NaN passes
            p.v[i] = p.v[i] - decay * p.v[i] - alpha * m.v[i] / (sqrt(variance) + epsilon);
        }
        store<N>(ps, k, p);
        store<N>(ms, k, m);
        store<N>(vs, k, v);
        if (v_maxs) store<N>(v_maxs, k, v_max);
    });
}

extern "C" __global__ void nadam(
    REAL* ps, const REAL* gs, REAL* ms, REAL* vs, double m_scale_now, double g_scale_now, double v_scale_now,
    double decay_now, REAL one_minus_beta_1, REAL one_minus_beta_2, REAL epsilon, REAL floor, const double* table,
    const Clock* clock, i64 size
) {
    const Step step = step_of(m_scale_now, g_scale_now, v_scale_now, decay_now, table, clock);
    if (!step.wanted) return;
    const REAL m_scale = step.v[0], g_scale = step.v[1], v_scale = step.v[2], decay = step.v[3];
    each(size, aligned(ps) && aligned(gs) && aligned(ms) && aligned(vs), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(ps, k), m = load<N>(ms, k), v = load<N>(vs, k);
        const Pack<N> g = load<N>(gs, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            m.v[i] = flushed(m.v[i] + (g.v[i] - m.v[i]) * one_minus_beta_1, floor);
            v.v[i] = flushed(v.v[i] + (g.v[i] * g.v[i] - v.v[i]) * one_minus_beta_2, floor);
            const REAL change = (m_scale * m.v[i] + g_scale * g.v[i]) / (sqrt(v_scale * v.v[i]) + epsilon);
            p.v[i] = p.v[i] - decay * p.v[i] - change;
        }
        store<N>(ps, k, p);
        store<N>(ms, k, m);
        store<N>(vs, k, v);
    });
}

// `averages` of gradients (centered), and `ms`, the momentum, may be null.
extern "C" __global__ void rmsprop(
    REAL* ps, const REAL* gs, REAL* vs, REAL* averages, REAL* ms, double rate_now, double decay_now, REAL rho,
    REAL one_minus_rho, REAL momentum, REAL epsilon, REAL floor, const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(rate_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL rate = step.v[0], decay = step.v[1];
    const bool vectors = aligned(ps) && aligned(gs) && aligned(vs) && aligned(averages) && aligned(ms);
    each(size, vectors, [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(ps, k), v = load<N>(vs, k), a, m;
        const Pack<N> g = load<N>(gs, k);
        if (averages) a = load<N>(averages, k);
        if (ms) m = load<N>(ms, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            REAL variance = v.v[i] = flushed(rho * v.v[i] + one_minus_rho * g.v[i] * g.v[i], floor);
            if (averages) {
                const REAL new_a = a.v[i] = flushed(rho * a.v[i] + one_minus_rho * g.v[i], floor);
                variance -= new_a * new_a;
                variance = variance < floor ? REAL(0) : variance;  // rounding could make it negative
            }
            REAL change = rate * g.v[i] / sqrt(variance + epsilon);
            if (ms) change = m.v[i] = flushed(momentum * m.v[i] + change, floor);
            p.v[i] = p.v[i] - decay * p.v[i] - change;
        }
        store<N>(ps, k, p);
        store<N>(vs, k, v);
        if (averages) store<N>(averages, k, a);
        if (ms) store<N>(ms, k, m);
    });
}

extern "C" __global__ void adagrad(
    REAL* ps, const REAL* gs, REAL* vs, double rate_now, double decay_now, REAL epsilon, REAL floor,
    const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(rate_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL rate = step.v[0], decay = step.v[1];
    each(size, aligned(ps) && aligned(gs) && aligned(vs), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(ps, k), v = load<N>(vs, k);
        const Pack<N> g = load<N>(gs, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            v.v[i] = flushed(v.v[i] + g.v[i] * g.v[i], floor);
            p.v[i] = p.v[i] - decay * p.v[i] - rate * g.v[i] / sqrt(v.v[i] + epsilon);
        }
        store<N>(ps, k, p);
        store<N>(vs, k, v);
    });
}

extern "C" __global__ void adadelta(
    REAL* ps, const REAL* gs, REAL* vs, REAL* us, double rate_now, double decay_now, REAL rho, REAL one_minus_rho,
    REAL epsilon, REAL floor, const double* table, const Clock* clock, i64 size
) {
    const Step step = step_of(rate_now, decay_now, 0, 0, table, clock);
    if (!step.wanted) return;
    const REAL rate = step.v[0], decay = step.v[1];
    each(size, aligned(ps) && aligned(gs) && aligned(vs) && aligned(us), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(ps, k), v = load<N>(vs, k), u = load<N>(us, k);
        const Pack<N> g = load<N>(gs, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            v.v[i] = flushed(rho * v.v[i] + one_minus_rho * g.v[i] * g.v[i], floor);
            const REAL change = sqrt(u.v[i] + epsilon) / sqrt(v.v[i] + epsilon) * g.v[i];
            u.v[i] = flushed(rho * u.v[i] + one_minus_rho * change * change, floor);
            p.v[i] = p.v[i] - decay * p.v[i] - rate * change;
        }
        store<N>(ps, k, p);
        store<N>(vs, k, v);
        store<N>(us, k, u);
    });
}
