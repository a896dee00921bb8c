"""The table of a coadd's cells."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from cellcoadd.analysis.cell_table import CELL_COLUMNS, tabulate_cells
from cellcoadd.analysis.columns import TableColumn
from cellcoadd.analysis.depth import depth
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

PATCH = small_patch()


def test_every_column_says_what_it_is() -> None:
    """A table is read by people who have not read the code."""
    warp = make_warp(PATCH, mask_fractions={ALL_PLANES: 0.5, "BAD": 0.25, "CR": 0.25})
    table = tabulate_cells(make_coadd(warp))
    expected: list[TableColumn] = []
    for column in CELL_COLUMNS:
        if isinstance(column, TableColumn):
            expected.append(column)
        else:
            expected += [column.of("BAD"), column.of("CR")]
    assert table.colnames == [column.name for column in expected]
    for stated in expected:
        assert table[stated.name].unit == stated.unit
        assert table[stated.name].description == stated.meaning
        assert stated.meaning.endswith(".")
    assert "{" not in "".join(table[name].description for name in table.colnames)


def test_the_planes_of_the_coadd_have_columns_and_no_others() -> None:
    """Which planes are kept on their own is the choice of whoever warps."""
    fractions = {ALL_PLANES: 0.75, "BAD": 0.5, "GLOW": 0.25}
    table = tabulate_cells(make_coadd(make_warp(PATCH, mask_fractions=fractions)))
    found = {name for name in table.colnames if name.startswith("masked_fraction")}
    assert found == {
        "masked_fraction", "masked_fraction_inner", "masked_fraction_BAD",
        "masked_fraction_BAD_inner", "masked_fraction_GLOW", "masked_fraction_GLOW_inner",
    }  # fmt: skip
    assert set(table["masked_fraction_GLOW"]) == {0.25}
    assert set(table["masked_fraction_BAD_inner"]) == {0.5}
    assert set(table["masked_fraction"]) == {0.75}


def test_a_row_describes_its_cell() -> None:
    """Two visits, the second of two detectors, one of which covers half of the cells."""
    owner = np.zeros(tuple(PATCH.outer_bbox.shape), np.uint8)
    owner[:, 56:] = 1
    coadd = make_coadd(
        make_warp(PATCH, visit=1, variance=4.0, mean_variances=[4.0]),
        make_warp(PATCH, visit=2, variance=4.0, owner=owner, mean_variances=[4.0, 4.0]),
    )
    table = tabulate_cells(coadd)
    assert len(table) == len(coadd.cells) == 25
    for row, (index, cell) in zip(table, coadd.cells.items(), strict=True):
        assert (row["skymap"], row["tract"], row["patch"]) == ("small", 0, PATCH.id)
        assert row["band"] == "i"
        assert (row["cell_x"], row["cell_y"]) == (index.x, index.y)
        assert row["visit_count"] == cell.visit_count
        assert row["input_count"] == len(cell.inputs)
        assert row["variance_mean"] == pytest.approx(4.0 / cell.visit_count)
        assert row["variance_median"] == pytest.approx(4.0 / cell.visit_count)
        # A Gaussian's effective area is 4 pi sigma^2.
        assert row["psf_area"] == pytest.approx(4 * np.pi * 1.5**2, rel=0.15)
        assert row["psf_fwhm"] == pytest.approx(2.3548 * 1.5 * 0.2, rel=0.08)
        box = cell.inner.bbox
        at = coadd.wcs.sky_to_pixel(SkyCoord(row["ra"], row["dec"], unit=u.deg))
        assert at.x == pytest.approx(0.5 * (box.x.min + box.x.max), abs=1e-6)
        assert at.y == pytest.approx(0.5 * (box.y.min + box.y.max), abs=1e-6)
    assert set(table["visit_count"]) == {1, 2}


def test_variances_that_are_infinite_do_not_count() -> None:
    """Pixels without data have no variance; a cell without any has none either."""
    bad = np.zeros(tuple(PATCH.outer_bbox.shape), np.bool_)
    bad[50:60, 50:60] = True
    table = tabulate_cells(make_coadd(make_warp(PATCH, variance=2.0, flags={"SAT": bad})))
    np.testing.assert_allclose(table["variance_mean"], 2.0)
    everywhere = np.ones_like(bad)
    table = tabulate_cells(make_coadd(make_warp(PATCH, flags={"SAT": everywhere})))
    assert len(table) == 25
    assert np.isnan(table["variance_mean"]).all()
    assert np.isnan(table["variance_median"]).all()


def test_masked_fractions_are_weighted_as_the_pixels_are() -> None:
    """Weights 1 and 1/3, fractions 0.04 and 0.08: (0.04 + 0.08 / 3) / (4 / 3) = 0.05.

    One of the two is below 0.05, both are below 0.1; one of the fractions is for a part only.
    """
    column = np.zeros(tuple(PATCH.outer_bbox.shape))
    column[:, 50:52] = 1.0
    table = tabulate_cells(
        make_coadd(
            make_warp(PATCH, visit=1, mask_fractions={ALL_PLANES: 0.04, "BAD": column}),
            make_warp(
                PATCH, visit=2, mask_fractions={ALL_PLANES: 0.08, "BAD": 0.0}, mean_variances=[3.0]
            ),
        )
    )
    np.testing.assert_allclose(table["weight_sum"], 4 / 3, rtol=1e-15)
    np.testing.assert_allclose(table["masked_fraction"], 0.05, rtol=1e-6)  # float32 planes
    assert set(table["input_fraction_0.05"]) == {0.5}
    assert set(table["input_fraction_0.1"]) == {1.0}
    # The column lies in the outer region, 32 px wide, of one cell of a row or two, and in the
    # inner region, 20 px wide, of one: cell 2 begins at pixel 6 + 2 * 20.
    outer = np.zeros((5, 5))
    outer[:, 2] = 0.75 * 2 / 32
    outer[:, 1] = 0.75 * 2 / 32  # its border reaches to pixel 52
    inner = np.zeros((5, 5))
    inner[:, 2] = 0.75 * 2 / 20
    np.testing.assert_allclose(np.reshape(table["masked_fraction_BAD"], (5, 5)), outer, rtol=1e-12)
    np.testing.assert_allclose(
        np.reshape(table["masked_fraction_BAD_inner"], (5, 5)), inner, rtol=1e-12
    )


def test_the_fraction_of_a_cell_is_the_mean_of_its_plane() -> None:
    """Sums over pixels and over inputs may be exchanged where every input counts everywhere.

    The planes are float32 (6e-8), their mean over 1024 pixels is no less exact.
    """
    rng = np.random.default_rng(3)
    shape = tuple(PATCH.outer_bbox.shape)
    coadd = make_coadd(
        *(
            make_warp(
                PATCH, visit=visit, mask_fractions={ALL_PLANES: rng.random(shape)},
                mean_variances=[1.0 + visit],
            )
            for visit in range(3)
        )
    )  # fmt: skip
    table = tabulate_cells(coadd)
    for row, cell in zip(table, coadd.cells.values(), strict=True):
        for region, name in (
            (cell.outer, "masked_fraction"),
            (cell.inner, "masked_fraction_inner"),
        ):
            plane = region.mask_fractions[ALL_PLANES].array
            assert row[name] == pytest.approx(plane.mean(dtype=np.float64), rel=1e-7)


def test_without_warped_fractions_nothing_is_said_of_them() -> None:
    """An unknown fraction must not look like one of 0, nor its input like one that remains."""
    table = tabulate_cells(make_coadd(make_warp(PATCH)))
    for name in ("masked_fraction", "masked_fraction_inner", "input_fraction_0.05"):
        assert np.isnan(table[name]).all()


def test_flags_are_counted_in_the_inner_region() -> None:
    """Of 20 x 20 pixels: 30 without data, another 10 that one of two visits lacks.

    Two more pixels lie in the border, and do not count.
    """
    start = 6 + 2 * 20
    both, one = (np.zeros(tuple(PATCH.outer_bbox.shape), np.bool_) for _ in range(2))
    both[start : start + 3, start : start + 10] = True
    both[start - 1, start : start + 2] = True
    one[start + 10, start : start + 10] = True
    coadd = make_coadd(
        make_warp(PATCH, visit=1, flags={"SAT": both}),
        make_warp(PATCH, visit=2, flags={"SAT": both | one}),
    )
    table = tabulate_cells(coadd)
    (row,) = table[(table["cell_x"] == 2) & (table["cell_y"] == 2)]
    assert row["no_data_fraction"] == 30 / 400
    assert row["inexact_psf_fraction"] == 40 / 400


def test_depth_is_that_of_the_median_variance() -> None:
    """A star and its neighbours raise the mean; the sky is what limits faint sources."""
    variance = np.full(tuple(PATCH.outer_bbox.shape), 4.0)
    variance[::3] = 100.0
    table = tabulate_cells(make_coadd(make_warp(PATCH, variance=variance)))
    np.testing.assert_array_equal(table["depth"], depth(table["psf_area"], 4.0))


def test_the_number_of_a_cell_in_the_tract_is_where_it_begins() -> None:
    """Patch 24 of 7 x 7 is (3, 3); it has 3 cells of its own and one more on every side."""
    table = tabulate_cells(make_coadd(make_warp(PATCH)))
    np.testing.assert_array_equal(table["tract_cell_x"], 3 * 3 - 1 + table["cell_x"])
    np.testing.assert_array_equal(table["tract_cell_y"], 3 * 3 - 1 + table["cell_y"])
