"""The sky of an image, measured from its own pixels on a mesh.

Pixels and which of them can be believed come in; a smooth sky and its noise at every pixel go out.
It is measured twice, the second time without the sources that the first one lets be seen, so that
the light of bright ones is no sky. Why so: docs/decisions/0023.
"""

from __future__ import annotations

__all__ = ["MeasuredSky", "SkyMesh", "SkyQuality", "measure_sky"]

import dataclasses
import logging

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.interpolate import CubicSpline

from ..errors import UnusableInputError
from .sources import mask_sources

type _Floats = npt.NDArray[np.float64]
type _Bools = npt.NDArray[np.bool_]

_LOG = logging.getLogger(__name__)
_SMALLEST_PX, _WIDEST_FILTER = 16, 15
_LEAST_OF_CELL = 0.2  # of its pixels: a cell with fewer takes the value of the nearest
_LEAST_OF_CELLS = 0.3  # of all: a sky of fewer is no longer measured
_CLIP_SIGMAS, _MOST_CLIPS = 3.0, 30
_MOST_FITTED = 200_000  # pixels, that the trend over the image is fitted to
_CLIPPED = 0.98658  # standard deviation of normal deviates that are clipped at three
_MOST_TRENDS = 6
_MAD_TO_SIGMA = 1.4826
_CROWDED = 0.3  # of a standard deviation between mean and median: SExtractor takes the median then
_ROUNDING = 1e-12  # of the largest pixel: less noise is what sums leave of a constant image


@dataclasses.dataclass(frozen=True, kw_only=True)
class SkyMesh:
    """On which mesh the sky is measured.

    Parameters
    ----------
    size
        Side of a cell in pixels, 16 or more; it is changed a little so that whole cells fill the
        image.
    filter
        Of so many cells a side, an odd number up to 15, each takes the median; 1: it stays as it
        is.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    size: int = 128
    filter: int = 3

    def __post_init__(self) -> None:
        if self.size < _SMALLEST_PX:
            raise ValueError(f"size must be {_SMALLEST_PX} pixels or more, got {self.size}.")
        if not 1 <= self.filter <= _WIDEST_FILTER or self.filter % 2 == 0:
            raise ValueError(f"filter must be odd, from 1 to {_WIDEST_FILTER}, got {self.filter}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SkyQuality:
    """What a measured sky is like.

    Parameters
    ----------
    lowest, highest
        Of its pixels, in the unit of the image.
    noise
        Median standard deviation of the image's pixels about it.
    cells
        Rows and columns of the mesh.
    used
        The share of the pixels that it was measured by: neither masked nor light of sources.
    """

    lowest: float
    highest: float
    noise: float
    cells: tuple[int, int]
    used: float

    def __str__(self) -> str:
        return (
            f"measured on {self.cells[1]} x {self.cells[0]} cells by {self.used:.0%} of the "
            f"pixels: {self.lowest:.5g} to {self.highest:.5g} with a noise of {self.noise:.4g}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredSky:
    """The sky of an image.

    Parameters
    ----------
    model : (rows, columns)
        The sky in each pixel, in the unit of the image.
    noise : (rows, columns)
        The standard deviation of the sky's pixels.
    quality
        What it is like.
    """

    model: _Floats
    noise: _Floats
    quality: SkyQuality


def measure_sky(image: _Floats, good: _Bools, *, mesh: SkyMesh, source: str) -> MeasuredSky:
    """Measure the sky of an image on a mesh.

    Parameters
    ----------
    image : (rows, columns)
        Pixels with their sky.
    good : (rows, columns)
        Those that can be believed: finite, with data, neither bad nor saturated nor hit.
    mesh
        On which mesh.
    source
        What the user knows the image as, for messages.

    Raises
    ------
    UnusableInputError
        If the image is smaller than a cell, or too few cells have enough pixels without sources.

    Notes
    -----
    Bertin & Arnouts (1996, A&AS 117, 393), section 3: in each cell pixels are clipped at three
    standard deviations; the sky is 2.5 median - 1.5 mean, and the median where the two are far
    apart; a median over neighbouring cells; a bicubic spline through their middles, natural,
    so that it goes on straight to the edge of the image. At the edge of the mesh the median is that
    of as many cells on both sides, which leaves a slope as it is. A trend over the
    whole image is taken out before, and what the first sky leaves over is measured by the second:
    in a cell of which half is masked, a slope would be a bias, and in all it would be noise.
    """
    if min(image.shape) < mesh.size:
        raise UnusableInputError(
            source,
            f"its sky cannot be measured on cells of {mesh.size} pixels, since it has only "
            f"{image.shape[1]} x {image.shape[0]}; choose a smaller mesh, or name its value or "
            "keyword.",
        )
    edges = [np.linspace(0, n, round(n / mesh.size) + 1).round().astype(int) for n in image.shape]
    model = _trend(image, good)
    rounding = _ROUNDING * float(np.abs(image[good]).max(initial=0.0))
    first, noise = _measured(image - model, good, edges, mesh, source, rounding=rounding)
    model += first
    rest = image - model
    blank = good & ~mask_sources(rest, noise, good)
    second, noise = _measured(rest, blank, edges, mesh, source, rounding=rounding)
    model += second
    quality = SkyQuality(
        lowest=float(model.min()),
        highest=float(model.max()),
        noise=float(np.median(noise)),
        cells=(len(edges[0]) - 1, len(edges[1]) - 1),
        used=float(blank.mean()),
    )
    _LOG.info("%s: its sky was %s.", source, quality)
    return MeasuredSky(model=model, noise=noise, quality=quality)


def _trend(image: _Floats, good: _Bools) -> _Floats:
    """Return a polynomial of the second degree in x and y, without what sticks out of it."""
    rows, columns = image.shape
    places = np.flatnonzero(good)
    places = places[:: max(1, places.size // _MOST_FITTED)]
    values = image.ravel()[places]
    y, x = np.divmod(places, columns)
    v, u = y / rows - 0.5, x / columns - 0.5
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)
    found = np.zeros(6)
    kept = np.ones(places.size, np.bool_)
    for _ in range(_MOST_TRENDS if places.size > 6 else 0):
        found = np.linalg.lstsq(terms[kept], values[kept], rcond=None)[0]
        off = values - terms @ found
        middle = float(np.median(off[kept]))
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(off[kept] - middle)))
        kept = np.abs(off - middle) <= _CLIP_SIGMAS * spread
        if np.count_nonzero(kept) <= 6:
            break
    v, u = np.arange(rows)[:, np.newaxis] / rows - 0.5, np.arange(columns) / columns - 0.5
    a, b, c, d, e, f = found
    trend: _Floats = a + b * u + c * v + d * u * u + e * u * v + f * v * v
    return trend


def _measured(
    image: _Floats,
    good: _Bools,
    edges: list[npt.NDArray[np.int_]],
    mesh: SkyMesh,
    source: str,
    *,
    rounding: float,
) -> tuple[_Floats, _Floats]:
    """Return level and noise at each pixel, in one pass."""
    rows, columns = (len(line) - 1 for line in edges)
    level, noise = np.full((rows, columns), np.nan), np.full((rows, columns), np.nan)
    for row in range(rows):
        y = slice(edges[0][row], edges[0][row + 1])
        for column in range(columns):
            cell = np.s_[y, edges[1][column] : edges[1][column + 1]]
            values = image[cell][good[cell]]
            if values.size >= _LEAST_OF_CELL * good[cell].size:
                level[row, column], noise[row, column] = _sky_of(values)
    measured = np.isfinite(level) & (noise > rounding)
    if np.count_nonzero(measured) < max(1.0, _LEAST_OF_CELLS * measured.size):
        raise UnusableInputError(
            source,
            f"its sky can be measured in {np.count_nonzero(measured)} of {measured.size} cells of "
            f"{mesh.size} pixels, {_LEAST_OF_CELLS:.0%} are needed: the others are masked, or full "
            "of sources, or all their pixels are the same; choose another size of the mesh, or "
            "name its value or keyword.",
        )
    planes = [
        _interpolated(_filtered(_filled(plane, measured), mesh.filter), edges)
        for plane in (level, noise)
    ]
    least = float(noise[measured].min())
    return planes[0], np.maximum(planes[1], 0.5 * least)  # no spline may swing to zero


def _sky_of(values: _Floats) -> tuple[float, float]:
    """Return level and noise of the pixels of a cell."""
    middle = float(np.median(values))
    noise = _MAD_TO_SIGMA * float(np.median(np.abs(values - middle)))
    kept = values
    for _ in range(_MOST_CLIPS):
        closer = kept[np.abs(kept - middle) <= _CLIP_SIGMAS * noise]
        if closer.size in (0, kept.size):
            break
        kept = closer
        middle, noise = float(np.median(kept)), float(kept.std())
    mean, true_noise = float(kept.mean()), noise / _CLIPPED
    if abs(mean - middle) > _CROWDED * noise:
        return middle, true_noise
    return 2.5 * middle - 1.5 * mean, true_noise


def _filled(plane: _Floats, measured: _Bools) -> _Floats:
    """Give cells without a value that of the nearest."""
    if measured.all():
        return plane
    nearest = ndimage.distance_transform_edt(~measured, return_distances=False, return_indices=True)
    filled: _Floats = plane[tuple(nearest)]
    return filled


def _filtered(plane: _Floats, side: int) -> _Floats:
    """Take the median over neighbours, as many on the one side as on the other."""
    result = plane.copy()
    rows, columns = plane.shape
    for row in range(rows):
        up = min(side // 2, row, rows - 1 - row)
        for column in range(columns):
            right = min(side // 2, column, columns - 1 - column)
            near = plane[row - up : row + up + 1, column - right : column + right + 1]
            result[row, column] = np.median(near)
    return result


def _interpolated(plane: _Floats, edges: list[npt.NDArray[np.int_]]) -> _Floats:
    """Return the values of cells at all pixels."""
    for axis in (0, 1):
        nodes = (0.5 * (edges[axis][:-1] + edges[axis][1:]) - 0.5).astype(np.float64)
        pixels = np.arange(edges[axis][-1], dtype=np.float64)
        plane = _along(plane, nodes, pixels, axis)
    return plane


def _along(plane: _Floats, nodes: _Floats, pixels: _Floats, axis: int) -> _Floats:
    if nodes.size == 1:
        return np.repeat(plane, pixels.size, axis=axis)
    if nodes.size == 2:  # two points have a line and no more
        t = np.expand_dims((pixels - nodes[0]) / (nodes[1] - nodes[0]), 1 - axis)
        low, high = (np.take(plane, [i], axis=axis) for i in (0, 1))
        line: _Floats = low + t * (high - low)
        return line
    spline = CubicSpline(nodes, plane, axis=axis, bc_type="natural")
    inside = np.clip(pixels, nodes[0], nodes[-1])
    beyond = np.expand_dims(pixels - inside, 1 - axis)
    values: _Floats = spline(inside) + beyond * spline(inside, 1)
    return values
