"""Tables of cells and inputs, and maps, of a survey that nobody observed, for tests of the report.

Visits are rectangles of detectors on a tract. The cells that a detector holds get what a coadd
would give them: variance one over the sum of the weights, depth by the formula, masked fractions
with a step at four columns of a cell. No pixel is made, so that a tract takes a fraction of a
second.
"""

from __future__ import annotations

__all__ = ["example_cells", "example_inputs", "example_map"]

from collections.abc import Iterable

import astropy.units as u
import healsparse
import hpgeom
import numpy as np
import numpy.typing as npt
from astropy.table import Table, join, unique, vstack

from ..skymap import Tract
from ..skymap.tangent_plane import sky_from_directions

_PLANES = ("BAD", "SAT", "CR")
_DETECTOR_CELLS = 12  # width of a detector in cells
_NIGHTS = ((700.0, 20240827), (1100.0, 20240829))  # sky variance in nJy^2: a dark and a bright one
_PSF_AREA = 42.6  # pix^2
_ZERO_POINT = 31.4  # AB magnitude of 1 nJy


def example_inputs(
    tract: Tract, patches: Iterable[int], *, n_visits: int = 8, seed: int = 1
) -> Table:
    """Return a table of inputs: one row a (cell, visit, detector) that touch, by patch.

    Parameters
    ----------
    tract
        Where.
    patches
        Which of its patches have been coadded.
    n_visits
        Number of visits; each covers a good half of the patches.
    seed
        Of all that is random; the same cell of two patches gets the same inputs.
    """
    rng = np.random.default_rng(seed)
    columns, rows = _positions(tract, patches)
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()])
    grid_y, grid_x = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1]
    parts = []
    for number in range(n_visits):
        start = low + rng.integers(-2, 1 + (high - low) // 3)
        size = np.maximum((high - low) * rng.uniform(0.4, 0.9, 2), 4).astype(int)
        x, y = grid_x - start[0], grid_y - start[1]
        touched = (x >= 0) & (y >= 0) & (x <= size[0]) & (y <= size[1])
        edge = (x % _DETECTOR_CELLS == 0) | (y % _DETECTOR_CELLS == 0)
        edge |= (x == size[0]) | (y == size[1])
        variance, day_obs = _NIGHTS[number % len(_NIGHTS)]
        n = int(touched.sum())
        part = Table({"tract_cell_x": grid_x[touched], "tract_cell_y": grid_y[touched]})
        part["visit"] = np.int64(1228 + 2 * number)
        part["day_obs"] = np.int64(day_obs)
        part["detector"] = (x // _DETECTOR_CELLS + 8 * (y // _DETECTOR_CELLS))[touched]
        part["overlaps_center"] = ~edge[touched] | (rng.uniform(size=n) < 0.5)
        part["overlap_fraction"] = np.where(edge[touched], rng.uniform(0.1, 0.99, n), 1.0)
        part["weight"] = 1.0 / (variance * rng.normal(1.0, 0.02, n))
        for suffix, shift in (("", 1.0), ("_inner", 250 / 150)):
            bad = np.where(rng.uniform(size=n) < 0.2, 0.0162 * shift, 0.0)
            sat = np.where(rng.uniform(size=n) < 0.3, rng.lognormal(-5.0, 1.2, n), 0.0).clip(0, 1)
            cr = rng.lognormal(-6.8, 0.5, n)
            fractions = dict(zip(_PLANES, (bad, sat, cr), strict=True))
            part[f"masked_fraction{suffix}"] = np.clip(bad + sat + cr, 0.0, 1.0)
            for plane, values in fractions.items():
                part[f"masked_fraction_{plane}{suffix}"] = values
        masked = part["masked_fraction_inner"] > 0.5
        part["reason"] = np.select(
            [edge[touched] & part["overlaps_center"], edge[touched], masked],
            ["overlap", "center", "masked"],
            "accepted",
        )
        part["accepted"] = part["reason"] == "accepted"
        part["unmasked_fraction"] = 1.0 - part["masked_fraction_inner"]
        parts.append(part)
    table = join(
        _cells_of_patches(tract, patches), vstack(parts), keys=("tract_cell_x", "tract_cell_y")
    )
    table["instrument"] = "HSC"
    table["physical_filter"] = "HSC-I"
    for name, value in (("psf_shape_xx", 3.1), ("psf_shape_yy", 2.9), ("psf_shape_xy", 0.1)):
        table[name] = value
    table["psf_shape_flag"] = False
    table["weight"].unit = u.nJy**-2
    table.sort(["patch", "cell_y", "cell_x", "visit", "detector"])
    return table


def example_cells(inputs: Table, *, seed: int = 2) -> Table:
    """Return the table of cells that belongs to a table of inputs: one row a filled cell."""
    rng = np.random.default_rng(seed)
    accepted = inputs[inputs["accepted"]]
    names = ["skymap", "tract", "patch", "band", "cell_x", "cell_y"]
    names += ["tract_cell_x", "tract_cell_y", "ra", "dec"]
    groups = accepted.group_by(["patch", "cell_y", "cell_x"])
    starts = groups.groups.indices[:-1]
    cells = groups[names][starts]
    counts = np.diff(groups.groups.indices)
    weights = np.add.reduceat(np.asarray(groups["weight"]), starts)
    cells["visit_count"], cells["input_count"] = counts.astype(np.int32), counts.astype(np.int32)
    cells["weight_sum"] = weights * u.nJy**-2
    # What is random is of the place and not of the row: a cell of two patches is the same in both.
    places, rows = np.unique(
        np.stack([cells["tract_cell_y"], cells["tract_cell_x"]]), axis=1, return_inverse=True
    )
    noise = np.asarray(rng.normal(size=places.shape[1]))[rows]
    median = (1.0 + 0.01 * noise) / weights
    cells["variance_median"] = median * u.nJy**2
    cells["variance_mean"] = median * (1.02 + 0.05 * np.abs(noise)) * u.nJy**2
    area = _PSF_AREA * (1.0 + 0.03 * noise)
    cells["psf_area"] = area * u.pix**2
    cells["psf_fwhm"] = 0.65 * (1.0 + 0.015 * noise) * u.arcsec
    cells["depth"] = (_ZERO_POINT - 2.5 * np.log10(5.0 * np.sqrt(area * median))) * u.ABmag
    cells["psf_e1"], cells["psf_e2"] = 0.02 * noise, 0.01 + 0.0 * noise
    cells["psf_ellipticity"] = np.hypot(cells["psf_e1"], cells["psf_e2"])
    cells["psf_flag"] = False
    cells["psf_fidelity"] = 2e-6 * np.exp(0.3 * noise) / counts
    cells["psf_size_spread"], cells["psf_size_change"] = 0.1 + 0.01 * noise, 0.002 * np.abs(noise)
    cells["noise_factor"], cells["noise_factor_measured"] = 1.25 + 0.05 * noise, np.nan
    for name in [name for name in inputs.colnames if name.startswith("masked_fraction")]:
        weighted = np.asarray(groups["weight"]) * np.asarray(groups[name])
        cells[name] = np.add.reduceat(weighted, starts) / weights
    for threshold in ("0.05", "0.1"):
        kept = np.asarray(groups["masked_fraction"]) < float(threshold)
        cells[f"input_fraction_{threshold}"] = np.add.reduceat(kept.astype(float), starts) / counts
    cells["no_data_fraction"], cells["inexact_psf_fraction"] = 0.0, 0.04
    return cells


def example_map(
    cells: Table, column: str, *, nside: int = 8192, half_width_arcsec: float = 12.6
) -> healsparse.HealSparseMap:
    """Return a map of a column.

    Parameters
    ----------
    cells
        Table of cells.
    column
        Name of the column.
    nside
        Resolution of the map.
    half_width_arcsec
        A cell's value is in all pixels with a middle so near to the cell's, in x and in y.
    """
    sparse = healsparse.HealSparseMap.make_empty(64, nside, np.float64)
    half = half_width_arcsec / 3600.0
    for row in unique(cells, keys=["tract_cell_x", "tract_cell_y"]):
        width = half / np.cos(np.radians(row["dec"]))
        pixels = hpgeom.query_box(
            nside, row["ra"] - width, row["ra"] + width, row["dec"] - half, row["dec"] + half
        )
        sparse.update_values_pix(pixels, np.full(pixels.size, float(row[column])))
    return sparse


def _positions(
    tract: Tract, patches: Iterable[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Columns and rows of the cells of some patches, counted over the tract."""
    table = _cells_of_patches(tract, patches)
    return np.asarray(table["tract_cell_x"]), np.asarray(table["tract_cell_y"])


def _cells_of_patches(tract: Tract, patches: Iterable[int]) -> Table:
    """One row a cell of a patch: its names, its place in the tract, and its middle on the sky."""
    parts = []
    own, border = tract.settings.patch_inner_cells, tract.settings.patch_border_cells
    for number in patches:
        patch = tract.patch(number)
        cell_y, cell_x = (a.ravel() for a in np.mgrid[: patch.grid.shape.y, : patch.grid.shape.x])
        middle = patch.grid.middles_of(x=cell_x, y=cell_y)
        ra, dec = sky_from_directions(tract.plane.directions(x=middle.x, y=middle.y))
        part = Table({"cell_x": cell_x.astype(np.int16), "cell_y": cell_y.astype(np.int16)})
        part["skymap"], part["tract"], part["patch"] = tract.skymap, tract.id, number
        part["band"] = "i"
        part["ra"], part["dec"] = ra * u.deg, dec * u.deg
        part["tract_cell_x"] = own * patch.index.x + cell_x - border
        part["tract_cell_y"] = own * patch.index.y + cell_y - border
        parts.append(part)
    return vstack(parts)
