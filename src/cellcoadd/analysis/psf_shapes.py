"""Shapes of point-spread functions from their adaptive second moments: width and ellipticity."""

from __future__ import annotations

__all__ = ["PsfShapes", "measure_psf_shapes"]

import dataclasses

import numpy as np
import numpy.typing as npt

from ..conventions import fwhm_of_moments
from ..kernels.moments import adaptive_moments

type _Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PsfShapes:
    """Second moments of many functions, in px^2, NaN where they did not converge.

    Parameters
    ----------
    xx, yy, xy : float64 (n,)
        Moments under the elliptical Gaussian weight that matches the function.
    """

    xx: _Floats
    yy: _Floats
    xy: _Floats

    @property
    def fwhm(self) -> _Floats:
        """2.3548 sigma in px, with sigma^4 the determinant of the moments."""
        return fwhm_of_moments(self.xx, self.yy, self.xy)

    @property
    def e1(self) -> _Floats:
        """Ellipticity along the axes: (xx - yy) / (xx + yy)."""
        return (self.xx - self.yy) / (self.xx + self.yy)

    @property
    def e2(self) -> _Floats:
        """Ellipticity along the diagonals: 2 xy / (xx + yy)."""
        return 2.0 * self.xy / (self.xx + self.yy)

    @property
    def ellipticity(self) -> _Floats:
        """Length of (e1, e2): (a^2 - b^2) / (a^2 + b^2) for the axes a and b."""
        return np.hypot(self.e1, self.e2)

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """Whether the moments did not converge."""
        return np.isnan(self.xx)


def measure_psf_shapes(stamps: npt.NDArray[np.floating]) -> PsfShapes:
    """Return the shapes of stamps (n, size, size), each centred on its middle pixel."""
    measured = np.array([adaptive_moments(stamp)[:3] for stamp in stamps], np.float64)
    xx, yy, xy = measured.reshape(-1, 3).T
    return PsfShapes(xx=xx, yy=yy, xy=xy)
