"""Side-by-side timing of scratchnet, TensorFlow, PyTorch and JAX: ``python -m benchmarks --help``.

Reading order: ``networks.py`` (what is trained), ``frameworks/`` (how each framework trains it), ``worker.py`` and
``peers.py`` (a process for each framework), ``agreement.py`` (do they compute the same thing?), ``rounds.py`` (taking
turns), then one file per part: ``step.py``, ``fit.py``, ``predict.py``, ``startup.py``, ``memory.py``, ``kernels.py``,
``scaling.py``, ``busy.py``; ``report.py`` and ``pictures.py`` show what was found.
"""
