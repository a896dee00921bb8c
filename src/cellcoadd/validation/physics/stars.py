"""Stars in coadds: flux, size and place beside the coadd's PSF and beside the truth."""

from __future__ import annotations

__all__ = ["measure"]

import logging
import math
from zlib import crc32

import numpy as np

from ...recipes import coadd_images
from .check import Check
from .sources import images_of, physics_patch
from .star_cases import STAR_CASES, StarCase
from .star_shapes import StarErrors, measure_stars

_LOG = logging.getLogger(__name__)

_FIELDS = 4  # of the full form: other positions, other dithers
_LIMITS = {
    "flux": ("flux (relative)", 1e-3),
    "sigma": ("adaptive sigma (px)", 2e-3),
    "from_psf": ("centroid, from that of the PSF (mas)", 1.0),
    "from_sky": ("centroid, from the place on the sky (mas)", 1.0),
}


def measure(*, short: bool) -> list[Check]:
    """Return the largest deviation of each quantity in each survey of `STAR_CASES`.

    Parameters
    ----------
    short
        Only one field of some of the surveys.
    """
    checks: list[Check] = []
    for case in STAR_CASES:
        if short and not case.in_short:
            continue
        fields = 1 if short else _FIELDS
        _LOG.info("stars, %s", case.name)
        found = [_observe(case, seed=(crc32(case.name.encode()), field)) for field in range(fields)]
        checks += _to_checks(case, found)
    return checks


def _observe(case: StarCase, *, seed: tuple[int, ...]) -> StarErrors:
    plan = case.plan(np.random.default_rng(seed))
    coadd = coadd_images(images_of(plan), physics_patch())
    if coadd is None:
        raise AssertionError(f"{case.name}: the detector misses the cells that it is made for")
    return measure_stars(coadd, plan.truth)


def _to_checks(case: StarCase, found: list[StarErrors]) -> list[Check]:
    checks = []
    for name, (quantity, limit) in _LIMITS.items():
        values = np.concatenate([getattr(errors, name) for errors in found])
        note = f"rms {math.sqrt(float((values**2).mean())):.1e}" if values.size else "no star"
        worst = float(np.abs(values).max(initial=0.0))
        if case.why_no_limit:
            verdict = "met" if worst <= limit else "missed"
            note += f"; {case.why_no_limit}: {limit:g} {verdict}"
        checks.append(
            Check(
                case=case.name, quantity=quantity, deviation=worst, count=values.size,
                wanted=math.inf if case.why_no_limit else limit, note=note,
            )
        )  # fmt: skip
    return checks
