// A GPU on the CPU for the real CuPy: what its runtime (cuda_runtime.cpp) and its driver (cuda_driver.cpp) share.
//
// Memory is the host's, work runs at once, and a stream that captures records it instead. What CUDA forbids is refused
// with CUDA's errors. The headers are NVIDIA's own, so the compiler compares every signature with them.

#pragma once
#include <chrono>
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

using Work = std::function<cudaError_t()>;
using Lock = std::lock_guard<std::recursive_mutex>;
using Memory = std::map<char*, size_t>;  // where it begins: bytes

struct CUgraph_st {
    std::vector<Work> work;
};

struct CUgraphExec_st : CUgraph_st {};

struct CUstream_st {
    bool blocking;      // whether it and the legacy default stream wait for each other
    CUgraph_st* graph;  // what it captures, if it does
    bool invalid;       // whether something forbidden came into that
    cudaStreamCaptureMode mode;
    std::thread::id thread;
};

struct CUevent_st {
    bool recorded;
    std::chrono::steady_clock::time_point time;
};

struct CUfunc_st {
    const char* (*run)(const unsigned* dims, int order, void** arguments);
    unsigned most_threads;        // in a block
    std::vector<unsigned> sizes;  // of the parameters, in bytes
};

inline std::recursive_mutex mutex;
inline std::set<CUstream_st*> streams;
inline Memory device_memory, pinned;
inline size_t used, total = size_t(1) << 33;
inline std::map<std::string, long> calls, calls_while_capturing;
inline std::map<std::string, int> failures;  // the error that the next call of a function returns

inline bool is_legacy(cudaStream_t stream) { return !stream || stream == cudaStreamLegacy; }
inline bool is_capturing(CUstream_st* stream) { return streams.count(stream) && stream->graph; }

inline cudaError_t refuse(CUstream_st* stream, cudaError_t error) {
    stream->invalid = true;
    return error;
}

// Counts a call, and answers whether it is one that is to fail.
inline cudaError_t called(const char* name) {
    calls[name]++;
    for (auto* stream : streams) {
        if (stream->graph) {
            calls_while_capturing[name]++;
            break;
        }
    }
    auto found = failures.find(name);
    return found == failures.end() ? cudaSuccess : (cudaError_t)failures.extract(found).mapped();
}

// A call that CUDA has as "potentially unsafe" during captures: of those here, only a relaxed one allows it.
inline cudaError_t unsafe(const char* name) {
    if (auto error = called(name)) return error;
    for (auto* stream : streams) {
        if (!stream->graph || stream->mode == cudaStreamCaptureModeRelaxed) continue;
        if (stream->mode == cudaStreamCaptureModeGlobal || stream->thread == std::this_thread::get_id()) {
            return refuse(stream, cudaErrorStreamCaptureUnsupported);
        }
    }
    return cudaSuccess;
}

// Work of the legacy default stream waits for all blocking streams, of which none may be capturing then.
inline cudaError_t waits_for_blocking_streams() {
    for (auto* stream : streams) {
        if (stream->graph && stream->blocking) return refuse(stream, cudaErrorStreamCaptureImplicit);
    }
    return cudaSuccess;
}

inline cudaError_t enqueue(cudaStream_t stream, Work work) {
    if (is_legacy(stream)) {
        if (auto error = waits_for_blocking_streams()) return error;
    } else if (stream != cudaStreamPerThread) {
        if (!streams.count(stream)) return cudaErrorInvalidResourceHandle;
        if (stream->graph && stream->invalid) return cudaErrorStreamCaptureInvalidated;
        if (stream->graph) {
            stream->graph->work.push_back(std::move(work));
            return cudaSuccess;
        }
    }
    return work();
}

// Waits for a stream, or asks about it: not while it captures.
inline cudaError_t wait_for(cudaStream_t stream, const char* name) {
    if (auto error = called(name)) return error;
    if (is_legacy(stream)) return waits_for_blocking_streams();
    if (stream == cudaStreamPerThread) return cudaSuccess;
    if (!streams.count(stream)) return cudaErrorInvalidResourceHandle;
    return stream->graph ? refuse(stream, cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

inline bool contains(const Memory& memory, const void* from, size_t size) {
    auto next = memory.upper_bound((char*)from);
    if (next == memory.begin()) return false;
    const auto& [start, bytes] = *--next;
    return (char*)from + size <= start + bytes;
}
