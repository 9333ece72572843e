"""Where a sliding window lies: the arithmetic of SAME and VALID, shared by pooling and convolution.

With an effective window ``e = (window - 1) dilation + 1``:

* VALID: ``out = floor((size - e) / stride) + 1``, no padding; what the last window does not reach is ignored.
* SAME: ``out = ceil(size / stride)``; the padding this needs is split evenly, and an odd one has its extra row at the
  bottom and its extra column at the right, as in TensorFlow.
"""

from __future__ import annotations

from ..errors import ShapeError

MOST = 2**31 - 1


def pad_amounts(size: int, window: int, stride: int, padding: str, dilation: int = 1) -> tuple[int, int]:
    """The padding ``(before, after)`` along one axis, for ``padding`` ``"same"`` or ``"valid"``."""
    if padding == "valid":
        return 0, 0
    out = -(-size // stride)
    total = max((out - 1) * stride + (window - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def output_extent(size: int, window: int, stride: int, padding: str, dilation: int = 1) -> int:
    """How many windows fit along one axis.

    Raises
    ------
    ShapeError
        If none does.
    """
    effective = (window - 1) * dilation + 1
    padded = size + sum(pad_amounts(size, window, stride, padding, dilation))
    if size < 1 or padded < effective:
        raise ShapeError(f"a window of {effective} does not fit into an input of {size} with padding {padding!r}")
    return (padded - effective) // stride + 1


def plan(
    label: str,
    size: tuple[int, int],
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
    dilation: tuple[int, int] = (1, 1),
) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Both axes at once: ``(oh, ow), (top, bottom, left, right)``.

    Raises
    ------
    ShapeError
        If the output would be empty, or the padded image enormous; the message starts with ``label``, which names the
        layer.
    """
    axes = list(zip(size, window, strides, dilation, strict=True))
    try:
        oh, ow = (output_extent(s, k, t, padding, d) for s, k, t, d in axes)
    except ShapeError as error:
        raise ShapeError(f"layer {label!r}: {error}") from None
    (top, bottom), (left, right) = (pad_amounts(s, k, t, padding, d) for s, k, t, d in axes)
    padded = (size[0] + top + bottom) * (size[1] + left + right)
    require_few(label, max(padded, *strides, *dilation), f"a window of {window}, strides {strides}")
    return (oh, ow), (top, bottom, left, right)


def transposed_plan(
    label: str,
    size: tuple[int, int],
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
    dilation: tuple[int, int] = (1, 1),
    beyond: tuple[int, int] | None = None,
) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """The image of which a convolution makes ``size`` windows, and that convolution's padding: ``(oh, ow), (top,
    bottom, left, right)``.

    Several images do. With ``beyond`` None, VALID takes the smallest one that leaves no gap behind the last window,
    ``(size - 1) stride + max(e, stride)``, and SAME ``size stride``; with a number they take ``(size - 1) stride + e +
    beyond`` and ``(size - 1) stride + e % 2 + beyond``, as Keras does.

    Raises
    ------
    ShapeError
        If that convolution does not make ``size`` windows, or the image is enormous; the message starts with ``label``,
        which names the layer.
    """
    image = []
    for axis, (s, k, t, d) in enumerate(zip(size, window, strides, dilation, strict=True)):
        effective, more = (k - 1) * d + 1, None if beyond is None else beyond[axis]
        if more is None:
            more = (t if padding == "same" else max(effective, t)) - effective
        elif padding == "same":
            more += effective % 2 - effective
        image.append((s - 1) * t + effective + more)
    require_few(label, max(image[0] * image[1], *strides, *dilation), f"a window of {window}, strides {strides}")
    height, width = image
    made, pads = (0, 0), (0, 0, 0, 0)
    if min(image) > 0:
        made, pads = plan(label, (height, width), window, strides, padding, dilation)
    if made != tuple(size):
        raise ShapeError(
            f"layer {label!r}: expected an output_padding with which a convolution with padding {padding!r} takes the "
            f"output back to {tuple(size)}, got {beyond}: it takes the output {(height, width)} to {made}"
        )
    return (height, width), pads


def require_few(label: str, pixels: int, asked: str) -> None:
    """Raise ShapeError if a padded image has more pixels than kernels can count, which on a GPU is in 32 bits."""
    if pixels > MOST:
        raise ShapeError(f"layer {label!r}: expected at most {MOST:,} pixels with the padding, got {asked}")
