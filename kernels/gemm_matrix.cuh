// Plain matrices as what a product reads and writes: operands with an optional mask, and a result with optional bias
// and ReLU.

// VEC neighbors of an array from `index` on, zeros from the `count`-th on and where the mask, if there is one, is not
// positive.
__device__ __forceinline__ Vec masked(const REAL* data, const REAL* mask, i64 index, int count, bool vectors) {
    Vec values;
    if (vectors && count >= VEC) {
        values = load<VEC>(data, index);
        if (mask) {
            const Vec masks = load<VEC>(mask, index);
#pragma unroll
            for (int v = 0; v < VEC; v++) values.v[v] = masks.v[v] > 0 ? values.v[v] : REAL(0);
        }
    } else {
#pragma unroll
        for (int v = 0; v < VEC; v++) {
            const bool counts = v < count && (!mask || mask[index + v] > 0);
            values.v[v] = counts ? data[index + v] : REAL(0);
        }
    }
    return values;
}

// An operand that is a matrix, ALONG_K or not, times a mask: where `mask` is given, numbers count only where it is
// positive (a ReLU's derivative). `line` is the distance between its rows (ALONG_K) or its depths in memory; `extent`
// its number of rows.
template <bool K_FIRST>
struct Matrix {
    static constexpr bool ALONG_K = K_FIRST;
    struct Place {
        i64 offset;
        int left;  // numbers from here to the end
    };
    using Row = Place;
    using Depth = Place;
    const REAL *data, *mask;
    int line, extent;
    bool vectors;

    __device__ __forceinline__ Matrix(const REAL* data, const REAL* mask, int line, int extent)
        : data(data), mask(mask), line(line), extent(extent),
          vectors(line % VEC == 0 && aligned(data) && aligned(mask)) {}

    __device__ __forceinline__ Row row(int i) const { return {ALONG_K ? (i64)i * line : i, extent - i}; }
    __device__ __forceinline__ Depth depth(int p, int end) const { return {ALONG_K ? p : (i64)p * line, end - p}; }

    __device__ __forceinline__ Vec fetch(const Row& row, const Depth& depth) const {
        const int across = ALONG_K ? row.left : depth.left, count = ALONG_K ? depth.left : row.left;
        return masked(data, mask, row.offset + depth.offset, across > 0 ? count : 0, vectors);
    }
};

// Where a product goes: rows `line` apart, `columns` of them used, with an optional bias and ReLU. A column sum goes to
// `sums`.
struct Result {
    REAL *data, *sums;
    const REAL* bias;
    int line, columns;
    bool relu, vectors;

    __device__ __forceinline__ Result(REAL* data, int line, int columns, const REAL* bias, bool relu, REAL* sums)
        : data(data), sums(sums), bias(bias), line(line), columns(columns), relu(relu),
          vectors(line % RUN == 0 && aligned(data)) {}

    __device__ __forceinline__ REAL finish(REAL value, int j) const {
        if (bias) value += bias[j];
        return relu && value < 0 ? REAL(0) : value;
    }

    __device__ __forceinline__ void operator()(int i, int j, Pack<RUN> values) const {
        const i64 index = (i64)i * line + j;
        if (vectors && j + RUN <= columns) {
#pragma unroll
            for (int v = 0; v < RUN; v++) values.v[v] = finish(values.v[v], j + v);
            store<RUN>(data, index, values);
        } else {
#pragma unroll
            for (int v = 0; v < RUN; v++) {
                if (j + v < columns) data[index + v] = finish(values.v[v], j + v);
            }
        }
    }

    __device__ __forceinline__ void column_sum(int j, REAL sum) const { sums[j] = sum; }
};
