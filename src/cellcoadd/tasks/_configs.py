"""Configurations as views of the stages' settings: the Rubin pipelines' names, our defaults once.

Classes here have ``to_settings()``, where the stage takes settings. Defaults are read off the
stages; checks are the stages' own, run when a configuration is validated, so that a bad value is
refused before any work begins.
"""

from __future__ import annotations

__all__ = [
    "InputMapConfig",
    "InterpolationConfig",
    "MaskedFractionWarperConfig",
    "SelectionConfig",
    "WarperConfig",
    "bits_to_planes",
]

from lsst.pex.config import ChoiceField, Config, Field, ListField

from ..coaddition.input_map import NSIDE_COVERAGE, NSIDE_SPARSE
from ..kernels.kernel_names import WARPING_KERNELS
from ..masks.planes import STANDARD_PLANES
from ..skymap.healsparse_maps import check_resolutions
from ..warping.settings import (
    TRIANGULATIONS,
    InterpolationSettings,
    ResamplingSettings,
    SelectionSettings,
)

_SELECTION = SelectionSettings()
_INTERPOLATION = InterpolationSettings()
_RESAMPLING = ResamplingSettings()
_ORDER = tuple(STANDARD_PLANES)


def bits_to_planes(bits: int) -> tuple[str, ...]:
    """Return the names of the mask planes in a number of bits.

    Raises
    ------
    ValueError
        If a bit has no plane.
    """
    if bits < 0 or bits >> len(_ORDER):
        raise ValueError(
            f"growFullMask = {bits} has bits without a mask plane; planes are {_ORDER}."
        )
    return tuple(name for bit, name in enumerate(_ORDER) if bits >> bit & 1)


def planes_to_bits(planes: tuple[str, ...]) -> int:
    """Return the number whose bits are the given mask planes."""
    return sum(1 << _ORDER.index(name) for name in planes)


class SelectionConfig(Config):
    """Quality cuts on detectors; an unset cut is switched off."""

    maxPsfFwhm = Field[float](
        doc="Largest PSF FWHM in arcsec.", default=_SELECTION.max_psf_fwhm, optional=True
    )
    maxEllipResidual = Field[float](
        doc="Largest median residual of ellipticity between stars and PSF model.",
        default=_SELECTION.max_ellip_residual,
        optional=True,
    )
    maxScaledSizeScatter = Field[float](
        doc="Largest scatter of the scaled size residual between stars and PSF model.",
        default=_SELECTION.max_scaled_size_scatter,
        optional=True,
    )
    maxPsfTraceRadiusDelta = Field[float](
        doc="Largest range of the PSF's trace radius over the detector, in pixels.",
        default=_SELECTION.max_psf_trace_radius_delta,
        optional=True,
    )
    maxPsfApFluxDelta = Field[float](
        doc="Largest range of the PSF's aperture flux over the detector.",
        default=_SELECTION.max_psf_ap_flux_delta,
        optional=True,
    )
    maxPsfApCorrSigmaScaledDelta = Field[float](
        doc="Largest range of the aperture correction, scaled by the PSF's size.",
        default=_SELECTION.max_psf_ap_corr_sigma_scaled_delta,
        optional=True,
    )
    minNPsfStar = Field[int](
        doc="Least number of stars that the PSF model was made from.",
        default=_SELECTION.min_n_psf_star,
        optional=True,
    )
    maxStarE = Field[float](
        doc="Largest median ellipticity of the PSF stars.",
        default=_SELECTION.max_star_e,
        optional=True,
    )

    def to_settings(self) -> SelectionSettings:
        """Return the settings of the stage."""
        return SelectionSettings(
            max_psf_fwhm=self.maxPsfFwhm,
            max_ellip_residual=self.maxEllipResidual,
            max_scaled_size_scatter=self.maxScaledSizeScatter,
            max_psf_trace_radius_delta=self.maxPsfTraceRadiusDelta,
            max_psf_ap_flux_delta=self.maxPsfApFluxDelta,
            max_psf_ap_corr_sigma_scaled_delta=self.maxPsfApCorrSigmaScaledDelta,
            min_n_psf_star=self.minNPsfStar,
            max_star_e=self.maxStarE,
        )


class InterpolationConfig(Config):
    """Interpolation of bad pixels before warping."""

    badMaskPlanes = ListField[str](
        doc="Mask planes whose pixels are replaced.", default=list(_INTERPOLATION.bad_mask_planes)
    )
    interpLength = Field[int](
        doc="Good pixels within this many pixels of a bad one are used.",
        default=_INTERPOLATION.interp_length,
    )
    fillValue = Field[float](
        doc="Value of bad pixels that lie outside of all good ones; they are flagged NO_DATA.",
        default=_INTERPOLATION.fill_value,
    )
    triangulation = ChoiceField[str](
        doc="How good pixels are triangulated.",
        allowed=TRIANGULATIONS,
        default=_INTERPOLATION.triangulation,
        optional=False,
    )

    def to_settings(self) -> InterpolationSettings:
        """Return the settings of the stage."""
        return InterpolationSettings(
            bad_mask_planes=tuple(self.badMaskPlanes),
            interp_length=self.interpLength,
            fill_value=self.fillValue,
            triangulation=self.triangulation,
        )


class WarperConfig(Config):
    """The resampler of images, variances and masks."""

    warpingKernelName = ChoiceField[str](
        doc="Kernel of images and variances.",
        allowed=dict(WARPING_KERNELS),
        default=_RESAMPLING.kernel,
        optional=False,
    )
    kernelStarFwhm = Field[float](
        doc="FWHM, in pixels of the images, of the sharpest stars that optimal kernels are for.",
        default=_RESAMPLING.star_fwhm,
    )
    maskWarpingKernelName = ChoiceField[str](
        doc="Kernel whose footprint a mask spreads over.",
        allowed={"bilinear": "the 2 x 2 pixels around the position"},
        default="bilinear",
        optional=False,
    )
    interpLength = Field[int](
        doc="Positions are exact at every so many pixels, bilinear between; 0: exact everywhere.",
        default=_RESAMPLING.interp_length,
    )
    growFullMask = Field[int](
        doc="Bits of the mask planes that spread over the whole kernel; 16 is EDGE.",
        default=planes_to_bits(_RESAMPLING.grow_full_mask),
    )

    def to_settings(self) -> ResamplingSettings:
        """Return the settings of the stage."""
        return ResamplingSettings(
            kernel=self.warpingKernelName,
            star_fwhm=self.kernelStarFwhm,
            interp_length=self.interpLength,
            grow_full_mask=bits_to_planes(self.growFullMask),
        )


class MaskedFractionWarperConfig(Config):
    """The resampler of the masked fraction. It shares the positions of the images' resampler."""

    warpingKernelName = ChoiceField[str](
        doc="Kernel of the masked fraction.",
        allowed={"bilinear": "the 2 x 2 pixels around the position"},
        default="bilinear",
        optional=False,
    )


class InputMapConfig(Config):
    """Resolutions of the map of a coadd's inputs."""

    nside = Field[int](doc="HEALPix resolution of the map, a power of two.", default=NSIDE_SPARSE)
    nside_coverage = Field[int](
        doc="HEALPix resolution of the map's index, a power of two.", default=NSIDE_COVERAGE
    )

    def validate(self) -> None:
        """Refuse bad values before any work begins."""
        super().validate()
        check_resolutions(nside_sparse=self.nside, nside_coverage=self.nside_coverage)
