"""The table of a coadd's cells."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from cellcoadd.analysis.cell_table import CELL_COLUMNS, tabulate_cells
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

PATCH = small_patch()


def test_every_column_says_what_it_is() -> None:
    """A table is read by people who have not read the code."""
    table = tabulate_cells(make_coadd(make_warp(PATCH)))
    assert table.colnames == [column.name for column in CELL_COLUMNS]
    for column in CELL_COLUMNS:
        assert table[column.name].unit == column.unit
        assert table[column.name].description == column.meaning
        assert column.meaning.endswith(".")


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
