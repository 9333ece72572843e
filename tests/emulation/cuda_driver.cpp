// The driver: modules, kernels and their launches; and what real_cupy.py asks of the emulation itself.
//
// This library has the name of NVIDIA's driver, "libcuda.so.1", so it is what CuPy finds when it loads that.

#include "cuda_on_cpu.h"

static CUresult (*load_module)(const void* image, void** module);  // of real_cupy.py, as is the next
static CUresult (*find_function)(void* module, const char* name, void** function);
static std::string last_error;  // of a kernel

extern "C" {

// For real_cupy.py -----------------------------------------------------------------------------------------------------

void emulation_begin(decltype(load_module) load, decltype(find_function) find, size_t memory) {
    load_module = load;
    find_function = find;
    total = memory;
}

CUfunc_st* emulation_function(decltype(CUfunc_st::run) run, unsigned most, const unsigned* sizes, unsigned count) {
    return new CUfunc_st{run, most, {sizes, sizes + count}};
}

void emulation_fail(const char* name, int error) {
    Lock lock(mutex);
    failures[name] = error;
}

// "name calls\n" for every function or, where asked, for what was called while something was capturing.
const char* emulation_calls(int while_capturing) {
    static std::string text;
    Lock lock(mutex);
    text.clear();
    for (const auto& [name, count] : while_capturing ? calls_while_capturing : calls) {
        text += name + " " + std::to_string(count) + "\n";
    }
    return text.c_str();
}

// Modules and launches -------------------------------------------------------------------------------------------------

CUresult cuGetErrorName(CUresult error, const char** text) {
    static thread_local std::string name;
    name = "CUDA error " + std::to_string(error);
    return *text = name.c_str(), CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char** text) {
    return *text = error == CUDA_ERROR_LAUNCH_FAILED ? last_error.c_str() : "", CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* context) { return *context = (CUcontext)1, CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }
CUresult cuCtxGetDevice(CUdevice* device) { return *device = 0, CUDA_SUCCESS; }

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    {
        Lock lock(mutex);
        if (auto error = called("cuModuleLoadData")) return (CUresult)error;
        for (auto* stream : streams) {  // CUDA allows it since 12.3
            if (stream->graph) return (CUresult)refuse(stream, cudaErrorStreamCaptureUnsupported);
        }
    }
    return load_module(image, (void**)module);  // waits for Python's lock: not with ours in hand
}

CUresult cuModuleUnload(CUmodule) { return CUDA_SUCCESS; }

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    {
        Lock lock(mutex);
        if (auto error = called("cuModuleGetFunction")) return (CUresult)error;
    }
    return find_function(module, name, (void**)function);
}

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction function) {
    *value = attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? function->most_threads : 0;
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(
    CUfunction function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y, unsigned threads_z,
    unsigned shared, CUstream stream, void** arguments, void** extra
) {
    Lock lock(mutex);
    calls["cuLaunchKernel"]++;
    const bool whole = x && y && z && threads && x <= 0x7fffffff && y <= 0xffff && z <= 0xffff;
    if (!whole || threads_y != 1 || threads_z != 1 || shared || extra) return CUDA_ERROR_INVALID_VALUE;
    if (threads > function->most_threads) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    std::vector<std::vector<char>> values;
    for (size_t i = 0; i < function->sizes.size(); i++) {
        values.emplace_back((char*)arguments[i], (char*)arguments[i] + function->sizes[i]);
    }
    return (CUresult)enqueue(stream, [=]() mutable {
        std::vector<void*> addresses;
        for (auto& value : values) addresses.push_back(value.data());
        const unsigned dims[] = {x, y, z, threads};
        const char* error = function->run(dims, 0, addresses.data());
        last_error = error ? error : "";
        return error ? cudaErrorLaunchFailure : cudaSuccess;
    });
}

}  // extern "C"
