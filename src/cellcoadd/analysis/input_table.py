"""The table of a coadd's inputs: one row for each detector and cell that touch, refused ones too.

A coadd comes in, an `astropy.table.Table` goes out, with units and meanings. What is asked of
inputs cell by cell, over tracts and for many thresholds, is answered from such tables
(`input_thresholds`) without opening a coadd again.
"""

from __future__ import annotations

__all__ = ["INPUT_COLUMNS", "tabulate_inputs"]

import operator
from collections.abc import Callable

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.table import Table

from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.inputs import RefusalReason
from .cell_measurements import CellMeasurements
from .columns import PLANE, PlaneColumn, TableColumn, make_table
from .mask_fractions import fraction_column
from .place_columns import place_columns
from .psf_shapes import PsfShapes

type _Measure = Callable[[CellMeasurements], npt.NDArray[np.generic]]


def tabulate_inputs(coadd: MultipleCellCoadd) -> Table:
    """Return one row for each detector of a visit and each cell that it touches.

    Returns
    -------
    table
        The columns of `INPUT_COLUMNS`, cells row by row, then inputs in their order. Cells that
        stayed empty are in it as well. Coadds that were read from files of other programs list
        accepted inputs only.
    """
    return make_table(INPUT_COLUMNS, CellMeasurements(coadd))


def _recorded(name: str) -> _Measure:
    """Make a column of one of the contributions'."""
    return lambda cells: cells.coadd.contributions[name]


def _observed(name: str, dtype: type[np.generic]) -> _Measure:
    """Make a column of what is known of the observation."""
    get = operator.attrgetter(name)

    def column(cells: CellMeasurements) -> npt.NDArray[np.generic]:
        values = np.array([get(entry.observation) for entry in cells.coadd.inputs], dtype)
        observed: npt.NDArray[np.generic] = values[cells.coadd.contributions["input"]]
        return observed

    return column


def _of_exposure(name: str) -> _Measure:
    """Make a column of the conditions of the exposures; NaN where they are not known."""

    def column(cells: CellMeasurements) -> npt.NDArray[np.generic]:
        values = [getattr(entry.conditions, name) for entry in cells.coadd.inputs]
        known = np.array(values, np.float64)  # None becomes NaN
        found: npt.NDArray[np.float64] = known[cells.coadd.contributions["input"]]
        return found

    return column


def _reason(cells: CellMeasurements) -> npt.NDArray[np.generic]:
    names = np.array([reason.name.lower() for reason in sorted(RefusalReason)])
    reasons: npt.NDArray[np.str_] = names[cells.coadd.contributions["reason"]]
    return reasons


def _psf_fwhm(cells: CellMeasurements) -> npt.NDArray[np.generic]:
    rows = cells.coadd.contributions
    xx, yy, xy = (rows[f"psf_shape_{name}"] for name in ("xx", "yy", "xy"))
    shapes = PsfShapes(xx=np.where(rows["psf_shape_flag"], np.nan, xx), yy=yy, xy=xy)
    fwhm: npt.NDArray[np.float64] = shapes.fwhm * cells.input_positions.pixel_scale
    return fwhm


def _is_accepted(cells: CellMeasurements) -> npt.NDArray[np.generic]:
    accepted: npt.NDArray[np.bool_] = cells.coadd.contributions["reason"] == RefusalReason.ACCEPTED
    return accepted


INPUT_COLUMNS: tuple[TableColumn | PlaneColumn, ...] = (
    *place_columns(lambda cells: cells.input_positions),
    TableColumn(
        name="instrument",
        meaning="Name of the camera.",
        measure=_observed("instrument", np.str_),
    ),
    TableColumn(
        name="visit",
        meaning="Number of the visit.",
        measure=_observed("visit", np.int64),
    ),
    TableColumn(
        name="detector",
        meaning="Number of the detector.",
        measure=_observed("detector", np.int32),
    ),
    TableColumn(
        name="physical_filter",
        meaning="Name of the filter.",
        measure=_observed("physical_filter", np.str_),
    ),
    TableColumn(
        name="day_obs",
        meaning="The night as a number YYYYMMDD.",
        measure=_observed("day_obs", np.int64),
    ),
    TableColumn(
        name="exposure_time",
        unit=u.s,
        meaning="Exposure time; as all numbers of the exposure, NaN where its files do not say.",
        measure=_of_exposure("exposure_time_s"),
    ),
    TableColumn(
        name="epoch",
        unit=u.day,
        meaning="Middle of the exposure, a modified Julian date (TAI).",
        measure=_of_exposure("epoch_mjd"),
    ),
    TableColumn(
        name="airmass",
        meaning="Airmass.",
        measure=_of_exposure("airmass"),
    ),
    TableColumn(
        name="zenith_angle",
        unit=u.deg,
        meaning="Distance from the zenith; by the airmass where nothing else tells it.",
        measure=_of_exposure("zenith_angle_deg"),
    ),
    TableColumn(
        name="parallactic_angle",
        unit=u.deg,
        meaning="Angle from north to the zenith, positive west of the meridian.",
        measure=_of_exposure("parallactic_angle_deg"),
    ),
    TableColumn(
        name="sky_background",
        unit=u.nJy,
        meaning="Level of the sky in a pixel of the detector, before it was subtracted.",
        measure=_of_exposure("sky_background_njy"),
    ),
    TableColumn(
        name="sky_noise",
        unit=u.nJy,
        meaning="Standard deviation of the sky's pixels in the detector.",
        measure=_of_exposure("sky_noise_njy"),
    ),
    TableColumn(
        name="accepted",
        meaning="Whether the cell adds it up.",
        measure=_is_accepted,
    ),
    TableColumn(
        name="reason",
        meaning="`accepted`, or why not: `overlap` covers too little of the cell, `center` not its "
        "middle, `weight` none that is finite and positive, `masked` too much, `psf` cannot be "
        "drawn.",
        measure=_reason,
    ),
    TableColumn(
        name="overlaps_center",
        meaning="Whether it covers the middle of the cell.",
        measure=_recorded("overlaps_center"),
    ),
    TableColumn(
        name="overlap_fraction",
        meaning="Part of the cell that it covers, of the region that the selection looks at.",
        measure=_recorded("overlap_fraction"),
    ),
    TableColumn(
        name="unmasked_fraction",
        meaning="Part of its pixels in the inner region that no mask plane keeps out of the sums.",
        measure=_recorded("unmasked_fraction"),
    ),
    TableColumn(
        name="weight",
        unit=u.nJy**-2,
        meaning="Its weight in the sums, one over its mean variance.",
        measure=_recorded("weight"),
    ),
    TableColumn(
        name="psf_shape_xx",
        unit=u.pix**2,
        meaning="Adaptive second moment of its point-spread function at the cell's middle, in x.",
        measure=_recorded("psf_shape_xx"),
    ),
    TableColumn(
        name="psf_shape_yy",
        unit=u.pix**2,
        meaning="The same in y.",
        measure=_recorded("psf_shape_yy"),
    ),
    TableColumn(
        name="psf_shape_xy",
        unit=u.pix**2,
        meaning="The mixed one.",
        measure=_recorded("psf_shape_xy"),
    ),
    TableColumn(
        name="psf_shape_flag",
        meaning="Whether the moments did not converge.",
        measure=_recorded("psf_shape_flag"),
    ),
    TableColumn(
        name="psf_fwhm",
        unit=u.arcsec,
        meaning="2.3548 sigma of the function, sigma^4 the determinant of these moments.",
        measure=_psf_fwhm,
    ),
    TableColumn(
        name=fraction_column(),
        meaning="Mean over its pixels in the outer region of the warped fraction of bad pixels, "
        "all bad planes together; NaN if it was not warped.",
        measure=_recorded(fraction_column()),
    ),
    TableColumn(
        name=fraction_column(region="inner"),
        meaning="The same over the inner region.",
        measure=_recorded(fraction_column(region="inner")),
    ),
    PlaneColumn(
        name=fraction_column(PLANE),
        meaning="Mean over its pixels in the outer region of the warped fraction of {plane}.",
        measure=lambda cells, plane: cells.coadd.contributions[fraction_column(plane)],
    ),
    PlaneColumn(
        name=fraction_column(PLANE, "inner"),
        meaning="The same of {plane} over the inner region.",
        measure=lambda cells, plane: cells.coadd.contributions[fraction_column(plane, "inner")],
    ),
)
"""All columns, in their order."""
