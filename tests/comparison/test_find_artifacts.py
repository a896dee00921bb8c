"""What is found among simulated visits of one field, and what is not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Box

from cellcoadd.comparison import tiles
from cellcoadd.comparison.artifacts import Artifacts
from cellcoadd.comparison.find import find_artifacts
from cellcoadd.comparison.settings import ComparisonSettings
from cellcoadd.products.warp import NO_OWNER, Warp
from cellcoadd.testing.static_fields import StaticField

FIELD = StaticField(seed=7).stars_at_random(40, brightest=1e4)
"""220 x 220 pixels of 3 x 3 cells."""

SEEINGS = np.random.default_rng(3).permutation(np.linspace(2.5, 5.5, 10))
"""0.5 to 1.1 arcsec in ten visits."""

type _Plane = npt.NDArray[np.float64]


def search(warps: list[Warp], **settings: Any) -> Artifacts:
    return find_artifacts(
        lambda _: warps, FIELD.patch, n_visits=len(warps), settings=ComparisonSettings(**settings)
    )


def visits(more: Mapping[int, _Plane], count: int = 10, field: StaticField = FIELD) -> list[Warp]:
    """Visits 1 to count, some with more in their pixels."""
    return [
        field.visit(number, SEEINGS[number - 1], more=more.get(number, 0.0))
        for number in range(1, count + 1)
    ]


def found(artifacts: Artifacts, visit: int) -> npt.NDArray[np.bool_]:
    clipped: npt.NDArray[np.bool_] = artifacts.mask_of("Cam", visit).get("CLIPPED")
    return clipped


def n_found(artifacts: Artifacts) -> dict[int, int]:
    """Pixels by visit, of those that have any."""
    counts = {visit: pixels.size for (_, visit), pixels in artifacts.pixels.items()}
    return {visit: count for visit, count in counts.items() if count}


def trail(peak: float, visit: int) -> _Plane:
    """A satellite, as wide as the visit's stars."""
    y, x = np.indices(FIELD.shape)
    off = (0.4 * (x - 100.0) - 0.9 * (y - 110.0)) / np.hypot(0.4, 0.9)
    profile: _Plane = peak * np.exp(-0.5 * (2.3548 * off / SEEINGS[visit - 1]) ** 2)
    return profile


def object_at(y: float, x: float, flux: float, visit: int) -> _Plane:
    return FIELD.draw([(y, x, flux)], SEEINGS[visit - 1])


def test_a_static_sky_is_left_alone() -> None:
    """Noise, and stars of up to 10,000 sigma with seeings from 0.5 to 1.1 arcsec."""
    assert n_found(search(visits({}))) == {}


def test_a_trail_is_clipped_in_its_visit_alone() -> None:
    """Over 98 per cent of its pixels that are brighter than 3 sigma, and few beside it.

    Nothing is compared next to the edge of the patch, where the filter sees no pixels.
    """
    satellite = trail(5.0, visit=4)
    artifacts = search(visits({4: satellite}))
    clipped = found(artifacts, 4)
    assert set(n_found(artifacts)) == {4}
    inside = np.zeros(FIELD.shape, np.bool_)
    inside[8:-8, 8:-8] = True
    assert clipped[inside & (satellite > 3.0)].mean() > 0.98
    assert clipped[satellite < 1e-3].mean() < 0.01


def test_an_asteroid_is_clipped_wherever_it_was() -> None:
    """In three visits, at three places."""
    places = {2: (60.0, 60.0), 5: (66.0, 90.0), 9: (72.0, 120.0)}
    artifacts = search(visits({v: object_at(y, x, 300.0, v) for v, (y, x) in places.items()}))
    assert set(n_found(artifacts)) == set(places)
    for visit, (y, x) in places.items():
        assert found(artifacts, visit)[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].all()


def test_two_visits_may_see_an_artifact_and_three_may_not() -> None:
    """With ten visits; what three have seen changes, as stars do."""
    for seen_in, expected in (((3, 8), {3, 8}), ((3, 6, 8), set())):
        more = {visit: object_at(100.0, 100.0, 400.0, visit) for visit in seen_in}
        assert set(n_found(search(visits(more)))) == expected


def test_a_variable_star_is_kept() -> None:
    """Half a magnitude up and down, in all visits: most of them are off the mean."""
    more = {
        visit: object_at(110.0, 50.0, 2000.0 * (1.0 if visit % 2 else 10.0**-0.2), visit)
        for visit in range(1, 11)
    }
    assert n_found(search(visits(more))) == {}


@pytest.mark.parametrize(("method", "flux"), [("compare", 1000.0), ("gradient", 3000.0)])
def test_few_visits(method: str, flux: float) -> None:
    """Of two nobody can say which one is right; with three, what one of them saw is out."""
    for count, expected in ((2, {}), (3, {1})):
        more = {1: object_at(100.0, 100.0, flux, 1)}
        artifacts = search(visits(more, count, StaticField(seed=7)), method=method)
        assert set(n_found(artifacts)) == set(expected)


def test_too_few_visits_are_not_read() -> None:
    """Two warps of a patch need not be loaded to say nothing."""

    def warps_in(bbox: Box) -> list[Warp]:
        raise AssertionError(bbox)

    artifacts = find_artifacts(warps_in, FIELD.patch, n_visits=2, settings=ComparisonSettings())
    assert artifacts.mask_of("Cam", 1).bbox == FIELD.patch.outer_bbox
    assert not found(artifacts, 1).any()


def test_what_lies_in_a_bright_source_is_kept() -> None:
    """Bright stars never fit perfectly; whoever wants these pixels clipped can have it."""
    field = StaticField(seed=7, stars=[(100.0, 100.0, 30000.0)])
    more = {4: object_at(103.0, 100.0, 4000.0, 4)}
    assert n_found(search(visits(more, field=field))) == {}
    artifacts = search(visits(more, field=field), do_preserve_contained_by_source=False)
    assert set(n_found(artifacts)) == {4}


def test_noise_is_measured_where_it_is_not_what_is_stated() -> None:
    """Variances of a ninth and of four times the truth: nothing false, nothing missed."""
    satellite = trail(5.0, visit=4)
    for stated in (1.0 / 9.0, 3.9):
        warps = [
            FIELD.visit(
                n, SEEINGS[n - 1], stated_variance=stated, more=satellite if n == 4 else 0.0
            )
            for n in range(1, 11)
        ]
        artifacts = search(warps)
        assert set(n_found(artifacts)) == {4}
        assert found(artifacts, 4)[10:-10, 10:-10][satellite[10:-10, 10:-10] > 3.0].mean() > 0.98


def test_pixels_without_data_and_interpolated_ones_are_no_artifacts() -> None:
    """A gap between detectors that cuts stars, and columns that say what is beside them."""
    owner = np.zeros(FIELD.shape, np.uint8)
    owner[:, 90:100] = NO_OWNER
    band = np.zeros(FIELD.shape, np.bool_)
    band[:, 150:155] = True
    made_up = np.where(band, 6.0, 0.0)
    warps = visits({})
    warps[2] = FIELD.visit(3, SEEINGS[2], owner=owner)
    warps[6] = FIELD.visit(7, SEEINGS[6], more=made_up, flags={"BAD": band, "INTRP": band})
    warps[8] = FIELD.visit(9, SEEINGS[8], more=1000.0 * made_up, flags={"SAT": band})
    assert n_found(search(warps)) == {}


def test_a_visit_whose_stars_are_too_wide_is_not_compared(caplog: pytest.LogCaptureFixture) -> None:
    """It cannot have the common PSF; the log names it and the way out."""
    warps = visits({})
    warps[5] = FIELD.visit(6, 11.0, more=trail(20.0, visit=6))
    with caplog.at_level(logging.WARNING):
        assert n_found(search(warps)) == {}
    assert "1 of 10 visits" in caplog.text
    assert "Cam visit 6" in caplog.text
    assert set(n_found(search(warps, model_psf_fwhm=12.0))) == {6}


@pytest.mark.parametrize("method", ["compare", "gradient"])
def test_neither_strips_nor_what_lies_beyond_the_patch_change_a_bit(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Footprints are those of the patch, across strips of one row of cells."""
    warps = visits({4: trail(15.0, visit=4), 5: object_at(100.0, 100.0, 3000.0, 5)})
    whole = search(warps, method=method)
    monkeypatch.setattr(tiles, "_MEMORY", 1)
    asked: list[Box] = []

    def warps_in(bbox: Box) -> list[Warp]:
        asked.append(bbox)
        return warps

    parts = find_artifacts(
        warps_in, FIELD.patch, n_visits=10, settings=ComparisonSettings(method=method)
    )
    assert len(asked) == 3
    assert set(n_found(whole)) >= {4, 5}
    assert parts.counts == whole.counts
    for visit, pixels in whole.pixels.items():
        np.testing.assert_array_equal(parts.pixels[visit], pixels)
