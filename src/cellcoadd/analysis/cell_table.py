"""The table of a coadd's cells: one row a filled cell, every column stated once.

A coadd comes in, an `astropy.table.Table` goes out, with units and meanings; the task that stores
it and the documentation read the same list of columns.
"""

from __future__ import annotations

__all__ = ["CELL_COLUMNS", "CellColumn", "tabulate_cells"]

import dataclasses
from collections.abc import Callable

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from ..conventions import FWHM_PER_SIGMA
from ..kernels.moments import adaptive_moments, effective_area
from ..products.cell_coadd import MultipleCellCoadd
from ..products.single_cell import SingleCellCoadd
from .noise_factor import measured_noise_factor, noise_factor


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellColumn:
    """A column of the table of cells.

    Parameters
    ----------
    name, unit
        As in the table; the unit is None for a pure number.
    meaning
        What a reader needs to know, in a sentence.
    measure
        Its values for the filled cells of a coadd, in their order.
    """

    name: str
    meaning: str
    measure: Callable[[MultipleCellCoadd], npt.NDArray[np.generic]]
    unit: u.UnitBase | None = None


def tabulate_cells(coadd: MultipleCellCoadd) -> Table:
    """Return one row a filled cell, in the order of the cells.

    Returns
    -------
    table
        The columns of `CELL_COLUMNS`. A row says all about itself, so that tables can be joined.
    """
    return Table(
        [
            Column(
                column.measure(coadd),
                name=column.name,
                unit=column.unit,
                description=column.meaning,
            )
            for column in CELL_COLUMNS
        ]
    )


def _each_cell(
    measure: Callable[[SingleCellCoadd], float], dtype: type[np.generic] = np.float64
) -> Callable[[MultipleCellCoadd], npt.NDArray[np.generic]]:
    """Make a column of what is measured of one cell."""

    def column(coadd: MultipleCellCoadd) -> npt.NDArray[np.generic]:
        return np.array([measure(cell) for cell in coadd.cells.values()], dtype)

    return column


def _every_cell(
    value: Callable[[MultipleCellCoadd], int | str],
) -> Callable[[MultipleCellCoadd], npt.NDArray[np.generic]]:
    """Make a column of what all cells of a coadd have in common."""

    def column(coadd: MultipleCellCoadd) -> npt.NDArray[np.generic]:
        return np.array([value(coadd)] * len(coadd.cells))

    return column


def _ra(coadd: MultipleCellCoadd) -> npt.NDArray[np.generic]:
    return np.asarray(_centres(coadd).ra.deg)


def _dec(coadd: MultipleCellCoadd) -> npt.NDArray[np.generic]:
    return np.asarray(_centres(coadd).dec.deg)


def _centres(coadd: MultipleCellCoadd, *, right: float = 0.0) -> SkyCoord:
    """Where the middles of the inner regions are on the sky, or some pixels to their right."""
    indices = coadd.stack.indices
    middle = coadd.grid.middles_of(
        x=np.array([index.x for index in indices]), y=np.array([index.y for index in indices])
    )
    return coadd.wcs.pixel_to_sky(x=middle.x + right, y=middle.y)


def _fwhm(coadd: MultipleCellCoadd) -> npt.NDArray[np.generic]:
    scale = _centres(coadd).separation(_centres(coadd, right=1.0)).to_value(u.arcsec)
    sigma = [
        (xx * yy - xy * xy) ** 0.25 for xx, yy, xy, _ in map(adaptive_moments, coadd.stack.psf)
    ]
    return np.asarray(FWHM_PER_SIGMA * np.array(sigma) * scale)


def _inner_variance(cell: SingleCellCoadd) -> npt.NDArray[np.float64]:
    """The finite variances of the inner region, NaN if there are none."""
    plane = cell.inner.variance.array
    values = plane[np.isfinite(plane)].astype(np.float64)
    return values if values.size else np.array([np.nan])


CELL_COLUMNS: tuple[CellColumn, ...] = (
    CellColumn(
        name="skymap",
        meaning="Name of the sky map.",
        measure=_every_cell(lambda coadd: coadd.identifiers.skymap),
    ),
    CellColumn(
        name="tract",
        meaning="Number of the tract.",
        measure=_every_cell(lambda coadd: coadd.identifiers.tract),
    ),
    CellColumn(
        name="patch",
        meaning="Number of the patch in its tract.",
        measure=_every_cell(lambda coadd: coadd.identifiers.patch),
    ),
    CellColumn(
        name="band",
        meaning="Name of the band.",
        measure=_every_cell(lambda coadd: coadd.band),
    ),
    CellColumn(
        name="cell_x",
        meaning="Column of the cell in its patch.",
        measure=_each_cell(lambda cell: cell.index.x, np.int16),
    ),
    CellColumn(
        name="cell_y",
        meaning="Row of the cell in its patch.",
        measure=_each_cell(lambda cell: cell.index.y, np.int16),
    ),
    CellColumn(
        name="ra",
        unit=u.deg,
        meaning="Right ascension (ICRS) of the middle of the inner region.",
        measure=_ra,
    ),
    CellColumn(
        name="dec",
        unit=u.deg,
        meaning="Declination (ICRS) of the middle of the inner region.",
        measure=_dec,
    ),
    CellColumn(
        name="visit_count",
        meaning="Number of visits that were added up.",
        measure=_each_cell(lambda cell: cell.visit_count, np.int32),
    ),
    CellColumn(
        name="input_count",
        meaning="Number of detectors that were added up.",
        measure=_each_cell(lambda cell: len(cell.inputs), np.int32),
    ),
    CellColumn(
        name="variance_mean",
        unit=u.nJy**2,
        meaning="Mean of the finite pixels of the variance plane in the inner region.",
        measure=_each_cell(lambda cell: float(_inner_variance(cell).mean())),
    ),
    CellColumn(
        name="variance_median",
        unit=u.nJy**2,
        meaning="Median of the finite pixels of the variance plane in the inner region.",
        measure=_each_cell(lambda cell: float(np.median(_inner_variance(cell)))),
    ),
    CellColumn(
        name="psf_area",
        unit=u.pix**2,
        meaning="Effective area of the point-spread function, (sum P)^2 / sum P^2.",
        measure=_each_cell(lambda cell: effective_area(cell.psf_image.array)),
    ),
    CellColumn(
        name="psf_fwhm",
        unit=u.arcsec,
        meaning="2.3548 sigma of the point-spread function, sigma^4 the determinant of its "
        "adaptive second moments.",
        measure=_fwhm,
    ),
    CellColumn(
        name="noise_factor",
        meaning="Variance of a PSF-weighted flux over that of independent pixels, from the "
        "resampling kernel: multiply catalogue errors by its square root.",
        measure=_each_cell(lambda cell: noise_factor(cell.psf_image, cell.noise_covariance)),
    ),
    CellColumn(
        name="noise_factor_measured",
        meaning="The same from the noise realizations, NaN without any.",
        measure=_each_cell(measured_noise_factor),
    ),
)
"""All columns, in their order."""
