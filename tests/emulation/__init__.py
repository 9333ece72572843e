"""CUDA without a GPU: the kernels' sources run on one CPU thread, behind the same door as CuPy."""
