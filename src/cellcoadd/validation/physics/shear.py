"""Shear: what a coadd makes of a known one, with the point-spread functions of its cells.

The same pairs of galaxies are seen with four shears, coadded, and measured by metacalibration on
the coadd's pixels with the cells' own point-spread functions. Out come the multiplicative bias m
and the additive bias c of each component, ``measured = (1 + m) true + c``.
"""

from __future__ import annotations

__all__ = ["SHEARS", "Biases", "biases_of", "measure", "measure_estimator", "measure_survey"]

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ...cell_grid import Index2D
from ...errors import MissingCellError
from ...recipes import coadd_images
from ...simulate import VisitPlan, simulate_visit_detector
from ...skymap import Patch
from .check import Check
from .galaxy_pairs import GalaxyPair, place_pairs
from .metacalibration import PairShear
from .pair_images import measure_coadd, measure_exposure
from .shear_survey import EXPOSURES, cells_in_the_middle, shear_plan
from .sources import images_of, physics_patch

type _Floats = npt.NDArray[np.float64]

SHEARS = (0.02 + 0.0j, -0.02 + 0.0j, 0.02j, -0.02j)
"""The reduced shears g1 + i g2, all of one size."""

_SIDE, _SHORT_SIDE = 14, 2  # cells in x and in y
_SHORT_EXPOSURES = 3  # whose turns leave no scatter, see docs/physics-shear.md
_TURNED = 3  # an exposure at an odd angle, of an elliptical function with wide wings
_SEED = 1
_M_WANTED, _C_WANTED = 1e-3, 1e-4
_ESTIMATOR_WANTED = 1e-5  # a hundredth, and a tenth, of what is wanted of the coadd


@dataclasses.dataclass(frozen=True, kw_only=True)
class Biases:
    """Biases of both components of the shear: mean over cells, standard error by their scatter.

    Parameters
    ----------
    m, m_error : float64 (2,)
        Multiplicative.
    c, c_error : float64 (2,)
        Additive.
    cells, pairs
        Number of cells and of pairs of galaxies.
    """

    m: _Floats
    m_error: _Floats
    c: _Floats
    c_error: _Floats
    cells: int
    pairs: int

    def checks(self, case: str, *, exposures: int, m_wanted: float, c_wanted: float) -> list[Check]:
        """Return the four numbers as rows of a table."""
        rows = (
            ("m{}, multiplicative bias of the shear", self.m, self.m_error, m_wanted),
            ("c{}, additive bias of the shear", self.c, self.c_error, c_wanted),
        )
        return [
            Check(
                case=case,
                quantity=quantity.format(component + 1),
                deviation=float(value[component]),
                wanted=wanted,
                count=self.pairs,
                error=float(error[component]),
                note=f"pairs of galaxies in {self.cells} cells; exposures: {exposures}",
            )
            for quantity, value, error, wanted in rows
            for component in (0, 1)
        ]


def measure(*, short: bool) -> list[Check]:
    """Return the biases of the shear in an exposure, which are the estimator's, and in a coadd.

    Parameters
    ----------
    short
        8 pairs in 4 cells and three exposures, in seconds, in place of 392 pairs in 196 cells and
        six exposures, in minutes.
    """
    visits = EXPOSURES[:_SHORT_EXPOSURES] if short else EXPOSURES
    alone = measure_estimator(EXPOSURES[_TURNED], side=_SHORT_SIDE)
    coadded = measure_survey(visits, side=_SHORT_SIDE if short else _SIDE)
    size = abs(SHEARS[0])
    return [
        *alone.checks(
            f"shear {size:g}, one exposure, not warped",
            exposures=1, m_wanted=_ESTIMATOR_WANTED, c_wanted=_ESTIMATOR_WANTED,
        ),
        *coadded.checks(
            f"shear {size:g}, coadd",
            exposures=len(visits), m_wanted=_M_WANTED, c_wanted=_C_WANTED,
        ),
    ]  # fmt: skip


def measure_survey(visits: tuple[VisitPlan, ...], *, side: int, seed: int = _SEED) -> Biases:
    """Simulate, coadd and measure galaxies with every shear of `SHEARS`.

    Parameters
    ----------
    visits
        The exposures.
    side
        Number of cells with galaxies in x and in y, four galaxies in each.
    seed
        Of the places and shapes of the galaxies.
    """
    patch, pairs = _scene(side, seed)
    return biases_of(pairs, {shear: _coadded(visits, patch, pairs, shear) for shear in SHEARS})


def measure_estimator(visit: VisitPlan, *, side: int, seed: int = _SEED) -> Biases:
    """Measure the same galaxies in one exposure as it was simulated: neither warped nor coadded.

    Parameters
    ----------
    visit
        The exposure.
    side, seed
        As for `measure_survey`.
    """
    patch, pairs = _scene(side, seed)
    found = {}
    for shear in SHEARS:
        plan = shear_plan(patch, pairs, shear=shear, visits=(visit,))
        image = simulate_visit_detector(plan, visit=visit.visit, detector=0)
        found[shear] = measure_exposure(image, plan, visit=visit.visit)
    return biases_of(pairs, found)


def biases_of(pairs: Sequence[GalaxyPair], found: Mapping[complex, Sequence[PairShear]]) -> Biases:
    """Return the biases of what was measured.

    Parameters
    ----------
    pairs
        The galaxies, in two cells or more.
    found
        For each of `SHEARS` what the pairs show, in their order.

    Notes
    -----
    The galaxies and their places are the same for all shears, so that a difference of two opposite
    shears is free of c, and the sum of all free of m. Pairs of one cell share its point-spread
    function: errors are those of a mean over cells.
    """
    plus1, minus1, plus2, minus2 = (
        np.array([one.nulling for one in found[shear]]) for shear in SHEARS
    )
    size = abs(SHEARS[0])
    mean = 0.25 * (plus1 + minus1 + plus2 + minus2)
    biases = np.column_stack(
        [
            (plus1 - minus1).real / (2.0 * size) - 1.0,
            (plus2 - minus2).imag / (2.0 * size) - 1.0,
            mean.real,
            mean.imag,
        ]
    )
    rows: dict[Index2D, list[int]] = defaultdict(list)
    for number, pair in enumerate(pairs):
        rows[pair.cell].append(number)
    of_cells = np.array([biases[group].mean(axis=0) for group in rows.values()])
    values = of_cells.mean(axis=0)
    errors = of_cells.std(axis=0, ddof=1) / math.sqrt(len(of_cells))
    return Biases(
        m=values[:2], m_error=errors[:2], c=values[2:], c_error=errors[2:],
        cells=len(of_cells), pairs=len(pairs),
    )  # fmt: skip


def _scene(side: int, seed: int) -> tuple[Patch, tuple[GalaxyPair, ...]]:
    """Return the patch of all the coadds and its galaxies."""
    patch = physics_patch()
    return patch, place_pairs(patch, cells_in_the_middle(patch, side), seed=seed)


def _coadded(
    visits: tuple[VisitPlan, ...], patch: Patch, pairs: Sequence[GalaxyPair], shear: complex
) -> list[PairShear]:
    """Return what the pairs show in a coadd of the exposures."""
    plan = shear_plan(patch, pairs, shear=shear, visits=visits)
    coadd = coadd_images(images_of(plan), patch)
    if coadd is None:
        raise MissingCellError("The exposures of the shear survey cover no cell.")
    return measure_coadd(coadd, pairs)
