"""The arithmetic: one file per operation family, installed as ``scratchnet.kernels``.

Each file reads top-down: the textbook NumPy reference, the Numba kernel, and next to it a ``.cu`` file of the
same name with the CUDA kernel. ``registry`` names them; ``scratchnet.backend`` picks one.
"""
