"""The shear of two galaxies that were rotated by 90 degrees against each other before it.

Stamps of the galaxies and the image of their point-spread function come in, the shear that both
have in common goes out. Nothing but GalSim looks at the pixels: the product that is examined takes
no part in its own examination.
"""

from __future__ import annotations

__all__ = ["KNOWN_SHEAR", "PairShear", "Reconvolved", "measure_pair"]

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import galsim

type _Floats = npt.NDArray[np.float64]

KNOWN_SHEAR = 0.01
"""Size of the shears that responses are measured with, as in Sheldon & Huff (2017)."""

_DILATION = 1.15
"""Size of the final point-spread function over that of the image's: a shear of 0.01 moves no scale
that the image has lost into the range that the final function keeps."""

_INTERPOLANT = "lanczos15"
_PADDING = 6  # times the size of a stamp: what the interpolation between wave numbers needs


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairShear:
    """What two galaxies say about the shear of both.

    Parameters
    ----------
    first_order : complex
        The mean ellipticity, divided by its response: off by terms of the third order.
    nulling : complex
        The shear which, taken off, leaves no mean ellipticity.
    response : float64 (2, 2)
        Derivatives of the mean ellipticity (rows) by the shear (columns).
    """

    first_order: complex
    nulling: complex
    response: _Floats


class Reconvolved:
    """A galaxy without its point-spread function, to be sheared and seen with a round one.

    Parameters
    ----------
    stamp : float64 (rows, columns)
        Image of the galaxy, its centre within a pixel of the middle; sizes odd.
    psf : float64 (rows, columns)
        Image of the point-spread function, pixel included, centred on the middle pixel; sizes odd.
    jacobian : float64 (2, 2)
        d(west, north)/d(x, y) in arcseconds per pixel.
    """

    def __init__(self, stamp: _Floats, psf: _Floats, jacobian: _Floats) -> None:
        import galsim

        self._deconvolved = galsim.Convolve(
            _interpolated(stamp, jacobian), galsim.Deconvolve(_interpolated(psf, jacobian))
        )
        scale = float(np.sqrt(abs(np.linalg.det(jacobian))))
        found = galsim.hsm.FindAdaptiveMom(galsim.ImageD(psf.copy(), scale=1.0))
        self._target = galsim.Gaussian(sigma=_DILATION * found.moments_sigma * scale)
        self._size, self._scale = max(stamp.shape), scale

    def ellipticity(self, shear: complex = 0j) -> complex:
        """Return the ellipticity of the sheared galaxy, seen with the round function.

        Parameters
        ----------
        shear
            Reduced shear g1 + i g2 to be added, in the frame of west and north.

        Returns
        -------
        complex
            (Mxx - Myy + 2 i Mxy) / (Mxx + Myy) of the adaptive moments.

        Raises
        ------
        galsim.GalSimHSMError
            If the moments do not converge.
        """
        import galsim

        sheared = self._deconvolved.shear(g1=shear.real, g2=shear.imag)
        image = galsim.Convolve(sheared, self._target).drawImage(
            nx=self._size, ny=self._size, scale=self._scale, method="no_pixel", dtype=float
        )
        shape = galsim.hsm.FindAdaptiveMom(image).observed_shape
        return complex(shape.e1, shape.e2)


def measure_pair(first: Reconvolved, second: Reconvolved) -> PairShear:
    """Return the shear that two galaxies have in common.

    Parameters
    ----------
    first, second
        Galaxies alike but for their orientations before the shear, which differ by 90 degrees.

    Notes
    -----
    Metacalibration (Huff & Mandelbaum 2017, arXiv:1702.02600; Sheldon & Huff 2017,
    arXiv:1702.02601): the response is the central difference of the ellipticities that known shears
    bring about. The ellipticity divided by it is the shear up to terms of the third order, which
    are a few times 1e-4 of a shear of 0.02. One more step of Newton's method removes them: it finds
    the shear that, taken off, leaves two galaxies whose ellipticities cancel exactly.
    """

    def mean(shear: complex = 0j) -> complex:
        return 0.5 * (first.ellipticity(shear) + second.ellipticity(shear))

    step = KNOWN_SHEAR
    slopes = [(mean(step * unit) - mean(-step * unit)) / (2.0 * step) for unit in (1.0, 1j)]
    response = np.array([[slope.real for slope in slopes], [slope.imag for slope in slopes]])
    first_order = _solve(response, mean())
    left = _solve(response, mean(-first_order))
    return PairShear(first_order=first_order, nulling=first_order + left, response=response)


def _solve(response: _Floats, ellipticity: complex) -> complex:
    g1, g2 = np.linalg.solve(response, [ellipticity.real, ellipticity.imag])
    return complex(g1, g2)


def _interpolated(pixels: _Floats, jacobian: _Floats) -> galsim.GSObject:
    """Return an image as a profile on the sky, lengths in arcseconds."""
    import galsim

    (dudx, dudy), (dvdx, dvdy) = jacobian
    return galsim.InterpolatedImage(
        galsim.ImageD(np.array(pixels, np.float64)),
        x_interpolant=_INTERPOLANT,
        pad_factor=_PADDING,
        wcs=galsim.JacobianWCS(dudx, dudy, dvdx, dvdy),
    )
