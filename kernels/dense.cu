// Dense: y = relu?(x w + b) and its derivatives, each in one launch.

#include "gemm.cuh"

// x (n, inputs), w (inputs, outputs), b (outputs) or null, y (n, outputs).
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) dense_forward(
    const REAL* x, const REAL* w, const REAL* b, int n, int inputs, int outputs, bool relu, int splits,
    REAL* partials, int* arrivals, REAL* y
) {
    const Matrix<true> left(x, nullptr, inputs, n);
    const Matrix<false> right(w, nullptr, outputs, outputs);
    const Result result(y, outputs, outputs, b, relu, nullptr);
    product(left, right, result, blockIdx.x, n, outputs, inputs, splits, false, partials, arrivals);
}

// dz = dy [y > 0] is computed on the fly (mask null: no ReLU). The first `dw_blocks` blocks compute dw = x' dz and db,
// the sum of dz over n, the others dx = dz w': together they fill more of the GPU than in sequence. db may be null.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) dense_backward(
    const REAL* x, const REAL* w, const REAL* mask, const REAL* dy, int n, int inputs, int outputs, int dw_blocks,
    int dw_splits, REAL* dw_partials, int* dw_arrivals, int dx_splits, REAL* dx_partials, int* dx_arrivals,
    REAL* dw, REAL* db, REAL* dx
) {
    const int block = blockIdx.x;
    if (block < dw_blocks) {
        const Matrix<false> left(x, nullptr, inputs, inputs);
        const Matrix<false> right(dy, mask, outputs, outputs);
        const Result result(dw, outputs, outputs, nullptr, false, db);
        product(left, right, result, block, inputs, outputs, n, dw_splits, db != nullptr, dw_partials, dw_arrivals);
    } else {
        const Matrix<true> left(dy, mask, outputs, n);
        const Matrix<true> right(w, nullptr, outputs, inputs);
        const Result result(dx, inputs, inputs, nullptr, false, nullptr);
        product(left, right, result, block - dw_blocks, n, inputs, outputs, dx_splits, false, dx_partials, dx_arrivals);
    }
}
