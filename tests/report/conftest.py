"""Tables of a survey that nobody observed, on a tract whose patches have 5 x 5 cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from astropy.table import Table
from healsparse import HealSparseMap

from cellcoadd.cell_grid import Index2D
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.report.tract_data import Provenance, TaskSetting, TractData
from cellcoadd.testing.example_tables import example_cells, example_inputs, example_map
from cellcoadd.testing.images import make_coadd, make_warp, small_patch, small_tract

PATCHES = (16, 17, 23, 24)
"""Four patches around a corner, which share cells."""

MAPPED = {
    "inputs": "visit_count",
    "variance": "variance_median",
    "depth": "depth",
    "psf_fwhm": "psf_fwhm",
    "psf_ellipticity": "psf_ellipticity",
    "psf_fidelity": "psf_fidelity",
    "psf_size_spread": "psf_size_spread",
    "psf_size_change": "psf_size_change",
    "masked_fraction": "masked_fraction",
    "input_fraction_005": "input_fraction_0.05",
    "input_fraction_010": "input_fraction_0.1",
}
"""Columns of the table of cells by the maps that are made of them."""


VISITS = ("epoch_map_mean", "airmass_map_mean")


def visit_maps(cells: Table) -> Iterator[HealSparseMap]:
    """Maps of numbers like those of visits, with the metadata that these have."""
    for start, unit, meaning in ((60549.0, "d", "Epoch"), (1.0, "", "Airmass, weighted mean")):
        numbers = Table(cells[["tract_cell_x", "tract_cell_y", "ra", "dec"]])
        numbers["number"] = start + 0.1 * np.asarray(cells["visit_count"])
        made = example_map(numbers, "number", nside=2**18, half_width_arcsec=2.0)
        made.metadata = {"UNIT": unit, "MEANING": meaning}
        yield made


@pytest.fixture(scope="session")
def inputs() -> Table:
    """The table of inputs of `PATCHES`. Do not change it."""
    return example_inputs(small_tract(), PATCHES)


@pytest.fixture(scope="session")
def cells(inputs: Table) -> Table:
    """The table of cells of `PATCHES`. Do not change it."""
    return example_cells(inputs)


@pytest.fixture(scope="session")
def coadd() -> MultipleCellCoadd:
    """A coadd of patch 24, with a cell for each row of `cells` of this patch and no other."""
    patch = small_patch(24)
    shape = tuple(patch.outer_bbox.shape)
    rng = np.random.default_rng(3)
    return make_coadd(make_warp(patch, pixels=rng.normal(size=shape)))


@pytest.fixture(scope="session")
def tract_data(cells: Table, inputs: Table, coadd: MultipleCellCoadd) -> TractData:
    """All that a report can have. Do not change it."""
    tract = small_tract()
    thresholds = [0.005, 0.01, 0.016, 0.017, 0.1]
    whole = cells[cells["patch"] == 24]
    example = coadd.subset([Index2D(x=int(row["cell_x"]), y=int(row["cell_y"])) for row in whole])
    return TractData(
        skymap="small",
        tract=0,
        band="i",
        grid_shape=Index2D(x=5, y=5),
        outer_width=32,
        cell_area_arcmin2=(20 * 0.2 / 60) ** 2,
        provenance=Provenance(
            repository="REPO",
            collections=[("u/me/coadds", "chained"), ("u/me/coadds/run", "run")],
            settings=[
                TaskSetting(task="makeDirectWarp", name="border", value="256", default="256"),
                TaskSetting(
                    task="assembleCellCoadd", name="psf_dimensions", value="41", default="35"
                ),
            ],
            packages={"cellcoadd": "0.1.0"},
            files=[("deepCoaddCell", "tract 0, patch 24, band i", "u/me/coadds/run/a.fits")],
            code="butler = Butler.from_config('REPO')",
        ),
        cells=cells,
        inputs=inputs,
        maps={
            quantity: example_map(cells, column, nside=2**18, half_width_arcsec=2.0)
            for quantity, column in MAPPED.items()
        }
        | dict(zip(VISITS, visit_maps(cells), strict=True)),
        visit_maps=VISITS,
        outlines={number: tract.patch(number).inner_region for number in PATCHES},
        example=example,
        thresholds={
            "all planes": (thresholds, [0.5, 0.6, 0.7, 0.8, 1.0]),
            "BAD": (thresholds, [0.8, 0.8, 0.8, 0.9, 1.0]),
        },
        patch_thresholds={n: (thresholds, [0.5, 0.6, 0.7, 0.8, 1.0]) for n in (*PATCHES, 99)},
    )
