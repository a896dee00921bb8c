"""Stars in coadds: flux, size and place beside the coadd's PSF and beside the truth."""

from __future__ import annotations

__all__ = ["measure", "measure_kernels"]

import dataclasses
import logging
import math
from collections.abc import Iterable, Mapping
from zlib import crc32

import numpy as np

from ...analysis.cell_measurements import CellMeasurements
from ...analysis.psf_quality import fidelities
from ...kernels.kernel_names import RECOMMENDED_KERNEL
from ...recipes import coadd_images
from ...warping.settings import PIPELINE_WARPING, ResamplingSettings
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
_KERNELS = {"lanczos3": False, "lanczos5": False, "optimal8": True}
"""Kernels that are tried on the hard surveys, beside the recommended one, and whether they must
keep the limits."""


def measure(*, short: bool) -> list[Check]:
    """Return the largest deviation of each quantity in each survey, with the recommended kernel.

    Parameters
    ----------
    short
        Only one field of some of the surveys.
    """
    return _measure_all(STAR_CASES, {RECOMMENDED_KERNEL: True}, short=short)


def measure_kernels(*, short: bool) -> list[Check]:
    """Return the same of the surveys that are hard for Lanczos-3, with other kernels.

    Parameters
    ----------
    short
        Only one field of some of the surveys.
    """
    hard = [case for case in STAR_CASES if case.hard]
    return _measure_all(hard, _KERNELS, short=short)


def _measure_all(
    cases: Iterable[StarCase], kernels: Mapping[str, bool], *, short: bool
) -> list[Check]:
    """Measure surveys with kernels, which must keep the limits or not."""
    return [
        check
        for case in cases
        if case.in_short or not short
        for kernel, limited in kernels.items()
        for check in _measure(case, kernel, limited=limited, fields=1 if short else _FIELDS)
    ]


def _measure(case: StarCase, kernel: str, *, limited: bool, fields: int) -> list[Check]:
    _LOG.info("stars, %s, %s", case.name, kernel)
    seed = crc32(case.name.encode())
    found = [_observe(case, kernel, seed=(seed, field)) for field in range(fields)]
    name = case.name if kernel == RECOMMENDED_KERNEL else f"{case.name}, {kernel}"
    fidelity = float(np.mean([fidelity for _, fidelity in found]))
    return _to_checks(name, [errors for errors, _ in found], limited=limited, fidelity=fidelity)


def _observe(case: StarCase, kernel: str, *, seed: tuple[int, ...]) -> tuple[StarErrors, float]:
    """The errors of the stars of a field, and the mean fidelity of its cells."""
    plan = case.plan(np.random.default_rng(seed))
    settings = dataclasses.replace(PIPELINE_WARPING, resampling=ResamplingSettings(kernel=kernel))
    coadd = coadd_images(images_of(plan), physics_patch(), warp_settings=settings)
    if coadd is None:
        raise AssertionError(f"{case.name}: the detector misses the cells that it is made for")
    return measure_stars(coadd, plan.truth), float(fidelities(CellMeasurements(coadd)).mean())


def _to_checks(
    case: str, found: list[StarErrors], *, limited: bool, fidelity: float
) -> list[Check]:
    checks = []
    for name, (quantity, limit) in _LIMITS.items():
        values = np.concatenate([getattr(errors, name) for errors in found])
        note = f"rms {math.sqrt(float((values**2).mean())):.1e}" if values.size else "no star"
        if name == "flux":
            note += f", fidelity {fidelity:.1e}, its root {math.sqrt(fidelity):.1e}"
        worst = float(np.abs(values).max(initial=0.0))
        if not limited:
            note += f"; {limit:g} {'met' if worst <= limit else 'missed'}"
        checks.append(
            Check(
                case=case, quantity=quantity, deviation=worst, count=values.size,
                wanted=limit if limited else math.inf, note=note,
            )
        )  # fmt: skip
    return checks
