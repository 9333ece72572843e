"""The arithmetic of windows: how many fit, and how much is padded, as TensorFlow's documentation of tf.nn has it."""

from __future__ import annotations

import pytest
from scratchnet.kernels.window import output_extent, pad_amounts


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "dilation", "extent", "padded"),
    [
        (28, 2, 2, "valid", 1, 14, (0, 0)),
        (7, 2, 2, "valid", 1, 3, (0, 0)),
        (7, 2, 2, "same", 1, 4, (0, 1)),
        (9, 3, 1, "valid", 2, 5, (0, 0)),
        (9, 3, 1, "valid", 3, 3, (0, 0)),
        (9, 3, 2, "valid", 4, 1, (0, 0)),
        (9, 3, 1, "same", 2, 9, (2, 2)),
        (5, 4, 1, "same", 1, 5, (1, 2)),
    ],
)
def test_windows(size, window, stride, padding, dilation, extent, padded):
    assert output_extent(size, window, stride, padding, dilation) == extent
    assert tuple(pad_amounts(size, window, stride, padding, dilation)) == padded
