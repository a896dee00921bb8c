"""Any product out of its file by one call: as its own reader reads it, and refusals in words."""

from __future__ import annotations

import gzip
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import astropy.units as u
import healsparse
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from astropy.io import fits
from astropy.table import Table
from lsst.daf.butler import DatasetType
from lsst.images import Box, Image, Mask, MaskedImage, VisitImage
from lsst.images.serialization import read_archive, write_archive

import cellcoadd
from cellcoadd import (
    CalibratedImage,
    Index2D,
    MissingCellError,
    MultipleCellCoadd,
    UnusableInputError,
    Warp,
    read,
    tabulate_cells,
)
from cellcoadd.butler.repository import make_repository
from cellcoadd.exchange.dp2_cells import read_inner_cells
from cellcoadd.exchange.lsst_cell_coadds import read_lsst_cell_coadds, write_lsst_cell_coadds
from cellcoadd.masks.planes import mask_schema
from cellcoadd.simulate import survey_plan, write_survey
from cellcoadd.skymap.healsparse_maps import empty_map
from cellcoadd.surveys.decam import read_decam_image
from cellcoadd.surveys.decam.files import find_decam_images
from cellcoadd.surveys.rubin import read_visit_image
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import DirectWarp


@pytest.fixture(scope="module")
def folder(
    cell_coadd: MultipleCellCoadd,
    direct_warps: list[DirectWarp],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A file of each kind that is FITS, by the name of its kind. Do not change them."""
    folder = tmp_path_factory.mktemp("products")
    made = direct_warps[0]
    cell_coadd.write(folder / "coadd.fits")
    made.warp.write(folder / "warp.fits")
    write_archive(make_detector(small_patch()), folder / "image.fits")
    write_archive(made.noise[0], folder / "noise.fits")
    write_archive(made.warp.mask_fractions["rejected"], folder / "fraction.fits")
    write_lsst_cell_coadds(cell_coadd, folder / "older.fits")
    write_archive(cell_coadd.stitch(), folder / "stitched.fits")
    for path in list(folder.glob("*.fits")):
        with gzip.open(folder / f"{path.name}.gz", "wb", compresslevel=1) as packed:
            packed.write(path.read_bytes())
    return folder


def same(a: Any, b: Any) -> bool:
    """Whether two products are the same; masked images do not compare by themselves."""
    if isinstance(a, CalibratedImage):
        return same(a.masked_image, b.masked_image) and a.observation == b.observation
    if isinstance(a, MaskedImage):
        names = ("image", "mask", "variance", "sky_projection", "bbox")
        return all(getattr(a, name) == getattr(b, name) for name in names)
    return type(a) is type(b) and bool(a == b)


OWN_READERS: Mapping[str, Any] = {
    "coadd": MultipleCellCoadd.read,
    "warp": Warp.read,
    "image": lambda path, **part: read_archive(path, CalibratedImage, **part),
    "noise": lambda path, **part: read_archive(path, MaskedImage, **part),
    "fraction": lambda path, **part: read_archive(path, Image, **part),
    "older": read_lsst_cell_coadds,
    "stitched": read_inner_cells,
}


@pytest.mark.parametrize("ending", ["fits", "fits.gz"])
@pytest.mark.parametrize("kind", OWN_READERS)
def test_a_product_is_read_as_by_its_own_reader(folder: Path, kind: str, ending: str) -> None:
    """Whoever has a file need not know which of seven readers is the one."""
    path = folder / f"{kind}.{ending}"
    found = read(path)
    assert same(found, OWN_READERS[kind](folder / f"{kind}.fits"))
    assert same(read(str(path)), found)


@pytest.mark.parametrize("ending", ["fits", "fits.gz"])
@pytest.mark.parametrize("kind", OWN_READERS)
def test_a_part_of_a_product_is_read(folder: Path, kind: str, ending: str) -> None:
    """Parameters are those of the product's own reader; a box is in the tract's pixels."""
    whole = read(folder / f"{kind}.fits")
    box = whole.bbox
    part = Box.factory[box.y.start + 10 : box.y.start + 24, box.x.start + 31 : box.x.start + 52]
    found = read(folder / f"{kind}.{ending}", bbox=part)
    assert same(found, OWN_READERS[kind](folder / f"{kind}.fits", bbox=part))
    assert not same(found, whole)


@pytest.mark.parametrize("kind", ["coadd", "older", "stitched"])
def test_cells_of_a_coadd_are_read(folder: Path, kind: str) -> None:
    """Whatever wrote it; the same cells as of the whole."""
    path = folder / f"{kind}.fits"
    whole = read(path)
    cells = list(whole.cells)[1:4:2]
    found = read(path, cells=cells)
    assert list(found.cells) == cells
    assert found == whole.subset(cells)


def test_an_archive_that_is_no_fits_file_is_read(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """lsst.images writes JSON as well."""
    cells = list(cell_coadd.cells)[:2]
    small = cell_coadd.subset(cells)
    write_archive(small, tmp_path / "coadd.json")
    assert read(tmp_path / "coadd.json") == small
    assert read(tmp_path / "coadd.json", cells=cells[:1]) == small.subset(cells[:1])


def test_a_coadd_of_dp2_is_read_as_cells(shared: Path) -> None:
    """The real file; its four cells are the whole of it."""
    place = "data/afw_exposures/dp2_cellcoadd_lsst_images/deep_coadd_5428_76_g_minified.fits"
    coadd = read(shared / place)
    assert isinstance(coadd, MultipleCellCoadd)
    assert coadd == read_inner_cells(shared / place)
    index = next(iter(coadd.cells))
    assert read(shared / place, cells=[index]) == coadd.subset([index])


def test_an_image_of_a_survey_is_read_as_a_calibrated_image(tmp_path: Path) -> None:
    """As recipes read it: a file of VisitImage, packed or not, whole or in a box."""
    plan = survey_plan("tests", sky=None, artifacts=None)
    file = write_survey(plan, tmp_path).images[0]
    found, wanted = read(file), read_visit_image(file).calibrated_image
    box = wanted.bbox
    part = Box.factory[box.y.start + 5 : box.y.start + 25, box.x.start - 8 : box.x.start + 8]
    inside = Box.factory[part.y.start : part.y.stop, box.x.start : part.x.stop]
    for image, bbox in ((found, box), (read(file, bbox=part), inside)):
        assert isinstance(image, CalibratedImage)
        assert image.observation == wanted.observation
        assert same(image.masked_image[bbox], wanted.masked_image[bbox])
        assert image.bbox == bbox
    assert read_archive(file, VisitImage).bbox == box


def test_an_image_of_another_survey_is_read(shared: Path) -> None:
    """The reader of surveys that knows the file finds what belongs to it."""
    file = find_decam_images(shared / "data" / "decam_decals")[0]
    wanted = read_decam_image(file).calibrated_image
    found = read(file)
    assert found.observation == wanted.observation
    assert same(found.masked_image[...], wanted.masked_image[...])


def test_tables_of_a_repository_come_with_units_and_meanings(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """As the Butler gives them, and as they were: its files are Parquet."""
    table = tabulate_cells(cell_coadd)
    with make_repository(tmp_path / "repo") as butler:
        kind = DatasetType("cells", (), "ArrowAstropy", universe=butler.dimensions)
        butler.registry.registerDatasetType(kind)
        butler.collections.register("run")
        butler.put(table, kind, run="run")
        path = butler.getURI(kind, collections="run").ospath
        assert_same_tables(read(path), butler.get(kind, collections="run"))
    assert_same_tables(read(path), table)
    assert read(path).meta["LSST.BUTLER.DATASETTYPE"] == "cells"
    names = ["depth", "skymap"]
    assert_same_tables(read(path, columns=names), table[names])
    with pytest.raises(ValueError, match=r"no column \['deepness'\], only \['skymap', 'tract'"):
        read(path, columns=["depth", "deepness"])


def assert_same_tables(found: Table, wanted: Table) -> None:
    assert found.colnames == wanted.colnames
    for name in found.colnames:
        ours, theirs = found[name], wanted[name]
        assert (ours.dtype, ours.unit, ours.description) == (
            theirs.dtype,
            theirs.unit,
            theirs.description,
        )
        np.testing.assert_array_equal(ours, theirs)


def test_tables_of_other_programs_are_read(tmp_path: Path) -> None:
    """Units and meanings from the cards of the columns; what is absent is masked."""
    cards = {"unit": "nJy", "description": "Flux."}
    schema = pa.schema(
        [pa.field("flux", pa.float32(), metadata=cards), ("name", pa.string()), ("n", pa.int16())]
    )
    columns = [[1.5, None], ["a", None], [None, 3]]
    arrays = [pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)]
    stored = pa.table(arrays, schema=schema)
    pyarrow.parquet.write_table(stored, tmp_path / "sources.parquet")
    table = read(tmp_path / "sources.parquet")
    assert table["flux"].unit == u.nJy
    assert table["flux"].description == "Flux."
    assert [table[name].dtype for name in table.colnames] == ["f4", "U1", "i2"]
    assert [list(table[name].mask) for name in table.colnames] == [
        [False, True],
        [False, True],
        [True, False],
    ]
    assert (table["flux"][0], table["name"][0], table["n"][1]) == (1.5, "a", 3)
    listed = pa.table({"polygon": pa.array([[1, 2]])})
    pyarrow.parquet.write_table(listed, tmp_path / "lists.parquet")
    with pytest.raises(UnusableInputError, match=r"lists\.parquet: the column polygon is of list"):
        read(tmp_path / "lists.parquet")


def test_a_table_of_text_is_read(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """ECSV is what astropy writes where a table is to be looked at."""
    table = tabulate_cells(cell_coadd)["cell_x", "depth"]
    table.write(tmp_path / "cells.ecsv")
    assert_same_tables(read(tmp_path / "cells.ecsv"), table)
    assert_same_tables(read(tmp_path / "cells.ecsv", columns=["depth"]), table[["depth"]])
    with pytest.raises(ValueError, match=r"no column \['x'\], only \['cell_x', 'depth'\]"):
        read(tmp_path / "cells.ecsv", columns=["x"])


@pytest.mark.parametrize("name", ["depth.hsp", "depth.fits"])
def test_a_map_is_read(tmp_path: Path, name: str) -> None:
    """Whole, a pixel of its coverage, or degraded."""
    written = empty_map(nside_coverage=16, nside_sparse=64, dtype=np.float32)
    written[np.array([5, 6, 3000])] = np.array([1.0, 2.0, 3.0], np.float32)
    written.write(tmp_path / name)
    found = read(tmp_path / name)
    assert isinstance(found, healsparse.HealSparseMap)
    assert dict(zip(found.valid_pixels, found[found.valid_pixels], strict=True)) == {
        5: 1.0,
        6: 2.0,
        3000: 3.0,
    }
    assert list(read(tmp_path / name, pixels=[0]).valid_pixels) == [5, 6]
    assert read(tmp_path / name, degrade_nside=32)[1] == 1.5


def test_a_sky_map_is_read(tmp_path: Path) -> None:
    """The file that a user writes, and the Butler; the name is in the file or is given."""
    path = tmp_path / "field.yaml"
    path.write_text("kind: discrete\npixel_scale_arcsec: 0.2\ntracts: [{ra: 1, dec: 2, radius: 1}]")
    assert read(path).name == "field"
    assert read(path, name="cosmos") == cellcoadd.load_sky_map(path, "cosmos")


def test_a_page_is_its_text(tmp_path: Path) -> None:
    """The report of a tract is a dataset like others."""
    page = "<!DOCTYPE html>\n<p>1.2 arcmin\u00b2\r\n</p>"
    (tmp_path / "report.html").write_bytes(page.encode())
    assert read(tmp_path / "report.html") == page


def test_a_parameter_that_a_kind_does_not_take_is_refused_by_name(folder: Path) -> None:
    """With those that it takes: none would be silently without effect."""
    with pytest.raises(TypeError, match=r"holds a Warp, .* whole or by bbox, not by cells, x\."):
        read(folder / "warp.fits", x=1, cells=[Index2D(x=1, y=1)])
    with pytest.raises(TypeError, match=r"a MultipleCellCoadd, .* by bbox or cells, not by bos"):
        read(folder / "coadd.fits", bos=1)
    page = folder / "page.html"
    page.write_text("<html></html>")
    with pytest.raises(TypeError, match=r"a page \(HTML\), which is read whole, not by bbox"):
        read(page, bbox=Box.factory[0:1, 0:1])
    with pytest.raises(TypeError, match="a Box of pixels of the tract, got 3"):
        read(folder / "fraction.fits", bbox=3)


@pytest.mark.parametrize("kind", OWN_READERS)
def test_a_box_without_a_pixel_of_the_product_is_an_error(folder: Path, kind: str) -> None:
    """Not an empty product, and not a broken file."""
    with pytest.raises(MissingCellError, match=r"[Nn]o (filled )?(pixel|cell)"):
        read(folder / f"{kind}.fits", bbox=Box.factory[-50:-40, -50:-40])


def test_what_is_no_product_is_refused_with_what_it_is(folder: Path, tmp_path: Path) -> None:
    """And with all that can be read, so that the way out is in the message."""

    def refused(name: str, reason: str) -> None:
        words = rf"{re.escape(name)}: .*{reason}.*What can be read: a CalibratedImage, a Warp, .*"
        with pytest.raises(UnusableInputError, match=words + r"a HealSparse map, a table"):
            read(tmp_path / name)

    (tmp_path / "coadd.pickle").write_bytes(pickle.dumps([1]))
    refused("coadd.pickle", "it is a Python pickle, which is not opened")
    fits.ImageHDU(np.zeros((2, 2))).writeto(tmp_path / "other.fits")
    refused("other.fits", "it is some other FITS file")
    write_archive(Mask(0, schema=mask_schema(), bbox=Box.factory[0:2, 0:2]), tmp_path / "mask.fits")
    refused("mask.fits", "it holds mask-.* an archive of lsst.images that is no product")
    (tmp_path / "notes.txt").write_text("hello")
    refused("notes.txt", "it is none of the kinds of file that are known")
    (tmp_path / "empty.fits").touch()
    refused("empty.fits", "it is none of the kinds of file that are known")
    (tmp_path / "pipeline.yaml").write_text("description: none")
    refused("pipeline.yaml", "the key 'kind' is missing")
    (tmp_path / "wrong.yaml").write_text("a: [")
    refused("wrong.yaml", "it is no sky map: it is not YAML")
    (tmp_path / "values.json").write_text("{}")
    refused("values.json", "it is no archive of lsst.images, or a broken one .*schema_url")
    (tmp_path / "page.html.gz").write_bytes(gzip.compress(b"<html>"))
    refused("page.html.gz", "it is compressed by gzip and not a FITS file")
    (tmp_path / "broken.fits").write_bytes((folder / "warp.fits").read_bytes()[:1000])
    refused("broken.fits", "it is a FITS file whose headers are broken")


@pytest.mark.parametrize("kind", OWN_READERS)
def test_a_file_that_is_cut_off_is_named(folder: Path, tmp_path: Path, kind: str) -> None:
    """A loop over files goes on with the next."""
    data = (folder / f"{kind}.fits").read_bytes()
    path = tmp_path / f"{kind}.fits"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UnusableInputError, match=rf"{kind}\.fits: "):
        read(path)


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.parq", b"PAR1"), ("a.ecsv", b"# %ECSV 1.0"), ("a.html", b"<html>\xff")],
)
def test_a_file_that_is_broken_is_named(tmp_path: Path, name: str, start: bytes) -> None:
    """Also where it is no FITS file."""
    (tmp_path / name).write_bytes(start)
    with pytest.raises(UnusableInputError, match=rf"{name}: it cannot be read as a (table|page)"):
        read(tmp_path / name)


def test_a_map_that_is_broken_is_named(tmp_path: Path) -> None:
    """healsparse says what it misses."""
    written = empty_map(nside_coverage=16, nside_sparse=64, dtype=np.float32)
    written[0:4000] = np.float32(1.0)
    written.write(tmp_path / "whole.hsp", nocompress=True)
    data = (tmp_path / "whole.hsp").read_bytes()
    (tmp_path / "a.hsp").write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(UnusableInputError, match=r"a\.hsp: it cannot be read as a HealSparse map"):
        read(tmp_path / "a.hsp")


def test_a_file_that_is_not_there_is_the_usual_error(tmp_path: Path) -> None:
    """A mistyped name is no unusable input."""
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.fits")


def test_the_error_of_a_product_names_the_way_out(folder: Path) -> None:
    """Whoever calls the wrong reader reads which one takes anything."""
    for kind in ("coadd", "older", "stitched"):
        with pytest.raises(UnusableInputError, match=rf"{kind}\.fits: .*cellcoadd\.read "):
            Warp.read(folder / f"{kind}.fits")


@pytest.mark.parametrize(
    "name", ["coadd.FITS", "coadd.fit", "coadd", "packed.fits", "packed.FITS.GZ"]
)
def test_the_name_of_a_file_does_not_matter(
    cell_coadd: MultipleCellCoadd, direct_warps: list[DirectWarp], tmp_path: Path, name: str
) -> None:
    """What a file holds is seen from its content, and it is read so; damage is named as well."""
    warp = direct_warps[0].warp
    warp.write(tmp_path / "warp.fits")
    cell_coadd.write(tmp_path / "coadd.fits")
    write_archive(warp.image, tmp_path / "image.fits")
    path = tmp_path / "odd" / name
    path.parent.mkdir()
    wanted = {
        "coadd": MultipleCellCoadd.read(tmp_path / "coadd.fits"),
        "warp": warp,
        "image": warp.image,
    }
    for kind, product in wanted.items():
        content = (tmp_path / f"{kind}.fits").read_bytes()
        path.write_bytes(gzip.compress(content) if "packed" in name else content)
        assert read(path) == product
    bad = bytearray((tmp_path / "warp.fits").read_bytes())
    bad[len(bad) // 2] ^= 1
    path.write_bytes(gzip.compress(bad) if "packed" in name else bad)
    with pytest.raises(UnusableInputError, match=rf"{name}: it cannot be read, it is damaged"):
        read(path)


def test_pixels_that_a_map_does_not_have_are_named(tmp_path: Path) -> None:
    """The file is good, the question is not."""
    path = tmp_path / "map.hsp"
    made = healsparse.HealSparseMap.make_empty(32, 512, np.float32)
    made[np.arange(10)] = np.float32(1.0)
    made.write(str(path))
    with pytest.raises(MissingCellError, match=r"map\.hsp: the map covers none of the pixels"):
        read(path, pixels=[9000])
