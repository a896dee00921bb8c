"""Maps of visits: what a cell's inputs were taken under, with the weights of the cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from astropy.table import Table, vstack

from cellcoadd.analysis.visit_maps import (
    VisitMaps,
    VisitMapSettings,
    map_visits,
    tabulate_visits,
)
from cellcoadd.analysis.visit_properties import (
    DEFAULT_VISIT_MAPS,
    VISIT_PROPERTIES,
    VisitMap,
)
from cellcoadd.testing.images import small_tract

TRACT = small_tract()
PATCH = 24

EXPOSURES: dict[str, list[float]] = {
    "exposure_time": [30.0, 15.0, 15.0, 999.0],
    "epoch": [60000.0, 60010.0, 60010.0, 1.0],
    "airmass": [1.0, 2.0, 2.0, 9.0],
    "zenith_angle": [0.0, 60.0, 60.0, 80.0],
    "parallactic_angle": [0.0, 30.0, 30.0, 80.0],
    "sky_background": [100.0, 200.0, 240.0, 9e9],
    "sky_noise": [10.0, 14.0, 15.0, 9e9],
    "psf_fwhm": [0.7, 0.9, 0.8, 9.0],
    "psf_shape_xx": [3.0, 5.0, 4.0, 9.0],
    "psf_shape_yy": [3.0, 3.0, 4.0, 9.0],
    "psf_shape_xy": [0.0, 1.0, -1.0, 0.0],
}
"""Of two visits, of which the second has two detectors in a cell, and one that was refused."""

ROOT3 = math.sqrt(3.0)
EXPECTED = {
    # Weights 2, 1, 1 of 4. Of the second visit: tan z = sqrt 3, q = 30 degrees.
    "exposure_time_map_sum": 45.0,
    "exposure_time_map_mean": (2 * 30.0 + 15.0 + 15.0) / 4,
    "exposure_time_map_min": 15.0,
    "exposure_time_map_max": 30.0,
    "n_exposure_map_sum": 2.0,
    "epoch_map_mean": 60005.0,
    "epoch_map_min": 60000.0,
    "epoch_map_max": 60010.0,
    "airmass_map_mean": 1.5,
    "sky_background_map_mean": (200.0 + 200.0 + 240.0) / 4,
    "sky_noise_map_mean": (20.0 + 14.0 + 15.0) / 4,
    "psf_size_map_mean": (1.4 + 0.9 + 0.8) / 4,
    "psf_e1_map_mean": (0.0 + 2.0 / 8.0 + 0.0) / 4,
    "psf_e2_map_mean": (0.0 + 2.0 / 8.0 - 2.0 / 8.0) / 4,
    "dcr_dra_map_mean": 0.5 * ROOT3 * 0.5,
    "dcr_ddec_map_mean": 0.5 * ROOT3 * 0.5 * ROOT3,
    "dcr_e1_map_mean": 0.5 * 3.0 * 0.5,
    "dcr_e2_map_mean": 0.5 * 3.0 * 0.5 * ROOT3,
}


def inputs(cell_x: int = 2, *, patch: int = PATCH, **changes: Any) -> Table:
    """The inputs of one cell."""
    table = Table(
        {
            "skymap": ["small"] * 4,
            "tract": [0] * 4,
            "patch": [patch] * 4,
            "band": ["i"] * 4,
            "cell_x": [cell_x] * 4,
            "cell_y": [1] * 4,
            "instrument": ["Cam"] * 4,
            "visit": [1, 2, 2, 3],
            "detector": [5, 5, 6, 5],
            "accepted": [True, True, True, False],
            "weight": [2.0, 1.0, 1.0, 7.0],
            "psf_shape_flag": [False] * 4,
            **EXPOSURES,
            **changes,
        }
    )
    table["sky_noise"].unit = "nJy"
    return table


def maps_of(*tables: Table, names: tuple[str, ...] = DEFAULT_VISIT_MAPS) -> VisitMaps:
    settings = VisitMapSettings(properties=names, nside_sparse=2**17, nside_coverage=512)
    made = map_visits(tables, TRACT, settings=settings)
    assert made is not None
    return made


@pytest.mark.parametrize("name", EXPECTED)
def test_numbers_worked_out_by_hand(name: str) -> None:
    """Refused inputs do not count; a sum counts a visit once, a mean each of its detectors."""
    table = tabulate_visits(inputs(), [VisitMap.named(name)])
    assert len(table) == 1
    assert table[name][0] == pytest.approx(EXPECTED[name], rel=1e-13)


def test_all_that_is_made_by_default_is_worked_out_above() -> None:
    """And every property is."""
    assert set(DEFAULT_VISIT_MAPS) <= set(EXPECTED)
    assert {name.partition("_map_")[0] for name in EXPECTED} == set(VISIT_PROPERTIES)


def test_a_map_has_the_numbers_where_the_cell_is() -> None:
    """Each cell its own; the copy that a neighbouring patch has counts once."""
    other = inputs(cell_x=3, weight=[1.0, 3.0, 0.5, 1.0])
    # Column 0 of the next patch is column 3 of this one, which owns it.
    copy = inputs(cell_x=0, patch=PATCH + 1, airmass=[9.0] * 4)
    made = maps_of(vstack([inputs(), other]), copy).maps
    assert set(made) == set(DEFAULT_VISIT_MAPS)
    airmass = made["airmass_map_mean"]
    assert airmass.metadata["NCELLS"] == 2
    grid = TRACT.patch(PATCH).grid
    for x, expected in ((2, 1.5), (3, (1.0 + 3.5 * 2.0) / 4.5)):
        middle = grid.middles_of(x=x, y=1)
        at = TRACT.sky_projection.pixel_to_sky(x=middle.x, y=middle.y)
        found = airmass.get_values_pos(float(at.ra.deg), float(at.dec.deg))
        assert found == pytest.approx(expected, rel=1e-12)
    metadata = made["sky_noise_map_mean"].metadata
    assert (metadata["UNIT"], metadata["OPERATION"], metadata["BAND"]) == ("nJy", "mean", "i")
    assert metadata["MEANING"].endswith("in the detector, weighted mean")
    assert "COLUMN" not in metadata


def test_what_no_input_has_is_no_map_and_a_line() -> None:
    """What some lack has a map of the cells whose inputs all have it, if there are any."""
    nan = np.nan
    lacking = inputs(airmass=[nan, nan, nan, 1.0], sky_noise=[10.0, nan, 14.0, 1.0])
    lacking.remove_column("parallactic_angle")
    made = maps_of(lacking)
    assert made.missing == {
        "airmass": "There is no map of airmass: no input has it.",
        "sky_noise": "There is no map of sky_noise: of no cell all inputs have it.",
        **{
            name: f"There is no map of {name}: no input has it."
            for name in ("dcr_dra", "dcr_ddec", "dcr_e1", "dcr_e2")
        },
    }
    assert {"airmass_map_mean", "sky_noise_map_mean", "dcr_e1_map_mean"}.isdisjoint(made.maps)
    both = maps_of(vstack([inputs(), inputs(cell_x=3, airmass=[1.0, nan, 2.0, 1.0])]))
    assert both.maps["airmass_map_mean"].metadata["NCELLS"] == 1
    assert both.maps["epoch_map_min"].metadata["NCELLS"] == 2
    assert not both.missing


def test_shapes_that_did_not_converge_are_not_known() -> None:
    """Whatever moments they ended with."""
    flagged = inputs(psf_shape_flag=[False, True, False, False])
    assert np.isnan(tabulate_visits(flagged, [VisitMap.named("psf_e1_map_mean")])[0][-1])


def test_without_accepted_inputs_there_is_nothing() -> None:
    """Tables of patches in which every cell stayed empty."""
    refused = inputs(accepted=[False] * 4)
    assert map_visits([refused], TRACT, settings=VisitMapSettings()) is None


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "must be some, each once"),
        (("airmass_map_mean",) * 2, "must be some, each once"),
        (("seeing_map_mean",), "with a property of"),
        (("airmass",), "Of airmass can be made mean, min, max"),
        (("epoch_map_sum",), "as in epoch_map_mean, got 'epoch_map_sum'"),
        (("n_exposure_map_mean",), "Of n_exposure can be made sum"),
    ],
)
def test_only_what_has_a_meaning_can_be_asked_for(names: tuple[str, ...], reason: str) -> None:
    """A sum of airmasses is none."""
    with pytest.raises(ValueError, match=reason):
        VisitMapSettings(properties=names)
