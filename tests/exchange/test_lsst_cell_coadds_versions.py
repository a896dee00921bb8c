"""Older and broken files of lsst.cell_coadds, made by taking a file of version 0.8 apart."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import YX, Box
from lsst.images.cells import PatchDefinition

from cellcoadd.errors import UnusableInputError
from cellcoadd.exchange.lsst_cell_coadds import read_lsst_cell_coadds, write_lsst_cell_coadds
from cellcoadd.exchange.lsst_cell_coadds.names import INPUT_COLUMNS
from cellcoadd.files.sealing import seal_file
from cellcoadd.masks.planes import bits_of
from cellcoadd.products.cell_coadd import MultipleCellCoadd

VERSIONS = ("0.3", "0.4", "0.5", "0.6", "0.7", "0.8")
OLD_PLANES = {"BAD": 0, "SAT": 1, "INTRP": 2, "CR": 3, "EDGE": 4, "NO_DATA": 8, "ODD": 15}
"""Some of the planes of an old file's masks; the last one is the bit that is a sign elsewhere."""


@pytest.fixture(scope="module")
def written(cell_coadd: MultipleCellCoadd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the newest version. Do not change it."""
    path: Path = tmp_path_factory.mktemp("written") / "coadd.fits"
    write_lsst_cell_coadds(cell_coadd, path)
    return path


def edited(path: Path, target: Path, change: Callable[[fits.HDUList], object]) -> Path:
    """Write a changed copy of a file."""
    with fits.open(path, memmap=False) as hdus:
        change(hdus)
        hdus.writeto(target)
    seal_file(target)  # changed on purpose
    return target


def table(hdu: fits.BinTableHDU, columns: list[fits.Column]) -> fits.BinTableHDU:
    """A table of other columns with the cards of an old one."""
    new = fits.BinTableHDU.from_columns(columns, name=hdu.name)
    for card in hdu.header.cards:
        if card.keyword not in new.header and not card.keyword.startswith(
            ("TTYPE", "TDIM", "TZERO")
        ):
            new.header.append(card)
    return new


def without(hdus: fits.HDUList, name: str | int, *dropped: str) -> None:
    """Replace a table by one that lacks some columns."""
    hdu = hdus[name]
    columns = [
        fits.Column(name=c.name, format=c.format, dim=c.dim, unit=c.unit, bzero=c.bzero,
                    array=hdu.data[c.name])
        for c in hdu.columns
        if c.name not in dropped
    ]  # fmt: skip
    hdus[hdus.index_of(name) if isinstance(name, str) else name] = table(hdu, columns)


def make_older(hdus: fits.HDUList, version: str) -> None:
    """Take away what came after a version, as far as the history of the format is known.

    0.8 told the filters and nights in VISIT_SUMMARY; 0.6 brought MASKDEF, VISIT_SUMMARY and all of
    CELL but the identifiers; before it masks had sixteen bits, and there were no masked fractions
    and noise; 0.4 brought APCORR and the unit in the card of the image.
    """
    if version < "0.8":
        without(hdus, "VISIT_SUMMARY", "physical_filter", "day_obs", "num_vertices")
        del hdus["VISIT_SUMMARY"].header["POLYVERT"]
    if version < "0.7":
        summary = hdus["VISIT_SUMMARY"]
        six = np.array(summary.data["polygon_vertices"][:, :6])
        columns = [
            *(c for c in summary.columns if c.name != "polygon_vertices"),
            fits.Column(name="polygon_vertices", format="12E", dim="(2,6)", array=six),
        ]
        hdus["VISIT_SUMMARY"] = table(summary, columns)
    if version < "0.6":
        del hdus["MASKDEF"], hdus["VISIT_SUMMARY"]
        without(hdus, "CELL", *INPUT_COLUMNS)
        hdu = hdus[1]
        masks = np.zeros(hdu.data["mask"].shape, np.int32)
        for number, bit in enumerate(OLD_PLANES.values()):
            masks[:, number, :] = 1 << bit
        columns = [
            fits.Column(
                name=c.name, format=c.format, dim=c.dim, unit=c.unit, array=hdu.data[c.name]
            )
            for c in hdu.columns
            if c.name in ("cell_id", "image", "variance", "psf")
        ]
        signed = masks.astype(np.uint16).view(np.int16)
        size = masks.shape[1] * masks.shape[2]
        columns.insert(2, fits.Column(name="mask", format=f"{size}I", dim="(32, 32)", array=signed))
        hdus[1] = table(hdu, columns)
        del hdus[1].header["NNOISE"]
    if version < "0.4":
        del hdus[1].header["TUNIT2"], hdus[1].header["TUNIT4"]
        hdus[1].header["TUNIT1"] = "nJy"
    hdus[1].header["VERSION"] = version


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(
    version: str, written: Path, cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """Coadds that were made years ago must not be lost: pixels, PSFs, and what went in."""
    path = edited(written, tmp_path / "old.fits", lambda hdus: make_older(hdus, version))
    got = read_lsst_cell_coadds(path)
    assert (got.identifiers, got.patch, got.grid) == (
        cell_coadd.identifiers, cell_coadd.patch, cell_coadd.grid
    )  # fmt: skip
    for name in ("image", "variance", "psf"):
        assert getattr(got.stack, name).tobytes() == getattr(cell_coadd.stack, name).tobytes()
    assert {e.observation for e in got.inputs} <= {e.observation for e in cell_coadd.inputs}
    for index, cell in cell_coadd.cells.items():
        assert got.cells[index].inputs == cell.inputs
    newer = version >= "0.6"
    assert np.isfinite(got.contributions["weight"]).all() == newer
    assert got.contributions["overlaps_center"].all()
    assert got.contributions["psf_shape_flag"].all() != newer
    assert list(got.stack.mask_fractions) == (["rejected"] if newer else [])
    assert len(got.stack.noise) == (2 if newer else 0)
    if newer:
        assert got.stack.mask.tobytes() == cell_coadd.stack.mask.tobytes()
    got.stitch()


def test_sixteen_bits_have_no_sign(written: Path, tmp_path: Path) -> None:
    """The plane of the uppermost bit would otherwise set all those above, and be lost itself."""
    path = edited(written, tmp_path / "old.fits", lambda hdus: make_older(hdus, "0.5"))
    for planes, name in ((None, "BIT15"), (OLD_PLANES, "ODD")):
        stack = read_lsst_cell_coadds(path, mask_planes=planes).stack
        assert stack.schema.names - {"BIT15", "ODD"} <= {
            plane.name for plane in read_lsst_cell_coadds(written).stack.schema if plane
        }
        for number, plane in enumerate([*list(OLD_PLANES)[:-1], name]):
            expected = np.full((len(stack.indices), 32), bits_of(stack.schema, [plane]), np.int32)
            np.testing.assert_array_equal(stack.mask[:, number, :], expected)
        assert not stack.mask[:, len(OLD_PLANES) :, :].any()


def test_the_cells_of_a_detector_stand_in_for_its_outline(written: Path, tmp_path: Path) -> None:
    """Where a file has no outline, what is known is which cells the detector covers."""
    path = edited(written, tmp_path / "old.fits", lambda hdus: make_older(hdus, "0.5"))
    got = read_lsst_cell_coadds(path)
    for number, entry in enumerate(got.inputs):
        mine = got.contributions[got.contributions["input"] == number]
        x, y = mine["cell_x"], mine["cell_y"]
        start, side = got.grid.bbox.start, 20
        assert (entry.footprint.x_vertices.min(), entry.footprint.x_vertices.max()) == (
            start.x + side * x.min() - 0.5, start.x + side * (x.max() + 1) - 0.5,
        )  # fmt: skip
        assert (entry.footprint.y_vertices.min(), entry.footprint.y_vertices.max()) == (
            start.y + side * y.min() - 0.5, start.y + side * (y.max() + 1) - 0.5,
        )  # fmt: skip


def test_outlines_that_are_repeated_or_cut_off_are_read(written: Path, tmp_path: Path) -> None:
    """Version 0.6 keeps six vertices: a square comes to its beginning again, a heptagon not."""
    square = np.array([[0, 0], [9, 0], [9, 9], [0, 9], [0, 0], [0, 0]])
    cut = np.array([[0, 0], [4, -2], [8, 0], [9, 4], [7, 8], [3, 9]])

    def change(hdus: fits.HDUList) -> None:
        make_older(hdus, "0.6")
        hdus["VISIT_SUMMARY"].data["polygon_vertices"][:2] = square, cut

    got = read_lsst_cell_coadds(edited(written, tmp_path / "old.fits", change))
    outlines = [
        np.column_stack([entry.footprint.x_vertices, entry.footprint.y_vertices])
        for entry in got.inputs[:2]
    ]
    np.testing.assert_array_equal(outlines[0], square[:4])
    np.testing.assert_array_equal(outlines[1], cut)


def test_a_detector_that_went_nowhere_needs_a_night(written: Path, tmp_path: Path) -> None:
    """Of visits that no cell adds up, files before 0.8 tell an outline and nothing else."""

    def change(hdus: fits.HDUList) -> None:
        make_older(hdus, "0.7")
        hdus["VISIT_SUMMARY"].data["visit"][0] = 999

    got = read_lsst_cell_coadds(edited(written, tmp_path / "old.fits", change))
    assert 999 not in {entry.observation.visit for entry in got.inputs}


def test_rows_may_come_in_any_order(
    written: Path, cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """The format does not promise that cells are sorted."""

    def change(hdus: fits.HDUList) -> None:
        hdus[1].data = hdus[1].data[::-1].copy()
        hdus["CELL"].data = hdus["CELL"].data[::-1].copy()

    got = read_lsst_cell_coadds(edited(written, tmp_path / "turned.fits", change))
    assert got.stack.image.tobytes() == cell_coadd.stack.image.tobytes()
    assert got.stack.mask.tobytes() == cell_coadd.stack.mask.tobytes()
    for index, cell in cell_coadd.cells.items():
        assert got.cells[index].inputs == cell.inputs


def test_planes_by_the_names_of_dp2_are_ours(written: Path, tmp_path: Path) -> None:
    """A mask says the same whatever a release calls its planes."""

    def change(hdus: fits.HDUList) -> None:
        names = hdus["MASKDEF"].data["MASK_NAME"]
        names[names == "SAT"] = "SATURATED"
        names[names == "CR"] = "COSMIC_RAY"

    got = read_lsst_cell_coadds(edited(written, tmp_path / "dp2.fits", change)).stack
    expected = read_lsst_cell_coadds(written).stack
    assert got.schema == expected.schema
    assert got.mask.tobytes() == expected.mask.tobytes()


def test_inputs_of_cells_without_pixels_are_left_out(
    written: Path, cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """A file of some cells may have kept the table of inputs of all."""

    def change(hdus: fits.HDUList) -> None:
        hdus[1].data = hdus[1].data[:1].copy()

    got = read_lsst_cell_coadds(edited(written, tmp_path / "one.fits", change))
    (index,) = got.cells
    assert got.cells[index].inputs == cell_coadd.cells[index].inputs
    assert len(got.contributions) == len(got.cells[index].inputs)


def set_card(table: str | int, keyword: str, value: object) -> Callable[[fits.HDUList], None]:
    def change(hdus: fits.HDUList) -> None:
        hdus[table].header[keyword] = value

    return change


def set_value(table: str | int, column: str, value: object) -> Callable[[fits.HDUList], None]:
    def change(hdus: fits.HDUList) -> None:
        hdus[table].data[column][0] = value

    return change


def drop(table: str | int) -> Callable[[fits.HDUList], None]:
    def change(hdus: fits.HDUList) -> None:
        del hdus[table]

    return change


def drop_card(table: str | int, keyword: str) -> Callable[[fits.HDUList], None]:
    def change(hdus: fits.HDUList) -> None:
        del hdus[table].header[keyword]

    return change


def drop_column(table: str | int, column: str) -> Callable[[fits.HDUList], None]:
    return lambda hdus: without(hdus, table, column)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_card(1, "VERSION", "0.9"), r"version 0.9 .* 0.3, 0.4, 0.5, 0.6, 0.7, 0.8 can be read"),
        (drop_card(1, "VERSION"), r"version 0\.1 "),
        (drop_card(1, "GRCELL1"), "not a cell coadd of lsst.cell_coadds"),
        (lambda hdus: hdus[1].columns.change_unit("image", "legacy"), "in nJy, .* 'legacy'"),
        (drop_card(1, "TRACT"), "HDU 1 lacks the header card TRACT"),
        (set_card(1, "TRACT", "nine"), "HDU 1: the card TRACT must be of type int, got 'nine'"),
        (drop_card(0, "CRVAL2"), "HDU 0 lacks the header card CRVAL2"),
        (set_card(0, "CTYPE1", "RA---SIN"), "HDU 0: "),
        (set_card(0, "RADESYS", "FK5"), "a tract is in ICRS, not in FK5"),
        (set_card(1, "OCELL2", 34), "the border must be the same on all sides"),
        (set_card(1, "INBBOX21", 5000), "the box INBBOX .* leaves the cells"),
        (set_card(1, "PATCH_X", 4), "do not fit any patch .* say which patch"),
        (set_card(0, "CRPIX1", 210.5), "do not fit any patch"),
        (set_card(1, "PSFSIZE2", 23), "square with an odd side"),
        (set_card(1, "NNOISE", 3), "HDU 1 lacks the column 'noise_02'"),
        (set_value(1, "cell_id", (0, 9)), "'cell_id' holds .* outside of the grid"),
        (lambda hdus: hdus[1].data["cell_id"].__setitem__(0, hdus[1].data["cell_id"][1]),
         "different cells"),
        (drop_column(1, "variance"), "HDU 1 lacks the column 'variance'"),
        (drop("CELL"), "HDU CELL is missing"),
        (drop_column("CELL", "detector"), "HDU CELL lacks the column 'detector'"),
        (drop_column("CELL", "weight"), "HDU CELL lacks the column 'weight'"),
        (set_value("CELL", "visit", 999), "HDU VISIT lacks visit 999"),
        (drop("VISIT"), "HDU VISIT is missing"),
        (drop_column("MASKDEF", "BIT_VALUE"), "HDU MASKDEF lacks the column 'BIT_VALUE'"),
        (set_value("MASKDEF", "BIT_VALUE", 31), r"HDU MASKDEF: plane \w+ .* in 0..30, got 31"),
        (set_value("VISIT_SUMMARY", "num_vertices", 2), "HDU VISIT_SUMMARY: .* no polygon"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_by_name_and_place(
    change: Callable[[fits.HDUList], None], message: str, written: Path, tmp_path: Path
) -> None:
    """Whoever gets the message must see which file, and where in it."""
    path = edited(written, tmp_path / "broken.fits", change)
    with pytest.raises(UnusableInputError, match=message) as caught:
        read_lsst_cell_coadds(path)
    assert caught.value.source == str(path)


def test_more_planes_than_a_mask_holds_are_refused(written: Path, tmp_path: Path) -> None:
    """Seventeen of ours and fifteen of theirs are more than 31 bits."""

    def change(hdus: fits.HDUList) -> None:
        names = [f"OTHER{n:02}" for n in range(15)]
        columns = [
            fits.Column(name="MASK_NAME", format="9A", array=names),
            fits.Column(name="BIT_VALUE", format="J", array=np.arange(15)),
        ]
        hdus["MASKDEF"] = table(hdus["MASKDEF"], columns)

    path = edited(written, tmp_path / "many.fits", change)
    with pytest.raises(UnusableInputError, match="HDU MASKDEF: A mask holds at most 31 planes"):
        read_lsst_cell_coadds(path)


@pytest.mark.parametrize("part", [0.001, 0.5, 0.95])
@pytest.mark.parametrize("name", ["cut.fits", "cut.fits.gz"])
def test_a_file_that_was_cut_off_is_refused(
    name: str, part: float, written: Path, tmp_path: Path
) -> None:
    """A copy that was interrupted: in the headers, in the cells, in the last table."""
    path = tmp_path / name
    whole = written.read_bytes()
    whole = gzip.compress(whole, 1) if path.suffix == ".gz" else whole
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(UnusableInputError, match=str(path)):
        read_lsst_cell_coadds(path)


def test_what_is_no_fits_file_is_refused(tmp_path: Path) -> None:
    """Nor what is not there."""
    path = tmp_path / "page.fits"
    with pytest.raises(UnusableInputError, match="there is no such file"):
        read_lsst_cell_coadds(path)
    path.write_text("<html>404</html>")
    with pytest.raises(UnusableInputError, match="cannot be read as FITS"):
        read_lsst_cell_coadds(path)
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(path, overwrite=True)
    with pytest.raises(UnusableInputError, match="not a cell coadd"):
        read_lsst_cell_coadds(path)


def test_a_patch_can_be_named_where_the_file_fits_no_sky_map(
    written: Path, cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """The way out that the error names; a patch of other cells is a mistake."""
    path = edited(written, tmp_path / "odd.fits", set_card(1, "PATCH_X", 4))
    true = cell_coadd.patch
    patch = PatchDefinition(
        id=77, index=YX(y=true.index.y, x=4), inner_bbox=true.inner_bbox, cells=true.cells
    )
    got = read_lsst_cell_coadds(path, patch=patch)
    assert (got.patch, got.identifiers.patch) == (patch, 77)
    with pytest.raises(ValueError, match="The file has patch"):
        read_lsst_cell_coadds(path, patch=true)


def test_a_box_reads_the_masks_of_its_cells_alone(
    written: Path, cell_coadd: MultipleCellCoadd
) -> None:
    """Bits are translated for the chosen rows, in their order."""
    index = list(cell_coadd.cells)[-1]
    box: Box = cell_coadd.grid.inner_bbox_of(index)
    got = read_lsst_cell_coadds(written, bbox=box)
    np.testing.assert_array_equal(
        got.cells[index].outer.mask.array, cell_coadd.cells[index].outer.mask.array
    )


def test_named_planes_come_beside_those_that_never_change(written: Path, tmp_path: Path) -> None:
    """No flag may vanish because another one got a name, nor because nobody named it."""
    old = edited(written, tmp_path / "old.fits", lambda hdus: make_older(hdus, "0.5"))
    plain = read_lsst_cell_coadds(old)
    named = read_lsst_cell_coadds(old, mask_planes={"ODD": 14})
    flagged = {
        name: coadd.explode().mask.get(name).sum()
        for coadd in (plain, named)
        for name in ("BAD", "INTRP", "CR", "NO_DATA")
    }
    assert flagged["INTRP"] > 0
    for name in flagged:
        ours, theirs = (coadd.explode().mask.get(name) for coadd in (named, plain))
        np.testing.assert_array_equal(ours, theirs)
    used = {plane.name for plane in plain.stack.schema if plane is not None}
    kept = {plane.name for plane in named.stack.schema if plane is not None}
    assert used - {"BIT14"} <= kept
    with pytest.raises(ValueError, match=r"mask_planes: plane ODD must have a bit of its own"):
        read_lsst_cell_coadds(old, mask_planes={"ODD": 1})
    with pytest.raises(ValueError, match=r"coadd\.fits does"):
        read_lsst_cell_coadds(written, mask_planes={"ODD": 14})


def test_bits_that_a_file_does_not_name_are_kept(written: Path, tmp_path: Path) -> None:
    """As planes that say their number."""

    def forget(hdus: fits.HDUList) -> None:
        rows = hdus["MASKDEF"].data
        hdus["MASKDEF"].data = rows[rows["MASK_NAME"] != "INTRP"]

    whole = read_lsst_cell_coadds(written)
    read = read_lsst_cell_coadds(edited(written, tmp_path / "less.fits", forget))
    np.testing.assert_array_equal(
        read.explode().mask.get("BIT02"), whole.explode().mask.get("INTRP")
    )
