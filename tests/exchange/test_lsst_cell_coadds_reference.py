"""A cell coadd as the Rubin pipelines wrote it, beside the same values as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import Mask

from cellcoadd.cell_grid import Index2D
from cellcoadd.exchange.lsst_cell_coadds import read_lsst_cell_coadds, write_lsst_cell_coadds
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.validation.agreement.reference_cases import (
    Arrays,
    box_from_corners,
    read_arrays,
    read_json,
)

WCS_CARDS = {"CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CD1_1", "CD1_2", "CD2_1", "CD2_2"}
DIGITS = 1e-11
"""Relative rounding of cards: AST works the matrix out of positions that it computes.

At 20 000 pixels from the tangent point that is 2e-7 pixels.
"""

OURS = {"CROSSTALK", "NOT_DEBLENDED"}
"""Planes that all our masks have and the reference does not."""


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    """Where the coadd is."""
    path: Path = shared / "reference" / "rubin" / "C_assembly"
    if not (path / "C1_coadd.fits.gz").is_file():
        pytest.skip(f"{path} does not hold the reference coadd C1_coadd.fits.gz")
    return path


@pytest.fixture(scope="module")
def coadd(folder: Path) -> MultipleCellCoadd:
    """The coadd, read."""
    return read_lsst_cell_coadds(folder / "C1_coadd.fits.gz")


@pytest.fixture(scope="module")
def arrays(folder: Path) -> Arrays:
    """Its values."""
    return read_arrays(folder / "C1_default.npz")


@pytest.fixture(scope="module")
def rewritten(coadd: MultipleCellCoadd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was read, written."""
    path: Path = tmp_path_factory.mktemp("rewritten") / "coadd.fits"
    write_lsst_cell_coadds(coadd, path)
    return path


def test_the_pixels_are_those_of_the_arrays(
    coadd: MultipleCellCoadd, arrays: Arrays, folder: Path
) -> None:
    """Bit for bit, in all cells and planes; masks by the names of their planes."""
    description = read_json(folder / "C1_default.json")
    filled = {Index2D(x=x, y=y) for x, y in (entry["cell"] for entry in description["cells"])}
    assert set(coadd.cells) == filled
    for index, cell in coadd.cells.items():
        theirs = {
            name: arrays[f"{index.x}_{index.y}_{name}"]
            for name in ("image", "variance", "mask", "mask_fractions", "noise0", "psf")
        }
        outer = cell.outer
        ours = {
            "image": outer.image.array,
            "variance": outer.variance.array,
            "mask_fractions": outer.mask_fractions[ALL_PLANES].array,
            "noise0": outer.noise_realizations[0].array,
            "psf": cell.psf_image.array.astype(np.float32),
        }
        for name, plane in ours.items():
            assert plane.dtype == theirs[name].dtype
            assert plane.tobytes() == theirs[name].tobytes(), (index, name)
        mask: Mask = outer.mask
        known = {plane.name for plane in mask.schema if plane}
        assert known - set(description["mask_planes"]) == OURS
        for plane, bit in description["mask_planes"].items():
            np.testing.assert_array_equal(mask.get(plane), theirs["mask"] >> bit & 1 == 1)


def test_the_cells_lie_where_they_were(coadd: MultipleCellCoadd, folder: Path) -> None:
    """Boxes of the patch and of every cell, and the WCS."""
    description = read_json(folder / "C1_default.json")
    sky = read_json(folder / "inputs.json")["sky"]
    assert coadd.grid.bbox == box_from_corners(description["grid"]["bbox"])
    assert coadd.grid.outer_bbox == box_from_corners(sky["patch_outer_bbox"])
    assert coadd.patch.inner_bbox == box_from_corners(sky["patch_inner_bbox"])
    assert (coadd.patch.index.x, coadd.patch.index.y) == tuple(sky["patch_index"])
    assert coadd.patch.id == coadd.identifiers.patch == sky["patch_sequential_index"]
    for entry in description["cells"]:
        cell = coadd.cells[Index2D(x=entry["cell"][0], y=entry["cell"][1])]
        assert cell.outer.bbox == box_from_corners(entry["outer_bbox"])
        assert cell.inner.bbox == box_from_corners(entry["inner_bbox"])
    tangent = coadd.wcs.pixel_to_sky(
        x=sky["tract_wcs"]["crpix_fits_1based"][0] - 1,
        y=sky["tract_wcs"]["crpix_fits_1based"][1] - 1,
    )
    np.testing.assert_allclose(
        [tangent.ra.deg, tangent.dec.deg], sky["tract_wcs"]["crval_deg"], rtol=DIGITS
    )


def test_the_inputs_are_those_of_the_description(coadd: MultipleCellCoadd, folder: Path) -> None:
    """Which detectors a cell adds up, with what weight, and their outlines."""
    description = read_json(folder / "C1_default.json")
    for entry in description["cells"]:
        cell = coadd.cells[Index2D(x=entry["cell"][0], y=entry["cell"][1])]
        expected = [(row["visit"], row["detector"]) for row in entry["inputs"]]
        assert [(o.visit, o.detector) for o in cell.inputs] == sorted(expected)
        rows = {
            (coadd.inputs[row["input"]].observation.visit,
             coadd.inputs[row["input"]].observation.detector): row
            for row in cell.contributions
        }  # fmt: skip
        for theirs in entry["inputs"]:
            ours = rows[theirs["visit"], theirs["detector"]]
            assert ours["weight"] == theirs["weight"]
            assert ours["overlap_fraction"] == theirs["overlap_fraction"]
            shape = [ours[f"psf_shape_{axes}"] for axes in ("xx", "yy", "xy")]
            assert shape == theirs["psf_shape_ixx_iyy_ixy"]
            assert ours["psf_shape_flag"] == theirs["psf_shape_flag"]
    outlines = {(o["visit"], o["detector"]): o["vertices"] for o in description["visit_polygons"]}
    assert len(coadd.inputs) == len(outlines)
    for entry in coadd.inputs:
        vertices = np.array(outlines[entry.observation.visit, entry.observation.detector][:-1])
        mine = np.column_stack([entry.footprint.x_vertices, entry.footprint.y_vertices])
        np.testing.assert_array_equal(mine, vertices.astype(np.float32))


def test_what_was_read_is_written_with_the_same_tables(folder: Path, rewritten: Path) -> None:
    """HDUs, columns, formats, units, cards and their order, but for what is listed here.

    Dates and checksums; the rounding of the WCS; MASKDEF, in which our masks have two planes more
    and bits of our own.
    """
    with (
        fits.open(folder / "C1_coadd.fits.gz") as theirs,
        fits.open(rewritten, checksum=True) as ours,
    ):
        assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs]
        for mine, other in zip(ours, theirs, strict=True):
            assert list(mine.header) == list(other.header)
            for keyword, value in other.header.items():
                if keyword in {"CHECKSUM", "DATASUM"}:
                    continue
                if (other.name, keyword) == ("MASKDEF", "NAXIS2"):
                    assert mine.header[keyword] == value + len(OURS)
                elif keyword in WCS_CARDS:
                    assert mine.header[keyword] == pytest.approx(value, rel=DIGITS, abs=1e-20)
                else:
                    assert (keyword, mine.header[keyword]) == (keyword, value)


def test_what_was_read_is_written_with_the_same_values(folder: Path, rewritten: Path) -> None:
    """Every column but the mask bit for bit; the mask plane by plane."""
    with fits.open(folder / "C1_coadd.fits.gz") as theirs, fits.open(rewritten) as ours:
        for mine, other in zip(ours[1:], theirs[1:], strict=True):
            if mine.name == "MASKDEF":
                continue
            for name in other.columns.names:
                if name != "mask":
                    np.testing.assert_array_equal(mine.data[name], other.data[name])
        bits = {name: int(bit) for name, bit in ours["MASKDEF"].data}
        for name, bit in theirs["MASKDEF"].data:
            np.testing.assert_array_equal(
                ours[1].data["mask"] >> bits[name] & 1, theirs[1].data["mask"] >> int(bit) & 1
            )
