// Flips and shifts of images, as augmentation.py has them: the same moves as on the CPU.

#include "common.cuh"
#include "philox.cuh"

enum Fill { CONSTANT, NEAREST, REFLECT, WRAP };

// Where a place of an axis comes from, at most `size` places outside; -1: from outside.
__device__ __forceinline__ int source(int place, int size, bool flip, int fill) {
    if (place < 0 || place >= size) {
        if (fill == CONSTANT) return -1;
        if (fill == NEAREST) place = place < 0 ? 0 : size - 1;
        else if (fill == REFLECT) place = place < 0 ? -1 - place : 2 * size - 1 - place;
        else place += place < 0 ? size : -size;
    }
    return flip ? size - 1 - place : place;
}

// A whole number from `low` to `high`.
__device__ __forceinline__ int drawn(u32 word, int low, int high) {
    return low + (int)((u64)word * (u64)(high - low + 1) >> 32);
}

// A block has an image at a time; each of its threads draws the image's moves, which is cheaper than to share them.
extern "C" __global__ void flip_shift_forward(
    const REAL* x, u64 key, i64 step, const Clock* clock, int n, int h, Divider w, Divider c, bool flips_rows,
    bool flips_columns, int up, int down, int left, int right, int fill, REAL value, REAL* y, int* moves
) {
    const int columns = (int)w.divisor, channels = (int)c.divisor, size = h * columns * channels;
    const u64 at = stream_step(step, clock);
    for (int image = blockIdx.x; image < n; image += gridDim.x) {
        const Words words = philox((u64)image, at, key);
        const bool flip_rows = flips_rows && words.v[0] < 0x80000000u;
        const bool flip_columns = flips_columns && words.v[1] < 0x80000000u;
        const int by_rows = drawn(words.v[2], up, down), by_columns = drawn(words.v[3], left, right);
        if (threadIdx.x == 0) {
            int* const move = moves + (i64)image * 4;
            move[0] = flip_rows;
            move[1] = flip_columns;
            move[2] = by_rows;
            move[3] = by_columns;
        }
        const REAL* const from = x + (i64)image * size;
        for (int k = threadIdx.x; k < size; k += blockDim.x) {
            int channel, j;
            const int i = w.divide(c.divide(k, channel), j);
            const int row = source(i - by_rows, h, flip_rows, fill);
            const int column = source(j - by_columns, columns, flip_columns, fill);
            const bool outside = row < 0 || column < 0;
            y[(i64)image * size + k] = outside ? value : from[(row * columns + column) * channels + channel];
        }
    }
}

// The transpose as a gather: a thread adds what was copied from its pixel, in the order of rows and columns.
extern "C" __global__ void flip_shift_backward(
    const REAL* dy, const int* moves, int n, int h, Divider w, Divider c, int fill, REAL* dx
) {
    const int columns = (int)w.divisor, channels = (int)c.divisor, size = h * columns * channels;
    for (int image = blockIdx.x; image < n; image += gridDim.x) {
        const int* const move = moves + (i64)image * 4;
        const bool flip_rows = move[0], flip_columns = move[1];
        const int by_rows = move[2], by_columns = move[3];
        const REAL* const from = dy + (i64)image * size;
        for (int k = threadIdx.x; k < size; k += blockDim.x) {
            int channel, column;
            const int row = w.divide(c.divide(k, channel), column);
            REAL sum = 0;
            for (int i = 0; i < h; i++) {
                if (source(i - by_rows, h, flip_rows, fill) != row) continue;
                for (int j = 0; j < columns; j++) {
                    if (source(j - by_columns, columns, flip_columns, fill) == column) {
                        sum += from[(i * columns + j) * channels + channel];
                    }
                }
            }
            dx[(i64)image * size + k] = sum;
        }
    }
}
