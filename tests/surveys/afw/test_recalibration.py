"""What a visit summary makes of images that were calibrated before it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.images import BackgroundMap, Box, VisitImage
from lsst.images.fields import ChebyshevField
from lsst.images.psfs import GaussianPointSpreadFunction

from cellcoadd.errors import UnusableInputError
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.calibrated_image.deferred_pixels import DeferredPixels
from cellcoadd.surveys.afw import VisitSummary, read_afw_exposure, visit_summary_from_catalog
from cellcoadd.surveys.afw.recalibration import recalibrated
from cellcoadd.testing.afw_files import (
    AfwArchive,
    add_chebyshev,
    add_photo_calib,
    add_psf,
    add_sky_wcs,
    write_visit_summary,
)

ALL = {"psf": True, "wcs": True, "photo_calib": True}
NONE = dict.fromkeys(ALL, False)


@pytest.fixture
def image(exposure: Callable[..., Path]) -> CalibratedImage:
    """Visit 77, detector 5, 2 nJy a count, without a summary."""
    return read_afw_exposure(exposure(), visit_summary=False).calibrated_image


@pytest.fixture
def wide_psf() -> GaussianPointSpreadFunction:
    """Wider than the image's own."""
    return GaussianPointSpreadFunction(sigma=2.9, bounds=Box.factory[-2:518, 4:564], stamp_size=31)


@pytest.fixture
def summary_file(
    visit_images: list[VisitImage], wide_psf: GaussianPointSpreadFunction, tmp_path: Path
) -> Path:
    """A summary with the other visit's WCS, another PSF, 7 nJy a count and one correction."""
    archive, box = AfwArchive(), visit_images[0].bbox
    correction = {"name": "base_PsfFlux_instFlux", "field": add_chebyshev(archive, [[0.9]], box)}
    rows = [
        {
            "id": 5,
            "wcs": add_sky_wcs(archive, visit_images[1].sky_projection),
            "psf": add_psf(archive, wide_psf),
            "photoCalib": add_photo_calib(archive, 7.0),
            "apCorrMap": archive.add("ApCorrMap", [correction]),
            "psfSigma": 2.9,
            "nPsfStar": 33,
            "meanVar": float(np.median(visit_images[0].variance.array)) * 1.1,
        }
    ]
    return write_visit_summary(tmp_path / "s.fits", rows, archive, visit=77)


def assert_same(one: CalibratedImage, two: CalibratedImage) -> None:
    """All but the pixels, whose equality is that of arrays, and the WCS, which is compared."""
    for field in dataclasses.fields(CalibratedImage):
        if field.name not in ("masked_image", "aperture_corrections", "backgrounds"):
            assert getattr(one, field.name) == getattr(two, field.name), field.name
    assert set(one.aperture_corrections) == set(two.aperture_corrections)
    for plane in ("image", "variance", "mask"):
        found, wanted = (getattr(i.masked_image, plane).array for i in (one, two))
        assert (found == wanted).all(), plane
    x, y = np.array([10.0, 400.0]), np.array([3.0, 500.0])
    skies = [each.sky_projection.pixel_to_sky(x=x, y=y) for each in (one, two)]
    assert (skies[0].ra == skies[1].ra).all()
    assert (skies[0].dec == skies[1].dec).all()


def test_a_summary_applied_later_is_one_that_lay_beside_the_file(
    image: CalibratedImage, summary_file: Path, exposure: Callable[..., Path]
) -> None:
    """Whether it is a dataset of the repository or a file: to the bit."""
    at_once = read_afw_exposure(exposure(), visit_summary=summary_file).calibrated_image
    later = recalibrated(image, VisitSummary.read(summary_file), **ALL)
    assert_same(later, at_once)
    assert later.mean_variance is not None
    assert later.aperture_corrections["base_PsfFlux_instFlux"](x=9.0, y=9.0) == 0.9


def test_only_what_is_wanted_is_taken(
    image: CalibratedImage, summary_file: Path, wide_psf: GaussianPointSpreadFunction
) -> None:
    """Each of the three on its own; the statistics of a PSF go with it."""
    summary = VisitSummary.read(summary_file)
    of_psf, of_wcs, of_flux = (recalibrated(image, summary, **{**NONE, name: True}) for name in ALL)
    assert [found.psf == image.psf for found in (of_psf, of_wcs, of_flux)] == [False, True, True]
    assert of_psf.psf.compute_kernel_image(x=50.0, y=50.0).array == pytest.approx(
        wide_psf.compute_kernel_image(x=50.0, y=50.0).array
    )
    assert [found.quality.psf_sigma for found in (of_psf, of_wcs)] == [2.9, None]
    assert [len(found.aperture_corrections) for found in (of_psf, of_wcs, of_flux)] == [1, 0, 0]
    assert [found.nanojansky_per_count for found in (of_psf, of_wcs, of_flux)] == [2.0, 2.0, 7.0]
    skies = [
        found.sky_projection.pixel_to_sky(x=50.0, y=60.0)
        for found in (image, of_psf, of_wcs, of_flux)
    ]
    apart = [skies[0].separation(sky).arcsec for sky in skies[1:]]
    assert apart == [0.0, pytest.approx(8.0, abs=0.1), 0.0]  # the other visit is 8 arcsec east


def test_pixels_in_njy_keep_their_values(image: CalibratedImage, summary_file: Path) -> None:
    """A calibration is of the counts that they were made of."""
    in_njy = dataclasses.replace(image, nanojansky_per_count=1.0)
    found = recalibrated(in_njy, VisitSummary.read(summary_file), **ALL)
    assert found.nanojansky_per_count == 1.0
    assert (found.masked_image.image.array == image.masked_image.image.array).all()
    assert found.psf != image.psf


def test_a_calibration_that_varies_multiplies_pixels_when_they_are_read(
    image: CalibratedImage, tmp_path: Path
) -> None:
    """Pixels of files are read later, in parts: each is multiplied by its own factor."""
    archive = AfwArchive()
    field = add_chebyshev(archive, [[3.0, 1.0]], image.bbox)
    rows = [{"id": 5, "photoCalib": add_photo_calib(archive, 3.0, field=field, is_constant=False)}]
    summary = VisitSummary.read(write_visit_summary(tmp_path / "s.fits", rows, archive, visit=77))
    planes = image.masked_image
    assert not isinstance(planes, DeferredPixels)
    deferred = dataclasses.replace(
        image,
        masked_image=DeferredPixels(
            lambda box: planes[box].copy(), bbox=image.bbox, sky_projection=image.sky_projection
        ),
    )
    found = recalibrated(deferred, summary, **ALL)
    assert isinstance(found.masked_image, DeferredPixels)
    assert (found.nanojansky_per_count, found.mean_variance) == (1.0, None)
    box = Box.factory[100:103, 500:502]
    middle = 0.5 * (image.bbox.x.min + image.bbox.x.max)
    factor = 3.0 + (np.array([500.0, 501.0]) - middle) / (0.5 * image.bbox.x.size)
    part = found.masked_image[box]
    assert part.image.array == pytest.approx(planes.image[box].array * factor, rel=1e-6)
    assert part.variance.array == pytest.approx(planes.variance[box].array * factor**2, rel=1e-6)
    whole = recalibrated(image, summary, **ALL).masked_image
    assert (whole.image[box].array == part.image.array).all()
    sky = image.backgrounds.__class__()
    sky.add("sky", ChebyshevField(image.bbox, np.array([[4.0]])), "Of the sky.")
    assert isinstance(sky, BackgroundMap)
    with pytest.raises(UnusableInputError, match=r"s\.fits: its calibration varies over Cam visit"):
        recalibrated(dataclasses.replace(image, backgrounds=sky), summary, **ALL)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": 6}, "one row of detector 5, it has 0"),
        ({"wcs": 0}, "has no wcs of detector 5, but of others"),
        ({"psf": 0}, "has no psf of detector 5, but of others"),
        ({"photoCalib": 0}, "has no photoCalib of detector 5, but of others"),
        ({"apCorrMap": 0}, "has no apCorrMap of detector 5, but of others"),
    ],
)
def test_detectors_that_failed_are_refused(
    image: CalibratedImage,
    wide_psf: GaussianPointSpreadFunction,
    row: dict[str, Any],
    reason: str,
    tmp_path: Path,
) -> None:
    """Without a row, or with one that lacks what others have, if it is wanted."""
    archive = AfwArchive()
    correction = {"name": "a", "field": add_chebyshev(archive, [[0.9]], image.bbox)}
    other = {
        "id": 4,
        "wcs": add_sky_wcs(archive, image.sky_projection),
        "psf": add_psf(archive, wide_psf),
        "photoCalib": add_photo_calib(archive, 7.0),
        "apCorrMap": archive.add("ApCorrMap", [correction]),
    }
    path = write_visit_summary(
        tmp_path / "s.fits", [other, {**other, "id": 5, **row}], archive, visit=77
    )
    summary = VisitSummary.read(path)
    assert (summary.visit, summary.detectors) == (77, frozenset({4, row.get("id", 5)}))
    with pytest.raises(UnusableInputError, match=reason) as caught:
        recalibrated(image, summary, **ALL)
    assert str(caught.value).startswith(f"{path}: ")
    name = {"wcs": "wcs", "photoCalib": "photo_calib"}.get(next(iter(row)), "psf")
    if "id" not in row:
        recalibrated(image, summary, **{**ALL, name: False})


def test_a_catalog_of_the_pipelines_is_converted(summary_file: Path) -> None:
    """Where lsst.afw is installed and a repository hands out its own catalogs."""

    class Catalog:
        def writeFits(self, path: str) -> None:  # noqa: N802  (lsst.afw's name)
            shutil.copy(summary_file, path)

    found = visit_summary_from_catalog(Catalog())
    assert (found.visit, found.detectors) == (77, frozenset({5}))
    with found.row(visit=77, detector=5) as row:
        assert row.statistics["nPsfStar"] == 33
