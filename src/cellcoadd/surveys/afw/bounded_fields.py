"""Functions of the position in afw archives: calibrations and aperture corrections.

The number of an object comes in; a field of lsst.images goes out, which can be stored, or, for
calibrations, an image of its values.
"""

from __future__ import annotations

__all__ = ["read_corrections", "read_field", "render_scale"]

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Box, DetectorFrame
from lsst.images.fields import ChebyshevField, Field, ProductField
from scipy.interpolate import RectBivariateSpline

from ...errors import UnusableInputError
from ...skymap.tangent_plane import directions_from_sky
from .archive import Archive, Stored
from .sky_wcs import projection_of_text

_MOST_TERMS = 10_000
_DEEPEST = 4  # products of products
_NODES = 33  # a side, at which areas of pixels are worked out; between them, cubic splines


def read_field(archive: Archive, number: int) -> Field:
    """Read a field: a Chebyshev polynomial, or a product of fields.

    Raises
    ------
    UnusableInputError
        If it is of another kind, or broken.
    """
    return _field(archive, archive.get(number), 0)


def read_corrections(archive: Archive, stored: Stored) -> Mapping[str, Field]:
    """Read a map of aperture corrections, by the names of algorithms.

    Raises
    ------
    UnusableInputError
        If a field of it is of another kind, or broken.
    """
    rows = stored.table()
    return {
        rows.text("name", row): read_field(archive, rows.integer("field", row))
        for row in range(len(rows))
    }


def _field(archive: Archive, stored: Stored, depth: int) -> Field:
    if stored.name == "ChebyshevBoundedField":
        return _chebyshev(stored)
    if stored.name == "ProductBoundedField" and depth < _DEEPEST:
        return ProductField([_field(archive, part, depth + 1) for part in _parts(archive, stored)])
    raise UnusableInputError(
        archive.source,
        f"a field of it is a {stored.name}; Chebyshev polynomials and products of them can be "
        "read.",
    )


def _parts(archive: Archive, stored: Stored) -> list[Stored]:
    rows = stored.table()
    return [archive.get(rows.integer("id", row)) for row in range(len(rows))]


def _chebyshev(stored: Stored) -> ChebyshevField:
    rows = stored.table()
    box, columns = rows.box(), rows.integer("order_x") + 1
    terms = rows.array("coefficients")
    if (
        box is None
        or not 1 <= columns <= terms.size <= _MOST_TERMS
        or terms.size % columns
        or not np.isfinite(terms).all()
    ):
        raise UnusableInputError(
            stored.source,
            f"a Chebyshev polynomial of it is broken: {terms.size} coefficients, {columns} in x, "
            f"on {'no pixels' if box is None else box}.",
        )
    return ChebyshevField(box, terms.reshape(-1, columns).copy())


def render_scale(archive: Archive, number: int, bbox: Box) -> npt.NDArray[np.float64]:
    """Return the values of a field in the pixels of a box, areas of pixels among its factors.

    Parameters
    ----------
    archive
        Where it is.
    number
        Its number there.
    bbox
        The pixels.

    Returns
    -------
    float64 (rows, columns)
        In whatever unit the field is in: nJy a count, of a calibration.

    Raises
    ------
    UnusableInputError
        If it is of a kind that is not known, or broken.
    """
    return _rendered(archive, archive.get(number), bbox, 0)


def _rendered(archive: Archive, stored: Stored, bbox: Box, depth: int) -> npt.NDArray[np.float64]:
    if stored.name == "PixelAreaBoundedField":
        return _pixel_areas(archive, stored, bbox)
    if stored.name == "ProductBoundedField" and depth < _DEEPEST:
        result = np.ones(bbox.shape)
        for part in _parts(archive, stored):
            result *= _rendered(archive, part, bbox, depth + 1)
        return result
    values: npt.NDArray[np.float64] = _field(archive, stored, depth).render(bbox).array
    return values


def _pixel_areas(archive: Archive, stored: Stored, bbox: Box) -> npt.NDArray[np.float64]:
    """Solid angles of pixels in steradians, times a scale.

    A WCS is smooth: the error of the splines is below 1e-9 of the area for those of cameras.
    """
    rows = stored.table()
    frame = DetectorFrame(instrument="", visit=0, detector=0, bbox=bbox)
    text = archive.get(rows.integer("wcs")).table().data("wcs")
    projection = projection_of_text(text, frame, bbox=bbox, source=archive.source)
    y, x = (np.linspace(axis.min, max(axis.max, axis.min + 1), _NODES) for axis in (bbox.y, bbox.x))
    xx, yy = np.meshgrid(x, y)

    def steps(dx: float, dy: float) -> Any:
        sky = projection.pixel_to_sky(x=(xx + dx).ravel(), y=(yy + dy).ravel())
        return directions_from_sky(ra=sky.icrs.ra.deg, dec=sky.icrs.dec.deg)

    right, up = steps(0.5, 0.0) - steps(-0.5, 0.0), steps(0.0, 0.5) - steps(0.0, -0.5)
    areas = np.linalg.norm(np.cross(right, up), axis=-1).reshape(xx.shape)
    spline = RectBivariateSpline(y, x, areas)
    result: npt.NDArray[np.float64] = rows.number("scaling") * spline(bbox.y.arange, bbox.x.arange)
    return result
