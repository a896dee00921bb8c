"""Visits of one field of stars, each with its own seeing, made by hand: for what changes in it."""

from __future__ import annotations

__all__ = ["StaticField", "moffat"]

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..products.warp import Warp
from ..skymap import Circle, DiscreteSkyMap, Patch, TractSettings
from .images import make_warp

_BETA = 3.5  # of the Moffat profiles
_REACH = 50  # pixels to which a star is drawn
_STAMP = 35
_GAIN = 50.0  # electrons in a pixel for its flux in units of the noise of the sky

type Star = tuple[float, float, float]
"""Row and column in the patch, and flux in units of the noise of a pixel of the sky."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StaticField:
    """A patch and what is in it.

    Parameters
    ----------
    cells
        Number of cells of the patch in each direction, besides one at each edge.
    cell_size
        Inner size of the cells in pixels.
    stars
        What does not change.
    seed
        Of the noise.
    """

    cells: int = 1
    cell_size: int = 60
    stars: Sequence[Star] = ()
    seed: int = 1

    @property
    def patch(self) -> Patch:
        """The patch."""
        settings = TractSettings(
            pixel_scale_arcsec=0.2,
            cell_inner_size=self.cell_size,
            cell_border=20,
            patch_inner_cells=self.cells,
            patch_border_cells=1,
        )
        circle = Circle(ra=150.0, dec=2.0, radius=0.05)
        return DiscreteSkyMap(name="static", tracts=[circle], settings=settings)[0].patch(0)

    @property
    def shape(self) -> tuple[int, int]:
        """Of the patch in pixels."""
        side = self.cell_size * (self.cells + 2) + 40
        return side, side

    def stars_at_random(self, count: int, *, brightest: float) -> StaticField:
        """Return the same field with stars of 10 sigma and more, as many in each decade of flux."""
        rng = np.random.default_rng(self.seed)
        places = rng.uniform(0.0, self.shape[0], (count, 2))
        fluxes = 10.0 ** rng.uniform(1.0, np.log10(brightest), count)
        stars = [(y, x, flux) for (y, x), flux in zip(places.tolist(), fluxes, strict=True)]
        return dataclasses.replace(self, stars=stars)

    def draw(self, stars: Sequence[Star], fwhm: float) -> npt.NDArray[np.float64]:
        """Return stars without noise."""
        image = np.zeros(self.shape)
        for y, x, flux in stars:
            rows = slice(max(int(y) - _REACH, 0), max(int(y) + _REACH, 0))
            columns = slice(max(int(x) - _REACH, 0), max(int(x) + _REACH, 0))
            part = image[rows, columns]
            row, column = np.indices(part.shape)
            part += flux * moffat(row + rows.start - y, column + columns.start - x, fwhm)
        return image

    def visit(
        self,
        number: int,
        fwhm: float,
        *,
        more: npt.ArrayLike = 0.0,
        stated_variance: float = 1.0,
        flags: dict[str, npt.NDArray[np.bool_]] | None = None,
        owner: npt.ArrayLike = 0,
    ) -> Warp:
        """Return a visit.

        Parameters
        ----------
        number
            Its number, which also seeds its noise.
        fwhm
            Of its stars in pixels.
        more
            What is in its pixels besides, in units of the noise of the sky.
        stated_variance
            What its variance plane says over what is true.
        flags, owner
            As for `images.make_warp`.
        """
        rng = np.random.default_rng([self.seed, number])
        clean = self.draw(self.stars, fwhm) + np.asarray(more, np.float64)
        variance = 1.0 + np.maximum(clean, 0.0) / _GAIN
        noisy = clean + rng.normal(size=self.shape) * np.sqrt(variance)
        warp = make_warp(
            self.patch, visit=number, pixels=noisy, variance=stated_variance * variance,
            mean_variances=(stated_variance,), flags=flags, owner=owner,
        )  # fmt: skip
        offset = np.arange(_STAMP) - _STAMP // 2
        stamp = moffat(offset[:, np.newaxis], offset, fwhm)
        stamps = np.repeat(
            (stamp / stamp.sum()).astype(np.float32)[np.newaxis], len(warp.stamps), 0
        )
        return Warp(
            warp.masked_image,
            identifiers=warp.identifiers,
            patch=warp.patch,
            cell_border=warp.grid.border,
            inputs=warp.inputs,
            owner=warp.owner,
            cell_inputs=warp.cell_inputs,
            stamps=stamps,
        )


def moffat(y: npt.ArrayLike, x: npt.ArrayLike, fwhm: float) -> npt.NDArray[np.float64]:
    """Return a Moffat profile of unit flux at offsets from its middle, all in pixels."""
    scale = 0.5 * fwhm / np.sqrt(2.0 ** (1.0 / _BETA) - 1.0)
    square = np.asarray(y) ** 2 + np.asarray(x) ** 2
    profile: npt.NDArray[np.float64] = (
        (_BETA - 1.0) / (np.pi * scale**2) * (1.0 + square / scale**2) ** -_BETA
    )
    return profile
