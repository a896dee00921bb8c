"""Two detectors with different zero points: warps and coadds join them without a step.

Pixels of the images are counts, and a count of one detector is worth up to five times as many nJy
as one of the other, in each visit in another proportion. The sky and its stars are the same.
"""

from __future__ import annotations

__all__ = ["measure"]

import logging
import math

import numpy as np
from lsst.images import Image

from ...products.calibrated_image import CalibratedImage
from ...products.identifiers import ObservationIdentifiers
from ...products.warp import Warp
from ...recipes import coadd_images
from ...simulate import Camera, VisitPlan
from ...warping.direct import make_direct_warp
from ...warping.settings import WarpSettings
from .check import Check
from .constant_sky import LEVEL, relative_sky
from .detector_pairs import OVERLAP, SEEING, detector_pair, images_in_counts, stars_at_the_edge
from .sources import near_grid, physics_patch, physics_plan, stars_at
from .star_shapes import fit_flux, measure_stars

_LOG = logging.getLogger(__name__)

_SEED = 20261127
_SKY = 1e-6  # a float32 is good to 6e-8; a pixel is a sum of 36 products, divided and multiplied
_FLUX = 1e-3


def measure(*, short: bool) -> list[Check]:
    """Return the steps of the sky and of stars' fluxes, in warps and in a coadd.

    Parameters
    ----------
    short
        Fewer stars.
    """
    rng = np.random.default_rng(_SEED)
    checks = []
    for overlap in (0, OVERLAP):
        case = "two detectors that overlap" if overlap else "two detectors side by side"
        _LOG.info("seams, %s", case)
        checks += _sky_of_warp(case, overlap)
    checks.append(_stars_on_the_seam(rng, fields=1 if short else 4))
    _LOG.info("seams, coadd of four visits")
    return checks + _coadd(rng, fields=1 if short else 4)


def _sky_of_warp(case: str, overlap: int) -> list[Check]:
    warp = _warp(detector_pair(overlap=overlap, sky_level=LEVEL))
    errors = relative_sky(warp.masked_image.image)
    sides = [errors[(warp.owner == number) & np.isfinite(errors)] for number in (0, 1)]
    both = np.concatenate(sides)
    return [
        Check(
            case=f"{case}, a warp", quantity="step of the sky (relative)",
            deviation=float(sides[1].mean() - sides[0].mean()), wanted=_SKY, count=both.size,
        ),
        Check(
            case=f"{case}, a warp", quantity="worst pixel of the sky (relative)",
            deviation=float(np.abs(both).max()), wanted=_SKY, count=both.size,
        ),
    ]  # fmt: skip


def _stars_on_the_seam(rng: np.random.Generator, *, fields: int) -> Check:
    """Stars whose pixels come from both detectors, fitted with the warp's PSF."""
    errors: list[float] = []
    for _ in range(fields):
        stars, at = stars_at_the_edge(rng)
        warp = _warp(detector_pair(overlap=OVERLAP, sources=stars))
        psf, planes = warp.psf, warp.masked_image
        for x, y in zip(at.x.tolist(), at.y.tolist(), strict=True):
            model = psf.compute_stellar_image(x=x, y=y)
            if _is_of_both(warp, model):
                pixels = planes.image[model.bbox].array.astype(np.float64)
                errors.append(fit_flux(pixels, model.array) / float(stars["flux_njy"][0]) - 1.0)
    return Check(
        case="two detectors that overlap, a warp", quantity="flux of stars on the seam (relative)",
        deviation=float(np.abs(errors).max(initial=0.0)), wanted=_FLUX, count=len(errors),
    )  # fmt: skip


def _is_of_both(warp: Warp, model: Image) -> bool:
    """Whether both detectors have pixels within two pixels of a star's middle."""
    place = model.bbox.slice_within(warp.bbox)
    owner = warp.owner[place.y, place.x]
    half = owner.shape[0] // 2
    middle = owner[half - 2 : half + 3, half - 2 : half + 3]
    return bool((middle == 0).any() and (middle == 1).any())


def _coadd(rng: np.random.Generator, *, fields: int) -> list[Check]:
    """Cells of one detector beside cells of the other, and of one in this visit only."""
    skies, fluxes = [], []
    inputs: set[frozenset[ObservationIdentifiers]] = set()
    for _ in range(fields):
        stars = stars_at(near_grid(rng, half_count=6, spacing=50.0, jitter=2.4, shift=20.0))
        visits = tuple(
            VisitPlan(
                visit=number, sequence=number, rotation=rotation, seeing=SEEING,
                dither_east=rng.uniform(-3.0, 3.0), dither_north=rng.uniform(-3.0, 3.0),
            )
            for number, rotation in enumerate((0.0, 180.0, 0.0, 90.0), start=1)
        )  # fmt: skip
        camera = Camera(columns=2, rows=1, width=480, height=900, gap_x=0)
        for changes in ({"sky_level": LEVEL}, {"sources": stars}):
            plan = physics_plan(visits, camera=camera, **changes)
            coadd = coadd_images(images_in_counts(plan), physics_patch())
            assert coadd is not None, "the detectors are larger than the cells"
            inputs |= {frozenset(cell.inputs) for cell in coadd.cells.values()}
            if "sources" in changes:
                fluxes.append(measure_stars(coadd, plan.truth).flux)
            else:
                skies += [relative_sky(cell.inner.image) for cell in coadd.cells.values()]
    sides = {frozenset(seen.detector for seen in observations) for observations in inputs}
    assert len(sides) == 3, "there are cells of either detector, and of both in different visits"
    sky, flux = np.array(skies), np.concatenate(fluxes)
    case = "two detectors side by side, a coadd of four visits"
    return [
        Check(
            case=case, quantity="worst pixel of the sky (relative)",
            deviation=float(np.abs(sky).max()), wanted=_SKY, count=sky.size,
        ),
        Check(
            case=case, quantity="flux of stars on both sides (relative)",
            deviation=float(np.abs(flux).max()), wanted=_FLUX, count=flux.size,
            note=f"rms {math.sqrt(float((flux**2).mean())):.1e}",
        ),
    ]  # fmt: skip


def _warp(images: list[CalibratedImage]) -> Warp:
    result = make_direct_warp(images, physics_patch(), settings=WarpSettings())
    assert result is not None, "the detectors lie on the patch"
    return result.warp
