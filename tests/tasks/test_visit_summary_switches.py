"""What the three switches of the warping task take of a visit summary, seen in the warp."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.images.psfs import GaussianPointSpreadFunction
from lsst.pipe.base import NoWorkFound

from cellcoadd import CalibratedImage, Warp, named_sky_map
from cellcoadd.simulate import Camera, VisitPlan, simulate_survey, survey_plan
from cellcoadd.surveys.afw import VisitSummary
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image
from cellcoadd.tasks import MakeDirectWarpConfig, MakeDirectWarpTask
from cellcoadd.testing.afw_files import (
    AfwArchive,
    add_chebyshev,
    add_photo_calib,
    add_psf,
    add_sky_wcs,
    write_visit_summary,
)

PATCH = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
SWITCHES = ("useVisitSummaryPsf", "useVisitSummaryWcs", "useVisitSummaryPhotoCalib")


@pytest.fixture(scope="module")
def images() -> list[CalibratedImage]:
    """Two visits of one detector that covers a cell or two, in counts of 2 nJy."""
    plan = survey_plan(
        "tests",
        camera=Camera(columns=1, rows=1, width=420, height=420),
        visits=(VisitPlan(visit=1, sequence=1), VisitPlan(visit=2, sequence=2, dither_east=8.0)),
    )
    return [
        dataclasses.replace(calibrated_image_from_visit_image(image), nanojansky_per_count=2.0)
        for image in simulate_survey(plan)
    ]


@pytest.fixture(scope="module")
def summary(images: list[CalibratedImage], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Writes a summary of the first visit, with the WCS of the other one and 7 nJy a count."""

    def write(**row: Any) -> VisitSummary:
        archive, box = AfwArchive(), images[0].bbox
        psf = GaussianPointSpreadFunction(sigma=3.3, bounds=box, stamp_size=31)
        correction = {"name": "a", "field": add_chebyshev(archive, [[0.9]], box)}
        mine = {
            "id": images[0].observation.detector,
            "wcs": add_sky_wcs(archive, images[1].sky_projection),
            "psf": add_psf(archive, psf),
            "photoCalib": add_photo_calib(archive, 7.0),
            "apCorrMap": archive.add("ApCorrMap", [correction]),
            **row,
        }
        path: Path = tmp_path_factory.mktemp("summary") / "s.fits"
        return VisitSummary.read(write_visit_summary(path, [mine], archive, visit=1))

    return write


def warp(image: CalibratedImage, found: VisitSummary | None, *on: str, **options: Any) -> Warp:
    make_config: Any = MakeDirectWarpConfig
    config = make_config()
    for name in SWITCHES:
        setattr(config, name, name in on)
    for name, value in options.items():
        setattr(config, name, value)
    task: Any = MakeDirectWarpTask(config=config)
    made: Warp = task.run(images=[image], patch=PATCH, visit_summary=found).warp
    return made


def sigma(made: Warp) -> float:
    psf = made.inputs[0].psf
    assert isinstance(psf, GaussianPointSpreadFunction)
    return psf.sigma


def test_each_switch_changes_its_own(images: list[CalibratedImage], summary: Any) -> None:
    """The WCS moves the warp, the PSF is drawn in its cells, the calibration scales its pixels."""
    image, found = images[0], summary()
    plain = warp(image, None, *SWITCHES)
    assert warp(image, found) == plain
    of_psf, of_wcs, of_flux = (warp(image, found, name) for name in SWITCHES)

    np.testing.assert_array_equal(of_psf.image.array, plain.image.array)
    assert sigma(of_psf) == 3.3
    assert not np.array_equal(of_psf.stamps, plain.stamps)
    assert (len(of_psf.aperture_corrections), len(plain.aperture_corrections)) == (1, 0)

    moved = warp(dataclasses.replace(images[1], observation=image.observation, psf=image.psf), None)
    assert of_wcs.bbox == moved.bbox != plain.bbox
    assert of_wcs.inputs[0].footprint == moved.inputs[0].footprint
    assert of_wcs.inputs[0].psf == image.psf

    np.testing.assert_allclose(of_flux.image.array, 3.5 * plain.image.array, rtol=1e-5, atol=1e-3)
    ratio = of_flux.inputs[0].mean_variance_njy2 / plain.inputs[0].mean_variance_njy2
    assert ratio == pytest.approx(3.5**2)
    assert of_flux.bbox == plain.bbox

    everything = warp(image, found, *SWITCHES)
    assert everything.bbox == of_wcs.bbox
    assert sigma(everything) == 3.3


def test_cuts_are_made_on_the_statistics_of_the_summary(
    images: list[CalibratedImage], summary: Any
) -> None:
    """They are of its PSF, and go with it."""
    found = summary(psfSigma=30.0, nPsfStar=50)
    warp(images[0], found, *SWITCHES[1:])
    with pytest.raises(NoWorkFound):
        warp(images[0], found, *SWITCHES)
    warp(images[0], found, *SWITCHES, doSelectPreWarp=False)


def test_a_detector_that_failed_is_left_out_by_name(
    images: list[CalibratedImage], summary: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As in the Rubin pipelines: no row, no warp."""
    with pytest.raises(NoWorkFound):
        warp(images[0], summary(id=77), *SWITCHES)
    assert "Left out: HSC visit 1 detector 0 (i) by its visit summary" in caplog.text
    assert "one row of detector 0, it has 0" in caplog.text
