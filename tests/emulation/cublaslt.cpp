// A stand-in for libcublasLt where there is no GPU: the functions that benchmarks/gpu/cublaslt.py calls, on matrices in
// the host's memory. By columns as in the library, and as picky: sizes must fit, gaps are not expected.

#include <cstddef>
#include <cstdint>
#include <cstring>

struct Layout {
    int type;
    uint64_t rows, columns;
    int64_t line;
};

struct Description {
    int compute, scale;
    int transposed[2];
    int epilogue;
    const float* bias;
};

struct Preference {
    size_t workspace;
};

struct Heuristic {
    uint64_t algorithm[8];
    size_t workspace;
    int status;
    float waves;
    int reserved[4];
};

enum { FINE = 0, INVALID = 7, UNSUPPORTED = 15 };

extern "C" {

int cublasLtCreate(void** handle) { return *handle = new int(42), FINE; }

int cublasLtMatmulDescCreate(Description** made, int compute, int scale) {
    if ((compute != 68 && compute != 75 && compute != 77) || scale != 0) return INVALID;
    return *made = new Description{compute, scale, {0, 0}, 1, nullptr}, FINE;
}

int cublasLtMatmulDescSetAttribute(Description* d, int attribute, const void* value, size_t size) {
    void* places[] = {&d->transposed[0], &d->transposed[1], nullptr, nullptr, &d->epilogue, &d->bias};
    if (attribute < 3 || attribute > 8 || !places[attribute - 3] || size != (attribute == 8 ? 8u : 4u)) return INVALID;
    return std::memcpy(places[attribute - 3], value, size), FINE;
}

int cublasLtMatrixLayoutCreate(Layout** made, int type, uint64_t rows, uint64_t columns, int64_t line) {
    if (type != 0 || line < (int64_t)rows) return INVALID;
    return *made = new Layout{type, rows, columns, line}, FINE;
}

int cublasLtMatmulPreferenceCreate(Preference** made) { return *made = new Preference{0}, FINE; }

int cublasLtMatmulPreferenceSetAttribute(Preference* p, int attribute, const void* value, size_t size) {
    if (attribute != 1 || size != sizeof(size_t)) return INVALID;
    return std::memcpy(&p->workspace, value, size), FINE;
}

// D (m, n) = op(A) (m, k) op(B) (k, n), if these layouts say that.
static bool fit(const Description& d, const Layout& a, const Layout& b, const Layout& c) {
    const uint64_t m = d.transposed[0] ? a.columns : a.rows, k = d.transposed[0] ? a.rows : a.columns;
    return (d.transposed[1] ? b.columns : b.rows) == k && c.rows == m && c.columns == (d.transposed[1] ? b.rows : b.columns);
}

// One algorithm that works, and one that the library would call unsupported.
int cublasLtMatmulAlgoGetHeuristic(
    int* handle, Description* d, Layout* a, Layout* b, Layout* c, Layout*, Preference* p, int wanted, Heuristic* found,
    int* count
) {
    if (*handle != 42 || wanted < 2 || p->workspace == 0) return INVALID;
    *count = 0;
    if (!fit(*d, *a, *b, *c)) return UNSUPPORTED;
    found[0] = {{7}, 0, UNSUPPORTED, 0, {}};
    found[1] = {{9}, p->workspace, FINE, 1, {}};
    *count = 2;
    return FINE;
}

int cublasLtMatmul(
    int* handle, Description* d, const float* alpha, const float* a, Layout* of_a, const float* b, Layout* of_b,
    const float* beta, const float*, Layout*, float* result, Layout* of_result, const Heuristic* way, void* workspace,
    size_t size, void*
) {
    if (*handle != 42 || !fit(*d, *of_a, *of_b, *of_result) || way->algorithm[0] != 9) return INVALID;
    if (*alpha != 1 || *beta != 0 || !workspace || size < way->workspace) return INVALID;
    const uint64_t m = of_result->rows, depth = d->transposed[0] ? of_a->rows : of_a->columns;
    for (uint64_t j = 0; j < of_result->columns; j++) {
        for (uint64_t i = 0; i < m; i++) {
            double sum = 0;
            for (uint64_t p = 0; p < depth; p++) {
                const float x = d->transposed[0] ? a[i * of_a->line + p] : a[p * of_a->line + i];
                const float y = d->transposed[1] ? b[p * of_b->line + j] : b[j * of_b->line + p];
                sum += (double)x * y;
            }
            if (d->epilogue & 4) sum += d->bias[i];
            if (d->epilogue & 2 && sum < 0) sum = 0;
            result[j * of_result->line + i] = (float)sum;
        }
    }
    return FINE;
}
}
