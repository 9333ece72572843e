// What the losses have in common: the batch's sums are added to `totals` (sum of weighted losses, number correct) on the
// GPU.
//
// A warp takes a row. Every block writes its two sums to `parts`; the last block adds them up in order, so the bits are
// the same each time. A row's quantities are computed in double, because near certainty p - 1 would lose its digits.

#include "common.cuh"

constexpr int THREADS = 256;
constexpr double EPSILON = 1e-7;  // probabilities are clipped to [EPSILON, 1 - EPSILON], as in Keras on TensorFlow

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
