// The runtime: the device, memory, streams, events and graphs. real_cupy.py leads CuPy's calls here.

#include "cuda_on_cpu.h"
#include <cstring>
#include <memory>
#include <sys/mman.h>

constexpr size_t PAGE = 4096;

static size_t mapped(size_t size) { return (size + PAGE - 1) / PAGE * PAGE + 2 * PAGE; }

// Between two pages that nobody may touch, at the end of its own, and filled with NaNs.
static void* allocate(Memory& memory, size_t size, size_t alignment) {
    const size_t inner = mapped(size) - 2 * PAGE;
    char* base = (char*)mmap(nullptr, mapped(size), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return nullptr;
    mprotect(base + PAGE, inner, PROT_READ | PROT_WRITE);
    char* start = base + PAGE + (inner - size) / alignment * alignment;
    std::memset(start, 0xff, size);
    memory[start] = size;
    return start;
}

static cudaError_t release(Memory& memory, void* address) {
    if (!address) return cudaSuccess;
    const auto found = memory.find((char*)address);
    if (found == memory.end()) return cudaErrorInvalidValue;
    munmap((char*)((size_t)address / PAGE * PAGE - PAGE), mapped(found->second));
    memory.erase(found);
    return cudaSuccess;
}

static cudaError_t copy(void* to, const void* from, size_t size, cudaMemcpyKind kind) {
    if (kind != cudaMemcpyDefault && size) {
        const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
        const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
        if (to_device != contains(device_memory, to, size)) return cudaErrorInvalidValue;
        if (from_device != contains(device_memory, from, size)) return cudaErrorInvalidValue;
    }
    std::memmove(to, from, size);
    return cudaSuccess;
}

extern "C" {

// Device ---------------------------------------------------------------------------------------------------------------

cudaError_t cudaDriverGetVersion(int* version) { return *version = 13020, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* number) { return *number = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return device ? cudaErrorInvalidDevice : cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    if (device) return cudaErrorInvalidDevice;
    *properties = {};
    std::strcpy(properties->name, "Emulated H200");
    properties->totalGlobalMem = total;
    properties->major = 9;
    properties->sharedMemPerBlock = 48 << 10;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->multiProcessorCount = 132;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    static const std::map<int, int> known = {
        {cudaDevAttrComputeCapabilityMajor, 9}, {cudaDevAttrWarpSize, 32}, {cudaDevAttrMaxThreadsPerBlock, 1024},
        {cudaDevAttrMultiProcessorCount, 132}, {cudaDevAttrMaxSharedMemoryPerBlock, 48 << 10},
    };
    const auto found = known.find(attribute);
    *value = found == known.end() ? 0 : found->second;
    return device ? cudaErrorInvalidDevice : cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
    Lock lock(mutex);
    if (auto error = called("cudaDeviceSynchronize")) return error;
    for (auto* stream : streams) {
        if (stream->graph) return refuse(stream, cudaErrorStreamCaptureUnsupported);
    }
    return cudaSuccess;
}

// Memory ---------------------------------------------------------------------------------------------------------------

cudaError_t cudaMalloc(void** address, size_t size) {
    Lock lock(mutex);
    if (auto error = unsafe("cudaMalloc")) return error;
    *address = nullptr;
    if (!size) return cudaSuccess;
    if (used + size > total || !(*address = allocate(device_memory, size, 256))) return cudaErrorMemoryAllocation;
    used += size;
    return cudaSuccess;
}

cudaError_t cudaFree(void* address) {
    Lock lock(mutex);
    if (auto error = unsafe("cudaFree")) return error;
    const auto found = device_memory.find((char*)address);
    if (found != device_memory.end()) used -= found->second;
    return release(device_memory, address);
}

cudaError_t cudaHostAlloc(void** address, size_t size, unsigned) {
    Lock lock(mutex);
    if (auto error = unsafe("cudaHostAlloc")) return error;
    return (*address = allocate(pinned, size ? size : 1, 64)) ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void* address) {
    Lock lock(mutex);
    if (auto error = unsafe("cudaFreeHost")) return error;
    return release(pinned, address);
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* all) {
    Lock lock(mutex);
    *free = total - used;
    *all = total;
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
    Lock lock(mutex);
    const bool on_device = contains(device_memory, pointer, 1), locked = contains(pinned, pointer, 1);
    *attributes = {};
    attributes->type = on_device ? cudaMemoryTypeDevice : locked ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
    attributes->devicePointer = on_device || locked ? (void*)pointer : nullptr;
    attributes->hostPointer = on_device ? nullptr : (void*)pointer;
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind kind) {
    Lock lock(mutex);
    if (auto error = unsafe("cudaMemcpy")) return error;
    if (auto error = waits_for_blocking_streams()) return error;
    return copy(to, from, size, kind);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind kind, cudaStream_t stream) {
    Lock lock(mutex);
    if (auto error = called("cudaMemcpyAsync")) return error;
    if (is_capturing(stream)) {  // a replay would read or write memory that may be anyone's by then
        const void* host = kind == cudaMemcpyHostToDevice ? from : kind == cudaMemcpyDeviceToHost ? to : nullptr;
        if (host && !contains(pinned, host, size)) return refuse(stream, cudaErrorStreamCaptureUnsupported);
    }
    return enqueue(stream, [=] { return copy(to, from, size, kind); });
}

cudaError_t cudaMemsetAsync(void* address, int value, size_t size, cudaStream_t stream) {
    Lock lock(mutex);
    if (auto error = called("cudaMemsetAsync")) return error;
    return enqueue(stream, [=] {
        if (size && !contains(device_memory, address, size)) return cudaErrorInvalidValue;
        std::memset(address, value, size);
        return cudaSuccess;
    });
}

// Streams --------------------------------------------------------------------------------------------------------------

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
    Lock lock(mutex);
    *stream = new CUstream_st{!(flags & cudaStreamNonBlocking), nullptr, false, {}, {}};
    streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    Lock lock(mutex);
    if (!streams.erase(stream)) return cudaErrorInvalidResourceHandle;
    delete stream->graph;
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    Lock lock(mutex);
    return wait_for(stream, "cudaStreamSynchronize");
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    Lock lock(mutex);
    return wait_for(stream, "cudaStreamQuery");
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
    Lock lock(mutex);
    *status = cudaStreamCaptureStatusNone;
    if (is_legacy(stream)) return waits_for_blocking_streams();
    if (is_capturing(stream)) {
        *status = stream->invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
    }
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    Lock lock(mutex);
    if (auto error = called("cudaStreamBeginCapture")) return error;
    if (is_legacy(stream)) return cudaErrorStreamCaptureUnsupported;
    if (!streams.count(stream)) return cudaErrorInvalidResourceHandle;
    if (stream->graph) return cudaErrorIllegalState;
    *stream = {stream->blocking, new CUgraph_st, false, mode, std::this_thread::get_id()};
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    Lock lock(mutex);
    *graph = nullptr;
    if (!is_capturing(stream)) return cudaErrorIllegalState;
    const bool elsewhere = stream->mode != cudaStreamCaptureModeRelaxed && stream->thread != std::this_thread::get_id();
    if (elsewhere) return refuse(stream, cudaErrorStreamCaptureWrongThread);
    std::unique_ptr<CUgraph_st> captured(stream->graph);
    stream->graph = nullptr;
    if (stream->invalid) return cudaErrorStreamCaptureInvalidated;
    *graph = captured.release();
    return cudaSuccess;
}

// Graphs and events ----------------------------------------------------------------------------------------------------

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    Lock lock(mutex);
    if (auto error = called("cudaGraphInstantiate")) return error;
    *executable = new CUgraphExec_st{*graph};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    Lock lock(mutex);
    if (auto error = wait_for(stream, "cudaGraphLaunch")) return error;
    for (const auto& work : executable->work) {
        if (auto error = work()) return error;
    }
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { return delete executable, cudaSuccess; }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return *event = new CUevent_st{}, cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    Lock lock(mutex);
    if (auto error = wait_for(stream, "cudaEventRecord")) return error;
    *event = {true, std::chrono::steady_clock::now()};
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t) {
    Lock lock(mutex);
    return unsafe("cudaEventSynchronize");
}

cudaError_t cudaEventQuery(cudaEvent_t) {
    Lock lock(mutex);
    return unsafe("cudaEventQuery");
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    if (!from->recorded || !to->recorded) return cudaErrorInvalidResourceHandle;
    *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
    return cudaSuccess;
}

}  // extern "C"
