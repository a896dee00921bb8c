"""What went into which cell, what did not, and why: the provenance of a cell-based coadd."""

from __future__ import annotations

__all__ = [
    "CoaddInput",
    "RefusalReason",
    "contribution_dtype",
    "ranges_of_cells",
    "renumbered",
    "rows_of_cells",
    "sorted_rows",
    "to_coadd_provenance",
    "union_of_inputs",
]

import dataclasses
import enum
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import Polygon
from lsst.images.cells import CoaddProvenance

from ...cell_grid import Index2D
from ..identifiers import ObservationIdentifiers
from ..observing_conditions import UNKNOWN_CONDITIONS, ObservingConditions

PROVENANCE_COLUMNS = (
    "overlaps_center",
    "overlap_fraction",
    "unmasked_fraction",
    "weight",
    "psf_shape_xx",
    "psf_shape_yy",
    "psf_shape_xy",
    "psf_shape_flag",
)
"""Columns of a contribution that `lsst.images.cells.CoaddProvenance` has too, by these names."""


PHASE_POWER = "psf_phase_power"
"""Column of contributions that coadds before version 1.3, and those of others, do not have."""


class RefusalReason(enum.IntEnum):
    """Why an input was left out of a cell; ``ACCEPTED`` if it was not."""

    ACCEPTED = 0
    OVERLAP = 1
    """It covers less of the cell than min_overlap_fraction."""
    CENTER = 2
    """It does not cover the cell's centre."""
    WEIGHT = 3
    """Its weight is not finite and positive."""
    MASKED = 4
    """More of the cell's inner region is masked than max_maskfrac, and other inputs are better."""
    PSF = 5
    """Its point-spread function cannot be drawn at the cell's centre."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoaddInput:
    """One detector of one visit that reaches a patch.

    Parameters
    ----------
    observation
        Which detector of which visit.
    footprint
        The part of the tract's pixel plane that it covers near the patch.
    mean_variance_njy2
        Mean variance of the detector in nJy^2, or in the square of the coadd's own unit; None
        where a file does not say.
    conditions
        What is known of its exposure.
    """

    observation: ObservationIdentifiers
    footprint: Polygon
    mean_variance_njy2: float | None
    conditions: ObservingConditions = UNKNOWN_CONDITIONS


def contribution_dtype(planes: Sequence[str] = ()) -> np.dtype[np.void]:
    """Return the columns of the table of contributions: one row a (cell, input) that touch.

    Parameters
    ----------
    planes
        Mask planes whose fractions are kept on their own.

    Notes
    -----
    ``input`` is the row in the list of inputs and ``reason`` a `RefusalReason`.
    ``overlap_fraction`` is the covered part of the cell's region that the selection looked at,
    ``unmasked_fraction`` the part of the inner region's covered pixels without a rejecting mask.
    ``masked_fraction`` is the mean over the outer region of the warped fraction of bad pixels,
    ``masked_fraction_inner`` that over the inner region, NaN if it was not warped; the same for
    each plane on its own. PSF shapes are second moments in pixels^2. ``psf_phase_power`` is the
    mean over sub-pixel positions of the sum of squares of what these change in the PSF's image, NaN
    where it is not known.
    """
    fractions = [
        (f"masked_fraction{suffix}{region}", np.float64)
        for suffix in ("", *(f"_{plane}" for plane in planes))
        for region in ("", "_inner")
    ]
    return np.dtype(
        [
            ("cell_x", np.int16),
            ("cell_y", np.int16),
            ("input", np.int32),
            ("reason", np.uint8),
            ("overlaps_center", np.bool_),
            ("overlap_fraction", np.float64),
            ("unmasked_fraction", np.float64),
            ("weight", np.float64),
            ("psf_shape_xx", np.float64),
            ("psf_shape_yy", np.float64),
            ("psf_shape_xy", np.float64),
            ("psf_shape_flag", np.bool_),
            (PHASE_POWER, np.float64),
            *fractions,
        ]
    )


def rows_of_cells(
    contributions: npt.NDArray[np.void], cells: Iterable[Index2D]
) -> npt.NDArray[np.void]:
    """Return the rows that are about some cells, in their order."""
    return contributions[np.isin(_keys_of(contributions), _keys(cells))]


def ranges_of_cells(
    contributions: npt.NDArray[np.void], cells: Iterable[Index2D]
) -> list[tuple[int, int]] | None:
    """Return the rows (first, one past the last) that are about each of some cells.

    None if the rows are not in the order of the cells, so that they have no ranges.
    """
    keys, wanted = _keys_of(contributions), _keys(cells)
    if np.any(np.diff(keys) < 0):
        return None
    first, last = (np.searchsorted(keys, wanted, side) for side in ("left", "right"))
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _keys(cells: Iterable[Index2D]) -> npt.NDArray[np.int64]:
    return np.array([_key(index.x, index.y) for index in cells], np.int64)


def _keys_of(contributions: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    return _key(*(contributions[name].astype(np.int64) for name in ("cell_x", "cell_y")))


def sorted_rows(rows: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Return rows of cells and inputs in their order: cells row by row, then inputs."""
    return rows[np.lexsort((rows["input"], rows["cell_x"], rows["cell_y"]))]


def union_of_inputs(
    lists: Sequence[Sequence[CoaddInput]],
) -> tuple[list[CoaddInput], list[npt.NDArray[np.int64]]]:
    """Return all detectors of some lists, sorted, and for each list their numbers there.

    The conditions of a detector are those of the first list that knows any.

    Raises
    ------
    ValueError
        If a detector is not the same in two lists.
    """
    known: dict[ObservationIdentifiers, CoaddInput] = {}
    for entries in lists:
        for entry in entries:
            before = known.setdefault(entry.observation, entry)
            if not before.conditions.is_known:
                before = dataclasses.replace(before, conditions=entry.conditions)
                known[entry.observation] = before
            if before != dataclasses.replace(entry, conditions=before.conditions):
                raise ValueError(
                    f"{entry.observation} has another outline or mean variance than in the coadd: "
                    "it was warped anew. Build all cells from the new warps."
                )
    inputs = [known[observation] for observation in sorted(known)]
    place = {entry.observation: number for number, entry in enumerate(inputs)}
    return inputs, [
        np.array([place[entry.observation] for entry in entries], np.int64) for entries in lists
    ]


def renumbered(
    contributions: npt.NDArray[np.void], numbers: npt.NDArray[np.int64]
) -> npt.NDArray[np.void]:
    """Return rows that name their inputs by new numbers: input n becomes ``numbers[n]``."""
    result = contributions.copy()
    result["input"] = numbers[contributions["input"]]
    return result


def _key[T: (int, npt.NDArray[np.int64])](x: T, y: T) -> T:
    """One number for the index of a cell."""
    return (y << 16) + x


def to_coadd_provenance(
    inputs: Sequence[CoaddInput], contributions: npt.NDArray[np.void]
) -> CoaddProvenance:
    """Return what was accepted as the tables of `lsst.images.cells.CoaddProvenance`."""
    accepted = contributions[contributions["reason"] == RefusalReason.ACCEPTED]
    used = np.unique(accepted["input"])
    input_table = CoaddProvenance.make_empty_input_table(len(used))
    for row, number in enumerate(used):
        entry = inputs[number]
        for column in ("instrument", "visit", "detector", "physical_filter", "day_obs"):
            input_table[column][row] = getattr(entry.observation, column)
        input_table["polygon"][row] = entry.footprint
    table = CoaddProvenance.make_empty_contribution_table(len(accepted))
    table["cell_i"] = accepted["cell_y"]
    table["cell_j"] = accepted["cell_x"]
    for column in ("instrument", "visit", "detector"):
        values = [getattr(entry.observation, column) for entry in inputs]
        table[column] = np.array(values, dtype=table[column].dtype)[accepted["input"]]
    for column in PROVENANCE_COLUMNS:
        table[column][:] = accepted[column]
    return CoaddProvenance(inputs=input_table, contributions=table)
