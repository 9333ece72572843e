"""Keras's own files, ``.keras``, ``.weights.h5`` and the ``.h5`` of Keras 2: written and read with h5py alone.

parts.py has the table of layers and the descriptions of all parts, both ways; containers.py the zip archive and HDF5;
weights.py and state.py the order of the arrays; files.py puts a file together, or takes it apart.
"""
