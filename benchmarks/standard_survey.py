"""The images of the standard work: patch 61 of tract 9813 under visits of six HSC-like detectors.

Each visit is six detectors of 2048 x 4176 pixels around the patch, turned by one of eight angles,
with TAN-SIP distortion; each detector has four bands of bad columns, four pixels wide, about twelve
saturated stars with bleeds and 120 cosmic rays. Files are written once into a folder and found
there the next time:

``visit_image/``
    `lsst.images.VisitImage`, uncompressed, as SWarp's inputs are.
``compressed/``
    The same, as lsst.images compresses by default (GZIP_2).
``swarp/``
    Image and weight as plain FITS for SWarp, with the same geometry in TPV keywords.
"""

from __future__ import annotations

__all__ = ["BAND", "PATCH", "SKYMAP", "TRACT", "images_of", "standard_plan", "swarp_images_of"]

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from lsst.images import VisitImage

from cellcoadd.files.writing import whole_file
from cellcoadd.simulate.artifacts import ArtifactSettings
from cellcoadd.simulate.camera import Camera
from cellcoadd.simulate.observe import simulate_visit_detector
from cellcoadd.simulate.plan import SurveyPlan, VisitPlan
from cellcoadd.simulate.sky import SkySettings

SKYMAP, TRACT, PATCH, BAND = "hsc_rings_cells_v1", 9813, 61, "i"

_ROTATIONS = (0.0, 30.0, 90.0, 135.0, 180.0, 225.0, 270.0, 310.0)
_DITHER = 260.0  # arcseconds: of six detectors 4.3 then touch the patch
_FIRST_VISIT = 1001
_UNCOMPRESSED = {"image": None, "mask": None, "variance": None}
_SWARP_BAD = ("BAD", "SATURATED", "COSMIC_RAY")


def standard_plan(n_visits: int, *, small: bool = False) -> SurveyPlan:
    """Return the plan; the first visits of a longer one are those of a shorter one.

    The small one has two detectors of 640 x 700 pixels, for trying things out.
    """
    columns, rows, width, height = (2, 1, 640, 700) if small else (3, 2, 2048, 4176)
    rng = np.random.default_rng(11)
    dithers = rng.uniform(-_DITHER, _DITHER, (n_visits, 2)).round(1) * (0.1 if small else 1.0)
    visits = tuple(
        VisitPlan(
            visit=_FIRST_VISIT + number,
            day_obs=20240827 + number // 60,
            sequence=number % 60,
            rotation=_ROTATIONS[number % len(_ROTATIONS)],
            dither_east=float(east),
            dither_north=float(north),
            psf="moffat",
            psf_slope=0.02,
            seeing=0.6 + 0.02 * (number % 8),
            sky_sigma=25.0 + number % 4,
        )
        for number, (east, north) in enumerate(dithers)
    )
    return SurveyPlan(
        visits=visits,
        camera=Camera(
            columns=columns,
            rows=rows,
            width=width,
            height=height,
            gap_x=72,
            gap_y=315,
            distortion=100.0,
        ),
        ra=150.107805,
        dec=2.231422,
        seed=9813,
        field_name="standard work",
        sky=SkySettings(
            stars_per_arcmin2=3.5, star_magnitudes=(12.0, 23.5), galaxies_per_arcmin2=0.0
        ),
        artifacts=ArtifactSettings(
            bad_column_bands=4, bad_column_width=4, cosmic_rays_per_megapixel=14.0, edge_width=8
        ),
    )


def images_of(
    folder: Path,
    n_visits: int,
    *,
    compressed: bool = False,
    small: bool = False,
    progress: Callable[[str], object] = print,
) -> list[Path]:
    """Return the visit images of the first visits, made where they are missing."""
    plan = standard_plan(n_visits, small=small)
    paths = []
    for visit, detector in plan.exposures:
        name = f"visit_image_{visit}_{detector}.fits"
        path = folder / "visit_image" / name
        if not path.exists():
            progress(f"simulate visit {visit}, detector {detector}")
            path.parent.mkdir(parents=True, exist_ok=True)
            image = simulate_visit_detector(plan, visit=visit, detector=detector)
            with whole_file(path) as unfinished:
                image.write(str(unfinished), compression_options=_UNCOMPRESSED)
        if compressed:
            path = _compressed(path, folder / "compressed" / name, progress)
        paths.append(path)
    return paths


def _compressed(source: Path, path: Path, progress: Callable[[str], object]) -> Path:
    if not path.exists():
        progress(f"compress {path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as unfinished:
            VisitImage.read(str(source)).write(str(unfinished))
    return path


def swarp_images_of(
    folder: Path,
    n_visits: int,
    *,
    small: bool = False,
    progress: Callable[[str], object] = print,
) -> list[Path]:
    """Return images for SWarp, each with its weight beside it (``.weight.fits``)."""
    plan = standard_plan(n_visits, small=small)
    camera = dataclasses.replace(plan.camera, distortion_keywords="TPV")
    tpv = dataclasses.replace(plan, camera=camera)
    results = []
    for (visit, detector), source in zip(
        plan.exposures,
        images_of(folder, n_visits, small=small, progress=progress),
        strict=True,
    ):
        path = folder / "swarp" / f"{visit}_{detector}.fits"
        weight_path = path.with_suffix(".weight.fits")
        if not path.exists():
            progress(f"convert {path.name} for SWarp")
            path.parent.mkdir(parents=True, exist_ok=True)
            image = VisitImage.read(str(source))
            bad = functools.reduce(np.logical_or, map(image.mask.get, _SWARP_BAD))
            weight = np.where(bad, np.float32(0.0), 1.0 / image.variance.array)
            with whole_file(weight_path, overwrite=True) as unfinished:
                fits.PrimaryHDU(weight.astype(np.float32)).writeto(unfinished)
            # SWarp does not ask for the SIP polynomials' inverse, but for PV keywords.
            header = tpv.pointing(visit, detector).fits_wcs().to_header()
            with whole_file(path) as unfinished:
                fits.PrimaryHDU(image.image.array, header).writeto(unfinished)
        results.append(path)
    return results
