"""What a user can choose about coaddition, checked once; the task's configuration is a view of it.

Names and defaults are those of the Rubin pipelines' task, so that its users' overrides work.
"""

from __future__ import annotations

__all__ = ["CoaddSettings"]

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from ..conventions import MAX_NOISE_REALIZATIONS
from ..masks.planes import STANDARD_PLANES, standard_name


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoaddSettings:
    """Everything about the assembly of a cell-based coadd."""

    do_interpolate_coadd: bool = True
    """Fill pixels without data, in the image and in the noise alike."""
    do_calculate_weight_from_warp: bool = False
    """Weigh by the clipped mean of the warp's variance instead of the detector's mean variance."""
    do_use_artifact_mask: bool = False
    """Set CLIPPED from the artifact masks of the warps."""
    require_artifact_mask: bool = False
    """Leave out a warp without artifact mask."""
    min_overlap_fraction: float = 1.0
    """Least part of a cell that an input must cover."""
    overlap_region: Literal["outer", "inner"] = "outer"
    """The region of a cell of which that part is meant; the Rubin pipelines look at the inner."""
    bad_mask_planes: tuple[str, ...] = ("BAD", "NO_DATA", "SAT", "CLIPPED")
    """Pixels with any of these are left out of the sums; a survey's own planes may be named too."""
    remove_mask_planes: tuple[str, ...] = ("EDGE", "NOT_DEBLENDED")
    """Planes that mean nothing in a coadd."""
    calc_error_from_input_variance: bool = True
    """Variance from the inputs' variances; else from the scatter of the inputs."""
    mask_propagation_thresholds: Mapping[str, float] = MappingProxyType({"SAT": 0.1})
    """A plane is set where the left-out part of the weight passes its threshold. Planes that are
    not left out have no left-out weight, so that theirs do not matter."""
    max_maskfrac: float = 0.5
    """Largest masked part of a cell's inner region, unless every input has more."""
    num_noise_realizations: int = 0
    """Number of noise realizations to add up along; warps must have at least as many."""
    psf_dimensions: int = 35
    """Side of the images of PSF and noise covariance in pixels, odd."""
    do_coadd_inverse_aperture_corrections: bool = False
    """Average the inverses of the aperture corrections, which is what the coadd's pixels do."""
    matched_psf_fwhm: float | None = None
    """Convolve each cell so that its PSF is a round Gaussian of this FWHM in arcseconds; None: each
    keeps its own."""

    def __post_init__(self) -> None:
        for name in ("min_overlap_fraction", "max_maskfrac"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must be in 0..1, got {value}.")
        if self.overlap_region not in ("outer", "inner"):
            raise ValueError(
                f"overlap_region must be 'outer' or 'inner', got {self.overlap_region!r}."
            )
        if self.matched_psf_fwhm is not None and not 0.0 < self.matched_psf_fwhm < math.inf:
            raise ValueError(
                f"matched_psf_fwhm must be a positive number of arcseconds or None, got "
                f"{self.matched_psf_fwhm}."
            )
        if self.psf_dimensions < 1 or self.psf_dimensions % 2 == 0:
            raise ValueError(f"psf_dimensions must be odd, got {self.psf_dimensions}.")
        if not 0 <= self.num_noise_realizations <= MAX_NOISE_REALIZATIONS:
            raise ValueError(
                f"num_noise_realizations must be in 0..{MAX_NOISE_REALIZATIONS}, "
                f"got {self.num_noise_realizations}."
            )
        if self.require_artifact_mask and not self.do_use_artifact_mask:
            raise ValueError("require_artifact_mask is of no use without do_use_artifact_mask.")
        for name in ("bad_mask_planes", "remove_mask_planes"):
            planes = tuple(standard_name(plane) for plane in getattr(self, name))
            object.__setattr__(self, name, planes)
        thresholds = {
            standard_name(plane): threshold
            for plane, threshold in self.mask_propagation_thresholds.items()
        }
        object.__setattr__(self, "mask_propagation_thresholds", thresholds)
        for plane, threshold in thresholds.items():
            if plane not in STANDARD_PLANES and plane not in self.bad_mask_planes:
                raise ValueError(
                    f"mask_propagation_thresholds names {plane!r}, which is neither a plane that "
                    f"is left out nor one of {sorted(STANDARD_PLANES)}."
                )
            if not 0.0 <= threshold <= 1.0:
                raise ValueError(f"The threshold of {plane!r} must be in 0..1, got {threshold}.")
