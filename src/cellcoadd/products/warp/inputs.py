"""What went into a warp: its detectors, and the kernel that they were resampled with."""

from __future__ import annotations

__all__ = ["WarpInput", "WarpKernel"]

import dataclasses
from typing import Any

from lsst.images import Box, Polygon, SkyProjection
from lsst.images.psfs import PointSpreadFunction

from ...kernels.kernel_names import DEFAULT_KERNEL
from ...kernels.optimal import STAR_FWHM
from ..identifiers import ObservationIdentifiers
from ..observing_conditions import UNKNOWN_CONDITIONS, ObservingConditions


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarpInput:
    """One detector that went into a warp.

    Parameters
    ----------
    observation
        Which detector of which visit.
    bbox
        The detector's pixels.
    sky_projection
        The detector's pixels to sky and back.
    footprint
        The part of the tract's pixel plane that it covers, within the warp's box.
    mean_variance_njy2
        Mean variance of the detector in nJy^2, or in the square of the warp's own unit.
    psf
        The detector's point-spread function, in its own pixels. It does not count when inputs are
        compared: not all kinds can be.
    conditions
        What is known of its exposure.
    """

    observation: ObservationIdentifiers
    bbox: Box
    sky_projection: SkyProjection[Any]
    footprint: Polygon
    mean_variance_njy2: float
    psf: PointSpreadFunction = dataclasses.field(compare=False)
    conditions: ObservingConditions = UNKNOWN_CONDITIONS

    @property
    def weight(self) -> float:
        """Weight in a coadd: 1 / mean variance, nJy^-2 or in the warp's own unit."""
        return 1.0 / self.mean_variance_njy2


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarpKernel:
    """The kernel that a warp was resampled with; the default is that of all warps before 1.3.

    Parameters
    ----------
    name
        One of `kernels.warping_kernel.WARPING_KERNELS`.
    star_fwhm
        Size of the stars that an ``optimal`` kernel is made for, in pixels.
    """

    name: str = DEFAULT_KERNEL
    star_fwhm: float = STAR_FWHM
