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
# # Cells in depth
#
# What a cell of this package knows beyond pixels: the exact PSF, what was refused and why, noise and its
# covariance; and what can be done with a coadd: single cells built on their own, files, exchange with the
# Rubin pipelines, catalogues, maps. `getting_started`, the notebook beside this one, comes first.
#
# It runs on what `make demo` or `cellcoadd demo FOLDER` leaves, in the folder `demo` of the repository or
# the one that the environment variable `CELLCOADD_DEMO` names. Nothing in that folder is changed.

# %%
# %matplotlib inline
import logging
import os
import tempfile
from collections import Counter
from pathlib import Path

import hpgeom
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from lsst.daf.butler import Butler
from lsst.images import Image
from matplotlib.patches import Polygon

from cellcoadd import (
    CoaddSettings,
    MultipleCellCoadd,
    WarpSettings,
    any_of,
    cells_at,
    coadd_images,
    locate,
    read,
    rows_at,
    tabulate_cells,
    write_lsst_cell_coadds,
)
from cellcoadd.analysis.noise_factor import measured_noise_factor, noise_factor
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.input_map import make_input_map
from cellcoadd.exchange.dp2_cells import inner_cells
from cellcoadd.exchange.lsst_cell_coadds import open_lsst_cell_coadds
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.report.panels import draw_cells, draw_flux, draw_plane, outline_cells
from cellcoadd.report.style import new_figure

FOLDER = Path(os.environ.get("CELLCOADD_DEMO", "../../demo"))

# The Butler says of images and tables that they could become types that are not installed here.
logging.getLogger("lsst.daf.butler").setLevel(logging.ERROR)

collections = ["u/demo/cell_coadds", "HSC/runs/demo", "skymaps"]
butler = Butler.from_config(str(FOLDER / "repo"), collections=collections)
where = butler.query_datasets("deepCoaddCell")[0].dataId
coadd = butler.get("deepCoaddCell", where)
skymap = butler.get("skyMap", where)
patch = skymap[where["tract"]].patch(where["patch"])
coadd

# %% [markdown]
# ## Why the PSF of a cell is exact
#
# A cell takes in only inputs that cover all of it, each with one weight for all its pixels. So a star anywhere
# in the cell is the same weighted mean of the inputs' stars, and that mean is the cell's PSF: nothing is fitted,
# nothing interpolated between cells. In an ordinary coadd the inputs change halfway across a star.
#
# The simulated sky tells position and flux of each star. A bright one that stands alone, with no input left out
# of its pixels:

# %%
truth = Table.read(FOLDER / "images" / "truth.ecsv")
sky = SkyCoord(truth["ra"], truth["dec"])
at = coadd.wcs.sky_to_pixel(sky)
x, y, flux = np.asarray(at.x), np.asarray(at.y), truth["flux_njy"].data
rows = rows_at(coadd, sky)  # of the filled cells; -1 for what is in none


def stand_alone(number, pixels=35.0, part=0.01):
    """Whether the sources near a source have less than a part of its flux."""
    distance = np.hypot(x - x[number], y - y[number])
    return flux[(distance > 0) & (distance < pixels)].sum() < part * flux[number]


def cell_of(number):
    """The cell that a source lies in."""
    return coadd.cells[coadd.stack.indices[rows[number]]]


def is_clean(number):
    """Whether a star's whole image is in its cell, made of all the cell's inputs, and alone."""
    home, box = cell_of(number), coadd.psf.compute_stellar_bbox(x=x[number], y=y[number])
    if not home.outer.bbox.contains(box):
        return False
    left_out = any_of(home.outer[box].mask, ["INEXACT_PSF", "NO_DATA", "SAT"])
    return not left_out.any() and stand_alone(number)


stars = np.flatnonzero((rows >= 0) & (truth["type"] == "star"))
good = [number for number in stars if is_clean(number)]
star = max(good, key=lambda number: (cell_of(number).visit_count > 1, flux[number]))
cell = cell_of(star)
print(f"{len(good)} clean stars; the one chosen has {flux[star]:.0f} nJy and lies in")
cell

# %% [markdown]
# Its true flux times the PSF at its true position is subtracted, nothing adjusted. What remains is noise. Beside it,
# the same with the PSF of another cell, the one whose width differs most.

# %%
model = coadd.psf.compute_stellar_image(x=x[star], y=y[star])
pixels = cell.outer[model.bbox]

table = tabulate_cells(coadd)
fwhm = table["psf_fwhm"].data
foreign = coadd.stack.indices[np.argmax(np.abs(fwhm - fwhm[rows[star]]))]
middle = coadd.grid.centre_of(foreign)
dx, dy = x[star] - round(x[star]), y[star] - round(y[star])
shifted = coadd.psf.compute_stellar_image(x=middle.x + dx, y=middle.y + dy)


def residual(psf_image):
    difference = pixels.image.array - flux[star] * psf_image.array
    return Image(difference / np.sqrt(pixels.variance.array), bbox=pixels.bbox)


own, other = residual(model), residual(shifted)

figure = new_figure(width=10.0, height=7.6)
(one, two), (three, four) = figure.subplots(2, 2)
expected = Image(flux[star] * model.array, bbox=model.bbox)
peak = (0.0, float(expected.array.max()))
draw_plane(one, pixels.image, label="nJy a pixel", limits=peak, colours="gray_r")
one.set_title("The star")
draw_plane(two, expected, label="nJy a pixel", limits=peak, colours="gray_r")
two.set_title("Its flux x PSF of its cell")
for axes, values in ((three, own), (four, other)):
    draw_plane(axes, values, label="noise (sigma)", limits=(-5.0, 5.0), colours="RdBu_r")
three.set_title("Difference")
four.set_title(f"Difference with the PSF of cell ({foreign.x}, {foreign.y})")
figure

# %%
print(f"residual in units of the noise: {own.array.std():.2f} with the cell's own PSF,")
print(f"{other.array.std():.2f} with the other one (FWHM {fwhm[rows[star]]:.3f} and ", end="")
print(f"{fwhm[coadd.stack.indices.index(foreign)]:.3f} arcsec)")

# %% [markdown]
# All clean stars, each flux measured with its cell's PSF as weight. The error follows from the variance plane and
# from the factor for correlated noise, to which a section below comes back.


# %%
def measure(number):
    """Flux over true flux, and its error, of a star."""
    psf = coadd.psf.compute_stellar_image(x=x[number], y=y[number])
    cut = cell_of(number).outer[psf.bbox]
    # Equal weights a pixel: a bright star's own noise must not change the weights.
    measured = (cut.image.array * psf.array).sum() / (psf.array**2).sum()
    variance = (cut.variance.array * psf.array**2).sum() / (psf.array**2).sum() ** 2
    error = np.sqrt(variance * table["noise_factor"][rows[number]])
    return measured / flux[number], error / flux[number]


ratio, error = np.array([measure(number) for number in good]).T
magnitude = 31.4 - 2.5 * np.log10(flux[good])

figure = new_figure(width=7.0, height=3.4)
axes = figure.subplots()
axes.errorbar(magnitude, ratio, yerr=error, fmt=".", linewidth=1.0)
axes.axhline(1.0, color="black", linewidth=0.7)
axes.set(xlabel="AB magnitude", ylabel="measured flux / true flux")
figure

# %%
pulls = (ratio - 1.0) / error
mean, mean_error = np.average(ratio, weights=error**-2), np.sum(error**-2) ** -0.5
print(f"weighted mean of the ratios: {mean:.5f} +- {mean_error:.5f}")
print(f"deviations over their errors: rms {np.sqrt(np.mean(pulls**2)):.2f} of {len(good)} stars")

# %% [markdown]
# ## Inputs: accepted, refused, and why
#
# `contributions` has a row for each pair of a cell and a detector that touch. A refused one keeps its reason:

# %%
reasons = Counter(RefusalReason(reason).name for reason in coadd.contributions["reason"])
for reason, count in reasons.most_common():
    print(f"{count:5d} {reason}")

# %% [markdown]
# OVERLAP means: it does not cover the cell's outer region wholly. So no edge of a detector runs through a cell
# that takes it, and a cell through which an edge of every detector runs is empty.

# %%
refused = np.array([len(one.contributions) - len(one.inputs) for one in coadd.cells.values()])

figure = new_figure(width=11.5, height=4.6)
left, right = figure.subplots(1, 2)
draw_cells(left, coadd, table["visit_count"], label="visits")
colours = {v: f"C{n}" for n, v in enumerate(sorted({e.observation.visit for e in coadd.inputs}))}
for entry in coadd.inputs:
    corners = np.column_stack([entry.footprint.x_vertices, entry.footprint.y_vertices])
    colour = colours[entry.observation.visit]
    left.add_patch(Polygon(corners, fill=False, edgecolor=colour, linewidth=1.0))
left.autoscale_view()
left.set_title("Accepted visits, outlines of all detectors")
draw_cells(right, coadd, refused, label="detectors")
right.set_title("Detectors that touch the cell and were refused")
figure

# %% [markdown]
# The numbers of one cell. `overlap_fraction` is what an input covers, `masked_fraction` what was bad in it, over the
# outer region and for each plane; the PSF's second moments are in pixels^2.

# %%
columns = ["overlap_fraction", "weight", "masked_fraction", "masked_fraction_BAD", "psf_shape_xx"]
busiest = list(coadd.cells.values())[int(np.argmax(refused))]
shown = Table(busiest.contributions[columns])
visits = [coadd.inputs[number].observation.visit for number in busiest.contributions["input"]]
detectors = [coadd.inputs[number].observation.detector for number in busiest.contributions["input"]]
shown.add_columns([visits, detectors], names=["visit", "detector"], indexes=[0, 0])
shown["reason"] = [RefusalReason(reason).name for reason in busiest.contributions["reason"]]
for name in columns:
    shown[name].format = ".4f"
shown

# %% [markdown]
# The same as the tables of lsst.images, for accepted inputs: `coadd.provenance.inputs` and `.contributions`.
#
# ## All outer regions at once
#
# `explode()` puts the outer regions side by side, so that each cell is seen whole; the sky in the borders is seen
# twice or more. `bbox_of` says where a cell is.

# %%
exploded = coadd.explode()
some = cell.index
near = [index for index in coadd.cells if abs(index.x - some.x) <= 1 and abs(index.y - some.y) <= 1]
boxes = [exploded.bbox_of(index) for index in near]
view = boxes[0].factory[
    min(b.y.start for b in boxes) : max(b.y.stop for b in boxes),
    min(b.x.start for b in boxes) : max(b.x.stop for b in boxes),
]

figure = new_figure(width=11.0, height=4.8)
left, right = figure.subplots(1, 2)
draw_flux(left, exploded.image[view])
left.set(title="Exploded", xlabel="x (exploded pixels)", ylabel="y (exploded pixels)")
stitched = coadd.subset(near).image
draw_flux(right, stitched)
right.set_title("The same cells stitched")
outline_cells(right, coadd, stitched.bbox)
figure

# %% [markdown]
# ## Noise
#
# ### Some cells only, with noise realizations
#
# The demonstration makes no noise realizations. They are random images with the variance of the inputs, which go
# through warping and coaddition exactly as the data do. Here they are made for one cell: `cells=` builds single
# cells, each as it is in the whole patch, and of the images only those that the cell takes in are needed.

# %%
index = max(coadd.cells, key=lambda index: coadd.cells[index].visit_count)
cell = coadd.cells[index]
images = [
    butler.get(
        "calexp",
        instrument="HSC",
        visit=e.visit,
        detector=e.detector,
        storageClass="CalibratedImage",
    )
    for e in cell.inputs
]
noisy = coadd_images(
    images,
    patch,
    warp_settings=WarpSettings(do_pre_warp_interpolation=True, number_of_noise_realizations=3),
    coadd_settings=CoaddSettings(num_noise_realizations=3),
    cells=[index],
)
realizations = noisy.cells[index].inner.noise_realizations

print(noisy)
for number, realization in enumerate(realizations):
    print(f"realization {number}: variance {realization.array.var():6.1f} nJy^2")
print(f"median of the variance plane:   {np.median(cell.inner.variance.array):6.1f} nJy^2")

# %% [markdown]
# It is the same cell. The one from the Butler has been rounded in its file, far below the noise; a file can
# also be written without that, as a section below shows.

# %%
difference = noisy.cells[index].outer.image.array - cell.outer.image.array
noise = np.sqrt(np.median(cell.outer.variance.array))
print(f"largest difference: {np.abs(difference).max() / noise:.6f} of the noise of a pixel")
same_mask = np.array_equal(noisy.cells[index].outer.mask.array, cell.outer.mask.array)
print("same mask:", same_mask)
print("same PSF: ", np.array_equal(noisy.cells[index].psf_image.array, cell.psf_image.array))

# %% [markdown]
# With warps at hand, which are the costly part, it is quicker still:

# %%
warps = [
    VisitOnPatch(warp=butler.get("deepCoadd_directWarp", where, visit=visit))
    for visit in sorted({e.visit for e in cell.inputs})
]
assemble_cell_coadd(warps, patch, settings=CoaddSettings(), cells=[index])

# %% [markdown]
# ### Noise that pixels have in common
#
# A resampled pixel is a mean of pixels around, and its neighbour a mean of nearly the same ones. The variance plane
# tells the noise of one pixel; `noise_covariance` what two pixels have in common, by their offset. It is not
# estimated from the image but follows from the resampling kernel. The realizations show the same:

# %%
predicted = cell.noise_covariance
half = 6
window = predicted.bbox.factory[-half : half + 1, -half : half + 1]


def measured_covariance():
    """Mean product of two pixels of the noise by their offset."""
    total = np.zeros((2 * half + 1, 2 * half + 1))
    for realization in realizations:
        pixels = realization.array.astype(np.float64)
        height, width = pixels.shape
        core = pixels[half : height - half, half : width - half]
        for row in range(2 * half + 1):
            for column in range(2 * half + 1):
                moved = pixels[row : row + core.shape[0], column : column + core.shape[1]]
                total[row, column] += (core * moved).mean()
    return Image(total / len(realizations), bbox=window)


measured = measured_covariance()
top = float(predicted.array.max())

figure = new_figure(width=13.0, height=3.8)
left, middle, right = figure.subplots(1, 3)
for axes, plane, title in (
    (left, predicted[window], "From the kernel"),
    (middle, measured, "From the noise realizations"),
):
    # A quarter of the scale: the neighbours are to be seen.
    limits = (-top / 4, top / 4)
    draw_plane(axes, plane, label="covariance (nJy$^2$)", limits=limits, colours="RdBu_r")
    axes.set(title=title, xlabel="offset in x (pixels)", ylabel="offset in y (pixels)")
offsets = np.arange(-half, half + 1)
right.plot(offsets, predicted[window].array[half], label="kernel")
right.plot(offsets, measured.array[half], ".", label="realizations")
right.axhline(0.0, color="black", linewidth=0.7)
right.set(xlabel="offset in x (pixels)", ylabel="covariance (nJy$^2$)", title="Along x")
right.legend(loc="upper left")
figure

# %% [markdown]
# Whoever takes pixels as independent finds too small an error for a flux. The *correlated-noise factor* is the true
# variance of a PSF-weighted flux over that one: errors in a catalogue are to be multiplied by its square root.

# %%
factor = noise_factor(cell.psf_image, cell.noise_covariance)
print(f"factor from the kernel:       {factor:.3f}, so errors times {np.sqrt(factor):.3f}")
print(f"factor from the realizations: {measured_noise_factor(noisy.cells[index]):.3f}")
low, high = table["noise_factor"].min(), table["noise_factor"].max()
print(f"in all cells of the coadd:    {low:.3f} to {high:.3f}")

# %% [markdown]
# ## Aperture corrections
#
# Inputs that carry aperture corrections, as Rubin's visit images do, give their weighted mean to the cell, a number
# for each algorithm. The simulated images carry none, so there are none here:

# %%
dict(cell.aperture_corrections)

# %% [markdown]
# ## Parts of a coadd
#
# A box chooses the cells whose inner region it touches, `subset` names them. The grid stays that of the patch, so
# that indices mean the same in a part as in the whole. Pixels of one cell are cut out by a box as well.

# %%
inner = cell.inner.bbox
print(coadd[inner])
print(coadd[inner.dilated_by(1)])
print(coadd.subset([index]), list(coadd.subset([index]).cells))
print(cell.outer[inner.dilated_by(10)].image.bbox)

# %% [markdown]
# ## Files
#
# `rounded` is what a repository uses: images, variances and noise are rounded far below the noise. `lossless` and
# `uncompressed` keep each bit. All else is always kept to the bit.

# %%
temporary = tempfile.TemporaryDirectory()
scratch = Path(temporary.name)
fresh = noisy  # the cell with noise realizations, which never was in a file
sigma = np.sqrt(np.median(fresh.stack.variance))
for compression in ("rounded", "lossless", "uncompressed"):
    path = scratch / f"{compression}.fits"
    fresh.write(path, compression=compression)
    back = MultipleCellCoadd.read(path)
    error = np.abs(back.stack.image - fresh.stack.image).max() / sigma
    size = path.stat().st_size / 1e6
    print(f"{compression:12s} {size:5.2f} MB, off by {error:.6f} sigma, equal: {back == fresh}")

# %% [markdown]
# ## Exchange with the Rubin pipelines
#
# ### The older format of `lsst.cell_coadds`
#
# Where the Rubin pipelines are installed, `MultipleCellCoadd.read_fits` reads the file. On the way back, all pixels
# and PSFs are the same; the format has no place for refused inputs and for the covariance of the noise.

# %%
write_lsst_cell_coadds(coadd, scratch / "older.fits")
theirs = read(scratch / "older.fits")

for name in ("image", "variance", "mask", "psf"):
    same = np.array_equal(getattr(theirs.stack, name), getattr(coadd.stack, name))
    print(f"same {name + ':':10s}", same)
print("contributions:  ", len(coadd.contributions), "here,", len(theirs.contributions), "there")
print("covariance known:", bool(np.isfinite(theirs.stack.noise_covariance).all()))

with open_lsst_cell_coadds(scratch / "older.fits") as file:  # parts, without the pixels
    print(file.identifiers, file.band, file.grid.shape)

# %% [markdown]
# ### `CellCoadd`, the public type of DP2, both ways
#
# `stitch()` puts the inner regions together; `inner_cells` makes cells without border of any `CellCoadd`, of ours
# or of a file of DP2, so that the table of cells and the rest work on it.

# %%
public = coadd.stitch()
again = inner_cells(public)
print(public)
print(again, "with a border of", again.grid.border)
print(
    "same inner pixels:",
    np.array_equal(again.cells[index].outer.image.array, cell.inner.image.array),
)
same_fwhm = np.array_equal(tabulate_cells(again)["psf_fwhm"], table["psf_fwhm"])
print("same column psf_fwhm in the table of cells:", same_fwhm)

# %% [markdown]
# ## Catalogues
#
# `locate` finds tract, patch and cell of many positions from the sky map alone. `rows_at` finds the row of a coadd's
# table of cells, so that what a cell knows is added to a catalogue in one line.

# %%
places = locate(skymap, truth["ra"].data, truth["dec"].data)
print("patches that the sources lie in:", dict(Counter(places.patch.tolist())))

positions = cells_at(coadd.grid, coadd.wcs, sky)
ids = coadd.grid.shape.x * positions.y + positions.x
here = places.patch == where["patch"]
print("cells agree:", np.array_equal(ids[here], places.cell[here]))

catalogue = truth[rows >= 0]
for name in ("visit_count", "psf_fwhm", "noise_factor"):
    catalogue[name] = table[name][rows[rows >= 0]]
catalogue[["id", "type", "flux_njy", "visit_count", "psf_fwhm", "noise_factor"]][:5]

# %% [markdown]
# ## The input map
#
# For those who know nothing of cells: a HealSparse map with one bit an input. A position on the sky gives the inputs
# that the coadd adds up there.

# %%
input_map = make_input_map(coadd)
print(input_map)

ra, dec = hpgeom.pixel_to_angle(input_map.nside_sparse, input_map.valid_pixels)
ra_axis, dec_axis = np.linspace(ra.max(), ra.min(), 300), np.linspace(dec.min(), dec.max(), 300)
bits = input_map.get_values_pos(*np.meshgrid(ra_axis, dec_axis))
count = np.bitwise_count(bits).sum(axis=-1)  # of the inputs, eight a byte

figure = new_figure(width=6.2, height=4.6)
axes = figure.subplots()
drawn = axes.imshow(
    np.ma.masked_equal(count, 0),
    extent=(ra_axis[0], ra_axis[-1], dec_axis[0], dec_axis[-1]),
    origin="lower",
    aspect=1.0 / np.cos(np.radians(dec.mean())),
)
figure.colorbar(drawn, ax=axes, label="inputs", ticks=range(1, count.max() + 1))
axes.set(xlabel="right ascension (deg)", ylabel="declination (deg)", title="Input map")
axes.ticklabel_format(useOffset=False)
axes.tick_params(axis="x", rotation=30)
figure

# %%
centre = coadd.wcs.pixel_to_sky(x=inner.x.center, y=inner.y.center)
for bit in range(input_map.wide_mask_maxbits):
    if input_map.check_bits_pos(centre.ra.deg, centre.dec.deg, [bit]):
        names = ("VIS", "CCD", "WT")
        visit, detector, weight = (input_map.metadata[f"B{bit:04d}{name}"] for name in names)
        print(f"visit {visit} detector {detector}, weight {weight:.6f} per nJy^2")

# %%
temporary.cleanup()
butler.close()
