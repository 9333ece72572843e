// What CuPy's own kernels need: its arrays as they arrive in a kernel, and the few functions that those call.

#pragma once
#include "emulation.h"
#include <cassert>
#include <cstddef>
#include <initializer_list>
#include <limits>

#define __host__
using std::floor, std::isfinite, std::isinf, std::isnan, std::sqrt, std::memset, std::memcpy;
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
#include <cupy/carray.cuh>
class float16 {};
class bfloat16 {};
