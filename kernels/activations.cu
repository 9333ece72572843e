// Activations selected by a number (as in smooth.py), and softmax over rows.

#include "common.cuh"

enum Kind { RELU, SIGMOID, TANH, GELU, GELU_TANH, ELU, SILU, SOFTPLUS, SOFTSIGN, EXPONENTIAL, HARD_SIGMOID };

constexpr REAL SQRT_2_PI = 0.7978845608028654, CUBIC = 0.044715;
constexpr REAL SQRT_HALF = 0.7071067811865476, DENSITY = 0.3989422804014327;  // 1 / sqrt(2), 1 / sqrt(2 pi)

__device__ __forceinline__ REAL sigmoid(REAL x) {
    const REAL e = exp(-fabs(x));  // the exponent is never positive: no overflow
    return (x < 0 ? e : REAL(1)) / (1 + e);
}

__device__ __forceinline__ REAL relu(REAL x, REAL slope, REAL threshold, REAL ceiling) {
    return x <= threshold ? (slope == 0 ? REAL(0) : slope * (x - threshold)) : x > ceiling ? ceiling : x;
}

__device__ __forceinline__ REAL relu_derivative(REAL x, REAL slope, REAL threshold, REAL ceiling) {
    return x <= threshold ? slope : (x < ceiling || isinf(ceiling)) ? REAL(1) : REAL(0);
}

// What the three numbers of alpha mean depends on the kind: see activations.py.
__device__ __forceinline__ REAL value(REAL x, int kind, REAL alpha_0, REAL alpha_1, REAL alpha_2) {
    switch (kind) {
        case RELU: return relu(x, alpha_0, alpha_1, alpha_2);
        case SIGMOID: return sigmoid(x);
        case TANH: return tanh(x);
        case GELU: return x * (erfc(-x * SQRT_HALF) / 2);
        case GELU_TANH: return x * ((1 + tanh(SQRT_2_PI * (x + CUBIC * x * x * x))) / 2);
        case ELU: return alpha_1 * (x > 0 ? x : alpha_0 * expm1(x));
        case SILU: return x * sigmoid(x);
        case SOFTPLUS: return (x > 0 ? x : REAL(0)) + log1p(exp(-fabs(x)));
        case SOFTSIGN: return x / (1 + fabs(x));
        case EXPONENTIAL: return exp(x);
        default: {
            const REAL line = x / 6 + REAL(0.5);
            return line < 0 ? REAL(0) : line > 1 ? REAL(1) : line;
        }
    }
}

__device__ __forceinline__ REAL derivative(REAL x, REAL y, int kind, REAL alpha_0, REAL alpha_1, REAL alpha_2) {
    switch (kind) {
        case RELU: return relu_derivative(x, alpha_0, alpha_1, alpha_2);
        case SIGMOID: return y * (1 - y);
        case TANH: return 1 - y * y;
        case GELU: return erfc(-x * SQRT_HALF) / 2 + x * exp(-x * x / 2) * DENSITY;
        case GELU_TANH: {
            const REAL t = tanh(SQRT_2_PI * (x + CUBIC * x * x * x));
            return (1 + t) / 2 + x * (1 - t * t) / 2 * SQRT_2_PI * (1 + 3 * CUBIC * x * x);
        }
        case ELU: return alpha_1 * (x > 0 ? REAL(1) : alpha_0 * exp(x));
        case SILU: return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
        case SOFTPLUS: return sigmoid(x);
        case SOFTSIGN: return 1 / ((1 + fabs(x)) * (1 + fabs(x)));
        case EXPONENTIAL: return y;
        default: return fabs(x) < 3 ? REAL(1) / 6 : REAL(0);
    }
}

extern "C" __global__ void activation_forward(
    const REAL* x, int kind, REAL alpha_0, REAL alpha_1, REAL alpha_2, i64 size, REAL* y
) {
    each(size, aligned(x) && aligned(y), [&](auto count, i64 k) {
        constexpr int N = count;
        Pack<N> p = load<N>(x, k);
#pragma unroll
        for (int i = 0; i < N; i++) p.v[i] = value(p.v[i], kind, alpha_0, alpha_1, alpha_2);
        store<N>(y, k, p);
    });
}

extern "C" __global__ void activation_backward(
    const REAL* x, const REAL* y, const REAL* dy, int kind, REAL alpha_0, REAL alpha_1, REAL alpha_2, i64 size,
    REAL* dx
) {
    each(size, aligned(x) && aligned(y) && aligned(dy) && aligned(dx), [&](auto count, i64 k) {
        constexpr int N = count;
        const Pack<N> p = load<N>(x, k), q = load<N>(y, k);
        Pack<N> d = load<N>(dy, k);
#pragma unroll
        for (int i = 0; i < N; i++) d.v[i] *= derivative(p.v[i], q.v[i], kind, alpha_0, alpha_1, alpha_2);
        store<N>(dx, k, d);
    });
}

// One warp per row.
extern "C" __global__ void softmax_forward(const REAL* x, int rows, int c, REAL* y) {
    for (i64 row = thread_index() / WARP; row < rows; row += thread_count() / WARP) {
        const int lane = threadIdx.x % WARP;
        const REAL* source = x + row * c;
        REAL* target = y + row * c;
        REAL largest = source[0];
        for (int k = lane; k < c; k += WARP) largest = Largest()(largest, source[k]);
        largest = across_warp(largest, Largest());
        REAL total = 0;
        for (int k = lane; k < c; k += WARP) {
            const REAL e = exp(source[k] - largest);
            target[k] = e;
            total += e;
        }
        total = across_warp(total, Sum());
        for (int k = lane; k < c; k += WARP) target[k] /= total;
    }
}

extern "C" __global__ void softmax_backward(const REAL* y, const REAL* dy, int rows, int c, REAL* dx) {
    for (i64 row = thread_index() / WARP; row < rows; row += thread_count() / WARP) {
        const int lane = threadIdx.x % WARP;
        REAL dot = 0;
        for (int k = lane; k < c; k += WARP) dot += dy[row * c + k] * y[row * c + k];
        dot = across_warp(dot, Sum());
        for (int k = lane; k < c; k += WARP) dx[row * c + k] = y[row * c + k] * (dy[row * c + k] - dot);
    }
}
