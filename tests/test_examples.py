"""The examples, run as users run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SAYS = {  # what each prints, in this order, as far as it does not hang on rounding
    "own_layer.py": [
        r"Swish: gradients ok", r"^x .* ok$", r"^beta .* ok$", r"^test accuracy 9\d\.\d%$",
        r"^the loaded model predicts the same: True$",
    ],
    "own_loss.py": [
        r"quantile: gradients ok", r"^y_pred .* ok$", r"^10% should be below the line: (9|10|11)\.\d%$",
        r"^90% should be below the line: (8[89]|90|91)\.\d%$",
        r"^loaded with Quantile\(q=0\.9, name='quantile'\)$",
    ],
    "own_callback.py": [
        r"^Epoch 3/50 .* - size: 0\.\d+$", r"^sizes: \[0\.\d+(, 0\.\d+){5,40}\]$",
        r"^resumed after two epochs, it ends with the same weights: True$",
    ],
    "own_data.py": [
        r"^folder: \(345, 16, 16\) uint8 \(85, 16, 16\) \('one', 'two', 'zero'\)$",
        r"^csv: \(345, 8, 8\) uint8 \(85, 8, 8\)$", r"^pictures: test accuracy 9\d\.\d\d%", r"two \(\d\d\.\d%\); then",
        r"done to it: 20 x 24 pixels stretched to 16 x 16$",
    ],
}  # fmt: skip


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_an_example_prints_what_it_promises(name, tmp_path):
    environment = {**os.environ, "SCRATCHNET_BACKEND": "numpy", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    at = 0
    for pattern in SAYS[name]:
        found = re.compile(pattern, re.MULTILINE).search(done.stdout, at)
        assert found, f"{pattern!r} is not in:\n{done.stdout[at:]}"
        at = found.end()
    assert not any(tmp_path.iterdir())  # it cleans up
    assert len((EXAMPLES / name).read_text().splitlines()) <= 80
