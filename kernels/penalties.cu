// What large weights add to the loss and to their gradient: totals += n sum (l1 |w| + l2 w^2), g += l1 sign(w) + 2 l2 w.

#include "common.cuh"

constexpr int THREADS = 256;

// Every block writes its sum to `parts`; the last one adds them up in order.
extern "C" __global__ void __launch_bounds__(THREADS) penalize(
    const REAL* w, double l1, double l2, double n, i64 size, double* parts, int* arrivals, double* totals, REAL* g
) {
    const REAL one = (REAL)l1, two = (REAL)(2 * l2);
    double penalty = 0;
    for (i64 k = thread_index(); k < size; k += thread_count()) {
        const REAL x = w[k];
        penalty += l1 * fabs((double)x) + l2 * x * x;
        if (g) g[k] = g[k] + (x > 0 ? one : x < 0 ? -one : REAL(0)) + two * x;
    }
    penalty = block_sum(penalty);
    if (threadIdx.x == 0) parts[blockIdx.x] = penalty;
    if (!arrived_last(arrivals, gridDim.x)) return;
    penalty = 0;
    for (int i = threadIdx.x; i < (int)gridDim.x; i += THREADS) penalty += __ldcg(parts + i);
    penalty = block_sum(penalty);
    if (threadIdx.x == 0) totals[0] += n * penalty;
}
