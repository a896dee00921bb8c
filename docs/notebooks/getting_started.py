# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Getting started with cell-based coadds
#
# This notebook goes through the technote SITCOMTN-137, "Getting Started with Cell-Based Coadds", in its
# order. For each of its steps it shows how the step is done with this package, and beside it in a table
# what the technote does with the Rubin pipelines.
#
# It runs on what `make demo` or `cellcoadd demo FOLDER` leaves: a simulated survey, coadded by the
# ordinary commands. The folder is `demo` in the repository, or the one that the environment variable
# `CELLCOADD_DEMO` names. Nothing in that folder is changed.

# %%
# %matplotlib inline
import logging
import os
import time
from pathlib import Path

import healsparse
import hpgeom
import numpy as np
from astropy.coordinates import SkyCoord
from lsst.daf.butler import Butler

from cellcoadd import (
    Index2D,
    MissingCellError,
    any_of,
    cells_at,
    compute_weight,
    locate,
    rows_at,
)
from cellcoadd.conventions import AB_ZERO_POINT_NJY
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.report.coadd_figures import draw_coadd_and_inputs
from cellcoadd.report.panels import draw_cells, draw_flux, draw_plane, outline_cells, values_on_grid
from cellcoadd.report.style import new_figure

FOLDER = Path(os.environ.get("CELLCOADD_DEMO", "../../demo"))

# The Butler says of tables that they could become pandas' too, if that were installed.
logging.getLogger("lsst.daf.butler").setLevel(logging.ERROR)

# %% [markdown]
# ## 1. Making cell-based coadds
#
# ### Set up
#
# | technote | here |
# |---|---|
# | source a weekly or daily stack, `setup lsst_distrib` | `pip install .`; `pipetask` and `butler` come with it |
# | a repository at USDF that others have filled | `butler make-cell-repo`, `ingest-calibrated`, `register-skymap` |
#
# ### `pipetask run`
#
# The command is the same, and so are its options. The demonstration has typed
#
# ```
# pipetask run -j 1 --register-dataset-types -b demo/repo -i HSC/runs/demo -o u/demo/cell_coadds \
#   -p resource://cellcoadd/pipelines/cell_coadds.yaml \
#   -d "instrument='HSC' AND skymap='hsc_rings_cells_v1' AND tract=9813 AND band='i'"
# ```
#
# | technote | here |
# |---|---|
# | `class: lsst.pipe.tasks.make_direct_warp.MakeDirectWarpTask` | `class: cellcoadd.tasks.MakeDirectWarpTask` |
# | `class: lsst.drp.tasks.assemble_cell_coadd.AssembleCellCoaddTask` | `class: cellcoadd.tasks.AssembleCellCoaddTask` |
# | `doWarpMaskedFraction`, `doPreWarpInterpolation` | the same names; without the second, masked fractions are 0 and NaN there and here |
# | `-c assembleCellCoadd:calc_error_from_input_variance=False` | the same; `pipetask build -p ... --show dump-config=assembleCellCoadd` explains every setting |
#
# A repository keeps the settings of each run. These are those of the demonstration:

# %%
OUTPUT = "u/demo/cell_coadds"
butler = Butler.from_config(str(FOLDER / "repo"), collections=[OUTPUT, "skymaps"])

warping = butler.get("makeDirectWarp_config")
assembly = butler.get("assembleCellCoadd_config")
print("doWarpMaskedFraction           ", warping.doWarpMaskedFraction)
print("doPreWarpInterpolation         ", warping.doPreWarpInterpolation)
print("planes that are interpolated   ", list(warping.preWarpInterpolation.badMaskPlanes))
print("calc_error_from_input_variance ", assembly.calc_error_from_input_variance)
print("pixels that are left out       ", list(assembly.bad_mask_planes))

# %% [markdown]
# ### What the run has made
#
# | technote | here |
# |---|---|
# | `deepCoadd_directWarp`, `..._maskedFraction`, `..._noise{n}`, `deepCoaddCell` | the same names and dimensions |
# | stitching is a method | also a task: `deepCoaddCell_stitched`; `tabulateCells` adds `deepCoaddCell_table` |

# %%
for name in (
    "deepCoadd_directWarp",
    "deepCoadd_directWarp_maskedFraction",
    "deepCoaddCell",
    "deepCoaddCell_stitched",
    "deepCoaddCell_table",
):
    kind = butler.get_dataset_type(name)
    count = len(butler.query_datasets(name, limit=None))
    dimensions = ", ".join(kind.dimensions.required)
    print(f"{count} x {name}\n    by {dimensions}: {kind.storageClass_name}")

# %% [markdown]
# ### Collections
#
# | technote | here |
# |---|---|
# | `butler query-collections REPO 'u/${USER}/*'` | the same, or `butler.collections.query` |
# | all collections with `registry.queryDatasets`, then `np.unique` of the runs | `query_datasets(name, "*")`, then the set of the runs |
# | `butler remove-collections`, `remove-runs`, `remove-dataset-type` | the same |

# %%
for name in butler.collections.query("*"):
    print(name)

fractions = butler.query_datasets("deepCoadd_directWarp_maskedFraction", "*", find_first=False)
print("\nRuns with masked fractions:", {ref.run for ref in fractions})

# %% [markdown]
# ## 2. Patterns
#
# ### A coadd and a warp out of the Butler
#
# | technote | here |
# |---|---|
# | `Butler(REPO)`, `butler.registry` | `Butler.from_config(REPO, collections=...)`; `butler.registry` works too |
# | `butler.get("deepCoaddCell", collections=..., instrument="HSC", skymap=..., tract=9813, patch=61, band="i")` | the same |

# %%
patches = butler.query_datasets("deepCoaddCell")
tract, patch = patches[0].dataId["tract"], patches[0].dataId["patch"]
where = {"instrument": "HSC", "skymap": "hsc_rings_cells_v1", "band": "i"}
where |= {"tract": tract, "patch": patch}

coadd = butler.get("deepCoaddCell", where)
coadd

# %% [markdown]
# Each warp is read once and kept, as the technote advises for loops over cells *and* visits.

# %%
visits = sorted(ref.dataId["visit"] for ref in butler.query_datasets("deepCoadd_directWarp"))
warps = {visit: butler.get("deepCoadd_directWarp", where, visit=visit) for visit in visits}
for warp in warps.values():
    print(warp)

# %% [markdown]
# Reading a whole file for one cell is not needed. Parameters choose cells, by name or by a box of pixels; a
# component is a part of the coadd, and the rest of the file is not read for it.

# %%
some = next(iter(coadd.cells))


def time_reading(name, **parameters):
    start = time.perf_counter()
    butler.get(name, where, parameters=parameters)
    milliseconds = 1000 * (time.perf_counter() - start)
    print(f"{milliseconds:5.0f} ms  {name}", *(f"{k}={v}" for k, v in parameters.items()))


time_reading("deepCoaddCell")
time_reading("deepCoaddCell", cells=[some])
time_reading("deepCoaddCell", bbox=coadd.grid.inner_bbox_of(some).dilated_by(-10))
for component in ("wcs", "grid", "psf"):
    time_reading(f"deepCoaddCell.{component}")

# %% [markdown]
# ### Iterating over cells
#
# | technote | here |
# |---|---|
# | `list(coadd.cells.keys())`: the filled cells as `Index2D` | the same |
# | `coadd.cells[Index2D(x=0, y=0)]` | the same; `CellIJ(i=row, j=column)` of lsst.images is understood as well |
# | a list of all indices and a second one that says which are filled | `index in coadd.cells`, with `index` from `coadd.grid` |

# %%
filled = list(coadd.cells.keys())
print(len(filled), "cells are filled, the first is", filled[0])
print("cells in the patch:", coadd.grid.shape.x, "x", coadd.grid.shape.y)

# One with the most visits, and of these one with the brightest source: more to look at below.
cell = max(coadd.cells.values(), key=lambda one: (one.visit_count, one.inner.image.array.max()))
cell

# %% [markdown]
# One number a cell, in the place of the cell: `values_on_grid` makes the array `[y, x]` of it, with NaN for the
# empty cells. It is what the technote's second loop fills.

# %%
counts = [cell.visit_count for cell in coadd.cells.values()]
grid = values_on_grid(coadd, counts)
print(grid.shape, "with", np.isfinite(grid).sum(), "numbers; [y, x] of the cell above:")
print(grid[cell.index.y, cell.index.x])

# %% [markdown]
# An empty cell is no accident, and asking for one says how things stand:

# %%
empty = next(index for index in coadd.grid if index not in coadd.cells)
try:
    coadd.cells[empty]
except MissingCellError as error:
    print(error)

# %% [markdown]
# Over many patches: one loop over what the Butler finds. What the table of cells holds (section 3) is quicker
# taken from there than from the coadds.
#
# | technote | here |
# |---|---|
# | for each patch: get the coadd; for each cell: retrieve values | the same; or for each patch `deepCoaddCell_table`, all cells at once |

# %%
for ref in butler.query_datasets("deepCoaddCell_table"):
    table = butler.get(ref)
    most = table["visit_count"].max()
    print(
        f"tract {ref.dataId['tract']} patch {ref.dataId['patch']}: {len(table)} cells, up to", most
    )

# %% [markdown]
# ### A cell: inner and outer region
#
# The *inner* region belongs to the cell alone. The *outer* one has a border more, which neighbours share, so that
# a source at an inner edge can be measured in one cell, with one PSF.
#
# | technote | here |
# |---|---|
# | `cell.outer.image.array`, `.variance`, `.mask`, `.bbox` | the same; pixels are views, nothing is copied |
# | | `cell.inner` likewise, and `cell.outer[bbox]` cuts out a box of all planes |

# %%
print("inner", cell.inner.bbox)
print("outer", cell.outer.bbox)

figure = new_figure(width=12.5, height=4.0)
left, middle, right = figure.subplots(1, 3)
draw_flux(left, cell.outer.image)
draw_plane(middle, cell.outer.variance, label="variance (nJy$^2$)")
draw_flux(right, cell.inner.image)
for axes, title in ((left, "Outer image"), (middle, "Outer variance"), (right, "Inner image")):
    axes.set_title(title)
    outline_cells(axes, coadd, cell.outer.bbox)
figure

# %% [markdown]
# ### Pixels and sky
#
# | technote | here |
# |---|---|
# | `wcs = coadd.wcs`, `wcs.pixelToSky(x, y)`, `skyToPixel` | `coadd.wcs.pixel_to_sky(x=..., y=...)`, `sky_to_pixel`: astropy's `SkyCoord` in and out, arrays too |
# | tract and patch from the sky map of the stack | `locate(skymap, ra, dec)`: tract, patch and cell of any number of positions |
#
# The WCS is that of the tract: it serves every patch and every cell.

# %%
centre = coadd.wcs.pixel_to_sky(x=cell.inner.bbox.x.center, y=cell.inner.bbox.y.center)
print("middle of the cell:", centre.to_string("hmsdms", precision=3))

# From the sky to a cell of this coadd ...
column_row = cells_at(coadd.grid, coadd.wcs, centre)
print("cell there:        ", Index2D(x=int(column_row.x), y=int(column_row.y)))

# ... and to a cell of the whole sky map, before anything is read.
place = locate(butler.get("skyMap", where), centre.ra.deg, centre.dec.deg)
print("tract, patch, cell:", place.tract, place.patch, place.cell, "= 22 y + x")

# %% [markdown]
# ### HealSparse maps
#
# | technote | here |
# |---|---|
# | corners of a cell to a box on the sky, `envelope` of sphgeom for the pixels, a list of cells for each pixel, then their mean | the cell that a pixel's centre lies in gives the value: `rows_at`; nothing is left to average |
# | `nside_coverage` 256, `nside_sparse` 8192 | any; above 128 for the coverage healsparse warns that it is slow |
# | | `make_input_map`: a map of bits, one an input (in `cells_in_depth`) |

# %%
NSIDE_COVERAGE, NSIDE_SPARSE = 128, 8192

box = coadd.bbox
corners = coadd.wcs.pixel_to_sky(
    x=np.array([box.x.min, box.x.max, box.x.max, box.x.min]),
    y=np.array([box.y.min, box.y.min, box.y.max, box.y.max]),
)
pixels = hpgeom.query_polygon(NSIDE_SPARSE, corners.ra.deg, corners.dec.deg)
ra, dec = hpgeom.pixel_to_angle(NSIDE_SPARSE, pixels)
rows = rows_at(coadd, SkyCoord(ra, dec, unit="deg"))  # of the table; -1 where no filled cell is

table = butler.get("deepCoaddCell_table", where)
variance_map = healsparse.HealSparseMap.make_empty(NSIDE_COVERAGE, NSIDE_SPARSE, np.float32)
inside = rows >= 0
variance_map[pixels[inside]] = table["variance_median"].data[rows[inside]].astype(np.float32)

print(variance_map)
print("here:", variance_map.get_values_pos(centre.ra.deg, centre.dec.deg), "nJy^2")

# %% [markdown]
# ### Visits and inputs of a cell
#
# | technote | here |
# |---|---|
# | `cell.inputs` | the same: a tuple of (instrument, visit, detector, ...) |
# | `len(cell.inputs)` as the number of visits | `cell.visit_count`; a visit can come with two detectors only where overlap is not asked to be whole |
# | | `cell.contributions`: a row for each detector that touches the cell, with weight, overlap, masked fraction, and the reason where it was refused |

# %%
for row in cell.contributions:
    entry = coadd.inputs[row["input"]].observation
    print(
        f"visit {entry.visit:5d} detector {entry.detector}: covers {row['overlap_fraction']:.3f}, "
        f"{RefusalReason(row['reason']).name.lower()}"
    )

# %% [markdown]
# ### The warps of a cell
#
# | technote | here |
# |---|---|
# | `warp[bbox].getMaskedImage()` | `warp[bbox]`, a masked image; what lies beyond a warp comes as no data |

# %%
taken = sorted({entry.visit for entry in cell.inputs})
pictures = {f"Visit {visit}": warps[visit][cell.outer.bbox].image for visit in taken}
pictures["Coadd"] = cell.outer.image

rows = -(-len(pictures) // 3)
figure = new_figure(width=12.5, height=3.8 * rows)
for number, (title, image) in enumerate(pictures.items(), start=1):
    axes = figure.add_subplot(rows, 3, number)
    draw_flux(axes, image)
    axes.set_title(title)
figure

# %% [markdown]
# ### Weights
#
# | technote | here |
# |---|---|
# | a `StatisticsControl` with the planes BAD, NO_DATA, SAT, then the private `AssembleCellCoaddTask()._compute_weight(masked_image, control)` | `compute_weight(masked_image)`: 1 / clipped mean of the variance, those planes left out |
# | the task weighs by the mean variance of the whole detector | so does ours; the weights are in `contributions` |
#
# The two weights below differ by what sources elsewhere on the detector add to its mean variance, and by the
# resampling, which makes the variance of a single pixel smaller.

# %%
accepted = cell.contributions[cell.contributions["reason"] == RefusalReason.ACCEPTED]
for row in accepted:
    visit = coadd.inputs[row["input"]].observation.visit
    of_cell = compute_weight(warps[visit][cell.outer.bbox])
    print(f"visit {visit:5d}: {row['weight']:.6f}, of this cell alone {of_cell:.6f} per nJy^2")

# %% [markdown]
# ### Masks
#
# | technote | here |
# |---|---|
# | `np.where(np.bitwise_and(mask.array, mask.getPlaneBitMask("INTRP")), True, False)` | `mask.get("INTRP")`, an array of bool |
# | one such array a plane, `np.logical_or.reduce` | `any_of(mask, ["INTRP", "SAT"])` |
# | `numpy.ma.masked_array(variance, mask=...)` | the same, or `np.where` |

# %%
mask = cell.outer.mask
for plane, meaning in mask.schema.descriptions.items():
    if mask.get(plane).any():
        print(f"{mask.get(plane).sum():6d} pixels {plane}: {meaning}")

# %%
bad = any_of(mask, ["CR", "SAT", "STREAK", "INTRP"])
variance = cell.outer.variance.copy()
variance.array[bad] = np.nan

figure = new_figure(width=9.0, height=4.0)
left, right = figure.subplots(1, 2)
limits = tuple(np.nanpercentile(variance.array, [1, 99]))
label = "variance (nJy$^2$)"
draw_plane(left, cell.outer.variance, label=label, limits=limits)
left.set_title("All pixels")
draw_plane(right, variance, label=label, limits=limits)
right.set_title("Without CR, SAT, STREAK, INTRP")
figure

# %% [markdown]
# ### The point-spread function
#
# | technote | here |
# |---|---|
# | `cell.psf_image.array` | the same, centred on (0, 0) |
# | the PSF of a stitched coadd at a position needs `lsst.afw` | `coadd.psf.compute_kernel_image(x=..., y=...)`; `compute_stellar_image` also shifts by the fraction of a pixel |

# %%
psf = cell.psf_image
print("sum", psf.array.sum().round(6), "in", psf.bbox)

x, y = cell.inner.bbox.x.center + 0.3, cell.inner.bbox.y.center - 0.2
star = coadd.psf.compute_stellar_image(x=x, y=y)

figure = new_figure(width=9.0, height=4.0)
left, right = figure.subplots(1, 2)
draw_plane(left, psf, label="fraction of the flux a pixel")
left.set(title="PSF of the cell", xlabel="x (pixels)", ylabel="y (pixels)")
draw_plane(right, star, label="fraction of the flux a pixel")
right.set_title("A star in it, between two pixels")
figure

# %% [markdown]
# ## 3. A first analysis
#
# ### The stitched coadd, and the inputs of each cell
#
# | technote | here |
# |---|---|
# | `coadd.stitch().image.array` | `coadd.stitch()`, a `CellCoadd` of lsst.images; for the image alone `coadd.image` |
# | `pcolormesh` of a filled array of 22 x 22 | `draw_coadd_and_inputs(coadd)` |

# %%
draw_coadd_and_inputs(coadd)

# %%
figure = new_figure(width=5.0, height=3.2)
axes = figure.subplots()
axes.hist(counts, bins=np.arange(0.5, max(counts) + 1.5), rwidth=0.9)
axes.set(xlabel="visits in a cell", ylabel="cells", xticks=range(1, max(counts) + 1))
figure

# %% [markdown]
# ### Variance
#
# The table of cells has mean and median of each cell's inner variance. Where all visits are alike, N of them have
# 1/N of the variance of one.

# %%
names = ["cell_x", "cell_y", "visit_count", "variance_mean", "variance_median", "psf_area"]
table[[*names, "psf_fwhm", "noise_factor"]][:5]


# %%
def jittered(numbers, width=0.12):
    """Columns of points that do not hide each other."""
    return numbers + np.random.default_rng(0).uniform(-width, width, len(numbers))


n = np.arange(1, table["visit_count"].max() + 1)
smooth = np.linspace(n[0], n[-1])
median = table["variance_median"].data
one = np.median(median * table["visit_count"])

figure = new_figure(width=11.0, height=4.2)
left, right = figure.subplots(1, 2)
draw_cells(left, coadd, median, label="median variance (nJy$^2$)")
left.set_title("Variance of each cell")
right.plot(jittered(table["visit_count"].data), median, ".", label="cells")
right.plot(smooth, one / smooth, color="tab:red", label=f"{one:.0f} nJy$^2$ / N")
right.set(xlabel="visits in a cell", ylabel="median variance (nJy$^2$)", xticks=n, ylim=(0, None))
right.legend()
figure

# %% [markdown]
# ### Depth
#
# The magnitude of a star whose flux is five times its error. Where pixels are weighted with the PSF P, the
# error is sqrt(A v), with v the variance of a pixel and A = (sum P)^2 / sum P^2 the effective area.
#
# | technote | here |
# |---|---|
# | zero point 27, weight times the number of pixels of the outer cell | zero point 31.4, as pixels are in nJy; the variance of one pixel |
# | errors of pixels taken as independent | `noise_factor` says by how much resampling makes the variance of a flux larger |

# %%
flux_error = np.sqrt(table["psf_area"].data * median * table["noise_factor"].data)
depth = AB_ZERO_POINT_NJY - 2.5 * np.log10(5.0 * flux_error)
first = np.median(depth - 1.25 * np.log10(table["visit_count"].data))

figure = new_figure(width=11.0, height=4.2)
left, right = figure.subplots(1, 2)
draw_cells(left, coadd, depth, label="depth (AB magnitudes)")
left.set_title("5-sigma depth for stars")
right.plot(jittered(table["visit_count"].data), depth, ".", label="cells")
rising = first + 1.25 * np.log10(smooth)
right.plot(smooth, rising, color="tab:red", label=f"{first:.2f} + 1.25 log N")
right.set(xlabel="visits in a cell", ylabel="depth (AB magnitudes)", xticks=n)
right.legend()
figure

# %% [markdown]
# ### Masked fractions
#
# Resampling smears a masked pixel over its neighbours, so a pixel of a warp has a *fraction*, 0 to 1. On the
# level of a cell it is the sum over the pixels divided by their number.
#
# | technote | here |
# |---|---|
# | `deepCoadd_directWarp_maskedFraction`, a dataset beside each warp | the same dataset; also `warp.mask_fractions`, for all planes together and for BAD, SAT and CR each |
# | planes are isolated by running the pipeline once a plane | one run |
# | weighted sum of the warps' planes over the sum of the weights | kept in the coadd: `cell.outer.mask_fractions` |

# %%
bbox = cell.outer.bbox
weights = accepted["weight"]
planes = [
    warps[coadd.inputs[row["input"]].observation.visit].mask_fractions[ALL_PLANES][bbox].array
    for row in accepted
]
by_hand = sum(w * plane for w, plane in zip(weights, planes, strict=True)) / weights.sum()

kept = cell.outer.mask_fractions[ALL_PLANES].array
whole = ~any_of(cell.outer.mask, "REJECTED")
print(f"cell level: {kept.mean():.4f}, by hand {by_hand.mean():.4f}")
print("largest difference where no input was left out:", np.abs(kept - by_hand)[whole].max())
print("pixels where some input was left out, so counts as masked:", (~whole).sum())

# %% [markdown]
# What is left of the inputs when those of a larger masked fraction are not taken: the table of contributions has
# the fractions of all inputs of all cells, so that no warp is read.

# %%
rows = coadd.contributions[coadd.contributions["reason"] == RefusalReason.ACCEPTED]
keys = coadd.grid.shape.x * rows["cell_y"].astype(int) + rows["cell_x"]
_, row_of_cell = np.unique(keys, return_inverse=True)


def remaining(threshold, column="masked_fraction"):
    """The fraction of each cell's inputs whose masked fraction is below a threshold."""
    below = rows[column] < threshold
    return np.bincount(row_of_cell, weights=below) / np.bincount(row_of_cell)


coadded = [one.outer.mask_fractions[ALL_PLANES].array.mean() for one in coadd.cells.values()]

figure = new_figure(width=13.0, height=3.6)
left, middle, right = figure.subplots(1, 3)
draw_cells(left, coadd, coadded, label="coadded masked fraction")
draw_cells(middle, coadd, remaining(0.05), label="inputs below 0.05", limits=(0, 1))
draw_cells(right, coadd, remaining(0.01), label="inputs below 0.01", limits=(0, 1))
figure

# %% [markdown]
# The same for many thresholds, on average over the cells: the technote's threshold function. It is drawn for all
# planes together and for each alone. In HSC data it has a step just above 0.016, the technote's divot: bands of
# four bad columns through cells of 250 pixels. The simulated detectors have such bands too.
#
# | technote | here |
# |---|---|
# | coadds and warps opened for each threshold | one pass over one table |
# | outer cells | `masked_fraction`; `masked_fraction_inner` is kept as well |

# %%
thresholds = np.append(np.arange(0.001, 0.0195, 0.001), np.arange(0.02, 0.145, 0.01))

figure = new_figure(width=7.0, height=3.8)
axes = figure.subplots()
for column, label in {
    "masked_fraction": "all planes",
    "masked_fraction_BAD": "BAD",
    "masked_fraction_SAT": "SAT",
    "masked_fraction_CR": "CR",
}.items():
    means = [remaining(threshold, column).mean() for threshold in thresholds]
    axes.plot(thresholds, means, ".-", label=label)
columns = 4 / coadd.grid.outer_cell_shape.x
axes.axvline(columns, color="black", linewidth=0.7, linestyle=":", label=f"4 columns: {columns}")
axes.set(xlabel="threshold of the masked fraction", ylabel="fraction of inputs that remain")
axes.legend()
figure

# %% [markdown]
# ## Where to go on
#
# `cells_in_depth`, the notebook beside this one, shows what is only here: stars against the exact PSF, refused
# inputs, noise that is correlated, single cells built on their own, exchange with the Rubin pipelines.
# The page `docs/how-to/own-images.md` starts from images of your own.

# %%
butler.close()
