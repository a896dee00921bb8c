"""What a user can choose about warping, checked once; the tasks' configuration is a view of it.

Names and defaults are those of the Rubin pipelines' tasks, so that their users' overrides work; the
configuration spells them in camel case.
"""

from __future__ import annotations

__all__ = [
    "PIPELINE_WARPING",
    "TRIANGULATIONS",
    "InterpolationSettings",
    "ResamplingSettings",
    "SelectionSettings",
    "WarpSettings",
]

import dataclasses
import math

from ..conventions import MAX_NOISE_REALIZATIONS
from ..kernels.kernel_names import DEFAULT_KERNEL, RECOMMENDED_KERNEL, WARPING_KERNELS
from ..kernels.optimal import LARGEST_STAR_FWHM, LEAST_STAR_FWHM, STAR_FWHM
from ..kernels.pixel_flags import MAX_BAD_PLANES
from ..kernels.warping_kernel import WarpingKernel, warping_kernel
from ..masks.planes import standard_name


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelectionSettings:
    """Quality cuts on detectors; a statistic that an image does not carry is not cut on.

    None switches a cut off. Defaults are those of the Rubin pipelines' selection by PSF and WCS.
    """

    max_psf_fwhm: float | None = 1.8
    """Largest full width at half maximum of the PSF, in arcseconds."""
    max_ellip_residual: float | None = 0.007
    """Largest median residual of ellipticity between stars and PSF model."""
    max_scaled_size_scatter: float | None = 0.019
    """Largest scatter of the scaled size residual between stars and PSF model."""
    max_psf_trace_radius_delta: float | None = 0.7
    """Largest range of the PSF's trace radius over the detector, in pixels."""
    max_psf_ap_flux_delta: float | None = 0.24
    """Largest range of the PSF's aperture flux over the detector."""
    max_psf_ap_corr_sigma_scaled_delta: float | None = 0.22
    """Largest range of the aperture correction, scaled by the PSF's size."""
    min_n_psf_star: int | None = 6
    """Least number of stars that the PSF model was made from."""
    max_star_e: float | None = 0.4
    """Largest median ellipticity of the PSF stars."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{field.name} must be a finite number >= 0 or None, got {value}.")


TRIANGULATIONS = {
    "holes": "hole by hole, in blocks of the detector",
    "detector": "all good pixels near bad ones at once, as the Rubin pipelines do; slow",
}
"""Ways to triangulate good pixels for the interpolation of bad ones."""

_LARGEST_REACH = 16
"""Half of the margin of the blocks in which holes are triangulated (`detector_rows`)."""


def _check_whole(name: str, value: int, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class InterpolationSettings:
    """Interpolation of bad pixels before warping."""

    bad_mask_planes: tuple[str, ...] = ("BAD", "SAT", "CR")
    """Planes whose pixels are replaced; DP2's names are translated."""
    interp_length: int = 4
    """Good pixels within this many pixels of a bad one, in x and in y, are used; 16 at most where
    holes are triangulated, of which the surroundings are looked at."""
    fill_value: float = 0.0
    """Value, in counts, of pixels that lie outside of all good pixels; they become NO_DATA."""
    triangulation: str = "holes"
    """How good pixels are triangulated; see `TRIANGULATIONS`."""

    def __post_init__(self) -> None:
        planes = tuple(dict.fromkeys(standard_name(plane) for plane in self.bad_mask_planes))
        object.__setattr__(self, "bad_mask_planes", planes)
        if len(planes) > MAX_BAD_PLANES:
            raise ValueError(
                f"bad_mask_planes may be {MAX_BAD_PLANES} planes at most, got {len(planes)}."
            )
        _check_whole("interp_length", self.interp_length, least=1)
        if not math.isfinite(self.fill_value):
            raise ValueError(f"fill_value must be finite, got {self.fill_value}.")
        if self.triangulation not in TRIANGULATIONS:
            raise ValueError(
                f"triangulation must be one of {sorted(TRIANGULATIONS)}, "
                f"got {self.triangulation!r}."
            )
        if self.triangulation == "holes" and self.interp_length > _LARGEST_REACH:
            raise ValueError(
                f"interp_length may be {_LARGEST_REACH} at most with triangulation='holes', "
                f"got {self.interp_length}; 'detector' takes any."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResamplingSettings:
    """How a resampler finds positions and grows masks."""

    kernel: str = DEFAULT_KERNEL
    """Name of the kernel of images and variances; see `WARPING_KERNELS`."""
    star_fwhm: float = STAR_FWHM
    """Full width at half maximum, in pixels of the images, of the sharpest stars that a kernel for
    stars is made for."""
    interp_length: int = 10
    """Positions are exact at every so many pixels and bilinear in between; 0: exact everywhere."""
    grow_full_mask: tuple[str, ...] = ("EDGE",)
    """Planes that spread over the whole footprint of the kernel instead of its central 2 x 2."""

    def __post_init__(self) -> None:
        _check_whole("interp_length", self.interp_length, least=0)
        if self.kernel not in WARPING_KERNELS:
            raise ValueError(f"kernel must be one of {list(WARPING_KERNELS)}, got {self.kernel!r}.")
        if not LEAST_STAR_FWHM <= self.star_fwhm <= LARGEST_STAR_FWHM:
            raise ValueError(
                f"star_fwhm must be {LEAST_STAR_FWHM:g} to {LARGEST_STAR_FWHM:g} pixels, "
                f"got {self.star_fwhm}."
            )

    @property
    def warping_kernel(self) -> WarpingKernel:
        """The kernel, with its weights."""
        return warping_kernel(self.kernel, self.star_fwhm)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarpSettings:
    """Everything about the making of a warp."""

    number_of_noise_realizations: int = 0
    """Number of noise realizations to warp along, at most three."""
    seed_offset: int = 0
    """Enters the seeds of the noise: with another one, all of it is drawn anew."""
    use_median_variance: bool = True
    """Draw noise with the median variance of the detector instead of each pixel's own."""
    do_revert_old_background: bool = False
    """Add the background model that was subtracted from an image back to it, before all else."""
    do_apply_new_background: bool = False
    """Subtract the model ``new_background``, after the old one is back if that is asked for too."""
    new_background: str | None = None
    """Name of the model among those that an image carries."""
    do_select_pre_warp: bool = True
    """Leave out detectors that fail the cuts of ``select``."""
    select: SelectionSettings = dataclasses.field(default_factory=SelectionSettings)
    """The cuts."""
    do_pre_warp_interpolation: bool = False
    """Interpolate bad pixels before warping."""
    interpolation: InterpolationSettings = dataclasses.field(default_factory=InterpolationSettings)
    """How they are interpolated."""
    border: int = 256
    """Pixels by which a warp extends beyond the patch where there are data."""
    do_warp_masked_fraction: bool = True
    """Warp the fraction of bad pixels."""
    resampling: ResamplingSettings = dataclasses.field(default_factory=ResamplingSettings)
    """The resampler of images, variances and masks."""

    def __post_init__(self) -> None:
        if not 0 <= self.number_of_noise_realizations <= MAX_NOISE_REALIZATIONS:
            raise ValueError(
                f"number_of_noise_realizations must be in 0..{MAX_NOISE_REALIZATIONS}, "
                f"got {self.number_of_noise_realizations}."
            )
        if self.border < 0:
            raise ValueError(f"border must not be negative, got {self.border}.")
        if self.do_apply_new_background and not self.new_background:
            raise ValueError(
                "do_apply_new_background needs new_background, the name of the model to subtract, "
                f"got {self.new_background!r}."
            )

    @property
    def need_whole_detectors(self) -> bool:
        """Whether the whole of a detector must be prepared, whatever part of it a patch needs.

        Models of the background are evaluated on all of it, and good pixels may be triangulated at
        once.
        """
        return (
            (self.do_pre_warp_interpolation and self.interpolation.triangulation == "detector")
            or self.do_revert_old_background
            or self.do_apply_new_background
        )

    @property
    def masked_fraction_planes(self) -> tuple[str, ...]:
        """Planes that the masked fraction counts: those that were interpolated, if any were."""
        return self.interpolation.bad_mask_planes if self.do_pre_warp_interpolation else ()


PIPELINE_WARPING = WarpSettings(
    do_pre_warp_interpolation=True, resampling=ResamplingSettings(kernel=RECOMMENDED_KERNEL)
)
"""What our own pipelines and commands choose; tasks alone have the defaults of Rubin's."""
