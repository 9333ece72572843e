// Gradient clipping, in place, over the flat vector of all gradients.

#include "common.cuh"

constexpr int THREADS = 256;
constexpr int PARTS = 64;  // blocks that share a span: the order of its sum does not depend on the GPU

extern "C" __global__ void clip_by_value(REAL* g, REAL limit, i64 size) {
    each(size, aligned(g), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(g, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            const REAL low = p.v[i] < -limit ? -limit : p.v[i];  // NaN stays
            p.v[i] = low > limit ? limit : low;
        }
        store<N>(g, k, p);
    });
}

// The sum of squares of every span (start, stop), in double, so the square of a float cannot overflow. Blocks are
// (part, span). Each span's last block adds up its parts; with `together`, the last of those blocks adds up the spans
// and gives all of them the same sum.
extern "C" __global__ void __launch_bounds__(THREADS) square_norms(
    const REAL* g, const i64* spans, int count, bool together, double* parts, int* arrivals, double* norms
) {
    const int span = blockIdx.y;
    double sum = 0;
    for (i64 k = spans[2 * span] + thread_index(); k < spans[2 * span + 1]; k += PARTS * THREADS) {
        sum += (double)g[k] * g[k];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) parts[span * PARTS + blockIdx.x] = sum;
    if (!arrived_last(arrivals + span, PARTS)) return;
    sum = block_sum(threadIdx.x < PARTS ? __ldcg(parts + span * PARTS + threadIdx.x) : 0.0);
    if (threadIdx.x == 0) norms[span] = sum;
    if (!together || !arrived_last(arrivals + count, count)) return;
    sum = 0;
    for (int i = threadIdx.x; i < count; i += THREADS) sum += __ldcg(norms + i);
    sum = block_sum(sum);
    for (int i = threadIdx.x; i < count; i += THREADS) norms[i] = sum;
}

// g limit / norm where the norm exceeds the limit; a norm that is not finite turns its span into NaN.
extern "C" __global__ void clip_by_norm(REAL* g, const i64* spans, double limit, const double* norms) {
    const double norm = sqrt(norms[blockIdx.y]);
    if (norm <= limit) return;
    const REAL scale = (REAL)(isfinite(norm) ? limit / norm : norm - norm);
    const i64 start = spans[2 * blockIdx.y], stop = spans[2 * blockIdx.y + 1];
    for (i64 k = start + thread_index(); k < stop; k += thread_count()) g[k] *= scale;
}
