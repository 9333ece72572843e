"""What produced a run: versions, machine, threads, backend, and the commit of the sources, if any."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from . import backend
from .gpu_memory import device_memory
from .kernels import cuda

LIBRARIES = (
    "scratchnet", "numpy", "numba", "llvmlite", "cupy-cuda12x", "cupy-cuda13x", "pydantic", "matplotlib",
    "scikit-learn",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """Everything that a result may depend on, as JSON-able values; None for anything unknown."""
    return {
        "versions": {"python": platform.python_version(), **versions()},
        "machine": machine(),
        "backend": backend.get_backend(),
        "threads": backend.threads(),
        "git_commit": git_commit(Path(__file__).parent, Path(__file__).name),
        "working_directory": _working_directory(),
        "command": sys.argv,
        "settings": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(("SCRATCHNET_", "NUMBA_", "OMP_", "CUDA_VISIBLE"))
        },
    }


def versions() -> dict[str, str]:
    """Versions of the installed libraries that a run may use, read without importing them."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """System, processor, cores that this process may use, memory in bytes, and the GPU, if one is used."""
    gpu = device_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": platform.platform(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": cores,
        "memory_bytes": _memory(),
        "gpu": cuda.driver().name() if gpu else None,
        "gpu_memory_bytes": gpu["total"] if gpu else None,
    }


def git_commit(folder: Path, file: str | None = None) -> dict[str, Any] | None:
    """The commit that is checked out around ``folder`` and whether files differ from it; None without git.

    With ``file``, only if git tracks that file of the folder: an installed copy inside some other repository was not
    made from that repository's commit.
    """

    def git(*words: str) -> str | None:
        # No optional locks: a run killed at this moment would leave .git/index.lock behind.
        command = ["git", "--no-optional-locks", *words]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=5, check=False)
        except (OSError, subprocess.SubprocessError, ValueError):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if file is not None and git("ls-files", "--error-unmatch", file) is None:
        return None
    commit = git("rev-parse", "HEAD")
    if not commit:
        return None
    changed = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "changed_files": None if changed is None else len(changed.splitlines())}


def _working_directory() -> dict[str, Any] | None:
    try:
        here = Path.cwd()
    except OSError:  # it was deleted
        return None
    return {"path": str(here), "git_commit": git_commit(here)}


def _processor() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
