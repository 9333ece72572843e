"""What the real CuPy does with all that scratchnet asks of it, on the emulated GPU of tests/emulation/real_cupy.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from emulation import real_cupy

TESTS = Path(__file__).parent
pytestmark = pytest.mark.skipif(bool(real_cupy.missing()), reason=str(real_cupy.missing()))


@pytest.mark.parametrize(
    "words",
    [["emulation/on_real_cupy.py"], ["test_gpu.py", "-k", "twin_equals and float32 and (add or dense)"]],
    ids=["own", "gpu"],
)
def test_in_a_process_of_its_own(words: list[str]) -> None:
    """CuPy's code is changed, for the rest of a process."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--tb=short", *words]
    environment = {**os.environ, "SCRATCHNET_GPU": "cupy"}
    done = subprocess.run(command, cwd=TESTS, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
