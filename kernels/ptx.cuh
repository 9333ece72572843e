// Instructions that CUDA C++ does not expose. (Outside a CUDA compiler the tests define functions of the same names.)

#ifdef __CUDACC__
#if __CUDA_ARCH__ < 800
#error "TF32 and bfloat16 tensor cores need compute capability 8.0 (Ampere) or later"
#endif

// To nearest. Ties go to even where that is one instruction, from Hopper on; before, away from zero.
__device__ __forceinline__ u32 to_tf32(float value) {
    u32 word;
#if __CUDA_ARCH__ >= 900
    asm("cvt.rn.tf32.f32 %0, %1;" : "=r"(word) : "f"(value));
#else
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(value));
#endif
    return word;
}

// `first` goes into the lower half.
__device__ __forceinline__ u32 to_bfloat16_pair(float first, float second) {
    u32 word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    return word;
}

// Four blocks of 8 rows and 4 words from shared memory. Lane 8 q + i gives the address of row i of block q, aligned to
// 16 bytes; lane 4 g + t receives word (g, t) of each block.
__device__ __forceinline__ void load_matrices(const u32* row, u32 (&blocks)[4]) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(blocks[0]), "=r"(blocks[1]), "=r"(blocks[2]), "=r"(blocks[3])
                 : "r"((u32)__cvta_generic_to_shared(row)));
}

// c += a b for a warp: 16 x 8 words of A, 8 x 8 of B, 16 x 8 sums; gemm_tensor.cuh says which lane holds what.
__device__ __forceinline__ void mma_tf32(
    float& c0, float& c1, float& c2, float& c3, const u32 (&a)[4], u32 b0, u32 b1
) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ void mma_bfloat16(
    float& c0, float& c1, float& c2, float& c3, const u32 (&a)[4], u32 b0, u32 b1
) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif
