"""Pairs of isolated galaxies, rotated by 90 degrees against each other, and the shear put on them.

Two galaxies alike, one with the intrinsic ellipticity e, the other with -e, have none together:
what ellipticity a pair has after a shear is the shear's. Cells of a patch come in, the pairs and
the sources of a simulated survey go out.
"""

from __future__ import annotations

__all__ = ["STAMP_SIZE", "GalaxyPair", "place_pairs", "sheared_sources"]

import cmath
import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
from astropy.table import Table
from lsst.images import XY

from ...cell_grid import Index2D
from ...skymap import Patch
from .sources import galaxies_at

STAMP_SIZE = 69
"""Side of the images that galaxies are measured on in pixels: they are 70 pixels apart."""

_SPACING = 75  # pixels between galaxies in x and in y: two by two in a cell of 150
_JITTER = 2.5  # pixels by which they are moved off their places, so that all phases occur
_SERSIC_INDICES = (1.0, 2.5)
_HALF_LIGHT_RADII = (0.25, 0.60)  # arcseconds: 0.4 to 1 times the seeing
_ELLIPTICITY_SIGMA = 0.2  # of each component, as of the galaxies of weak lensing surveys
_LARGEST_ELLIPTICITY = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class GalaxyPair:
    """Two galaxies alike but for their orientations, in the inner region of one cell.

    Parameters
    ----------
    cell
        The cell.
    places
        Where the two are, in pixels of the tract.
    sersic_index
        Index of the Sersic profile.
    half_light_radius
        In arcseconds, of the round profile.
    intrinsic
        Reduced shear g1 + i g2 that gives the first one its shape; the second has its negative.
    """

    cell: Index2D
    places: tuple[XY[float], XY[float]]
    sersic_index: float
    half_light_radius: float
    intrinsic: complex

    def sheared(self, shear: complex) -> tuple[complex, complex]:
        """Return the reduced shears of the round profile that make the two galaxies.

        Notes
        -----
        ``(e + g) / (1 + conj(g) e)``, Bartelmann & Schneider (2001, Phys. Rep. 340, 291), equation
        4.12: first the intrinsic shape, then the lens. The rotation that comes with the two turns a
        round profile.
        """
        first, second = (
            (shape + shear) / (1.0 + shear.conjugate() * shape)
            for shape in (self.intrinsic, -self.intrinsic)
        )
        return first, second


def place_pairs(patch: Patch, cells: Sequence[Index2D], *, seed: int) -> tuple[GalaxyPair, ...]:
    """Return two pairs a cell, each on a diagonal, at random positions between the pixels.

    Parameters
    ----------
    patch
        Its inner cells have at least 150 pixels a side.
    cells
        Which of its cells get galaxies.
    seed
        Of the generator of positions and shapes.
    """
    rng = np.random.default_rng(seed)
    pairs = []
    for cell in cells:
        box = patch.grid.inner_bbox_of(cell)
        x, y = 0.5 * (box.x.min + box.x.max), 0.5 * (box.y.min + box.y.max)
        for diagonal in (1.0, -1.0):
            places = [
                XY(
                    x=x + side * 0.5 * _SPACING + rng.uniform(-_JITTER, _JITTER),
                    y=y + side * diagonal * 0.5 * _SPACING + rng.uniform(-_JITTER, _JITTER),
                )
                for side in (-1.0, 1.0)
            ]
            size = min(rng.rayleigh(_ELLIPTICITY_SIGMA), _LARGEST_ELLIPTICITY)
            low, high = (math.log(radius) for radius in _HALF_LIGHT_RADII)
            pairs.append(
                GalaxyPair(
                    cell=cell,
                    places=(places[0], places[1]),
                    sersic_index=float(rng.choice(_SERSIC_INDICES)),
                    half_light_radius=math.exp(rng.uniform(low, high)),
                    intrinsic=cmath.rect(size, rng.uniform(-math.pi, math.pi)),
                )
            )
    return tuple(pairs)


def sheared_sources(pairs: Iterable[GalaxyPair], *, shear: complex) -> Table:
    """Return the galaxies as sources of a simulated survey, first and second in turn.

    Parameters
    ----------
    pairs
        The galaxies.
    shear
        Reduced shear g1 + i g2 of all of them, in the frame of west and north.

    Returns
    -------
    `astropy.table.Table`
        The columns of `cellcoadd.simulate.sky.TRUTH_COLUMNS`.
    """
    pairs = list(pairs)
    places = [place for pair in pairs for place in pair.places]
    shapes = np.array([shape for pair in pairs for shape in pair.sheared(shear)])
    return galaxies_at(
        XY(x=np.array([place.x for place in places]), y=np.array([place.y for place in places])),
        sersic_index=np.repeat([pair.sersic_index for pair in pairs], 2),
        half_light_radius=np.repeat([pair.half_light_radius for pair in pairs], 2),
        g1=shapes.real,
        g2=shapes.imag,
    )
