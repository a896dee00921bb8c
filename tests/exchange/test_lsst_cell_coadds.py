"""Cell coadds in the FITS format of lsst.cell_coadds: what is written comes back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import astropy.wcs
import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from lsst.images import Box, Polygon, SkyProjection

from cellcoadd.cell_grid import Index2D
from cellcoadd.errors import MissingCellError
from cellcoadd.exchange.lsst_cell_coadds import (
    open_lsst_cell_coadds,
    read_lsst_cell_coadds,
    write_lsst_cell_coadds,
)
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.skymap import named_sky_map
from cellcoadd.testing.images import small_patch, small_tract
from cellcoadd.testing.one_cell import make_one_cell_coadd

CORRECTION = "base_PsfFlux_instFlux"
KEPT = (
    "cell_x", "cell_y", "reason", "overlaps_center", "overlap_fraction", "weight", "psf_shape_xx",
    "psf_shape_yy", "psf_shape_xy", "psf_shape_flag",
)  # fmt: skip
SINGLE = 2.0**-23
"""Relative rounding of single precision, in which outlines are kept."""

TABLES: dict[str, list[tuple[str, str, str | None, str | None]]] = {
    "": [
        ("cell_id", "2I", None, None),
        ("image", "1024E", "nJy", "(32, 32)"),
        ("mask", "1024J", None, "(32, 32)"),
        ("variance", "1024E", "nJy**2", "(32, 32)"),
        ("psf", "441D", None, "(21, 21)"),
        ("maskfrac", "1024E", None, "(32, 32)"),
        ("noise_00", "1024E", None, "(32, 32)"),
        ("noise_01", "1024E", None, "(32, 32)"),
    ],
    "CELL": [
        ("cell_x", "K", None, None),
        ("cell_y", "K", None, None),
        ("visit", "K", None, None),
        ("detector", "K", None, None),
        ("overlaps_center", "L", None, None),
        ("overlap_fraction", "D", None, None),
        ("weight", "D", None, None),
        ("psf_shape_ixx", "D", None, None),
        ("psf_shape_iyy", "D", None, None),
        ("psf_shape_ixy", "D", None, None),
        ("psf_shape_flag", "L", None, None),
    ],
    "VISIT": [
        ("visit", "K", None, None),
        ("physical_filter", "5A", None, None),
        ("day_obs", "K", None, None),
    ],
    "MASKDEF": [("MASK_NAME", "17A", None, None), ("BIT_VALUE", "J", None, None)],
    "VISIT_SUMMARY": [
        ("visit", "K", None, None),
        ("detector", "I", None, None),
        ("physical_filter", "32A", None, None),
        ("day_obs", "K", None, None),
        ("num_vertices", "I", None, None),
        ("polygon_vertices", "66E", None, "(2,33)"),
    ],
    "APCORR": [
        ("x", "K", None, None),
        ("y", "K", None, None),
        (CORRECTION, "D", None, None),
        (f"{CORRECTION}Err", "D", None, None),
    ],
}
"""Name, TFORM, TUNIT and TDIM of every column of version 0.8.

For cells of 32 pixels, and outlines of 32 corners that end where they begin.
"""


@pytest.fixture(scope="module")
def coadd(cell_coadd: MultipleCellCoadd) -> MultipleCellCoadd:
    """With everything that the format can hold; the first cell lacks one aperture correction."""
    values = np.linspace(0.9, 1.1, len(cell_coadd.cells))
    errors = values / 100
    errors[0] = np.nan
    stack = dataclasses.replace(
        cell_coadd.stack, aperture_corrections={CORRECTION: values, f"{CORRECTION}Err": errors}
    )
    return cell_coadd.replaced(stack=stack)


@pytest.fixture(scope="module")
def written(coadd: MultipleCellCoadd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of it. Do not change it."""
    path: Path = tmp_path_factory.mktemp("written") / "coadd.fits"
    write_lsst_cell_coadds(coadd, path)
    return path


def accepted(coadd: MultipleCellCoadd) -> npt.NDArray[np.void]:
    rows = coadd.contributions
    return np.compress(rows["reason"] == RefusalReason.ACCEPTED, rows)


def assert_same_in_all_that_is_kept(got: MultipleCellCoadd, put: MultipleCellCoadd) -> None:
    ours, theirs = put.stack, got.stack
    assert theirs.indices == ours.indices
    assert [plane.name for plane in theirs.schema if plane] == [
        plane.name for plane in ours.schema if plane
    ]
    for name in ("image", "variance", "mask", "noise", "psf"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert (name, other.dtype, other.shape) == (name, mine.dtype, mine.shape)
        assert other.tobytes() == mine.tobytes(), name
    assert list(theirs.mask_fractions) == [ALL_PLANES]
    fractions = ours.mask_fractions[ALL_PLANES]
    assert theirs.mask_fractions[ALL_PLANES].tobytes() == fractions.tobytes()
    assert dict(theirs.aperture_corrections).keys() == dict(ours.aperture_corrections).keys()
    for name, values in ours.aperture_corrections.items():
        np.testing.assert_array_equal(theirs.aperture_corrections[name], values)
    for name in ("identifiers", "band", "patch", "grid", "bbox"):
        assert getattr(got, name) == getattr(put, name), name
    assert [entry.observation for entry in got.inputs] == [e.observation for e in put.inputs]
    for mine, other in zip(put.inputs, got.inputs, strict=True):
        same_place = mine.footprint.to_shapely().buffer(1e-9)
        grown = same_place.buffer(put.grid.bbox.x.stop * SINGLE)
        assert grown.contains(other.footprint.to_shapely())
        assert other.footprint.area == pytest.approx(mine.footprint.area, rel=1e-5)
    for name in KEPT:
        np.testing.assert_array_equal(accepted(got)[name], accepted(put)[name])
    numbers = [[c["input"] for c in accepted(coadd)] for coadd in (got, put)]
    assert numbers[0] == numbers[1]


def test_a_written_coadd_is_read_as_it_was(coadd: MultipleCellCoadd, written: Path) -> None:
    """Exchange must not change a bit of what both sides know."""
    assert_same_in_all_that_is_kept(read_lsst_cell_coadds(written), coadd)


def test_what_a_file_does_not_say_is_not_a_number(written: Path) -> None:
    """A number that nobody knows must not look like one."""
    got = read_lsst_cell_coadds(written)
    assert (got.contributions["reason"] == RefusalReason.ACCEPTED).all()
    for name in ("unmasked_fraction", "masked_fraction", "masked_fraction_inner"):
        assert np.isnan(got.contributions[name]).all()
    assert {entry.mean_variance_njy2 for entry in got.inputs} == {None}
    assert got.stack.noise_covariance.shape == (len(got.cells), 1, 1)
    assert np.isnan(got.stack.noise_covariance).all()


def test_positions_come_back(coadd: MultipleCellCoadd, written: Path) -> None:
    """AST writes coordinates with 14 digits: 1e-14 of 150 deg is 3e-8 pixels of 0.2 arcsec."""
    got = read_lsst_cell_coadds(written)
    box = coadd.grid.outer_bbox
    x, y = np.array([box.x.min, box.x.max]), np.array([box.y.min, box.y.max])
    sky = got.wcs.pixel_to_sky(x=x, y=y)
    back = coadd.wcs.sky_to_pixel(sky)
    np.testing.assert_allclose([back.x, back.y], [x, y], atol=1e-6, rtol=0)
    assert got.wcs.pixel_frame.bbox == small_tract().bbox


def test_empty_cells_stay_empty(coadd: MultipleCellCoadd, written: Path) -> None:
    """A cell without an input has no row; it must not come back as one of zeros."""
    with fits.open(written) as hdus:
        assert len(hdus[1].data) == len(coadd.cells)
    got = read_lsst_cell_coadds(written)
    assert 0 < len(got.cells) < len(got.grid)
    with pytest.raises(MissingCellError, match="has no input"):
        got.cells[Index2D(x=4, y=4)]


def test_a_box_is_the_cells_that_it_touches(coadd: MultipleCellCoadd, written: Path) -> None:
    """The same cells as those of the coadd's own cut-out."""
    first = next(iter(coadd.cells))
    inner = coadd.grid.inner_bbox_of(first)
    # One pixel beyond the cell: its neighbours count too.
    for box in (inner, inner.dilated_by(1)):
        got, expected = read_lsst_cell_coadds(written, bbox=box), coadd[box]
        assert_same_in_all_that_is_kept(got, expected)
    with pytest.raises(MissingCellError, match="No filled cell"):
        read_lsst_cell_coadds(written, bbox=Box.factory[0:1, 0:1])


def test_parts_can_be_read_alone(coadd: MultipleCellCoadd, written: Path) -> None:
    """A look at the provenance needs no pixels."""
    with open_lsst_cell_coadds(written) as file:
        assert file.identifiers == coadd.identifiers
        assert file.band == coadd.band
        assert (file.patch, file.grid, file.bbox) == (coadd.patch, coadd.grid, coadd.bbox)
        first = next(iter(coadd.cells))
        np.testing.assert_array_equal(file.psf[first].array, coadd.psf[first].array)
        assert len(file.provenance.contributions) == len(accepted(coadd))
        assert len(file.inputs) == len(coadd.inputs)


def test_a_compressed_file_is_read(coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """Archives hand them out as .fits.gz."""
    path = tmp_path / "coadd.fits.gz"
    write_lsst_cell_coadds(coadd, path)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert_same_in_all_that_is_kept(read_lsst_cell_coadds(path), coadd)


def test_a_file_has_the_tables_and_columns_of_the_format(written: Path) -> None:
    """The Rubin pipelines look for these names; the types are those of their own files."""
    with fits.open(written, checksum=True) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == list(TABLES)
        for hdu, expected in zip(hdus[1:], TABLES.values(), strict=True):
            header = hdu.header
            columns = [
                tuple(header.get(f"{key}{n}") for key in ("TTYPE", "TFORM", "TUNIT", "TDIM"))
                for n in range(1, header["TFIELDS"] + 1)
            ]
            assert columns == expected
        assert hdus[1].header["VERSION"] == "0.8"
        assert hdus["VISIT_SUMMARY"].header["POLYVERT"] == 33


def test_the_cards_say_where_the_cells_are(coadd: MultipleCellCoadd, written: Path) -> None:
    """GRMIN is the corner of the inner region of cell (0, 0), INBBOX all pixels of the patch."""
    with fits.open(written) as hdus:
        header = hdus[1].header
    patch = small_patch()
    outer = patch.outer_bbox
    assert (header["GRMIN1"], header["GRMIN2"]) == (outer.x.min + 6, outer.y.min + 6)
    assert (header["GRCELL1"], header["GRCELL2"]) == (20, 20)
    assert (header["GRSHAPE1"], header["GRSHAPE2"]) == (5, 5)
    assert (header["OCELL1"], header["OCELL2"]) == (32, 32)
    assert (header["INBBOX11"], header["INBBOX12"]) == (outer.x.min, outer.y.min)
    assert (header["INBBOX21"], header["INBBOX22"]) == (outer.x.max, outer.y.max)
    assert (header["PSFSIZE1"], header["PSFSIZE2"]) == (21, 21)
    assert (header["PATCH_X"], header["PATCH_Y"]) == (patch.index.x, patch.index.y)
    assert (header["SKYMAP"], header["TRACT"]) == ("small", 0)
    assert (header["FILTER"], header["INSTRUME"], header["NNOISE"]) == (coadd.band, "Cam", 2)


@pytest.mark.parametrize("tract", [0, 9813, 18937])
@pytest.mark.parametrize("skymap", ["hsc_rings_cells_v1", "lsst_cells_v1", "lsst_cells_v2"])
def test_patch_and_tract_are_found_without_the_sky_map(
    skymap: str, tract: int, tmp_path: Path
) -> None:
    """A file has the patch's column and row only; its id and box follow, at the poles too."""
    place = named_sky_map(skymap)[tract]
    shape = place.patch_shape
    for number in (0, shape.x - 1, 3 * shape.x + 5, shape.x * shape.y - 1):
        patch = place.patch(number)
        path = tmp_path / f"{number}.fits"
        write_lsst_cell_coadds(make_one_cell_coadd(patch), path)
        with open_lsst_cell_coadds(path) as file:
            assert file.identifiers.patch == number
            assert file.patch == patch.definition
            assert file.grid == patch.grid
            assert file.sky_projection.pixel_frame.bbox == place.bbox
            sky = file.sky_projection.pixel_to_sky(x=10.0, y=20.0)
            assert sky.separation(patch.sky_projection.pixel_to_sky(x=10.0, y=20.0)).arcsec < 1e-6


def test_a_coadd_without_the_extras_is_exchanged(tmp_path: Path) -> None:
    """No masked fractions, noise or corrections: no columns and no table of them."""
    coadd = make_one_cell_coadd(small_patch())
    path = tmp_path / "plain.fits"
    write_lsst_cell_coadds(coadd, path)
    with fits.open(path) as hdus:
        assert hdus[1].columns.names == ["cell_id", "image", "mask", "variance", "psf"]
        assert "APCORR" not in hdus
    got = read_lsst_cell_coadds(path)
    assert got.stack.mask_fractions == {}
    assert got.stack.noise.shape == (0, 1, 32, 32)
    assert got.stack.aperture_corrections == {}


def test_outlines_of_any_number_of_vertices_are_kept(tmp_path: Path) -> None:
    """A detector cut by a box has up to eight corners, and nothing forbids more."""
    angle = np.arange(11) * 2 * np.pi / 11
    middle = Polygon.from_box(small_patch().outer_bbox).centroid
    many = Polygon(
        x_vertices=middle.x + 40 * np.cos(angle), y_vertices=middle.y + 40 * np.sin(angle)
    )
    path = tmp_path / "round.fits"
    write_lsst_cell_coadds(make_one_cell_coadd(small_patch(), footprint=many), path)
    with fits.open(path) as hdus:
        assert hdus["VISIT_SUMMARY"].header["POLYVERT"] == 12
    (entry,) = read_lsst_cell_coadds(path).inputs
    np.testing.assert_array_equal(entry.footprint.x_vertices, np.float32(many.x_vertices))
    np.testing.assert_array_equal(entry.footprint.y_vertices, np.float32(many.y_vertices))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"detector": 40000}, "room for detectors up to 32767"),
        ({"physical_filter": "HSC-" + "I" * 40}, "names of filters of 32 characters"),
    ],
)
def test_what_the_format_has_no_room_for_is_refused(
    coadd: MultipleCellCoadd, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    """Cut off, it would be another detector or another filter."""
    entries = [
        dataclasses.replace(entry, observation=dataclasses.replace(entry.observation, **changes))
        for entry in coadd.inputs[:1]
    ]
    odd = coadd.replaced(inputs=[*entries, *coadd.inputs[1:]])
    with pytest.raises(ValueError, match=reason):
        write_lsst_cell_coadds(odd, tmp_path / "odd.fits")
    assert not list(tmp_path.iterdir())


def test_a_file_is_not_replaced_unasked(coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """And when it is asked for, the new one is there."""
    path = tmp_path / "coadd.fits"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_lsst_cell_coadds(coadd, path)
    assert path.read_bytes() == b"mine"
    write_lsst_cell_coadds(coadd, path, overwrite=True)
    assert len(read_lsst_cell_coadds(path).cells) == len(coadd.cells)


def test_an_interrupted_write_leaves_what_was_there(
    coadd: MultipleCellCoadd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file must not be taken for a coadd."""

    def full_disk(_: fits.HDUList, path: Path, **__: Any) -> None:
        path.write_bytes(b"SIMPLE")
        raise OSError("No space left on device")

    path = tmp_path / "coadd.fits"
    path.write_bytes(b"mine")
    monkeypatch.setattr(fits.HDUList, "writeto", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_lsst_cell_coadds(coadd, path, overwrite=True)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [
        ("coadd.fits", b"mine")
    ]


def test_what_the_format_has_no_place_for_is_refused(
    coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """Better no file than one that says something else."""
    path = tmp_path / "coadd.fits"
    first = coadd.inputs[0]
    other = dataclasses.replace(
        first, observation=dataclasses.replace(first.observation, instrument="Other")
    )
    several = coadd.replaced(inputs=[other, *coadd.inputs[1:]])
    with pytest.raises(ValueError, match=r"one instrument, the inputs are of \['Cam', 'Other'\]"):
        write_lsst_cell_coadds(several, path)
    without = coadd.replaced(contributions=coadd.contributions[:0])
    with pytest.raises(ValueError, match="no cell says what it adds up"):
        write_lsst_cell_coadds(without, path)
    wcs = astropy.wcs.WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---SIN", "DEC--SIN"], [1, 2], [-1e-4, 1e-4]
    sine = SkyProjection.from_fits_wcs(wcs, coadd.sky_projection.pixel_frame)
    projected = MultipleCellCoadd(
        identifiers=coadd.identifiers, band=coadd.band, patch=coadd.patch,
        cell_border=coadd.grid.border, sky_projection=sine, stack=coadd.stack,
        inputs=coadd.inputs, contributions=coadd.contributions,
    )  # fmt: skip
    with pytest.raises(ValueError, match="not a tangent plane"):
        write_lsst_cell_coadds(projected, path)
    assert not path.exists()
