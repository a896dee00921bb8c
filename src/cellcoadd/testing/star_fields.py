"""Images of stars of which every number is known, to measure PSFs and skies by.

Profiles are drawn at the centres of pixels, by formulas of their own: nothing here is shared with
what measures them.
"""

from __future__ import annotations

__all__ = ["StarField", "Truth", "make_star_field"]

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from lsst.images import YX, Box, Image, Mask, MaskedImage

from ..masks.planes import mask_schema

type _Floats = npt.NDArray[np.float64]

_DRAWN = 7.0  # in FWHM, to each side of a star


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
    """A profile that may change over an image.

    Parameters
    ----------
    fwhm
        Full width at half maximum in the middle of the image, in pixels.
    beta
        Of a Moffat profile; None: a Gaussian.
    slope
        By what part of itself the width grows from the middle to the right edge, and shrinks to the
        left.
    stretch
        The width along x over that along y.
    """

    fwhm: float = 4.0
    beta: float | None = None
    slope: float = 0.0
    stretch: float = 1.0

    def fwhm_at(self, *, x: float, columns: int) -> float:
        """Return the width at a position of an image with so many columns."""
        return self.fwhm * (1.0 + self.slope * (2.0 * x / (columns - 1) - 1.0))

    def drawn(self, *, x: float, y: float, box: Box, columns: int) -> _Floats:
        """Return a star of unit flux at a position, on the pixels of a box."""
        fwhm = self.fwhm_at(x=x, columns=columns)
        dx = (box.x.arange - x) * 2.0 / fwhm / math.sqrt(self.stretch)
        dy = (box.y.arange - y) * 2.0 / fwhm * math.sqrt(self.stretch)
        square = dy[:, np.newaxis] ** 2 + dx**2
        pixel = (2.0 / fwhm) ** 2
        result: _Floats
        if self.beta is None:
            result = math.log(2.0) / math.pi * pixel * 0.5**square
        else:
            factor = 2.0 ** (1.0 / self.beta) - 1.0
            result = (self.beta - 1.0) / math.pi * factor * pixel
            result = result * (1.0 + factor * square) ** -self.beta
        return result


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StarField:
    """An image of stars.

    Parameters
    ----------
    planes
        Pixels, an empty mask and the variance of the noise.
    x, y, flux : (n,)
        Of the stars, in pixels of ``planes`` and counts.
    truth
        What they look like.
    """

    planes: MaskedImage
    x: _Floats
    y: _Floats
    flux: _Floats
    truth: Truth

    def star(self, *, x: float, y: float, box: Box) -> _Floats:
        """Return what a star of unit flux is like at a position, on the pixels of a box."""
        corner = self.planes.bbox
        moved = Box.factory[
            box.y.start - corner.y.start : box.y.stop - corner.y.start,
            box.x.start - corner.x.start : box.x.stop - corner.x.start,
        ]
        return self.truth.drawn(
            x=x - corner.x.start, y=y - corner.y.start, box=moved, columns=corner.x.size
        )


def make_star_field(
    truth: Truth,
    *,
    stars: int = 36,
    spacing: int = 60,
    signal_to_noise: tuple[float, float] = (50.0, 500.0),
    noise: float = 3.0,
    seed: int = 1,
    corner: tuple[int, int] = (0, 0),
) -> StarField:
    """Draw single stars, one in each square of a lattice, and noise.

    Parameters
    ----------
    truth
        What they look like.
    stars
        How many; squares that are left over are empty.
    spacing
        Side of a square in pixels.
    signal_to_noise
        The least and the most of a star, evenly in its logarithm.
    noise
        Standard deviation of a pixel.
    seed
        Of positions, fluxes and noise.
    corner
        The first column and the first row.
    """
    rng = np.random.default_rng(seed)
    squares = math.ceil(math.sqrt(stars))
    side = squares * spacing
    order = rng.permutation(squares**2)[:stars]
    x, y = (
        (place + rng.uniform(0.35, 0.65, stars)) * spacing
        for place in (order % squares, order // squares)
    )
    stamp = truth.drawn(x=0.0, y=0.0, box=Box.factory[-40:41, -40:41], columns=1 << 30)
    area = 1.0 / float((stamp**2).sum())
    least, most = map(math.log, signal_to_noise)
    significance = np.exp(rng.uniform(least, most, stars))
    flux = significance * noise * math.sqrt(area)
    pixels = rng.normal(0.0, noise, (side, side))
    for star_x, star_y, star_flux in zip(x, y, flux, strict=True):
        reach = math.ceil(_DRAWN * truth.fwhm)
        box = Box.factory[
            max(0, round(star_y) - reach) : min(side, round(star_y) + reach + 1),
            max(0, round(star_x) - reach) : min(side, round(star_x) + reach + 1),
        ]
        light = star_flux * truth.drawn(x=star_x, y=star_y, box=box, columns=side)
        pixels[box.y.start : box.y.stop, box.x.start : box.x.stop] += light
    start = YX(y=corner[1], x=corner[0])
    planes = MaskedImage(
        Image(pixels.astype(np.float32), yx0=start),
        mask=Mask(0, schema=mask_schema(), bbox=Image(pixels, yx0=start).bbox),
        variance=Image(np.full(pixels.shape, noise**2, np.float32), yx0=start),
    )
    return StarField(planes=planes, x=x + corner[0], y=y + corner[1], flux=flux, truth=truth)
