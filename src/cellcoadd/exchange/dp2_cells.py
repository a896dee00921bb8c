"""Stitched coadds as cells again: Rubin's DP2 files for whatever needs inner regions only.

In comes a `lsst.images.cells.CellCoadd`, of ours or of Rubin's DP2, or the file that holds one;
out goes a `MultipleCellCoadd` whose cells have no border. The table of cells takes it like a coadd
of our own. What a stitched coadd does not tell is NaN, and refused inputs are not in it.
"""

from __future__ import annotations

__all__ = ["inner_cells", "read_inner_cells"]

import os
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from astropy.table import Table
from lsst.images import Box, Image
from lsst.images.cells import CellCoadd, CellField, CellIJ, CoaddProvenance
from lsst.images.serialization import Reader, open_archive

from ..cell_grid import BorderedCellGrid, Index2D
from ..errors import MissingCellError, UnusableInputError
from ..files.checksums import check_file
from ..files.fits_wcs import check_round_trip
from ..masks.planes import bits_of, plane_array, standard_name, to_standard_planes
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.choice import check_choice, choose_filled, hull_of_cells
from ..products.cell_coadd.inputs import (
    PHASE_POWER,
    PROVENANCE_COLUMNS,
    CoaddInput,
    RefusalReason,
    contribution_dtype,
    sorted_rows,
)
from ..products.cell_coadd.stack import CellStack
from ..products.flux_units import FLUX_UNITS
from ..products.identifiers import ObservationIdentifiers, PatchIdentifiers
from ..products.noise_covariance import unknown_noise_covariance
from ..psfs.cell_psf import CellPsf


def read_inner_cells(
    path: str | os.PathLike[str],
    *,
    bbox: Box | None = None,
    cells: Collection[Index2D | CellIJ] | None = None,
) -> MultipleCellCoadd:
    """Read a file that holds a `lsst.images.cells.CellCoadd` as cells without border.

    Parameters
    ----------
    path
        The file.
    bbox
        Read only the cells whose inner region shares a pixel with this box.
    cells
        Read only these cells.

    Raises
    ------
    MissingCellError
        If no filled cell is in the box, or one that is named is not filled.
    UnusableInputError
        If the file is missing, broken or holds something else, does not agree with its checksums
        when it is read whole, or for the reasons of `inner_cells`.
    """  # noqa: DOC501  (what is raised again is such an error)
    source = os.fspath(path)
    check_choice(bbox=bbox, cells=cells)
    in_part = bbox is not None or cells is not None
    try:
        if not in_part and source.endswith((".fits", ".fits.gz")):
            check_file(source)
        with open_archive(source, CellCoadd, partial=in_part) as reader:
            hull = _hull_of_choice(reader, bbox=bbox, cells=cells) if in_part else None
            # lsst.images cuts the provenance of a part, and fails where nothing of it is left.
            coadd = reader.read(bbox=hull, provenance=False)
            provenance = reader.get_component("provenance")
            check_round_trip(coadd.sky_projection, coadd.bbox)
    except (MissingCellError, UnusableInputError):
        raise
    except Exception as error:  # a broken file raises whatever its first broken part leads to
        raise UnusableInputError(
            source, f"it cannot be read as a CellCoadd of lsst.images ({error})."
        ) from error
    try:
        found = _cells_of(coadd, provenance, source)
    except _NoFilledCellError as error:
        if not in_part:
            raise
        raise MissingCellError(f"{source}: no cell that is asked for has data.") from error
    if not in_part:
        return found
    return found.subset(choose_filled(found.grid, list(found.cells), bbox=bbox, cells=cells))


def _hull_of_choice(
    reader: Reader[CellCoadd],
    *,
    bbox: Box | None,
    cells: Collection[Index2D | CellIJ] | None,
) -> Box:
    """Return the box of the cells that are asked for, so that no more is read."""
    grid = BorderedCellGrid(inner=reader.get_component("patch").cells, border=0)
    box = reader.get_component("bbox")
    whole = [index for index in grid if box.contains(grid.inner_bbox_of(index))]
    return hull_of_cells(grid, choose_filled(grid, whole, bbox=bbox, cells=cells))


def inner_cells(coadd: CellCoadd, *, source: str | None = None) -> MultipleCellCoadd:
    """Return a stitched coadd as cells without border.

    Parameters
    ----------
    coadd
        In nJy, or in counts as `MultipleCellCoadd.stitch` may make one, with its patch, band and
        provenance.
    source
        What the user knows it as; None: sky map, tract and patch.

    Returns
    -------
    MultipleCellCoadd
        ``cell_border`` is 0 and pixels are copies. Cells are empty if the PSF lacks them, if they
        lie only in part in the coadd's box, or if all their pixels are NO_DATA. Mask planes have
        our names. Not known: the covariance of the noise and masked fractions of contributions,
        which are NaN, and mean variances of the inputs, which are None. Contributions are those to
        the filled cells, all of them accepted.

    Raises
    ------
    UnusableInputError
        If the coadd lacks patch, band or provenance, is in none of these units, or has no
        filled cell.
    """
    source = source or f"{coadd.skymap} tract {coadd.tract}"
    try:
        provenance = coadd.provenance
    except AttributeError:
        provenance = None
    return _cells_of(coadd, provenance, source)


def _cells_of(
    coadd: CellCoadd, provenance: CoaddProvenance | None, source: str
) -> MultipleCellCoadd:
    band = _check(coadd, source)
    if provenance is None:
        raise UnusableInputError(
            source, "it has no provenance: it may have been read without, or written so."
        )
    patch = coadd.patch
    grid = BorderedCellGrid(inner=patch.cells, border=0)
    mask = to_standard_planes(coadd.mask)
    bits, no_data = plane_array(mask), bits_of(mask.schema, ["NO_DATA"])
    psf = CellPsf.from_cell_point_spread_function(coadd.psf)
    whole = [index for index in psf.cells if coadd.bbox.contains(grid.inner_bbox_of(index))]
    flagged = _cut(bits, coadd.bbox, grid, whole) & no_data != 0
    filled = [index for index, missing in zip(whole, flagged, strict=True) if not missing.all()]
    if not filled:
        raise _NoFilledCellError(source, "it has no cell that is whole and has data.")

    def cut(image: Image) -> npt.NDArray[np.float32]:
        return _cut(image.array, coadd.bbox, grid, filled).astype(np.float32, copy=False)

    shape = (0, len(filled), grid.inner_cell_shape.y, grid.inner_cell_shape.x)
    noise = [cut(image) for image in coadd.noise_realizations]
    inputs, numbers = _inputs(provenance.inputs, band)
    return MultipleCellCoadd(
        identifiers=PatchIdentifiers(skymap=coadd.skymap, tract=coadd.tract, patch=patch.id),
        band=band,
        patch=patch,
        cell_border=0,
        sky_projection=coadd.sky_projection,
        stack=CellStack(
            indices=tuple(filled),
            image=cut(coadd.image),
            variance=cut(coadd.variance),
            mask=_cut(bits, coadd.bbox, grid, filled),
            schema=mask.schema,
            mask_fractions={
                standard_name(name): cut(image) for name, image in coadd.mask_fractions.items()
            },
            noise=np.stack(noise) if noise else np.empty(shape, np.float32),
            psf=np.array([psf[index].array for index in filled], np.float32),
            noise_covariance=unknown_noise_covariance(len(filled)),
            aperture_corrections=_aperture_corrections(coadd.aperture_corrections, filled),
        ),
        inputs=inputs,
        contributions=_contributions(provenance.contributions, numbers, filled),
        unit=coadd.unit,
    )


class _NoFilledCellError(UnusableInputError):
    """All cells that were read are empty."""


def _check(coadd: CellCoadd, source: str) -> str:
    """Return the band, after seeing to it that all that is needed is there."""
    try:
        coadd.patch  # noqa: B018
    except AttributeError as error:
        raise UnusableInputError(source, "it has no patch.") from error
    if coadd.band is None:
        raise UnusableInputError(source, "it does not say its band.")
    if coadd.unit is None or coadd.unit not in FLUX_UNITS:
        raise UnusableInputError(
            source, f"its pixels must be in nJy, counts or counts/s, not {coadd.unit}."
        )
    return coadd.band


def _cut[T: np.generic](
    plane: npt.NDArray[T], bbox: Box, grid: BorderedCellGrid, indices: Sequence[Index2D]
) -> npt.NDArray[T]:
    """Return copies (cells, height, width) of the inner regions of some cells of a plane."""
    shape = grid.inner_cell_shape
    result = np.empty((len(indices), shape.y, shape.x), plane.dtype)
    for row, index in enumerate(indices):
        place = grid.inner_bbox_of(index).slice_within(bbox)
        result[row] = plane[place.y, place.x]
    return result


def _aperture_corrections(
    fields: Mapping[str, CellField], indices: Sequence[Index2D]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the value in each cell by algorithm, NaN where there is none."""
    cells = [index.to_cell_ij() for index in indices]
    return {
        name: np.array(
            [
                field.value_in_cell(cell) if field.bounds.contains_cell(cell) else np.nan
                for cell in cells
            ],
            np.float64,
        )
        for name, field in fields.items()
    }


def _inputs(table: Table, band: str) -> tuple[list[CoaddInput], dict[tuple[str, int, int], int]]:
    """Return the detectors, sorted, and the place of each by instrument, visit and detector."""
    inputs = [
        CoaddInput(
            observation=ObservationIdentifiers(
                instrument=str(row["instrument"]),
                visit=int(row["visit"]),
                detector=int(row["detector"]),
                physical_filter=str(row["physical_filter"]),
                band=band,
                day_obs=int(row["day_obs"]),
            ),
            footprint=row["polygon"],
            mean_variance_njy2=None,
        )
        for row in table
    ]
    inputs.sort(key=lambda entry: entry.observation)
    keys = [
        (entry.observation.instrument, entry.observation.visit, entry.observation.detector)
        for entry in inputs
    ]
    return inputs, {key: number for number, key in enumerate(keys)}


def _contributions(
    table: Table, numbers: Mapping[tuple[str, int, int], int], indices: Sequence[Index2D]
) -> npt.NDArray[np.void]:
    """Return the contributions to some cells in our columns and our order."""
    filled = {(index.x, index.y) for index in indices}
    cells = zip(table["cell_j"].tolist(), table["cell_i"].tolist(), strict=True)
    chosen = table[np.array([cell in filled for cell in cells], dtype=bool)]
    rows = np.zeros(len(chosen), contribution_dtype())
    rows["cell_x"], rows["cell_y"] = chosen["cell_j"], chosen["cell_i"]
    keys = zip(
        *(chosen[name].tolist() for name in ("instrument", "visit", "detector")), strict=True
    )
    rows["input"] = [numbers[key] for key in keys]
    rows["reason"] = RefusalReason.ACCEPTED
    for name in PROVENANCE_COLUMNS:
        rows[name] = chosen[name]
    rows["masked_fraction"] = rows["masked_fraction_inner"] = rows[PHASE_POWER] = np.nan
    return sorted_rows(rows)
