"""Writing a coadd as a file that the Rubin pipelines read with ``lsst.cell_coadds``."""

from __future__ import annotations

__all__ = ["check_lsst_cell_coadds_unit", "write_lsst_cell_coadds"]

from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images import Box
from lsst.resources import ResourcePathExpression

from ...files.writing import whole_file
from ...masks.planes import ALL_PLANES
from ...products.cell_coadd import MultipleCellCoadd
from ...products.cell_coadd.inputs import CoaddInput, RefusalReason, sorted_rows
from ...products.flux_units import unit_label
from .names import (
    APCORR,
    CELL,
    INPUT_COLUMNS,
    MASKDEF,
    UNIT,
    VARIANCE_UNIT,
    VERSION_WRITTEN,
    VISIT,
    VISIT_SUMMARY,
    noise_column,
)

_FEWEST_VERTICES = 8  # that a row has room for
_LARGEST_DETECTOR = 2**15 - 1
_LONGEST_FILTER = 32  # characters
_UNSIGNED_ZERO = 2**31  # FITS has no unsigned integers: they are shifted by this


def write_lsst_cell_coadds(
    coadd: MultipleCellCoadd, path: ResourcePathExpression, *, overwrite: bool = False
) -> None:
    """Write a coadd in version 0.8 of the format of ``lsst.cell_coadds``.

    Parameters
    ----------
    coadd
        The coadd.
    path
        The file; with the suffix ``.gz`` it is compressed.
    overwrite
        Replace a file that is there.

    Raises
    ------
    FileExistsError
        If the file exists and is not to be replaced.
    ValueError
        If the coadd has no inputs or those of several instruments, a detector's number or a
        filter's name is too long, or its WCS is not a tangent plane: the format has no place for
        these, and its readers know nJy as the unit of a coadd's pixels, not counts.

    Notes
    -----
    The file is written under another name beside its own and renamed when it is complete. The
    package's docstring says what the format has no place for.
    """
    check_lsst_cell_coadds_unit(coadd.unit)
    hdus = fits.HDUList(
        [
            fits.PrimaryHDU(header=_wcs_header(coadd)),
            _cells_table(coadd),
            _inputs_table(coadd),
            _visits_table(coadd),
            _planes_table(coadd),
            _summary_table(coadd),
        ]
    )
    if coadd.stack.aperture_corrections:
        hdus.append(_corrections_table(coadd))
    with whole_file(path, overwrite=overwrite) as unfinished:
        hdus.writeto(unfinished, checksum=True)


def check_lsst_cell_coadds_unit(unit: u.UnitBase) -> None:
    """Refuse a unit that the format's readers do not know.

    Raises
    ------
    ValueError
        If it is not nJy.
    """
    if unit != u.nJy:
        raise ValueError(
            f"Files of lsst.cell_coadds are in {UNIT}, not in {unit_label(unit)}: state the zero "
            "point of the images, or write another format."
        )


def _wcs_header(coadd: MultipleCellCoadd) -> fits.Header:
    """The tangent plane, in the pixels of the tract."""
    wcs = coadd.sky_projection.as_fits_wcs(Box.factory[0:1, 0:1])
    if wcs is None or list(wcs.wcs.ctype) != ["RA---TAN", "DEC--TAN"]:
        raise ValueError(f"{coadd.identifiers}: the WCS is not a tangent plane.")
    matrix = wcs.pixel_scale_matrix
    cards: dict[str, Any] = {
        "WCSAXES": 2,
        "CRPIX1": float(wcs.wcs.crpix[0]),
        "CRPIX2": float(wcs.wcs.crpix[1]),
        "CRVAL1": float(wcs.wcs.crval[0]),
        "CRVAL2": float(wcs.wcs.crval[1]),
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CD1_1": float(matrix[0, 0]),
        "CD2_2": float(matrix[1, 1]),
        "RADESYS": "ICRS",
        "CD1_2": float(matrix[0, 1]),
        "CD2_1": float(matrix[1, 0]),
    }
    return fits.Header(cards.items())


def _cells_table(coadd: MultipleCellCoadd) -> fits.BinTableHDU:
    """A row a filled cell, and the cards that say where and what they are."""
    stack = coadd.stack
    planes: dict[str, tuple[str, npt.NDArray[Any]]] = {
        "cell_id": (">i2", np.array([(index.x, index.y) for index in stack.indices])),
        "image": (">f4", stack.image),
        "mask": (">i4", stack.mask),
        "variance": (">f4", stack.variance),
        "psf": (">f8", stack.psf),
    }
    if ALL_PLANES in stack.mask_fractions:
        planes["maskfrac"] = (">f4", stack.mask_fractions[ALL_PLANES])
    planes |= {noise_column(number): (">f4", noise) for number, noise in enumerate(stack.noise)}
    # Columns made one by one would be put in FITS's byte order by astropy as it writes, which takes
    # several times as long as all else.
    dtype = [(name, code, values.shape[1:]) for name, (code, values) in planes.items()]
    table = np.empty(len(stack.indices), dtype)
    for name, (_, values) in planes.items():
        table[name] = values
    rows = table.view(fits.FITS_rec)
    for name, (_, values) in planes.items():
        is_plane = values.ndim == 3
        rows.columns[name].dim = f"({values.shape[2]}, {values.shape[1]})" if is_plane else None
    rows.columns["image"].unit = UNIT
    hdu = fits.BinTableHDU(rows)
    hdu.header.extend(_cells_cards(coadd).items())
    return hdu


def _cells_cards(coadd: MultipleCellCoadd) -> dict[str, Any]:
    grid, size = coadd.grid, coadd.stack.psf.shape[1]
    inner, outer, covered = grid.inner_cell_shape, grid.outer_cell_shape, grid.outer_bbox
    return {
        "GRCELL1": inner.x,
        "GRCELL2": inner.y,
        "GRSHAPE1": grid.shape.x,
        "GRSHAPE2": grid.shape.y,
        "GRMIN1": grid.bbox.x.min,
        "GRMIN2": grid.bbox.y.min,
        "OCELL1": outer.x,
        "OCELL2": outer.y,
        "PSFSIZE1": size,
        "PSFSIZE2": size,
        "INBBOX11": covered.x.min,
        "INBBOX12": covered.y.min,
        "INBBOX21": covered.x.max,
        "INBBOX22": covered.y.max,
        "VERSION": VERSION_WRITTEN,
        "TUNIT4": VARIANCE_UNIT,
        "INSTRUME": _instrument(coadd),
        "FILTER": coadd.band,
        "SKYMAP": coadd.identifiers.skymap,
        "TRACT": coadd.identifiers.tract,
        "PATCH_X": coadd.patch.index.x,
        "PATCH_Y": coadd.patch.index.y,
        "NNOISE": len(coadd.stack.noise),
    }


def _instrument(coadd: MultipleCellCoadd) -> str:
    names = sorted({entry.observation.instrument for entry in coadd.inputs})
    if len(names) != 1:
        raise ValueError(
            f"{coadd.identifiers}: a file is of one instrument, the inputs are of {names}."
        )
    return names[0]


def _accepted(coadd: MultipleCellCoadd) -> npt.NDArray[np.void]:
    rows = coadd.contributions
    return np.compress(rows["reason"] == RefusalReason.ACCEPTED, rows)


def _inputs_table(coadd: MultipleCellCoadd) -> fits.BinTableHDU:
    """A row a cell and detector that it adds up."""
    rows = sorted_rows(_accepted(coadd))
    used = [coadd.inputs[number].observation for number in rows["input"]]
    columns = [
        fits.Column(name="cell_x", format="K", array=rows["cell_x"].astype(np.int64)),
        fits.Column(name="cell_y", format="K", array=rows["cell_y"].astype(np.int64)),
        fits.Column(name="visit", format="K", array=[entry.visit for entry in used]),
        fits.Column(name="detector", format="K", array=[entry.detector for entry in used]),
    ]
    for theirs, ours in INPUT_COLUMNS.items():
        code = "L" if rows.dtype[ours] == np.bool_ else "D"
        columns.append(fits.Column(name=theirs, format=code, array=rows[ours]))
    return fits.BinTableHDU.from_columns(columns, name=CELL)


def _visits_table(coadd: MultipleCellCoadd) -> fits.BinTableHDU:
    """A row a visit that any cell adds up."""
    if not len(_accepted(coadd)):
        raise ValueError(f"{coadd.identifiers}: no cell says what it adds up.")
    used = {coadd.inputs[number].observation for number in np.unique(_accepted(coadd)["input"])}
    visits = sorted({(entry.visit, entry.physical_filter, entry.day_obs) for entry in used})
    numbers, filters, nights = (list(column) for column in zip(*visits, strict=True))
    longest = max(len(name) for name in filters)
    return fits.BinTableHDU.from_columns(
        [
            fits.Column(name="visit", format="K", array=numbers),
            fits.Column(name="physical_filter", format=f"{longest}A", array=filters),
            fits.Column(name="day_obs", format="K", array=nights),
        ],
        name=VISIT,
    )


def _planes_table(coadd: MultipleCellCoadd) -> fits.BinTableHDU:
    """A row a mask plane, by name."""
    bits = {
        plane.name: number for number, plane in enumerate(coadd.stack.schema) if plane is not None
    }
    names = sorted(bits)
    longest = max(len(name) for name in names)
    values = np.array([bits[name] for name in names], np.uint32)
    return fits.BinTableHDU.from_columns(
        [
            fits.Column(name="MASK_NAME", format=f"{longest}A", array=names),
            fits.Column(name="BIT_VALUE", format="J", bzero=_UNSIGNED_ZERO, array=values),
        ],
        name=MASKDEF,
    )


def _summary_table(coadd: MultipleCellCoadd) -> fits.BinTableHDU:
    """A row a detector that reaches the patch, with its outline.

    Outlines end with their first vertex; the rest of a row repeats them from the beginning.
    """
    for entry in coadd.inputs:
        _check_fits_in(entry)
    outlines = [_closed_outline(entry) for entry in coadd.inputs]
    longest = max(_FEWEST_VERTICES, *(len(outline) for outline in outlines))
    padded = [np.resize(outline, (longest, 2)) for outline in outlines]
    observations = [entry.observation for entry in coadd.inputs]
    hdu = fits.BinTableHDU.from_columns(
        [
            fits.Column(name="visit", format="K", array=[entry.visit for entry in observations]),
            fits.Column(
                name="detector", format="I", array=[entry.detector for entry in observations]
            ),
            fits.Column(
                name="physical_filter",
                format=f"{_LONGEST_FILTER}A",
                array=[entry.physical_filter for entry in observations],
            ),
            fits.Column(
                name="day_obs", format="K", array=[entry.day_obs for entry in observations]
            ),
            fits.Column(name="num_vertices", format="I", array=[len(o) for o in outlines]),
            fits.Column(
                name="polygon_vertices",
                format=f"{2 * longest}E",
                dim=f"(2,{longest})",
                array=np.array(padded, np.float32),
            ),
        ],
        name=VISIT_SUMMARY,
    )
    hdu.header["POLYVERT"] = longest
    return hdu


def _check_fits_in(entry: CoaddInput) -> None:
    """Refuse what the columns of VISIT_SUMMARY have no room for."""
    observation = entry.observation
    if observation.detector > _LARGEST_DETECTOR:
        raise ValueError(
            f"{observation}: the format has room for detectors up to {_LARGEST_DETECTOR}."
        )
    if len(observation.physical_filter) > _LONGEST_FILTER:
        raise ValueError(
            f"{observation}: the format has room for names of filters of {_LONGEST_FILTER} "
            f"characters, got {observation.physical_filter!r}."
        )


def _closed_outline(entry: CoaddInput) -> npt.NDArray[np.float64]:
    corners = np.column_stack([entry.footprint.x_vertices, entry.footprint.y_vertices])
    if (corners[0] == corners[-1]).all():
        return corners
    return np.concatenate([corners, corners[:1]])


def _corrections_table(coadd: MultipleCellCoadd) -> fits.BinTableHDU:
    """A row a cell that has any aperture correction; NaN for those that it lacks."""
    corrections = coadd.stack.aperture_corrections
    known = ~np.all([np.isnan(values) for values in corrections.values()], axis=0)
    cells = [index for index, some in zip(coadd.stack.indices, known, strict=True) if some]
    columns = [
        fits.Column(name="x", format="K", array=[index.x for index in cells]),
        fits.Column(name="y", format="K", array=[index.y for index in cells]),
    ]
    columns += [
        fits.Column(name=name, format="D", array=corrections[name][known])
        for name in sorted(corrections)
    ]
    return fits.BinTableHDU.from_columns(columns, name=APCORR)
