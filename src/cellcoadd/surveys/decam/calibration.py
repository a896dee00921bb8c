"""What the DECam Legacy Survey derived from an image: the sky, the PSF, the zero point.

The files and the row of the table of CCDs come in; a sky to subtract, a PSF and the magnitude of a
count go out. Files of a whole exposure have a row for each CCD, whose arrays are padded to a common
size: what they hold is cut to the size that the row states.
"""

from __future__ import annotations

__all__ = ["evaluate_sky", "number", "read_psf", "zero_point"]

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from scipy.interpolate import RectBivariateSpline, make_interp_spline

from ...errors import UnusableInputError
from ...psfs.models import PsfexPointSpreadFunction
from ..fits_files import open_fits
from ..plausible_values import checked_exposure_time, checked_magnitude
from ..processing import Processing
from ..psf_files import psfex_from_values, table_values, without_padding
from .files import CcdRow, DecamFiles

type _Floats = npt.NDArray[np.float64]


def evaluate_sky(files: DecamFiles, box: Box, processing: Processing, *, ccd_name: str) -> _Floats:
    """Return the spline sky at the pixels of the image.

    Raises
    ------
    UnusableInputError
        If there is no file, no row for the image, or no sky in it.
    """
    path, values = _read_derived(files, files.sky_candidates, processing, ccd_name=ccd_name)
    try:
        order = int(values.get("order", 3))
        grid = np.asarray(values["gridvals"], dtype=np.float64)
        if grid.ndim < 2:  # tables do not tell a single value, or row, from a grid
            grid = grid.reshape(int(values["gridh"]), int(values["gridw"]))
        columns, rows = (
            int(values.get(key, size))
            for key, size in zip(("gridw", "gridh"), reversed(grid.shape), strict=True)
        )
        grid = without_padding(grid, (rows, columns), what="gridvals", source=str(path))
        x_grid, y_grid = (
            without_padding(
                np.atleast_1d(np.asarray(values[key], dtype=np.float64)),
                (size,),
                what=key,
                source=str(path),
            )
            for key, size in (("xgrid", columns), ("ygrid", rows))
        )
        return _spline(
            x_grid,
            y_grid,
            grid,
            x=box.x.arange + float(values["x0"]),
            y=box.y.arange + float(values["y0"]),
            order=order,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableInputError(str(path), f"it holds no spline sky ({error}).") from error


def read_psf(
    files: DecamFiles, box: Box, processing: Processing, *, ccd_name: str
) -> PsfexPointSpreadFunction:
    """Read the PSFEx model of the image.

    Raises
    ------
    UnusableInputError
        If there is no file, no row for the image, or no model in it.
    """
    path, values = _read_derived(files, files.psf_candidates, processing, ccd_name=ccd_name)
    return psfex_from_values(values, bounds=box, source=str(path))


def zero_point(row: CcdRow, source: Path) -> float:
    """Return the AB magnitude of one count of the whole exposure.

    Raises
    ------
    UnusableInputError
        If the table of CCDs has none.
    """
    magnitude, exposure_time = (number(row.values, key) for key in ("ccdzpt", "exptime"))
    if magnitude is None or exposure_time is None or exposure_time <= 0 or magnitude <= 0:
        raise UnusableInputError(
            str(source),
            f"the table of CCDs {row.table} has no zero point for it (ccdzpt {magnitude}, "
            f"exptime {exposure_time}).",
        )
    checked_magnitude(magnitude, str(source), "ccdzpt", f"look at the table of CCDs {row.table}")
    checked_exposure_time(exposure_time, str(source))
    return magnitude + 2.5 * math.log10(exposure_time)


def number(values: Mapping[str, Any], key: str, *, scale: float = 1.0) -> float | None:
    """Return a number of a header or table row; None where there is none."""
    try:
        value = float(values[key]) * scale
    except (KeyError, TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _spline(
    x_grid: _Floats, y_grid: _Floats, grid: _Floats, *, x: _Floats, y: _Floats, order: int
) -> _Floats:
    """Return rows and columns of a spline; along an axis of a single node it is constant."""
    if min(grid.shape) == 0:
        raise ValueError(f"its grid has {grid.shape[0]} rows and {grid.shape[1]} columns")
    if min(grid.shape) > 1:
        spline = RectBivariateSpline(
            x_grid,
            y_grid,
            grid.T,
            kx=min(order, x_grid.size - 1),
            ky=min(order, y_grid.size - 1),
        )
        sky: _Floats = spline(x, y).T
        return sky
    along_x, nodes = grid.shape[0] == 1, x_grid if grid.shape[0] == 1 else y_grid
    at = x if along_x else y
    line = np.full(at.size, grid.ravel()[0])
    if nodes.size > 1:
        degree = min(order, nodes.size - 1)
        degree -= 1 - degree % 2  # an interpolating spline of this kind is of an odd degree
        line = make_interp_spline(nodes, grid.ravel(), k=degree)(at)
    return np.tile(line, (y.size, 1)) if along_x else np.tile(line[:, np.newaxis], (1, x.size))


def _read_derived(
    files: DecamFiles, candidates: Sequence[Path], processing: Processing, *, ccd_name: str
) -> tuple[Path, dict[str, Any]]:
    """Return the first file that exists and the values of the image's row in it."""
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise UnusableInputError(
            str(files.image),
            f"one of these files must exist: {', '.join(map(str, candidates))}.",
        )
    visit = int(processing.values["EXPNUM"])
    with open_fits(path) as hdus:
        processing.check(hdus[0].header, path)
        table = hdus[1]
        for row in range(len(table.data)):
            values = table_values(table, row)
            if (
                int(values.get("expnum", visit)) == visit
                and str(values.get("ccdname", ccd_name)).strip() == ccd_name
            ):
                processing.check(values, path)
                return path, values
    raise UnusableInputError(str(path), f"it has no row for exposure {visit}, CCD {ccd_name}.")
