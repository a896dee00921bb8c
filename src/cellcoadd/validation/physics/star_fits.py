"""Measuring a star with a given point-spread function, in an exposure and in a coadd alike."""

from __future__ import annotations

__all__ = ["DrawStar", "StarFit", "fit_star"]

import dataclasses
import math
from typing import Protocol

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, MaskedImage
from scipy.optimize import least_squares

from ...kernels.moments import adaptive_moments
from ...masks.planes import bits_of, plane_array


class DrawStar(Protocol):
    """Draws a star of unit flux, as ``compute_stellar_image`` of a point-spread function does."""

    def __call__(self, *, x: float, y: float) -> Image:
        """Return its image."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StarFit:
    """A star and the point-spread function that was fitted to it.

    Parameters
    ----------
    x, y
        Position in pixels.
    flux
        In units of the image.
    sky
        Constant level below it, per pixel.
    pixels, model, variance : float64 (size, size)
        The star less the sky, the fitted function, and the stated variance.
    used : bool (size, size)
        Pixels that were fitted.
    """

    x: float
    y: float
    flux: float
    sky: float
    pixels: npt.NDArray[np.float64]
    model: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    used: npt.NDArray[np.bool_]

    @property
    def reduced_chi2(self) -> float:
        """Mean square of the residuals in units of the stated variance; 4 parameters are free."""
        pull2 = (self.pixels - self.model)[self.used] ** 2 / self.variance[self.used]
        return float(pull2.sum() / (pull2.size - 4))

    @property
    def size_ratio(self) -> float:
        """Adaptive size of the star over that of the function drawn at the same place."""
        return self._size(self.pixels) / self._size(self.model)

    @property
    def ellipticity_difference(self) -> float:
        """Length of the difference in (xx - yy, 2 xy) / (xx + yy) of star and function."""
        star, model = self._moments(self.pixels), self._moments(self.model)
        return math.hypot(
            *(a - b for a, b in zip(self._ellipticity(star), self._ellipticity(model), strict=True))
        )

    def _moments(self, stamp: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        xx, yy, xy, converged = adaptive_moments(np.where(self.used, stamp, self.model))
        if not converged:
            raise ValueError("The star has no adaptive moments: it is too faint or not a star.")
        return xx, yy, xy

    def _size(self, stamp: npt.NDArray[np.float64]) -> float:
        xx, yy, xy = self._moments(stamp)
        return float((xx * yy - xy * xy) ** 0.25)

    @staticmethod
    def _ellipticity(moments: tuple[float, float, float]) -> tuple[float, float]:
        xx, yy, xy = moments
        return (xx - yy) / (xx + yy), 2.0 * xy / (xx + yy)


def fit_star(
    planes: MaskedImage,
    draw: DrawStar,
    *,
    x: float,
    y: float,
    half_size: int,
    bad_planes: tuple[str, ...] = ("BAD", "SAT", "CR", "NO_DATA"),
) -> StarFit:
    """Fit position, flux and a constant sky by least squares, all pixels with the same weight.

    Equal weights make the flux linear in the pixels, as a coadd is: the star's flux in a coadd can
    then be compared with the mean of its fluxes in the exposures.

    Parameters
    ----------
    planes
        Image, mask and variance.
    draw
        The point-spread function.
    x, y
        First guess of the position in pixels of ``planes``.
    half_size
        The stamp has ``2 * half_size + 1`` pixels a side.
    bad_planes
        Pixels with any of these are not fitted.

    Raises
    ------
    ValueError
        If the stamp does not lie within the image.
    """
    column, row = math.floor(x + 0.5), math.floor(y + 0.5)
    box = Box.factory[
        row - half_size : row + half_size + 1, column - half_size : column + half_size + 1
    ]
    if not planes.bbox.contains(box):
        raise ValueError(f"The stamp {box} of the star is not within the image {planes.bbox}.")
    cut = planes[box]
    data = cut.image.array.astype(np.float64)
    variance = cut.variance.array.astype(np.float64)
    bad = bits_of(cut.mask.schema, bad_planes, ignore_missing=True)
    used = ((plane_array(cut.mask) & bad) == 0) & np.isfinite(data) & np.isfinite(variance)

    def drawn(at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return _placed(draw(x=float(at[0]), y=float(at[1])), box)

    def solve(
        at: npt.NDArray[np.float64],
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        design = np.column_stack([drawn(at)[used], np.ones(int(used.sum()))])
        solution = np.linalg.lstsq(design, data[used])[0]
        return solution, data[used] - design @ solution

    # The fluxes of survey units are far from 1, and least_squares stops by relative changes.
    scale = float(np.std(data[used]))
    found = least_squares(lambda at: solve(at)[1] / scale, np.array([x, y]), diff_step=1e-4)
    (flux, sky), _ = solve(found.x)
    return StarFit(
        x=float(found.x[0]),
        y=float(found.x[1]),
        flux=float(flux),
        sky=float(sky),
        pixels=data - sky,
        model=flux * drawn(found.x),
        variance=variance,
        used=used,
    )


def _placed(stamp: Image, box: Box) -> npt.NDArray[np.float64]:
    """The part of a stamp in a box, zero where the stamp ends."""
    result = np.zeros((box.y.size, box.x.size))
    rows = slice(max(box.y.start, stamp.bbox.y.start), min(box.y.stop, stamp.bbox.y.stop))
    columns = slice(max(box.x.start, stamp.bbox.x.start), min(box.x.stop, stamp.bbox.x.stop))
    shared = Box.factory[rows, columns]
    to, of = shared.slice_within(box), shared.slice_within(stamp.bbox)
    result[to.y, to.x] = stamp.array[of.y, of.x]
    return result
