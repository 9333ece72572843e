"""Zero padding of an NHWC image. ``pads`` is ``(top, bottom, left, right)``."""

from __future__ import annotations

import numpy as np

from .registry import reference


@reference("zero_pad_forward")
def zero_pad_forward_reference(x, pads):
    """``y`` (n, top + h + bottom, left + w + right, c): x with zeros around it."""
    top, bottom, left, right = pads
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


@reference("zero_pad_backward")
def zero_pad_backward_reference(dy, pads):
    """``dx``: dy without the border."""
    top, bottom, left, right = pads
    return dy[:, top : dy.shape[1] - bottom, left : dy.shape[2] - right]
