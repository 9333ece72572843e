"""CUDA without a GPU: the kernels' sources run on a CPU thread, behind the same door as CuPy."""
