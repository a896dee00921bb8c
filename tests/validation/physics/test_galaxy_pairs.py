"""The pairs of galaxies that shear is measured with."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from cellcoadd.cell_grid import Index2D
from cellcoadd.simulate.sky import TRUTH_COLUMNS
from cellcoadd.skymap import Patch, named_sky_map
from cellcoadd.validation.physics.galaxy_pairs import (
    STAMP_SIZE,
    GalaxyPair,
    place_pairs,
    sheared_sources,
)
from cellcoadd.validation.physics.shear_survey import EXPOSURES, cells_in_the_middle, shear_plan


@pytest.fixture(scope="module")
def patch() -> Patch:
    return named_sky_map("hsc_rings_cells_v1")[9813].patch(61)


@pytest.fixture(scope="module")
def pairs(patch: Patch) -> tuple[GalaxyPair, ...]:
    return place_pairs(patch, cells_in_the_middle(patch, 2), seed=7)


def shape_of(matrix: np.ndarray) -> complex:
    """The reduced shear of the ellipse that a matrix makes of a circle, from its covariance."""
    covariance = matrix @ matrix.T
    chi = complex(covariance[0, 0] - covariance[1, 1], 2 * covariance[0, 1]) / covariance.trace()
    return complex(chi / (1 + math.sqrt(1 - abs(chi) ** 2)))


def shear_matrix(g: complex) -> np.ndarray:
    """The map from the source to the image: Bartelmann & Schneider (2001), without convergence."""
    return np.array([[1 + g.real, g.imag], [g.imag, 1 - g.real]])


def test_a_lens_acts_after_the_shape(pairs: tuple[GalaxyPair, ...]) -> None:
    """The same as two matrices, one after the other, put on a circle."""
    shear = 0.03 - 0.02j
    for pair in pairs:
        both = [
            shape_of(shear_matrix(shear) @ shear_matrix(sign * pair.intrinsic)) for sign in (1, -1)
        ]
        assert pair.sheared(shear) == pytest.approx(both, abs=1e-12)


def test_a_pair_has_no_shape_of_its_own(pairs: tuple[GalaxyPair, ...]) -> None:
    """Without shear the two cancel, and single galaxies are far from round."""
    for pair in pairs:
        first, second = pair.sheared(0j)
        assert first == pytest.approx(pair.intrinsic)
        assert first + second == 0
    assert np.mean([abs(pair.intrinsic) for pair in pairs]) > 0.1


def test_galaxies_are_isolated_in_the_inner_region(
    patch: Patch, pairs: tuple[GalaxyPair, ...]
) -> None:
    """No stamp reaches the next galaxy, and all are served by the cell that they were put in."""
    places = [place for pair in pairs for place in pair.places]
    for one, other in itertools.combinations(places, 2):
        assert max(abs(one.x - other.x), abs(one.y - other.y)) > STAMP_SIZE
    for pair in pairs:
        for place in pair.places:
            assert patch.grid.index_of(x=round(place.x), y=round(place.y)) == pair.cell


def test_all_places_between_the_pixels_occur(patch: Patch) -> None:
    """Resampling depends on them: the mean of exp(2 pi i x) is that of random phases, 4 sigma."""
    pairs = place_pairs(patch, cells_in_the_middle(patch, 10), seed=7)
    x = np.array([place.x for pair in pairs for place in pair.places])
    assert abs(np.exp(2j * np.pi * x).mean()) < 4 / math.sqrt(len(x))


def test_sources_lie_where_their_pairs_do(patch: Patch, pairs: tuple[GalaxyPair, ...]) -> None:
    """First and second in turn, back on their pixels to a millionth."""
    table = sheared_sources(pairs, shear=0.02j)
    assert set(table.colnames) == set(TRUTH_COLUMNS)
    at = patch.sky_projection.sky_to_pixel(SkyCoord(table["ra"], table["dec"]))
    places = [place for pair in pairs for place in pair.places]
    np.testing.assert_allclose(at.x, [place.x for place in places], rtol=0, atol=1e-6)
    np.testing.assert_allclose(at.y, [place.y for place in places], rtol=0, atol=1e-6)
    shapes = [shape for pair in pairs for shape in pair.sheared(0.02j)]
    np.testing.assert_array_equal(table["g1"] + 1j * table["g2"], shapes)
    for first, second in zip(table[::2], table[1::2], strict=True):
        for name in ("sersic_index", "half_light_radius", "flux_njy"):
            assert first[name] == second[name]


def test_every_exposure_covers_the_cells(patch: Patch, pairs: tuple[GalaxyPair, ...]) -> None:
    """So that a cell has all the exposures whose scatter the table speaks of."""
    plan = shear_plan(patch, pairs, shear=0.02 + 0j)
    box = plan.camera.bbox
    for visit in EXPOSURES:
        for pair in pairs:
            outer = patch.grid.outer_bbox_of(pair.cell)
            corners = patch.sky_projection.pixel_to_sky(
                x=np.array([outer.x.min, outer.x.min, outer.x.max, outer.x.max], float),
                y=np.array([outer.y.min, outer.y.max, outer.y.min, outer.y.max], float),
            )
            at = plan.pointing(visit.visit, 0).to_pixels(ra=corners.ra.deg, dec=corners.dec.deg)
            assert box.x.min + 3 < at.x.min()
            assert box.y.min + 3 < at.y.min()
            assert at.x.max() < box.x.max - 3
            assert at.y.max() < box.y.max - 3


def test_cells_lie_in_the_middle(patch: Patch) -> None:
    """Of 22 cells, two leave ten on each side."""
    assert cells_in_the_middle(patch, 2) == (
        Index2D(x=10, y=10), Index2D(x=11, y=10), Index2D(x=10, y=11), Index2D(x=11, y=11),
    )  # fmt: skip
