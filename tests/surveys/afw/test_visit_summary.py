"""Visit summaries take the place of what images say of themselves, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsst.images import VisitImage

from cellcoadd.butler.ingest import ingest_images
from cellcoadd.butler.repository import make_repository
from cellcoadd.errors import UnusableInputError
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.surveys import reader_for
from cellcoadd.surveys.afw import AfwReader, VisitSummary, read_afw_exposure
from cellcoadd.testing.afw_files import (
    AfwArchive,
    add_photo_calib,
    add_psf,
    add_sky_wcs,
    write_visit_summary,
)


def read(path: Path, **options: Any) -> CalibratedImage:
    return read_afw_exposure(path, **options).calibrated_image


def summary(
    visit_images: list[VisitImage], path: Path, *, visit: int = 77, **row: Any
) -> tuple[Path, VisitImage]:
    """A visit summary of two detectors, the second ours, with the other visit's WCS and PSF."""
    archive, other = AfwArchive(), visit_images[1]
    mine = {
        "id": 5,
        "wcs": add_sky_wcs(archive, other.sky_projection),
        "psf": 0,
        "photoCalib": add_photo_calib(archive, 7.0),
        "apCorrMap": 0,
        "psfSigma": 2.25,
        "nPsfStar": 33,
        **row,
    }
    rows = [{**mine, "id": 4}, mine]
    return write_visit_summary(path, rows, archive, visit=visit), other


def test_a_visit_summary_replaces_what_it_has(
    exposure: Callable[..., Path], visit_images: list[VisitImage], tmp_path: Path
) -> None:
    """WCS, calibration and statistics; the PSF stays, since the summary has none at all."""
    path = exposure()
    before = read(path)
    file, other = summary(visit_images, tmp_path / "s.fits")
    after = read(path, visit_summary=file)
    assert after.nanojansky_per_count == 7.0
    assert (after.quality.psf_sigma, after.quality.n_psf_star) == (2.25, 33)
    assert after.psf == before.psf
    there, expected = (
        projection.pixel_to_sky(x=50.0, y=60.0)
        for projection in (after.sky_projection, other.sky_projection)
    )
    assert there.separation(expected).arcsec < 1e-8
    assert (after.masked_image.image.array == before.masked_image.image.array).all()


def test_the_visit_summary_beside_a_file_is_taken(
    exposure: Callable[..., Path], visit_images: list[VisitImage], tmp_path: Path
) -> None:
    """By everyone who reads the file, unless one asks for none; it is no image itself."""
    path = exposure()
    file, _ = summary(visit_images, tmp_path / "visitSummary-77.fits")
    assert reader_for(path).read(path).calibrated_image.nanojansky_per_count == 7.0
    assert read(path, visit_summary=False).nanojansky_per_count == 2.0
    with pytest.raises(UnusableInputError, match="belongs to one and is found from there"):
        reader_for(file)


def test_a_summary_that_is_not_of_the_image_is_refused(
    exposure: Callable[..., Path], visit_images: list[VisitImage], tmp_path: Path
) -> None:
    """Of another visit, without the detector, or without its calibration; or none at all."""
    path = exposure()
    file, _ = summary(visit_images, tmp_path / "s.fits", visit=78)
    with pytest.raises(UnusableInputError, match="of visit 78, the image is of visit 77"):
        read(path, visit_summary=file)
    file, _ = summary(visit_images, tmp_path / "s.fits", id=6)
    with pytest.raises(UnusableInputError, match="one row of detector 5, it has 0"):
        read(path, visit_summary=file)
    archive = AfwArchive()
    wcs = add_sky_wcs(archive, visit_images[1].sky_projection)
    file = write_visit_summary(
        tmp_path / "s.fits", [{"id": 4, "wcs": wcs}, {"id": 5, "wcs": 0}], archive, visit=77
    )
    with pytest.raises(UnusableInputError, match="has no wcs of detector 5, but of others"):
        read(path, visit_summary=file)
    with pytest.raises(UnusableInputError, match="no visit summary"):
        read(path, visit_summary=path)


def test_fluxes_are_not_calibrated_twice(
    exposure: Callable[..., Path], visit_images: list[VisitImage], tmp_path: Path
) -> None:
    """A summary's calibration is of counts; pixels that are nJy already stay what they are."""

    def one(archive: AfwArchive, parts: dict[str, int]) -> None:
        parts["PHOTOCALIB"] = add_photo_calib(archive, 1.0)

    file, _ = summary(visit_images, tmp_path / "s.fits")
    path = exposure(one, cards={"BUNIT": "nJy"})
    assert read(path, visit_summary=file).nanojansky_per_count == 1.0


def test_a_repository_takes_them_in(
    visit_images: list[VisitImage], exposure: Callable[..., Path], tmp_path: Path
) -> None:
    """The image with what it says of itself, and the summary beside it as a dataset."""
    file, _ = summary(visit_images, tmp_path / "visitSummary-77.fits")
    path = exposure()
    with make_repository(tmp_path / "repo") as butler:
        report = ingest_images(butler, [path], run="images")
        assert (report.ingested, report.refused) == ((path,), ())
        assert report.visit_summaries == (file,)
        (visit,) = butler.query_dimension_records("visit", instrument="Cam")
        assert (visit.id, visit.zenith_angle, visit.physical_filter) == (77, 40.0, "HSC-I2")
        of_visit: dict[str, Any] = {"instrument": "Cam", "visit": 77, "collections": "images"}
        assert butler.get("calexp", detector=5, **of_visit).nanojansky_per_count == 2.0
        found = butler.get("finalVisitSummary", **of_visit)
        assert isinstance(found, VisitSummary)
        assert (found.visit, found.detectors) == (77, frozenset({4, 5}))
        again = ingest_images(butler, [path, file], run="images")
        assert (again.ingested, again.refused, again.visit_summaries) == ((), (), ())
        assert again.already_there == (path, file)


def test_an_image_that_cannot_be_used_without_is_taken_with_its_summary(
    visit_images: list[VisitImage], exposure: Callable[..., Path], tmp_path: Path
) -> None:
    """Such as one without a PSF; what is wrong with both is told of the image."""

    def bare(archive: AfwArchive, parts: dict[str, int]) -> None:
        del parts["PSF"]

    path, archive = exposure(bare), AfwArchive()
    rows = [{"id": 5, "psf": add_psf(archive, visit_images[1].psf)}]
    write_visit_summary(tmp_path / "visitSummary-77.fits", rows, archive, visit=77)
    reader = AfwReader(prefers_own=True)
    assert type(reader.read(path).calibrated_image.psf) is type(visit_images[1].psf)
    summary(visit_images, tmp_path / "visitSummary-77.fits")
    with pytest.raises(UnusableInputError, match=r"e\.fits: it has no PSF"):
        reader.read(path)


def test_a_file_that_is_no_summary_is_refused(tmp_path: Path) -> None:
    """By name, when it is read: absent, without rows, of two visits."""
    path, archive = tmp_path / "s.fits", AfwArchive()
    with pytest.raises(UnusableInputError, match="there is no such file"):
        VisitSummary.read(path)
    number = add_photo_calib(archive, 2.0)
    rows = [{"id": 5, "photoCalib": number, "visit": 77}, {"id": 6, "visit": 78, "photoCalib": 0}]
    write_visit_summary(path, rows, archive, visit=77)
    with pytest.raises(UnusableInputError, match=r"rows, of one visit; it has 2, of .* \[77, 78\]"):
        VisitSummary.read(path)
