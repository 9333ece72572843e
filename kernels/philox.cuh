// The generator of philox.py: Philox4x32-10, the same bits as on the CPU.

struct Words {
    u32 v[4];
};

// The four words of counter (block, step) under a key: Salmon, Moraes, Dror and Shaw, SC 2011.
__device__ __forceinline__ Words philox(u64 block, u64 step, u64 key) {
    u32 a = (u32)block, b = (u32)(block >> 32), c = (u32)step, d = (u32)(step >> 32);
    u32 k0 = (u32)key, k1 = (u32)(key >> 32);
#pragma unroll
    for (int i = 0; i < 10; i++) {
        const u64 p = (u64)a * 0xD2511F53u, q = (u64)c * 0xCD9E8D57u;
        a = (u32)(q >> 32) ^ b ^ k0;
        b = (u32)q;
        c = (u32)(p >> 32) ^ d ^ k1;
        d = (u32)p;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{a, b, c, d}};
}

// The step whose random numbers are wanted. With a clock, `step` is relative to the clock's, which is one ahead.
__device__ __forceinline__ u64 stream_step(i64 step, const Clock* clock) {
    return (u64)(clock ? step + clock->step - 1 : step);
}
