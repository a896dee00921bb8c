"""How a patch is cut into strips."""

from __future__ import annotations

import itertools

import pytest
from lsst.images import Box

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.coaddition.strips import Strip, strips_of
from cellcoadd.skymap import named_sky_map

PATCH = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)


def cells_of(strip: Strip) -> list[Index2D]:
    return [cell for cell in strip.cells or () if isinstance(cell, Index2D)]


def rows_of(strip: Strip) -> int:
    return len({cell.y for cell in cells_of(strip)})


def cut(
    n_visits: int, n_noise: int = 0, n_fractions: int = 1, *, stored: bool = False
) -> list[Strip]:
    settings = CoaddSettings(num_noise_realizations=n_noise)
    return strips_of(
        PATCH, settings=settings, n_visits=n_visits, n_fractions=n_fractions, stored=stored
    )


def test_one_visit_needs_no_strips() -> None:
    """Its cells share their sums."""
    assert [strip.bbox for strip in cut(1)] == [PATCH.grid.outer_bbox]


@pytest.mark.parametrize(("n_visits", "n_noise", "n_fractions"), [(8, 0, 1), (4, 1, 4), (99, 2, 4)])
def test_strips_hold_all_cells_once_and_fewer_rows_the_more_are_finished(
    n_visits: int, n_noise: int, n_fractions: int
) -> None:
    """Finished cells take memory that sums cannot have; a strip's pixels are those of its cells."""
    strips = cut(n_visits, n_noise, n_fractions)
    cells = [cell for strip in strips for cell in cells_of(strip)]
    assert cells == list(PATCH.grid)
    rows = [rows_of(strip) for strip in strips]
    assert all(one >= other for one, other in itertools.pairwise(rows))
    assert rows[0] > rows[-1]
    assert min(rows) > 1
    for strip in strips:
        boxes = [PATCH.grid.outer_bbox_of(cell) for cell in cells_of(strip)]
        assert (
            strip.bbox
            == Box.factory[
                min(box.y.start for box in boxes) : max(box.y.stop for box in boxes),
                min(box.x.start for box in boxes) : max(box.x.stop for box in boxes),
            ]
        )


def test_more_sums_more_strips() -> None:
    """Visits until hardly two cells have the same inputs, noise, fractions; warps at hand."""
    numbers = [len(cut(n_visits, 1, 4)) for n_visits in (1, 4, 8, 32, 1000, 2000)]
    assert numbers == sorted(numbers)
    assert 1 < numbers[0] < numbers[-1] == numbers[-2]
    assert len(cut(32, 1, 4)) > len(cut(32, 0, 4)) > len(cut(32)) > len(cut(1))
    assert len(cut(2, 1, 4, stored=True)) == numbers[-1]
