// Batches from a data set in GPU memory. SOURCE is the dtype of its samples, INDEX that of the row numbers.

#include "common.cuh"

struct __align__(4 * sizeof(SOURCE)) Samples {
    SOURCE v[4];
};

// Four numbers at a time if the length of a row is a multiple of four.
__device__ __forceinline__ void copy_row(const SOURCE* source, int features, REAL scale, REAL* out) {
    const int fours = features % 4 == 0 && aligned(out) && (u64)source % sizeof(Samples) == 0 ? features / 4 : 0;
    for (int j = threadIdx.x; j < fours; j += blockDim.x) {
        const Samples values = *reinterpret_cast<const Samples*>(source + j * 4);
#pragma unroll
        for (int i = 0; i < 4; i += VEC) {
            Vec scaled;
#pragma unroll
            for (int v = 0; v < VEC; v++) scaled.v[v] = (REAL)values.v[i + v] * scale;
            store<VEC>(out, j * 4 + i, scaled);
        }
    }
    for (int j = fours * 4 + threadIdx.x; j < features; j += blockDim.x) out[j] = (REAL)source[j] * scale;
}

// One block per row.
extern "C" __global__ void gather(
    const SOURCE* source, const INDEX* indices, int features, REAL scale, REAL* out
) {
    copy_row(source + (i64)indices[blockIdx.x] * features, features, scale, out + (i64)blockIdx.x * features);
}

// The first kernel of a training step that reads what it needs from GPU memory: the next rows of `order`, `batch` rows
// per step, with their targets (words of four bytes) and weights (null: none). Its last block advances the clock.
extern "C" __global__ void begin_step(
    const SOURCE* source, const u32* targets, const REAL* weights, const int* order, int batch, int features, int
    words, REAL scale, REAL* x, u32* batch_targets, REAL* batch_weights, int* arrivals, Clock* clock
) {
    const int i = blockIdx.x;
    const i64 row = order[clock->batch * batch + i];
    copy_row(source + row * features, features, scale, x + (i64)i * features);
    for (int j = threadIdx.x; j < words; j += blockDim.x) batch_targets[(i64)i * words + j] = targets[row * words + j];
    if (weights && threadIdx.x == 0) batch_weights[i] = weights[row];
    if (arrived_last(arrivals, gridDim.x) && threadIdx.x == 0) {
        clock->batch++;
        clock->step++;
    }
}
