"""The table of a coadd's cells: one row a filled cell, every column stated once.

A coadd comes in, an `astropy.table.Table` goes out, with units and meanings; the task that stores
it and the documentation read the same list of columns.
"""

from __future__ import annotations

__all__ = ["CELL_COLUMNS", "tabulate_cells"]

from collections.abc import Callable

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.table import Table

from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.cell import SingleCellCoadd
from .cell_measurements import CellMeasurements
from .columns import PLANE, PlaneColumn, TableColumn, make_table
from .input_thresholds import remaining_fractions
from .mask_fractions import fraction_column
from .noise_factor import measured_noise_factor, noise_factor
from .place_columns import place_columns
from .psf_quality import (
    edge_changes,
    edge_fractions,
    fidelities,
    size_changes,
    size_spreads,
)

type _Measure = Callable[[CellMeasurements], npt.NDArray[np.generic]]


def tabulate_cells(coadd: MultipleCellCoadd) -> Table:
    """Return one row a filled cell, in the order of the cells.

    Returns
    -------
    table
        The columns of `CELL_COLUMNS`. A row says all about itself, so that tables can be joined.
    """
    return make_table(CELL_COLUMNS, CellMeasurements(coadd))


def _each_cell(measure: Callable[[SingleCellCoadd], float]) -> _Measure:
    """Make a column of what is measured of one cell."""
    return lambda cells: np.array(
        [measure(cell) for cell in cells.coadd.cells.values()], np.float64
    )


def _input_fraction(threshold: float) -> TableColumn:
    """Make the column of the part of the inputs that is masked less than a threshold."""
    return TableColumn(
        name=f"input_fraction_{threshold:g}",
        meaning=f"Part of the detectors whose masked fraction over the outer region is below "
        f"{threshold:g}.",
        measure=lambda cells: remaining_fractions(
            cells.accepted[fraction_column()],
            groups=cells.accepted_cells,
            count=len(cells),
            thresholds=[threshold],
        )[:, 0],
    )


CELL_COLUMNS: tuple[TableColumn | PlaneColumn, ...] = (
    *place_columns(lambda cells: cells.positions),
    TableColumn(
        name="ra_min",
        unit=u.deg,
        meaning="Western side of the box that the corners of the inner region span; larger than "
        "ra_max where a cell lies across 0 h.",
        measure=lambda cells: cells.positions.ra_min,
    ),
    TableColumn(
        name="ra_max",
        unit=u.deg,
        meaning="Its eastern side.",
        measure=lambda cells: cells.positions.ra_max,
    ),
    TableColumn(
        name="dec_min",
        unit=u.deg,
        meaning="Its southern side.",
        measure=lambda cells: cells.positions.dec_min,
    ),
    TableColumn(
        name="dec_max",
        unit=u.deg,
        meaning="Its northern side.",
        measure=lambda cells: cells.positions.dec_max,
    ),
    TableColumn(
        name="pixel_scale",
        unit=u.arcsec,
        meaning="Root of the area of the pixel in the middle.",
        measure=lambda cells: cells.positions.pixel_scale,
    ),
    TableColumn(
        name="visit_count",
        meaning="Number of visits that were added up.",
        measure=lambda cells: cells.visit_counts.astype(np.int32),
    ),
    TableColumn(
        name="input_count",
        meaning="Number of detectors that were added up.",
        measure=lambda cells: cells.input_counts.astype(np.int32),
    ),
    TableColumn(
        name="weight_sum",
        unit=u.nJy**-2,
        meaning="Sum of their weights.",
        measure=lambda cells: cells.weight_sums,
    ),
    TableColumn(
        name="variance_mean",
        unit=u.nJy**2,
        meaning="Mean of the finite pixels of the variance plane in the inner region.",
        measure=lambda cells: np.array([values.mean() for values in cells.inner_variances]),
    ),
    TableColumn(
        name="variance_median",
        unit=u.nJy**2,
        meaning="Median of the finite pixels of the variance plane in the inner region.",
        measure=lambda cells: cells.median_variances,
    ),
    TableColumn(
        name="depth",
        unit=u.mag,
        meaning="AB magnitude of a star whose PSF-weighted flux is five times its error, from "
        "psf_area and variance_median; NaN where no zero point is known.",
        measure=lambda cells: cells.depths,
    ),
    TableColumn(
        name="psf_area",
        unit=u.pix**2,
        meaning="Effective area of the point-spread function, (sum P)^2 / sum P^2.",
        measure=lambda cells: cells.psf_areas,
    ),
    TableColumn(
        name="psf_fwhm",
        unit=u.arcsec,
        meaning="2.3548 sigma of the point-spread function, sigma^4 the determinant of its "
        "adaptive second moments.",
        measure=lambda cells: cells.psf_shapes.fwhm * cells.positions.pixel_scale,
    ),
    TableColumn(
        name="psf_e1",
        meaning="Its ellipticity along the axes, (xx - yy) / (xx + yy) of its adaptive second "
        "moments.",
        measure=lambda cells: cells.psf_shapes.e1,
    ),
    TableColumn(
        name="psf_e2",
        meaning="Its ellipticity along the diagonals, 2 xy / (xx + yy).",
        measure=lambda cells: cells.psf_shapes.e2,
    ),
    TableColumn(
        name="psf_ellipticity",
        meaning="Length of (psf_e1, psf_e2).",
        measure=lambda cells: cells.psf_shapes.ellipticity,
    ),
    TableColumn(
        name="psf_flag",
        meaning="Whether the moments did not converge, so that the shape is NaN.",
        measure=lambda cells: cells.psf_shapes.failed,
    ),
    TableColumn(
        name="psf_fidelity",
        meaning="What a star's place between the pixels changes in its image, mean square over "
        "the square of the point-spread function: fluxes fitted with it are off by an rms of its "
        "square root at most; NaN where it is not known.",
        measure=fidelities,
    ),
    TableColumn(
        name="psf_size_spread",
        meaning="Weighted scatter of the sizes (xx + yy of the adaptive second moments) of the "
        "detectors' functions, over their mean.",
        measure=size_spreads,
    ),
    TableColumn(
        name="psf_size_change",
        meaning="Largest change of the function's sigma from the middle of the cell to a corner, "
        "over sigma, as the detectors' functions change; NaN where that is not known.",
        measure=size_changes,
    ),
    TableColumn(
        name="psf_edge_change",
        meaning="Largest step of the size over the size where a detector ends inside of the cell; "
        "0 where none does.",
        measure=edge_changes,
    ),
    TableColumn(
        name="psf_edge_fraction",
        meaning="Part of the inner region within the FWHM of a pixel flagged INEXACT_PSF.",
        measure=edge_fractions,
    ),
    TableColumn(
        name="noise_factor",
        meaning="Variance of a PSF-weighted flux over that of independent pixels, from the "
        "resampling kernel: multiply catalogue errors by its square root.",
        measure=_each_cell(lambda cell: noise_factor(cell.psf_image, cell.noise_covariance)),
    ),
    TableColumn(
        name="noise_factor_measured",
        meaning="The same from the noise realizations, NaN without any.",
        measure=_each_cell(measured_noise_factor),
    ),
    TableColumn(
        name="no_data_fraction",
        meaning="Part of the pixels of the inner region flagged NO_DATA, filled ones included.",
        measure=lambda cells: cells.flagged_fractions("NO_DATA"),
    ),
    TableColumn(
        name="inexact_psf_fraction",
        meaning="Part of the pixels of the inner region flagged INEXACT_PSF: some input was left "
        "out.",
        measure=lambda cells: cells.flagged_fractions("INEXACT_PSF"),
    ),
    _input_fraction(0.05),
    _input_fraction(0.1),
    TableColumn(
        name=fraction_column(),
        meaning="Weighted mean of the detectors' masked fractions over the outer region, all bad "
        "planes together; NaN if they were not warped.",
        measure=lambda cells: cells.masked_fractions(fraction_column()),
    ),
    TableColumn(
        name=fraction_column(region="inner"),
        meaning="The same over the inner region.",
        measure=lambda cells: cells.masked_fractions(fraction_column(region="inner")),
    ),
    PlaneColumn(
        name=fraction_column(PLANE),
        meaning="Weighted mean of the detectors' masked fractions over the outer region, {plane} "
        "alone.",
        measure=lambda cells, plane: cells.masked_fractions(fraction_column(plane)),
    ),
    PlaneColumn(
        name=fraction_column(PLANE, "inner"),
        meaning="The same of {plane} over the inner region.",
        measure=lambda cells, plane: cells.masked_fractions(fraction_column(plane, "inner")),
    ),
)
"""All columns, in their order."""
