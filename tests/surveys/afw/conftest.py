"""Two simulated visits, and files of the first in the layout of lsst.afw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.images import VisitImage

from cellcoadd.simulate import Camera, VisitPlan, simulate_survey, survey_plan
from cellcoadd.testing.afw_files import (
    AfwArchive,
    add_photo_calib,
    add_psf,
    add_sky_wcs,
    afw_planes,
    write_afw_exposure,
)

CAMERA = Camera(columns=1, rows=1, width=560, height=520, first_x=4, first_y=-2)
PLAN = survey_plan(
    "tests",
    camera=CAMERA,
    visits=(
        VisitPlan(
            visit=1228,
            sequence=1,
            stated_aperture_corrections={"base_PsfFlux_instFlux": [[1.02, 0.01], [0.003, 0.0]]},
        ),
        VisitPlan(visit=1230, sequence=2, dither_east=8.0),
    ),
)
BITS = {"BAD": 3, "SAT": 0, "NO_DATA": 7, "BRIGHT_OBJECT": 5}


@pytest.fixture(scope="module")
def visit_images() -> list[VisitImage]:
    """Two visits of one detector. Do not change them."""
    return list(simulate_survey(PLAN))


@pytest.fixture
def exposure(visit_images: list[VisitImage], tmp_path: Path) -> Callable[..., Path]:
    """Writes the first visit; a function of an archive and its parts changes it before."""

    def write(
        change: Callable[[AfwArchive, dict[str, int]], None] | None = None,
        *,
        version: int | None = 2,
        cards: Mapping[str, Any] | None = None,
        name: str = "e.fits",
        **planes: Any,
    ) -> Path:
        image, archive = visit_images[0], AfwArchive(old_names=version is None)
        box = image.bbox
        parts = {
            "SKYWCS": add_sky_wcs(archive, image.sky_projection),
            "PSF": add_psf(archive, image.psf),
            "PHOTOCALIB": add_photo_calib(archive, 2.0),
            "FILTER": archive.add(
                "FilterLabel",
                [
                    {
                        "flags": {"band_exists": True, "physical_exists": True},
                        "band": "i",
                        "physical": "HSC-I2",
                    }
                ],
            ),
        }
        if change is not None:
            change(archive, parts)
        values: dict[str, Any] = {
            "image": image.image.array,
            "mask": np.zeros(box.shape, np.int32),
            "variance": image.variance.array,
            "bits": BITS,
            "origin": (box.x.min, box.y.min),
        }
        header: dict[str, Any] = {
            "EXPTIME": "200.0",
            "DATE-AVG": "2024-08-27T06:11:40",
            "TIMESYS": "TAI",
            "INSTRUMENT": "Cam",
            "IDNUM": 77,
            "LSST BUTLER DATAID DETECTOR": 5,
            "BORE-ALT": 50.0,
            "BORE-AIRMASS": 1.3,
            "BORE-ROTANG": 12.0,
            "ROTTYPE": "SKY",
        }
        return write_afw_exposure(
            tmp_path / name,
            afw_planes(**(values | planes)),
            archive,
            parts=parts,
            cards={k: v for k, v in (header | dict(cards or {})).items() if v is not None},
            version=version,
        )

    return write
