"""Which sources of an image are stars that a point-spread function can be measured by.

Pixels less their sky come in; positions, fluxes and stamps of stars go out: significant, neither
saturated nor masked nor cut off, without neighbours, and of the one size that point sources have.
"""

from __future__ import annotations

__all__ = ["Stars", "choose_stars", "matched_gaussians"]

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..conventions import FWHM_PER_SIGMA
from .sources import Peaks, find_peaks, mask_sources

type _Floats = npt.NDArray[np.float64]
type _Bools = npt.NDArray[np.bool_]

_FIRST_SIGMA = 1.5  # px, before the width of stars is known
_NARROWEST, _WIDEST = 0.45, 20.0  # px of sigma: a hit of a cosmic ray, and something else
_REACH = 5.0  # in FWHM, of a stamp: at least 0.995 of the light of a Moffat profile of beta 2.5
_LARGEST_HALF = 60  # px
_CORE = 1.5  # in FWHM: no pixel may be masked and no neighbour be there
_WHOLE = 2.0  # in FWHM: no edge may be nearer
_MOST_SOURCES = 4000  # whose sizes are looked at
_MOST_STARS = 300
_MOST_PIXELS = 4_000_000  # of all their stamps
_ITERATIONS = 40
_CONVERGED = 1e-5
_WINDOW = 1.15  # ratio of sizes that belong together, at first
_RIVAL = 0.5  # of the most: a window with as many sources that are smaller is that of the stars
_CLIP_SIGMAS, _LEAST_SPREAD = 3.0, 0.02  # of log size; beyond 2 % it is no noise of bright stars
_FAINT_NEIGHBOUR = 0.05  # of the star's significance: farther than the core, it is masked


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Stars:
    """Stars and the pixels around them.

    Parameters
    ----------
    x, y : (n,)
        Centres in pixels of the array.
    flux : (n,)
        Roughly.
    significance : (n,)
        Signal over noise, from the largest to the least.
    sigma
        Of a Gaussian of their size, in pixels.
    column, row : int (n,)
        The pixel in the middle of each stamp.
    stamps : (n, side, side)
        Pixels around the stars, zero where they cannot be used.
    variance : (n, side, side)
        Infinite where they cannot be used.
    sources
        How many sources are significant enough, stars or not.
    """

    x: _Floats
    y: _Floats
    flux: _Floats
    significance: _Floats
    sigma: float
    column: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]
    stamps: _Floats
    variance: _Floats
    sources: int

    def __len__(self) -> int:
        return len(self.x)

    def taken(self, which: npt.NDArray[Any]) -> Stars:
        """Return some of the stars."""
        parts = ("x", "y", "flux", "significance", "column", "row", "stamps", "variance")
        return dataclasses.replace(self, **{name: getattr(self, name)[which] for name in parts})


def choose_stars(
    residual: _Floats, variance: _Floats, good: _Bools, *, least_significance: float
) -> Stars:
    """Return the stars of an image.

    Parameters
    ----------
    residual : (rows, columns)
        The image less its sky.
    variance : (rows, columns)
        Infinite where there are no data.
    good : (rows, columns)
        Pixels that can be believed: neither bad nor saturated nor hit.
    least_significance
        Of a star.

    Returns
    -------
    Stars
        None at all, perhaps. The same for the same pixels.

    Notes
    -----
    The size of a source is that of the Gaussian that matches it (Bernstein & Jarvis 2002, AJ 123,
    583). Stars are of one size, but for noise and a slow change over the image; galaxies are larger
    and of many sizes: the stars are in the window of sizes, 15 per cent wide, with the most
    sources, or in one of smaller sizes that has half as many. In it, three standard deviations
    about a plane over the image are kept.
    """
    pixels = np.where(good, residual, 0.0)
    believed = np.where(good, variance, np.inf)
    sigma, half = _FIRST_SIGMA, 12
    for _ in range(3):
        peaks = find_peaks(pixels, believed, sigma=min(max(sigma, 1.0), 8.0))
        shapes = _shapes_of(pixels, good, peaks, least_significance, half=half, sigma=sigma)
        members = _of_one_size(shapes)
        if not members.any():
            break
        before, sigma = sigma, float(np.median(shapes.size[members]))
        half = max(8, math.ceil(4.0 * sigma))
        if abs(sigma / before - 1.0) < 0.1:
            break
    fwhm = FWHM_PER_SIGMA * sigma
    half = min(_LARGEST_HALF, max(7, math.ceil(_REACH * fwhm)))
    chosen = _isolated(shapes, members, peaks, good, fwhm=fwhm, half=half)
    chosen = chosen[: min(_MOST_STARS, max(20, _MOST_PIXELS // (2 * half + 1) ** 2))]
    return _stamped(pixels, believed, good, shapes, chosen, peaks, sigma=sigma, half=half)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Shapes:
    """What sources look like, each (n,); ``peak`` is their place among the peaks."""

    x: _Floats
    y: _Floats
    flux: _Floats
    size: _Floats
    significance: _Floats
    peak: npt.NDArray[np.intp]


def _shapes_of(
    pixels: _Floats,
    good: _Bools,
    peaks: Peaks,
    least: float,
    *,
    half: int,
    sigma: float,
) -> _Shapes:
    """Measure the sources that are bright enough, whole, and good in their very middle."""
    rows, columns = pixels.shape
    inside = (peaks.x >= half) & (peaks.x < columns - half)
    inside &= (peaks.y >= half) & (peaks.y < rows - half)
    inside &= peaks.significance >= least
    peak = np.flatnonzero(inside)[:_MOST_SOURCES]
    middle = math.ceil(sigma)
    is_good = _stamps(good, peaks.x[peak], peaks.y[peak], min(middle, half)).all(axis=(1, 2))
    peak = peak[is_good]
    stamps = _stamps(pixels, peaks.x[peak], peaks.y[peak], half)
    x, y, flux, size = matched_gaussians(stamps, sigma)
    known = np.isfinite(size) & (size > _NARROWEST) & (size < _WIDEST)
    peak = peak[known]
    return _Shapes(
        x=x[known] + peaks.x[peak],
        y=y[known] + peaks.y[peak],
        flux=flux[known],
        size=size[known],
        significance=peaks.significance[peak],
        peak=peak,
    )


def _stamps(
    plane: npt.NDArray[Any], x: npt.NDArray[np.intp], y: npt.NDArray[np.intp], half: int
) -> npt.NDArray[Any]:
    """Cut squares about pixels out of a plane, (n, side, side)."""
    side = np.arange(-half, half + 1)
    stamps: npt.NDArray[Any] = plane[
        y[:, np.newaxis, np.newaxis] + side[:, np.newaxis], x[:, np.newaxis, np.newaxis] + side
    ]
    return stamps


def matched_gaussians(stamps: _Floats, sigma: float) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """Return the Gaussian that matches each stamp.

    Parameters
    ----------
    stamps : (n, side, side)
        Sources in the middles of stamps.
    sigma
        Of the Gaussian that is tried first, in pixels.

    Returns
    -------
    x, y : (n,)
        Its centre, from the middle of the stamp.
    flux, size : (n,)
        Its flux, and the fourth root of the determinant of its covariance: a sigma in pixels. NaN
        where none matches.
    """
    n, side, _ = stamps.shape
    offsets = np.arange(side) - side // 2.0
    x, y = np.zeros(n), np.zeros(n)
    xx, yy, xy = np.full(n, sigma**2), np.full(n, sigma**2), np.zeros(n)
    flux, size = np.full(n, np.nan), np.full(n, np.nan)
    todo = np.arange(n)
    for _ in range(_ITERATIONS):
        if todo.size == 0:
            break
        u = offsets[np.newaxis, np.newaxis, :] - x[todo, np.newaxis, np.newaxis]
        v = offsets[np.newaxis, :, np.newaxis] - y[todo, np.newaxis, np.newaxis]
        a, b, c = (part[todo, np.newaxis, np.newaxis] for part in (xx, yy, xy))
        determinant = a * b - c * c
        exponent = (b * u * u + a * v * v - 2.0 * c * u * v) / determinant
        weighted = stamps[todo] * np.exp(-0.5 * exponent)
        total = weighted.sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            dx = (weighted * u).sum(axis=(1, 2)) / total
            dy = (weighted * v).sum(axis=(1, 2)) / total
            mxx = (weighted * u * u).sum(axis=(1, 2)) / total - dx * dx
            myy = (weighted * v * v).sum(axis=(1, 2)) / total - dy * dy
            mxy = (weighted * u * v).sum(axis=(1, 2)) / total - dx * dy
            # A Gaussian C under its own weight has moments C/2: 1/C = 1/M - 1/W.
            area, own = mxx * myy - mxy * mxy, determinant[:, 0, 0]
            ixx, iyy = myy / area - yy[todo] / own, mxx / area - xx[todo] / own
            ixy = -mxy / area + xy[todo] / own
            inverse = ixx * iyy - ixy * ixy
            new = (iyy / inverse, ixx / inverse, -ixy / inverse)
            shift = np.hypot(dx, dy)
            fine = (total > 0) & (area > 0) & (mxx > 0) & (inverse > 0) & (ixx > 0)
            fine &= (new[0] < side**2) & (new[1] < side**2) & (shift < 2.0)
            change = np.abs(new[0] / xx[todo] - 1.0) + np.abs(new[1] / yy[todo] - 1.0) + shift
        kept = todo[fine]
        x[kept] += 2.0 * dx[fine]
        y[kept] += 2.0 * dy[fine]
        xx[kept], yy[kept], xy[kept] = (part[fine] for part in new)
        done = fine & (change < _CONVERGED)
        ended = todo[done]
        determinant = xx[ended] * yy[ended] - xy[ended] ** 2
        flux[ended] = 2.0 * total[done]  # half of a Gaussian's light is under its own weight
        size[ended] = determinant**0.25
        todo = todo[fine & ~done]
    moved = np.hypot(x, y) > max(1.5, sigma)
    size[moved] = np.nan
    return x, y, flux, size


def _of_one_size(shapes: _Shapes) -> _Bools:
    """Tell which sources have the size of stars."""
    size = np.log(shapes.size)
    if size.size < 3:
        return np.ones(size.size, np.bool_)
    ordered = np.sort(size)
    counts = np.searchsorted(ordered, ordered + math.log(_WINDOW), side="right") - np.arange(
        ordered.size
    )
    first = int(np.argmax(counts >= _RIVAL * counts.max()))
    # The best of the windows that begin in this one.
    near = (ordered >= ordered[first]) & (ordered <= ordered[first] + math.log(_WINDOW))
    start = ordered[int(np.argmax(np.where(near, counts, 0)))]
    members: _Bools = (size >= start) & (size <= start + math.log(_WINDOW))
    terms = np.stack([np.ones_like(size), shapes.x, shapes.y], axis=1)
    terms[:, 1:] -= terms[:, 1:].mean(axis=0)
    noise = 1.0 / shapes.significance  # of log size, about
    for _ in range(10):
        if np.count_nonzero(members) < 10:
            middle = np.full(size.size, np.median(size[members]))
        else:
            middle = terms @ np.linalg.lstsq(terms[members], size[members], rcond=None)[0]
        spread = 1.4826 * float(np.median(np.abs(size - middle)[members]))
        room = _CLIP_SIGMAS * np.hypot(min(max(spread, _LEAST_SPREAD), math.log(_WINDOW)), noise)
        again = np.abs(size - middle) <= room
        if (again == members).all() or not again.any():
            break
        members = again
    return members


def _isolated(
    shapes: _Shapes, members: _Bools, peaks: Peaks, good: _Bools, *, fwhm: float, half: int
) -> npt.NDArray[np.intp]:
    """Return the stars without neighbours, or masked pixels or an edge in their core."""
    rows, columns = good.shape
    chosen = []
    core = _CORE * fwhm
    inner, whole = math.ceil(core), math.ceil(_WHOLE * fwhm)
    for index in np.flatnonzero(members):
        column, row = int(peaks.x[shapes.peak[index]]), int(peaks.y[shapes.peak[index]])
        if not (whole <= column < columns - whole and whole <= row < rows - whole):
            continue
        if not good[row - inner : row + inner + 1, column - inner : column + inner + 1].all():
            continue
        distance = np.hypot(peaks.x - column, peaks.y - row)
        distance[shapes.peak[index]] = np.inf
        strength = peaks.significance / shapes.significance[index]
        near = distance <= core
        # A neighbour's light falls off: what is as bright as the star is kept two cores away.
        near |= (distance <= 2.0 * core) & (strength > _FAINT_NEIGHBOUR)
        near |= (distance <= 2.0 * half) & (strength > 10.0)
        if not near.any():
            chosen.append(index)
    return np.array(chosen, np.intp)


def _stamped(
    pixels: _Floats,
    variance: _Floats,
    good: _Bools,
    shapes: _Shapes,
    chosen: npt.NDArray[np.intp],
    peaks: Peaks,
    *,
    sigma: float,
    half: int,
) -> Stars:
    """Cut the stamps out, without neighbours: pixels with light that is rather theirs."""
    column, row = peaks.x[shapes.peak[chosen]], peaks.y[shapes.peak[chosen]]
    light = mask_sources(pixels, np.sqrt(variance), good)
    stamps, variances, usable, light = (
        _stamps(np.pad(plane, half), column + half, row + half, half)  # beyond the edge: unusable
        for plane in (pixels, variance, good, light)
    )
    side = np.arange(-half, half + 1)
    # There, a Gaussian has fallen to the noise.
    reach = sigma * (1.0 + np.sqrt(2.0 * np.log(peaks.significance)))
    for number, index in enumerate(chosen):
        dx, dy = peaks.x - column[number], peaks.y - row[number]
        near = (np.abs(dx) <= half + reach) & (np.abs(dy) <= half + reach)
        near[shapes.peak[index]] = False
        own = (side[:, np.newaxis] ** 2 + side**2) / reach[shapes.peak[index]] ** 2
        for i in np.flatnonzero(near):
            share = ((side[:, np.newaxis] - dy[i]) ** 2 + (side - dx[i]) ** 2) / reach[i] ** 2
            usable[number] &= (share > 1.0) & ~(light[number] & (share < own))
    middle = side[:, np.newaxis] ** 2 + side**2 <= (FWHM_PER_SIGMA * sigma) ** 2
    whole = usable[:, middle].all(axis=1)
    stars = Stars(
        x=shapes.x[chosen],
        y=shapes.y[chosen],
        flux=shapes.flux[chosen],
        significance=shapes.significance[chosen],
        sigma=sigma,
        column=column,
        row=row,
        stamps=np.where(usable, stamps, 0.0),
        variance=np.where(usable, variances, np.inf),
        sources=len(shapes.x),
    )
    return stars.taken(whole)
