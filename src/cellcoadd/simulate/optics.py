"""Point-spread functions: the profile that draws the stars, and the same as lsst.images keeps it.

The profile is the *effective* one: it includes the pixel, so a star is the profile sampled at the
pixel centres. On a square stamp around the star it is normalized to unit sum, which is what the
point-spread functions of lsst.images do; the flux of a star is its flux on that stamp.
"""

from __future__ import annotations

__all__ = ["PointSpread", "PsfKind"]

import dataclasses
import math
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from lsst.images.psfs import GaussianPointSpreadFunction, PiffWrapper, PointSpreadFunction

from ..conventions import FWHM_PER_SIGMA, round_half_up

if TYPE_CHECKING:
    import galsim

type PsfKind = Literal["gaussian", "moffat"]
"""The profile of a point-spread function."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PointSpread:
    """The point-spread function of one detector in one visit.

    Parameters
    ----------
    kind
        ``gaussian`` (round, constant) or ``moffat``.
    fwhm
        Full width at half maximum in pixels at pixel (0, 0), before shearing.
    beta
        Exponent of the Moffat profile.
    g1, g2
        Reduced shear of the Moffat profile along the pixel axes.
    slope_x, slope_y
        Relative change of the Moffat's width per pixel in x and in y.
    stamp_size
        Side of the square stamp in pixels, odd.

    Raises
    ------
    ValueError
        If a value is out of range, or a Gaussian is asked to be sheared or to vary.
    """

    kind: PsfKind
    fwhm: float
    beta: float = 3.5
    g1: float = 0.0
    g2: float = 0.0
    slope_x: float = 0.0
    slope_y: float = 0.0
    stamp_size: int = 41

    def __post_init__(self) -> None:
        if self.kind not in ("gaussian", "moffat"):
            raise ValueError(f"The PSF must be 'gaussian' or 'moffat', got {self.kind!r}.")
        if not self.fwhm > 0.0:
            raise ValueError(f"The PSF's FWHM must be positive, got {self.fwhm} pixels.")
        if self.stamp_size < 3 or self.stamp_size % 2 == 0:
            raise ValueError(f"The PSF stamp must be odd and at least 3, got {self.stamp_size}.")
        if not self.beta > 2.0:
            raise ValueError(
                f"A Moffat PSF has finite second moments for beta > 2 only, got {self.beta}."
            )
        if math.hypot(self.g1, self.g2) >= 1.0:
            raise ValueError(f"A shear must be less than 1, got ({self.g1}, {self.g2}).")
        if self.kind == "gaussian" and any((self.g1, self.g2, self.slope_x, self.slope_y)):
            raise ValueError("The Gaussian PSF is round and constant: use 'moffat' to vary it.")

    def fwhm_at(self, *, x: float, y: float) -> float:
        """Return the full width at half maximum in pixels at a position, before shearing."""
        return self.fwhm * (1.0 + self.slope_x * x + self.slope_y * y)

    def profile_at(self, *, x: float, y: float) -> galsim.GSObject:
        """Return the profile at a position: unit flux, lengths in pixels."""
        import galsim

        fwhm = self.fwhm_at(x=x, y=y)
        if self.kind == "gaussian":
            return galsim.Gaussian(sigma=fwhm / FWHM_PER_SIGMA)
        return galsim.Moffat(beta=self.beta, fwhm=fwhm).shear(g1=self.g1, g2=self.g2)

    def draw(self, *, x: float, y: float) -> tuple[npt.NDArray[np.float64], Box]:
        """Return the image of a star of unit flux at a position, and its pixels."""
        import galsim

        half = self.stamp_size // 2
        x_middle, y_middle = round_half_up(x), round_half_up(y)
        stamp = galsim.ImageD(self.stamp_size, self.stamp_size, scale=1.0)
        stamp.setCenter(x_middle, y_middle)
        profile = self.profile_at(x=x, y=y)
        profile.drawImage(stamp, method="no_pixel", center=galsim.PositionD(x, y))
        array: npt.NDArray[np.float64] = stamp.array / stamp.array.sum()
        return array, Box.from_shape(array.shape, start=(y_middle - half, x_middle - half))

    def to_lsst(self, bounds: Box) -> PointSpreadFunction:
        """Return the same as an object of lsst.images, valid in a box."""
        if self.kind == "gaussian":
            return GaussianPointSpreadFunction(
                self.fwhm / FWHM_PER_SIGMA, bounds=bounds, stamp_size=self.stamp_size
            )
        return PiffWrapper(self._to_piff(), bounds=bounds, stamp_size=self.stamp_size)

    def _to_piff(self) -> object:
        import galsim
        import piff

        model = piff.Moffat(self.beta, include_pixel=False)
        # Piff's Moffat is scaled from a profile of unit half-light radius.
        unit_fwhm = galsim.Moffat(beta=self.beta, half_light_radius=1.0).fwhm
        size = self.fwhm / unit_fwhm
        interpolation = piff.BasisPolynomial(order=1)
        # One row a parameter (size, g1, g2); columns in the order of Piff's basis: 1, v, u.
        interpolation.q = np.array(
            [
                [size, size * self.slope_y, size * self.slope_x],
                [self.g1, 0.0, 0.0],
                [self.g2, 0.0, 0.0],
            ]
        )
        psf = piff.SimplePSF(model, interpolation)
        # With a unit pixel scale Piff's field coordinates u and v are the pixels' x and y.
        psf.wcs, psf.pointing, psf.bandpass = {0: galsim.PixelScale(1.0)}, None, None
        psf.stars = []
        return psf
