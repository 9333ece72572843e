// Gaussian noise from the generator of philox.py, by the formula of Box and Muller: see noise.py.

#include "common.cuh"
#include "philox.cuh"

// Two normal numbers from two words; in doubles, as on the CPU.
__device__ __forceinline__ void normal(u32 u, u32 a, double* two) {
    const double unit = 1.0 / 4294967296.0, distance = sqrt(-2 * log((u + 0.5) * unit));
    const double turns = unit * a;  // cospi and sinpi need no long reduction of their argument, nor memory for it
    two[0] = distance * cospi(2 * turns);
    two[1] = distance * sinpi(2 * turns);
}

// A thread makes the four numbers of a block of the generator.
extern "C" __global__ void gaussian_noise(
    const REAL* x, u64 key, i64 step, const Clock* clock, double stddev, i64 size, REAL* y
) {
    const u64 at = stream_step(step, clock);
    for (i64 first = thread_index() * 4; first < size; first += thread_count() * 4) {
        const Words words = philox((u64)first / 4, at, key);
        double noise[4];
        normal(words.v[0], words.v[1], noise);
        normal(words.v[2], words.v[3], noise + 2);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (first + i < size) y[first + i] = (REAL)(x[first + i] + stddev * noise[i]);
        }
    }
}
