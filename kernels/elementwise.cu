// Sums and multiples of whole arrays.

#include "common.cuh"

extern "C" __global__ void add(const REAL* a, const REAL* b, i64 size, REAL* y) {
    each(size, aligned(a) && aligned(b) && aligned(y), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(a, k);
        const Pack<N> q = load<N>(b, k);
#pragma unroll
        for (int i = 0; i < N; i++) p.v[i] += q.v[i];
        store<N>(y, k, p);
    });
}

extern "C" __global__ void rescale(const REAL* x, REAL scale, REAL offset, i64 size, REAL* y) {
    each(size, aligned(x) && aligned(y), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(x, k);
#pragma unroll
        for (int i = 0; i < N; i++) p.v[i] = scale * p.v[i] + offset;
        store<N>(y, k, p);
    });
}

// Sets `found` to 1 if there is NaN or Inf. Several threads may write it, but always the same number.
extern "C" __global__ void find_not_finite(const REAL* x, i64 size, int* found) {
    each(size, aligned(x), [&](auto count, i64 k) {
        constexpr int N = count;
        const Pack<N> p = load<N>(x, k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            if (!isfinite(p.v[i])) *found = 1;
        }
    });
}
