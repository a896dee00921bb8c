"""Pixels that touch, as footprints: few pixels of a large plane, by their flat indices."""

from __future__ import annotations

__all__ = ["Footprints", "find_footprints", "grown", "touching"]

import dataclasses

import numpy as np
import numpy.typing as npt
from scipy import sparse

type _Indices = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Footprints:
    """Groups of pixels.

    Parameters
    ----------
    pixels : int64 (n,)
        Flat indices of all their pixels in a plane, in order.
    labels : int64 (n,)
        Which footprint each is of; they are numbered by their first pixels.
    count
        Number of footprints.
    """

    pixels: _Indices
    labels: _Indices
    count: int

    def means(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Return the mean of each footprint over values of all pixels."""
        totals = np.bincount(self.labels, values.astype(np.float64), minlength=self.count)
        return totals / np.maximum(np.bincount(self.labels, minlength=self.count), 1)

    def those(self, kept: npt.NDArray[np.bool_]) -> Footprints:
        """Return some of them."""
        chosen = kept[self.labels]
        numbers = np.cumsum(kept) - 1
        return Footprints(
            pixels=self.pixels[chosen],
            labels=numbers[self.labels[chosen]],
            count=int(kept.sum()),
        )


def find_footprints(
    pixels: _Indices, *, shape: tuple[int, int], least: int, grow: int
) -> Footprints:
    """Return the footprints of detected pixels.

    Parameters
    ----------
    pixels : int64 (n,)
        Their flat indices, in order.
    shape
        Of the plane.
    least
        Smaller groups of pixels that touch, at sides or corners, do not count.
    grow
        By how many pixels the others are grown to all sides; those that touch then are one.
    """
    labels, count = touching(pixels, shape=shape)
    large = np.bincount(labels, minlength=count) >= least
    wider = grown(pixels[large[labels]], shape=shape, by=grow)
    labels, count = touching(wider, shape=shape)
    return Footprints(pixels=wider, labels=labels, count=count)


def touching(pixels: _Indices, *, shape: tuple[int, int]) -> tuple[_Indices, int]:
    """Return the group of each pixel, numbered by their first pixels, and how many there are.

    Parameters
    ----------
    pixels : int64 (n,)
        Flat indices of pixels of a plane, in order.
    shape
        Of the plane.
    """
    width = shape[1]
    column = pixels % width
    pairs = []
    for step, inside in (
        (1, column < width - 1),
        (width - 1, column > 0),
        (width, np.ones(pixels.size, np.bool_)),
        (width + 1, column < width - 1),
    ):
        neighbour = pixels + step
        place = np.minimum(np.searchsorted(pixels, neighbour), max(pixels.size - 1, 0))
        there = np.nonzero(inside & (pixels[place] == neighbour))[0] if pixels.size else place
        pairs.append((there, place[there]))
    ends = np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])
    graph = sparse.coo_array(
        (np.ones(ends[0].size, np.bool_), ends), shape=(pixels.size, pixels.size)
    )
    if not pixels.size:
        return np.empty(0, np.int64), 0
    count, labels = sparse.csgraph.connected_components(graph, directed=False)
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    order = np.empty(count, np.int64)
    order[np.argsort(first)] = np.arange(count)
    return order[numbers], int(count)


def grown(pixels: _Indices, *, shape: tuple[int, int], by: int) -> _Indices:
    """Return flat indices, in order, of all pixels within some pixels in y and x of the given."""
    height, width = shape
    y, x = np.divmod(pixels, width)
    for _ in range(by):
        # Rows, then columns, one pixel at a time: the pixels stay few.
        y = np.concatenate([y - 1, y, y + 1])
        x = np.tile(x, 3)
        inside = (y >= 0) & (y < height)
        flat = np.unique(y[inside] * width + x[inside])
        y, x = np.divmod(flat, width)
        x = np.concatenate([x - 1, x, x + 1])
        y = np.tile(y, 3)
        inside = (x >= 0) & (x < width)
        flat = np.unique(y[inside] * width + x[inside])
        y, x = np.divmod(flat, width)
    result: _Indices = y * width + x
    return result
