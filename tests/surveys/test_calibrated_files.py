"""Images that the package wrote are read as inputs, like those of any survey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import Box

from cellcoadd import CalibratedImage, coadd_files, named_sky_map, read
from cellcoadd.butler.ingest import ingest_images
from cellcoadd.butler.repository import make_repository
from cellcoadd.errors import UnusableInputError
from cellcoadd.image_files import expand
from cellcoadd.simulate import Camera, VisitPlan, survey_plan, write_survey
from cellcoadd.surveys import reader_for
from cellcoadd.testing.same_cells import assert_same_cell


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Images of two visits as a survey publishes them. Do not change them."""
    folder: Path = tmp_path_factory.mktemp("originals")
    plan = survey_plan(
        "tests",
        camera=Camera(columns=1, rows=1, width=560, height=520),
        visits=(
            VisitPlan(visit=1228, sequence=1),
            VisitPlan(visit=1230, sequence=2, dither_east=8.0),
        ),
    )
    write_survey(plan, folder)
    return expand([str(folder)])


@pytest.fixture(scope="module")
def written(originals: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same images as this package writes them. Do not change them."""
    folder: Path = tmp_path_factory.mktemp("written")
    paths = []
    for path in originals:
        paths.append(folder / path.name)
        reader_for(path).read(path).calibrated_image.write(paths[-1])
    return paths


def test_a_coadd_of_them_is_that_of_the_originals(
    originals: list[Path], written: list[Path]
) -> None:
    """Bit for bit: nothing of an image is lost on its way through a file."""
    patch = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
    mine, theirs = (coadd_files(paths, patch).coadd for paths in (written, originals))
    assert mine is not None
    assert theirs is not None
    assert list(mine.cells) == list(theirs.cells)
    for index in mine.cells:
        assert_same_cell(mine, index, theirs, index)


def test_the_header_is_read_without_the_pixels(written: list[Path]) -> None:
    """Identity, pixels and WCS are those of the image."""
    image = read(written[0])
    assert isinstance(image, CalibratedImage)
    header = reader_for(written[0]).read_header(written[0])
    assert header.observation == image.observation
    assert header.bbox == header.detector_bbox == image.bbox
    here, there = (
        projection.pixel_to_sky(x=30.0, y=40.0)
        for projection in (header.sky_projection, image.sky_projection)
    )
    assert here.separation(there).arcsec < 1e-9


def test_pixels_are_read_by_box(written: list[Path]) -> None:
    """Those of the file, and nothing before they are asked for."""
    found = reader_for(written[0]).read(written[0]).calibrated_image
    box = Box.factory[10:20, 30:50]
    part, whole = found.masked_image[box], read(written[0]).masked_image
    np.testing.assert_array_equal(part.image.array, whole[box].image.array)
    np.testing.assert_array_equal(part.mask.array, whole[box].mask.array)
    np.testing.assert_array_equal(part.variance.array, whole[box].variance.array)


def test_they_go_into_a_repository(written: list[Path], tmp_path: Path) -> None:
    """With the identity that they carry."""
    with make_repository(tmp_path / "repo") as butler:
        report = ingest_images(butler, written, run="images")
        assert (len(report.ingested), report.refused) == (2, ())
        visits = {record.id for record in butler.query_dimension_records("visit")}
    assert visits == {1228, 1230}


@pytest.mark.parametrize("spoil", ["a byte", "the end"])
def test_a_damaged_file_is_refused_by_name(written: list[Path], tmp_path: Path, spoil: str) -> None:
    """Its checksums tell."""
    data = bytearray(written[0].read_bytes())
    with fits.open(written[0]) as hdus:
        place = hdus[1].fileinfo()["datLoc"] + 1000
    path = tmp_path / "image.fits"
    if spoil == "a byte":
        data[place] ^= 4
    else:
        del data[place:]
    path.write_bytes(data)
    with pytest.raises(UnusableInputError, match=r"image\.fits"):
        reader_for(path).read(path)


def test_other_products_are_no_images(written: list[Path], tmp_path: Path) -> None:
    """A file of another schema is not taken for one; neither is one without a header."""
    path = tmp_path / "other.fits"
    with fits.open(written[0]) as hdus:
        hdus[0].header["DATAMODL"] = "https://example.org/cellcoadd_warp-1.1.0"
        hdus.writeto(path)
    text = tmp_path / "text.fits"
    text.write_text("no FITS")
    for other in (path, text):
        with pytest.raises(UnusableInputError, match="none of the readers"):
            reader_for(other)
