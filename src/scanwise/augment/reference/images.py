"""What `scanwise.augment.images` does to a sample."""

from __future__ import annotations

import math

import numpy as np

from scanwise.augment.draws import Draws
from scanwise.augment.images import Brightness, Contrast, Crop, Cutout, Flip, Rotate, Scale, Shift
from scanwise.augment.reference.change import Array, change
from scanwise.layers.arguments import per_axis


# y[c, h, w] = x[c, h - r, w - s], r and s uniform in -most..most, and 0 from outside.
@change.register(Shift)
def shift(augmentation: Shift, x: Array, draws: Draws) -> Array:
    rows, columns = per_axis(augmentation.most, 2)
    r, s = draws.whole(1, -rows, rows), draws.whole(2, -columns, columns)
    y = np.zeros_like(x)
    H, W = x.shape[1:]
    y[:, max(r, 0) : H + min(r, 0), max(s, 0) : W + min(s, 0)] = x[
        :, max(-r, 0) : H + min(-r, 0), max(-s, 0) : W + min(-s, 0)
    ]
    return y


# The part begins at the shares (u, v) (1 - share) of the image's extent; the middle of output pixel h lies at
# share (h + 1/2) within it.
@change.register(Crop)
def crop(augmentation: Crop, x: Array, draws: Draws) -> Array:
    share = draws.within(1, augmentation.share)
    H, W = x.shape[1:]
    top = draws.between(2, 0.0, (1.0 - share) * H)
    left = draws.between(3, 0.0, (1.0 - share) * W)
    rows = top + share * (np.arange(H) + 0.5) - 0.5
    columns = left + share * (np.arange(W) + 0.5) - 0.5
    # What lies in the outer half of the border's pixels has no neighbour outside, but the border's own value.
    rows, columns = rows.clip(0.0, H - 1.0), columns.clip(0.0, W - 1.0)
    return bilinear(x, *np.meshgrid(rows, columns, indexing="ij"))


@change.register(Flip)
def flip(augmentation: Flip, x: Array, draws: Draws) -> Array:
    return np.flip(x, axis=2 if augmentation.axis == "horizontal" else 1)


# From the centre, rows down and columns right, the output's (h, w) takes what lies at
#     (h cos a + w sin a, w cos a - h sin a):
# a = 90 degrees takes (w, -h), which is a quarter turn anticlockwise.
@change.register(Rotate)
def rotate(augmentation: Rotate, x: Array, draws: Draws) -> Array:
    angle = math.radians(draws.within(1, augmentation.degrees))
    h, w = _from_centre(x)
    return _around_centre(
        x, h * math.cos(angle) + w * math.sin(angle), w * math.cos(angle) - h * math.sin(angle)
    )


# The output's (h, w) takes what lies at (h, w) / factor, from the centre.
@change.register(Scale)
def scale(augmentation: Scale, x: Array, draws: Draws) -> Array:
    factor = draws.within(1, augmentation.factor)
    h, w = _from_centre(x)
    return _around_centre(x, h / factor, w / factor)


@change.register(Brightness)
def brightness(augmentation: Brightness, x: Array, draws: Draws) -> Array:
    return np.asarray(x + draws.within(1, augmentation.change))


# y = m + f (x - m), m the mean over the whole image.
@change.register(Contrast)
def contrast(augmentation: Contrast, x: Array, draws: Draws) -> Array:
    mean = x.mean()
    return np.asarray(mean + draws.within(1, augmentation.factor) * (x - mean))


@change.register(Cutout)
def cutout(augmentation: Cutout, x: Array, draws: Draws) -> Array:
    rows, columns = per_axis(augmentation.extent, 2)
    H, W = x.shape[1:]
    y = x.copy()
    for rectangle in range(augmentation.count):
        top = draws.whole(1 + 2 * rectangle, 0, H - 1) - rows // 2
        left = draws.whole(2 + 2 * rectangle, 0, W - 1) - columns // 2
        y[:, max(top, 0) : max(top + rows, 0), max(left, 0) : max(left + columns, 0)] = 0.0
    return y


def bilinear(x: Array, rows: Array, columns: Array) -> Array:
    """x at the places (rows, columns), each `(P, Q)`: the four neighbours, by how near they are; outside x is 0."""
    H, W = x.shape[1:]
    # Places far outside are as good as those just outside, and fit into an integer.
    rows, columns = rows.clip(-1.0, H), columns.clip(-1.0, W)
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    down, right = rows - top, columns - left
    y = np.zeros((len(x), *rows.shape))
    for r, by_row in ((top, 1.0 - down), (top + 1, down)):
        for s, by_column in ((left, 1.0 - right), (left + 1, right)):
            inside = (r >= 0) & (r < H) & (s >= 0) & (s < W)
            y += np.where(inside, by_row * by_column, 0.0) * x[:, r.clip(0, H - 1), s.clip(0, W - 1)]
    return y


def _from_centre(x: Array) -> tuple[Array, Array]:
    """Rows and columns of every pixel, from the image's centre."""
    H, W = x.shape[1:]
    h, w = np.meshgrid(np.arange(H) - (H - 1) / 2.0, np.arange(W) - (W - 1) / 2.0, indexing="ij")
    return h, w


def _around_centre(x: Array, h: Array, w: Array) -> Array:
    H, W = x.shape[1:]
    return bilinear(x, h + (H - 1) / 2.0, w + (W - 1) / 2.0)
