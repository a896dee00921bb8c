"""Surveys of stars: orientations, pixel scales, distortions and point-spread functions.

Seeings are those of real cameras with such pixels, three pixels of the detector or more: below two,
pixels have lost what an interpolation would need.
"""

from __future__ import annotations

__all__ = ["STAR_CASES", "StarCase"]

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...simulate import Camera, SurveyPlan, VisitPlan
from .sources import ARCSEC_PER_PIXEL, near_grid, physics_plan, stars_at

_WIDTH = 900  # tract pixels: in any orientation it holds the nine cells that the stars lie in
_SPACING = 50.0  # tract pixels between stars: more than a PSF's image
_DITHER = 3.0  # arcsec, largest in each direction: 18 pixels


@dataclasses.dataclass(frozen=True, kw_only=True)
class StarCase:
    """One way to observe stars.

    Parameters
    ----------
    name
        What is special about it.
    rotations
        Position angle of each visit's columns in degrees: as many visits as there are angles.
    seeing
        FWHM of each visit in arcsec.
    ratio
        Pixel scale of the detector over that of the tract.
    psf
        Fields of `VisitPlan` that shape the PSF.
    camera
        Further fields of `Camera`.
    in_short
        Whether the short form has it.
    hard
        Whether Lanczos-3 changes such stars by more than is wanted: all kernels are tried on it.
    """

    name: str
    rotations: tuple[float, ...]
    seeing: tuple[float, ...]
    ratio: float = 1.0
    psf: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    camera: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    in_short: bool = False
    hard: bool = False

    def __post_init__(self) -> None:
        if len(self.rotations) != len(self.seeing):
            raise ValueError(
                f"{self.name}: {len(self.rotations)} rotations need as many seeings, "
                f"got {len(self.seeing)}."
            )

    def plan(self, rng: np.random.Generator) -> SurveyPlan:
        """Return the survey, with random dithers and random positions of 81 stars."""
        visits = tuple(
            VisitPlan(
                visit=number, sequence=number, rotation=rotation, seeing=seeing,
                dither_east=rng.uniform(-_DITHER, _DITHER),
                dither_north=rng.uniform(-_DITHER, _DITHER),
                # Unequal weights.
                sky_sigma=20.0 + 2.0 * number,
                **self.psf,
            )
            for number, (rotation, seeing) in enumerate(
                zip(self.rotations, self.seeing, strict=True), start=1
            )
        )  # fmt: skip
        width = round(_WIDTH / self.ratio)
        scale = self.ratio * ARCSEC_PER_PIXEL
        camera = Camera(
            columns=1, rows=1, width=width, height=width, pixel_scale=scale, **self.camera
        )
        grid = near_grid(rng, half_count=4, spacing=_SPACING, jitter=2.4, shift=20.0)
        return physics_plan(visits, camera=camera, sources=stars_at(grid))


_ANGLES = (17.0, 64.0, 118.0, 203.0, 291.0)
_GOOD = (0.7,) * 5
_VARYING = (0.5, 0.6, 0.7, 0.8, 0.9)
_ELLIPTICAL = {"psf": "moffat", "psf_g1": 0.05, "psf_g2": -0.03}
_VARIABLE = _ELLIPTICAL | {"psf_slope": 0.005}
_SIP, _TPV = (
    {"distortion": 1e4, "distortion_keywords": keywords} for keywords in ("SIP", "TPV")
)  # 300 px from the axis the area of pixels changes by 1.6e-5 from one to the next


def _near(visits: int, seeing: float, *, angle: float = 3.0, in_short: bool = False) -> StarCase:
    """Visits whose pixels are nearly aligned with the tract's."""
    number = "a visit" if visits == 1 else f"{visits} visits"
    return StarCase(
        name=f'{number} turned by {angle:g} deg, seeing {seeing}"',
        rotations=(angle,) * visits, seeing=(seeing,) * visits, in_short=in_short, hard=True,
    )  # fmt: skip


def _aligned(ratio: float, seeing: float) -> StarCase:
    """Visits with other pixels than the tract's, but not turned."""
    return StarCase(
        name=f'5 visits of pixel ratio {ratio:g}, not turned, seeing {seeing}"',
        rotations=(0.0,) * 5, seeing=(seeing,) * 5, ratio=ratio, hard=True,
    )  # fmt: skip


def _all_together(
    name: str, rotations: tuple[float, ...], *, distortion: float = 5e3, in_short: bool = False,
    hard: bool = False,
) -> StarCase:  # fmt: skip
    """Everything at once: scale, distortion, and a PSF that varies in all ways."""
    return StarCase(
        name=name, rotations=rotations, seeing=(0.7, 0.7, 0.8, 0.8, 0.9), ratio=1.25, psf=_VARIABLE,
        camera=_TPV | {"distortion": distortion}, in_short=in_short, hard=hard,
    )  # fmt: skip


STAR_CASES = (
    StarCase(
        name="turned by 0, 90, 180, 270 deg", rotations=(0.0, 90.0, 180.0, 270.0),
        seeing=(0.7,) * 4, in_short=True,
    ),
    StarCase(name="turned by 17 to 291 deg", rotations=_ANGLES, seeing=_GOOD, in_short=True),
    StarCase(name="all turned by 37 deg", rotations=(37.0,) * 5, seeing=_GOOD),
    StarCase(
        name='pixel ratio 0.6 (0.10"), seeing 0.6"', rotations=_ANGLES, seeing=(0.6,) * 5,
        ratio=0.6,
    ),
    StarCase(
        name='pixel ratio 0.8 (0.13"), seeing 0.6"', rotations=_ANGLES, seeing=(0.6,) * 5,
        ratio=0.8,
    ),
    StarCase(
        name='pixel ratio 1.25 (0.21"), seeing 0.7"', rotations=_ANGLES, seeing=_GOOD, ratio=1.25
    ),
    StarCase(
        name='pixel ratio 1.6 (0.27"), seeing 0.9"', rotations=_ANGLES, seeing=(0.9,) * 5,
        ratio=1.6, in_short=True,
    ),
    StarCase(
        name="TAN-SIP", rotations=_ANGLES, seeing=_GOOD,
        camera=_SIP,
    ),
    StarCase(
        name="TPV", rotations=_ANGLES, seeing=_GOOD, camera=_TPV,
        in_short=True,
    ),
    StarCase(name='Gaussians of 0.5" to 0.9"', rotations=_ANGLES, seeing=_VARYING),
    StarCase(
        name='Moffats of 0.5" to 0.9"', rotations=_ANGLES, seeing=_VARYING,
        psf={"psf": "moffat"}, in_short=True,
    ),
    StarCase(
        name='elliptical Moffats of 0.5" to 0.9"', rotations=_ANGLES, seeing=_VARYING,
        psf=_ELLIPTICAL,
    ),
    StarCase(
        name="elliptical Moffats, 1 % wider over 900 px", rotations=_ANGLES, seeing=_GOOD,
        psf=_VARIABLE,
    ),
    _all_together(
        "ratio 1.25, TPV, elliptical Moffats, 1 % wider over 720 px", _ANGLES, in_short=True
    ),
    _all_together(
        "the same, turned by 0, 41, 97, 160, 248 deg", (0.0, 41.0, 97.0, 160.0, 248.0),
        hard=True,
    ),
    _all_together(
        "the same, distorted twice as much", _ANGLES, distortion=1e4, hard=True,
    ),
    StarCase(
        name='elliptical Moffats of 0.5" to 0.9", 1 % wider over 900 px', rotations=_ANGLES,
        seeing=_VARYING, psf=_VARIABLE, hard=True,
    ),
    _near(1, 0.5),
    _near(1, 0.6, in_short=True),
    _near(1, 0.7),
    _near(1, 0.8),
    _near(1, 0.7, angle=0.0),
    _near(1, 0.6, angle=10.0),
    _near(1, 0.6, angle=20.0),
    _near(1, 0.6, angle=37.0),
    _near(2, 0.6),
    _near(4, 0.6, in_short=True),
    _near(8, 0.6),
    _near(16, 0.6),
    StarCase(
        name='5 visits turned by 1 to 9 deg, seeing 0.6"', rotations=(1.0, 3.0, 5.0, 7.0, 9.0),
        seeing=(0.6,) * 5, hard=True,
    ),
    _aligned(0.8, 0.6),
    _aligned(0.9, 0.6),
    _aligned(1.1, 0.6),
    _aligned(1.25, 0.7),
)  # fmt: skip
"""All surveys; the hard ones last."""
