"""World coordinates of afw files: the text of a SkyWcs, or what the header says.

A text of Starlink AST comes in; a sky projection goes out whose way back from the sky is as exact
as the way there. What stands in the text is looked at before AST sees it (`ast_text`).
"""

from __future__ import annotations

__all__ = ["exact_inverse", "projection_of_header", "projection_of_text"]

import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images import Box, DetectorFrame, SkyProjection
from lsst.images._transforms import _ast  # its FrameSet is the only one that SkyProjection takes

from ...errors import UnusableInputError
from ...files.ast_text import BadTextError, checked_frame_set
from ...files.fits_wcs import icrs_wcs, projection_of_wcs

type _Floats = npt.NDArray[np.float64]

_PREFIX = re.compile(r"^1 SkyWcs [01] +(?=Begin FrameSet\b)")
_GRID = 25  # positions a side at which the way back is measured
_EXACT_PX = 1e-6
_ALLOWED_PX = 1e-4
_DEGREES = (3, 5, 7, 9, 11)
_MARGIN = 0.05  # of the box, beyond which nobody asks
_FURTHEST_PX = 2.0


def projection_of_text(
    text: bytes, frame: DetectorFrame, *, bbox: Box, source: str
) -> SkyProjection[Any]:
    """Return the sky projection that a SkyWcs says.

    Parameters
    ----------
    text
        As it lies in the archive: ``1 SkyWcs 0``, then an AST FrameSet.
    frame
        The pixel frame.
    bbox
        The pixels of the detector, on which the way back is to be exact.
    source
        The file, for messages.

    Raises
    ------
    UnusableInputError
        If the text is none of a SkyWcs, AST cannot read it, or there is no way back.
    """
    try:
        dump = checked_frame_set(text, prefix=_PREFIX)
    except BadTextError as error:
        raise UnusableInputError(
            source, f"its SkyWcs is no text of AST that can be used: {error}."
        ) from error
    try:
        frame_set = _ast.FrameSet.fromString(dump)
        projection = SkyProjection.from_ast_frame_set(frame_set, frame)
        return exact_inverse(projection, frame_set, frame, bbox=bbox, source=source)
    except UnusableInputError:
        raise
    except Exception as error:  # AST has a tree of errors of its own; any of them means the same
        raise UnusableInputError(source, f"its SkyWcs cannot be evaluated ({error}).") from error


def projection_of_header(
    header: fits.Header, frame: DetectorFrame, *, bbox: Box, source: str
) -> SkyProjection[Any]:
    """Return the sky projection of the header of the image, which counts from its first pixel.

    Raises
    ------
    UnusableInputError
        If there is none, or it is not one that is understood.
    """
    wcs = icrs_wcs(_without_parent(header), bbox=bbox, source=source)
    return projection_of_wcs(wcs, frame, bbox=bbox, source=source)


def _without_parent(header: fits.Header) -> fits.Header:
    """Leave out the second WCS, of the parent's pixels, and what is said for displays."""
    result = fits.Header()
    for card in header.cards:
        if card.keyword not in ("COMMENT", "HISTORY", "LTV1", "LTV2") and not re.match(
            r"^(?:CTYPE|CRPIX|CRVAL|CUNIT|CD|PC|CDELT)[12](?:_[12])?A$", card.keyword
        ):
            result.append(card)
    return result


def exact_inverse(
    projection: SkyProjection[Any],
    frame_set: Any,
    frame: DetectorFrame,
    *,
    bbox: Box,
    source: str,
) -> SkyProjection[Any]:
    """Return a projection whose way from the sky leads back to the pixel that the way there began.

    Parameters
    ----------
    projection, frame_set
        The projection and its AST FrameSet.
    frame
        The pixel frame.
    bbox
        The pixels on which it is to be exact.
    source
        The file, for messages.

    Returns
    -------
    projection
        The same one if it is exact to 1e-6 pixel already. Otherwise one to which a mapping of
        pixels is added that changes nothing on the way there, and on the way back takes off by how
        much the stored inverse, itself a fit, misses: a polynomial of the position, of the lowest
        degree that leaves 1e-6 pixel, or else the best one.

    Raises
    ------
    UnusableInputError
        If the way back misses by more than 2 pixels before, or 1e-4 pixel after.
    """
    x, y = _grid(bbox, _GRID, _MARGIN)
    there = _round_trip(projection, x, y)
    miss = _miss(there, (x, y))
    if miss <= _EXACT_PX:
        return projection
    if not miss <= _FURTHEST_PX:
        raise UnusableInputError(
            source,
            f"the inverse of its SkyWcs misses by {miss:.3g} pixels, {_FURTHEST_PX} can be put "
            "right.",
        )
    between = _grid(bbox, _GRID - 7, _MARGIN)
    best, least = projection, math.inf
    for degree in _DEGREES:
        candidate = _corrected(frame_set, frame, bbox, there, (x, y), degree)
        left = _miss(_round_trip(candidate, *between), between)
        if left < least:
            best, least = candidate, left
        if left <= _EXACT_PX:
            break
    if not least <= _ALLOWED_PX:
        raise UnusableInputError(
            source,
            f"the inverse of its SkyWcs misses by {miss:.3g} pixels, and by {least:.3g} when a "
            f"polynomial puts it right; {_ALLOWED_PX} is allowed.",
        )
    return best


def _grid(bbox: Box, count: int, margin: float) -> tuple[_Floats, _Floats]:
    def along(low: float, high: float) -> _Floats:
        more = margin * (high - low) + 1.0
        nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)  # of Chebyshev: good to fit at
        return 0.5 * (low + high) + (0.5 * (high - low) + more) * nodes

    x, y = np.meshgrid(along(bbox.x.min, bbox.x.max), along(bbox.y.min, bbox.y.max))
    return x.ravel(), y.ravel()


def _round_trip(projection: SkyProjection[Any], x: _Floats, y: _Floats) -> tuple[_Floats, _Floats]:
    sky = projection.pixel_to_sky_transform.apply_forward(x=x, y=y)
    back = projection.pixel_to_sky_transform.apply_inverse(x=sky.x, y=sky.y)
    return np.asarray(back.x), np.asarray(back.y)


def _miss(found: tuple[_Floats, _Floats], wanted: tuple[_Floats, _Floats]) -> float:
    largest = np.max(np.hypot(found[0] - wanted[0], found[1] - wanted[1]))
    return float(largest) if np.isfinite(largest) else math.inf


def _corrected(
    frame_set: Any,
    frame: DetectorFrame,
    bbox: Box,
    found: tuple[_Floats, _Floats],
    wanted: tuple[_Floats, _Floats],
    degree: int,
) -> SkyProjection[Any]:
    """Put in front of the mapping one that is the identity, and whose inverse is a polynomial."""
    x0, y0 = 0.5 * (bbox.x.min + bbox.x.max), 0.5 * (bbox.y.min + bbox.y.max)
    half = 0.5 * max(bbox.x.size, bbox.y.size)
    u, v = (found[0] - x0) / half, (found[1] - y0) / half
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    design = np.stack([u**i * v**j for i, j in powers], axis=1)
    off = np.stack([(w - f) / half for w, f in zip(wanted, found, strict=True)], axis=1)
    terms = np.linalg.lstsq(design, off, rcond=None)[0]
    inverse = [
        [float(terms[n, axis]) + float(power == (1 - axis, axis)), axis + 1, *power]
        for axis in (0, 1)
        for n, power in enumerate(powers)
    ]
    same = [[1.0, 1, 1, 0], [1.0, 2, 0, 1]]
    to_unit = _ast.ShiftMap([-x0, -y0]).then(_ast.ZoomMap(2, 1.0 / half))
    polynomial = _ast.PolyMap(np.array(same), np.array(inverse))
    mapping = to_unit.then(polynomial).then(to_unit.inverted()).then(frame_set.getMapping())
    result = _ast.FrameSet(_ast.Frame(2, "Domain=PIXELS"))
    result.addFrame(1, mapping, _ast.SkyFrame("System=ICRS"))
    return SkyProjection.from_ast_frame_set(result, frame)
