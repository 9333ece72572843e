// Dropout with the generator of philox.py: the same mask as on the CPU, bit for bit.

#include "common.cuh"
#include "philox.cuh"

template <int N>
struct __align__(N) Flags {
    u8 v[N];
};

// A thread makes the four numbers of a block of the generator.
extern "C" __global__ void dropout_forward(
    const REAL* x, u64 key, i64 step, const Clock* clock, u64 drop_below, REAL scale, i64 size, REAL* y, u8* mask
) {
    const u64 at = stream_step(step, clock);
    const bool vectors = aligned(x) && aligned(y) && aligned(mask);
    for (i64 first = thread_index() * 4; first < size; first += thread_count() * 4) {
        const Words words = philox((u64)first / 4, at, key);
        if (vectors && first + 4 <= size) {
            Flags<4> flags;
#pragma unroll
            for (int i = 0; i < 4; i += VEC) {
                Vec values = load<VEC>(x, first + i);
#pragma unroll
                for (int v = 0; v < VEC; v++) {
                    flags.v[i + v] = words.v[i + v] >= drop_below;
                    values.v[v] = flags.v[i + v] ? values.v[v] * scale : REAL(0);
                }
                store<VEC>(y, first + i, values);
            }
            *reinterpret_cast<Flags<4>*>(mask + first) = flags;
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                if (first + i < size) {
                    const bool kept = words.v[i] >= drop_below;
                    y[first + i] = kept ? x[first + i] * scale : REAL(0);
                    mask[first + i] = kept;
                }
            }
        }
    }
}

extern "C" __global__ void dropout_backward(const REAL* dy, const u8* mask, REAL scale, i64 size, REAL* dx) {
    each(size, aligned(dy) && aligned(dx) && aligned(mask), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(dy, k);
        const Flags<N> flags = *reinterpret_cast<const Flags<N>*>(mask + k);
#pragma unroll
        for (int i = 0; i < N; i++) p.v[i] = flags.v[i] ? p.v[i] * scale : REAL(0);
        store<N>(dx, k, p);
    });
}
