"""Real DECam exposures coadded by ``pipetask run``: a field of stars and galaxies in g, r and z.

Nine exposures of 65 arcsec, three of which end within the field at the edge of their CCD, and six
of a saturated star. They are coadded on tracts of 0.2 arcsec pixels around the fields.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
import pytest
from astropy.coordinates import SkyCoord
from lsst.daf.butler import Butler
from lsst.images import Box
from lsst.images.cells import CellCoadd
from scipy.ndimage import binary_dilation, gaussian_filter

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.masks.planes import ALL_PLANES, plane_array
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.cell import SingleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.psfs.stamp_shift import place_stamp
from cellcoadd.surveys import SurveyImage
from cellcoadd.testing.same_cells import assert_same_cell
from cellcoadd.validation.physics.star_fits import StarFit, fit_star

SMALL, LARGE = "small_cells", "large_cells"
BANDS = ("g", "r", "z")
S1_VISITS = {"g": 725257, "r": 730182, "z": 640615}
STAR_CELLS = {SMALL: Index2D(x=4, y=2), LARGE: Index2D(x=1, y=1)}
"""Where the star of G = 19.67 is; in the larger cell it is in the border."""
HALF_EXPOSURE, HALF_COADD = 7, 9  # of the stamps around stars: about the same on the sky


@functools.cache
def coadd_of(butler: Butler, skymap: str, band: str, tract: int = 0) -> MultipleCellCoadd:
    coadd: MultipleCellCoadd = butler.get(
        "deepCoaddCell", skymap=skymap, tract=tract, patch=0, band=band
    )
    return coadd


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """A star in a cell of a coadd, and the same star in the exposures that the cell adds up."""

    coadd: StarFit
    exposures: list[StarFit]
    fluxes: npt.NDArray[np.float64]  # in the exposures, nJy
    weights: npt.NDArray[np.float64]
    offset_arcsec: float  # in the coadd, from where Gaia says


type Measure = Callable[[str, str, float, Index2D], Measured]


@pytest.fixture(scope="module")
def measure(butler: Butler, exposures: dict[int, SurveyImage], gaia: dict[float, Any]) -> Measure:
    """Measures a star (its magnitude) in a cell of a coadd (map and band); remembers the result."""

    @functools.cache
    def measured(skymap: str, band: str, magnitude: float, index: Index2D) -> Measured:
        coadd = coadd_of(butler, skymap, band)
        return measure_star(coadd, coadd.cells[index], exposures, gaia[magnitude])

    return measured


def measure_star(
    coadd: MultipleCellCoadd, cell: SingleCellCoadd, exposures: dict[int, SurveyImage], star: Any
) -> Measured:
    rows = cell.contributions
    rows = np.compress(rows["reason"] == RefusalReason.ACCEPTED, rows)
    images = [exposures[coadd.inputs[number].observation.visit] for number in rows["input"]]
    fits = [fit_in_exposure(image, star) for image in images]
    epoch = np.average([epoch_of(image) for image in images], weights=rows["weight"])
    expected = position_of(star, float(epoch))
    at = coadd.sky_projection.sky_to_pixel(expected)
    fit = fit_star(
        cell.outer,
        functools.partial(place_stamp, cell.psf_image),
        x=float(at.x),
        y=float(at.y),
        half_size=HALF_COADD,
        bad_planes=("NO_DATA", "CR", "INEXACT_PSF"),
    )
    found = coadd.sky_projection.pixel_to_sky(x=fit.x, y=fit.y)
    return Measured(
        coadd=fit,
        exposures=fits,
        fluxes=np.array(
            [
                one.flux * image.calibrated_image.nanojansky_per_count
                for one, image in zip(fits, images, strict=True)
            ]
        ),
        weights=rows["weight"],
        offset_arcsec=float(found.separation(expected).to_value("arcsec")),
    )


def fit_in_exposure(image: SurveyImage, star: Any) -> StarFit:
    calibrated = image.calibrated_image
    at = calibrated.sky_projection.sky_to_pixel(position_of(star, epoch_of(image)))
    return fit_star(
        calibrated.masked_image[...],
        calibrated.psf.compute_stellar_image,
        x=float(at.x),
        y=float(at.y),
        half_size=HALF_EXPOSURE,
    )


def epoch_of(image: SurveyImage) -> float:
    assert image.details.begin is not None
    return float(image.details.begin.jyear)


def position_of(star: Any, jyear: float) -> SkyCoord:
    """Where a star is at some time, by its proper motion."""
    years = jyear - float(star["ref_epoch"])
    return SkyCoord(star["ra"] * u.deg, star["dec"] * u.deg).spherical_offsets_by(
        float(star["pmra"]) * years * u.mas, float(star["pmdec"]) * years * u.mas
    )


@pytest.mark.parametrize("band", BANDS)
def test_the_cells_that_fit_into_the_field_are_filled(butler: Butler, band: str) -> None:
    """All cells whose outer region lies in the exposures of a whole field, and no other."""
    middle = {Index2D(x=x, y=y) for y in range(1, 5) for x in range(1, 5)}
    assert set(coadd_of(butler, SMALL, band).cells) == middle
    assert set(coadd_of(butler, SMALL, band, tract=1).cells) == {Index2D(x=3, y=2)}
    assert set(coadd_of(butler, LARGE, band).cells) == {Index2D(x=1, y=1)}


@pytest.mark.parametrize("band", BANDS)
def test_the_command_makes_the_same(butler: Butler, by_command: Any, band: str) -> None:
    """Files to coadds without a repository: the bits and the record of every cell."""
    for mine, theirs in ((by_command(n, band), coadd_of(butler, SMALL, band, n)) for n in (0, 1)):
        assert set(mine.cells) == set(theirs.cells)
        for index in mine.cells:
            assert_same_cell(mine, index, theirs, index)


@pytest.mark.parametrize("band", BANDS)
def test_the_edge_of_the_ccd_keeps_it_out_of_the_eastern_cells(butler: Butler, band: str) -> None:
    """Detector S1 ends 15 arcsec east of the middle: it is in the three western columns only.

    The larger cell, 50 arcsec wide, reaches beyond the edge.
    """
    coadd = coadd_of(butler, SMALL, band)
    visit = S1_VISITS[band]
    for index, cell in coadd.cells.items():
        (row,) = (
            row
            for row in cell.contributions
            if coadd.inputs[row["input"]].observation.visit == visit
        )
        east = index.x == 1
        assert row["reason"] == (RefusalReason.OVERLAP if east else RefusalReason.ACCEPTED)
        assert (row["overlap_fraction"] < 0.7) == east
        assert (visit in {entry.visit for entry in cell.inputs}) == (not east)
        assert cell.visit_count == {"g": 2, "r": 3, "z": 4}[band] - east
    ra = [
        coadd.sky_projection.pixel_to_sky(x=coadd.grid.centre_of(index).x, y=120.0).ra.deg
        for index in (Index2D(x=1, y=2), Index2D(x=2, y=2))
    ]
    assert ra[0] > ra[1], "column 1 is the eastern one"
    large = coadd_of(butler, LARGE, band).cells[STAR_CELLS[LARGE]]
    assert visit not in {entry.visit for entry in large.inputs}
    refused = large.contributions["reason"] == RefusalReason.OVERLAP
    fractions = large.contributions["overlap_fraction"][refused]
    assert ((fractions > 0.9) & (fractions < 1.0)).all()
    assert refused.sum() == 1


@pytest.mark.parametrize("skymap", [SMALL, LARGE])
@pytest.mark.parametrize("band", BANDS)
def test_an_input_is_taken_where_the_kernel_stays_on_its_detector(
    butler: Butler, exposures: dict[int, SurveyImage], skymap: str, band: str
) -> None:
    """Slow twin of the choice: the 6 x 6 pixels of Lanczos-3 at every pixel along a cell's rim."""
    coadd = coadd_of(butler, skymap, band)
    decisions = set()
    for row in coadd.contributions:
        index = Index2D(x=int(row["cell_x"]), y=int(row["cell_y"]))
        box = coadd.grid.outer_bbox_of(index)
        x = np.r_[box.x.arange, box.x.arange, np.repeat([box.x.min, box.x.max], box.y.size)]
        y = np.r_[np.repeat([box.y.min, box.y.max], box.x.size), box.y.arange, box.y.arange]
        sky = coadd.sky_projection.pixel_to_sky(x=x.astype(float), y=y.astype(float))
        image = exposures[coadd.inputs[row["input"]].observation.visit].calibrated_image
        at = image.sky_projection.sky_to_pixel(sky)
        inside = all(
            np.floor(values).min() - 2 >= interval.min
            and np.floor(values).max() + 3 <= interval.max
            for values, interval in ((at.x, image.bbox.x), (at.y, image.bbox.y))
        )
        assert (row["overlap_fraction"] == 1.0) == inside
        assert (row["reason"] == RefusalReason.ACCEPTED) == inside
        decisions.add(inside)
    assert decisions == {False, True}


@pytest.mark.parametrize("skymap", [SMALL, LARGE])
@pytest.mark.parametrize("band", BANDS)
def test_flux_of_a_star_is_the_mean_of_its_fluxes_in_the_exposures(
    measure: Measure, skymap: str, band: str
) -> None:
    """Within 1 %: the coadd is a weighted mean, and so is its point-spread function.

    The exposures differ by 1 to 3 % among each other, which is the survey's calibration.
    """
    star = measure(skymap, band, 19.67, STAR_CELLS[skymap])
    assert star.coadd.flux == pytest.approx(np.average(star.fluxes, weights=star.weights), rel=5e-3)
    assert star.coadd.flux == pytest.approx(star.fluxes.mean(), rel=1e-2)


@pytest.mark.parametrize("skymap", [SMALL, LARGE])
@pytest.mark.parametrize("band", BANDS)
def test_profile_of_a_star_is_the_psf_of_the_cell(measure: Measure, skymap: str, band: str) -> None:
    """As far as the survey's models are the PSFs of the exposures: to 3 % of size here."""
    star = measure(skymap, band, 19.67, STAR_CELLS[skymap])
    assert star.coadd.reduced_chi2 < 1.35
    assert star.coadd.size_ratio == pytest.approx(1.0, abs=0.02)
    in_exposures = np.average([fit.size_ratio for fit in star.exposures], weights=star.weights)
    assert star.coadd.size_ratio == pytest.approx(in_exposures, abs=0.012)
    assert star.coadd.ellipticity_difference < 0.03


def test_pixels_without_the_psf_of_the_cell_are_marked(butler: Butler, measure: Measure) -> None:
    """A bad column of one exposure runs through the quasar, which varies by 8 % between them.

    There the coadd is a mean of the other two: its flux is right only without the marked pixels.
    """
    index = Index2D(x=4, y=1)
    quasar = measure(SMALL, "r", 18.69, index)
    cell = coadd_of(butler, SMALL, "r").cells[index]
    assert np.ptp(quasar.fluxes) > 0.05 * quasar.fluxes.mean()
    assert 20 < (~quasar.coadd.used).sum() < 80
    expected = np.average(quasar.fluxes, weights=quasar.weights)
    assert quasar.coadd.flux == pytest.approx(expected, rel=0.01)
    with_marked = fit_star(
        cell.outer,
        functools.partial(place_stamp, cell.psf_image),
        x=quasar.coadd.x,
        y=quasar.coadd.y,
        half_size=HALF_COADD,
        bad_planes=("NO_DATA", "CR"),
    )
    assert abs(with_marked.flux / expected - 1.0) > 0.015
    mask = cell.outer.mask
    np.testing.assert_array_equal(mask.get("INEXACT_PSF"), mask.get("REJECTED"))


@pytest.mark.parametrize("skymap", [SMALL, LARGE])
@pytest.mark.parametrize("band", BANDS)
def test_stars_of_the_coadd_are_where_gaia_says(measure: Measure, skymap: str, band: str) -> None:
    """As in the exposures within 0.06 arcsec, at the mean of their dates."""
    cells = {
        SMALL: {18.0: Index2D(x=4, y=3), 19.67: STAR_CELLS[SMALL]},
        LARGE: {18.0: STAR_CELLS[LARGE], 19.67: STAR_CELLS[LARGE]},
    }
    for magnitude, index in cells[skymap].items():
        star = measure(skymap, band, magnitude, index)
        assert star.offset_arcsec < 0.06


def blank_sky(cell: SingleCellCoadd) -> npt.NDArray[np.bool_]:
    """Pixels of the inner region far from any source and any mask."""
    outer = cell.outer
    pull = outer.image.array / np.sqrt(outer.variance.array)
    smooth = gaussian_filter(np.nan_to_num(pull.astype(np.float64)), 2.0)
    level, scatter = np.median(smooth), 1.4826 * np.median(abs(smooth - np.median(smooth)))
    source = binary_dilation(smooth > level + 3.5 * scatter, iterations=8)
    blank = ~source & (plane_array(outer.mask) == 0)
    border = cell.inner.bbox.slice_within(outer.bbox)
    result: npt.NDArray[np.bool_] = blank[border.y, border.x]
    return result


def scatter_of(values: npt.NDArray[np.floating]) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def block_sums(
    pull: npt.NDArray[np.floating], blank: npt.NDArray[np.bool_], size: int
) -> npt.NDArray[np.float64]:
    """Sums over squares that are all blank sky, over the root of their number of pixels."""
    n = pull.shape[0] // size
    blocks = pull.reshape(n, size, n, size).astype(np.float64).sum(axis=(1, 3)) / size
    whole = blank.reshape(n, size, n, size).all(axis=(1, 3))
    result: npt.NDArray[np.float64] = blocks[whole]
    return result


@pytest.mark.parametrize("band", BANDS)
def test_noise_of_the_sky_is_what_variance_and_realization_say(butler: Butler, band: str) -> None:
    """Pixel by pixel the variance holds; over areas the realization has the same correlation.

    A pixel of 0.2 arcsec out of pixels of 0.263 arcsec is an interpolation, whose weights have a
    mean square of 0.858 along each axis (optimal6, all phases). Over a large area the sum is that
    of independent pixels again, so it scatters by (0.263 / 0.2) / 0.858 = 1.533 times what the
    variances of the pixels add up to; over 6 x 6 pixels by 1.49.
    """
    pulls: dict[str, list[npt.NDArray[np.floating]]] = {"sky": [], "noise": []}
    sums: dict[str, list[npt.NDArray[np.floating]]] = {"sky": [], "noise": []}
    for cell in coadd_of(butler, SMALL, band).cells.values():
        inner, blank = cell.inner, blank_sky(cell)
        sigma = np.sqrt(inner.variance.array)
        planes = {"sky": inner.image.array, "noise": inner.noise_realizations[0].array}
        for name, plane in planes.items():
            pull = plane / sigma
            pulls[name].append(pull[blank])
            sums[name].append(block_sums(pull, blank, 6))
    sky, noise = (scatter_of(np.concatenate(pulls[name])) for name in ("sky", "noise"))
    assert sum(pull.size for pull in pulls["sky"]) > 20_000
    assert sky == pytest.approx(1.0, abs=0.03)
    assert noise == pytest.approx(1.0, abs=0.03)
    # Some 1300 sums know their scatter to 2.4 %. In the sky there are faint sources, too.
    sky_area, noise_area = (float(np.std(np.concatenate(sums[name]))) for name in ("sky", "noise"))
    assert noise_area == pytest.approx(1.49, abs=0.10)
    assert 0.95 * noise_area < sky_area < 1.2 * noise_area
    assert sky_area == pytest.approx(1.49, rel=0.12)


@pytest.mark.parametrize(("band", "visit"), [("r", 650104), ("z", 630780)])
def test_cosmic_rays_do_not_survive(
    butler: Butler, exposures: dict[int, SurveyImage], band: str, visit: int
) -> None:
    """Where a ray hit, the coadd is what it would be without the exposure, within the noise."""
    coadd = coadd_of(butler, SMALL, band)
    patch = butler.get("skyMap", skymap=SMALL)[0].patch(0)
    others = [
        VisitOnPatch(
            warp=butler.get(
                "deepCoadd_directWarp",
                instrument="DECam",
                visit=other,
                skymap=SMALL,
                tract=0,
                patch=0,
            )
        )
        for other in sorted({entry.observation.visit for entry in coadd.inputs} - {visit})
    ]
    without = assemble_cell_coadd(others, patch, settings=CoaddSettings())
    assert without is not None
    image = exposures[visit].calibrated_image
    planes = image.masked_image
    sigma = float(np.median(np.sqrt(planes.variance.array[plane_array(planes.mask) == 0])))
    hit = planes.mask.get("CR") & (planes.image.array > 5 * sigma)
    y, x = np.nonzero(hit)
    sky = image.sky_projection.pixel_to_sky(x=x.astype(float), y=y.astype(float))
    at = coadd.sky_projection.sky_to_pixel(sky)
    tested = 0
    for px, py in zip(at.x, at.y, strict=True):
        column, row = round(float(px)), round(float(py))
        if not coadd.bbox.contains(x=column, y=row):
            continue
        index = coadd.grid.index_of(x=column, y=row)
        here, there = coadd.cells[index].outer, without.cells[index].outer
        place = Box.factory[row : row + 1, column : column + 1].slice_within(here.bbox)
        assert here.mask.get("CR")[place.y, place.x].all()
        assert here.mask.get("INTRP")[place.y, place.x].all()
        difference = (here.image.array - there.image.array)[place.y, place.x].item()
        error = math.sqrt(there.variance.array[place.y, place.x].item())
        assert abs(difference) < 4 * error
        tested += 1
    assert tested >= 3


@pytest.mark.parametrize("band", BANDS)
def test_the_saturated_star_is_left_out(
    butler: Butler, exposures: dict[int, SurveyImage], band: str
) -> None:
    """Star and bleed trail have no data where all exposures are saturated, and are flagged.

    Slow twin: a mask spreads over the 2 x 2 pixels around a position.
    """
    coadd = coadd_of(butler, SMALL, band, tract=1)
    cell = coadd.cells[Index2D(x=3, y=2)]
    outer = cell.outer
    x, y = np.meshgrid(outer.bbox.x.arange.astype(float), outer.bbox.y.arange.astype(float))
    sky = coadd.sky_projection.pixel_to_sky(x=x, y=y)
    empty, saturated = np.ones(x.shape, bool), np.zeros(x.shape, bool)
    for entry in cell.inputs:
        image = exposures[entry.visit].calibrated_image
        at = image.sky_projection.sky_to_pixel(sky)
        rows, columns = np.floor(at.y).astype(int), np.floor(at.x).astype(int)
        mask = image.masked_image.mask
        sat = mask.get("SAT")
        out = sat | mask.get("BAD") | mask.get("NO_DATA")
        around = [(rows + j, columns + i) for j in (0, 1) for i in (0, 1)]
        saturated |= np.any([sat[place] for place in around], axis=0)
        empty &= np.any([out[place] for place in around], axis=0)
    assert 0.1 < empty.mean() < 0.3
    # Positions between the nodes of the resampler are a thousandth of a pixel off.
    no_data = outer.mask.get("NO_DATA")
    assert (no_data != empty).mean() < 2e-3
    assert ((outer.mask.get("SAT") | no_data) != (saturated | empty)).mean() < 2e-3
    for plane in ("INTRP", "REJECTED", "INEXACT_PSF"):
        assert outer.mask.get(plane)[no_data].all(), plane
    assert outer.mask_fractions[ALL_PLANES].array[no_data].min() == 1.0
    star = coadd.sky_projection.sky_to_pixel(SkyCoord(110.312366, 23.920000, unit="deg"))
    column, row = round(float(star.x)), round(float(star.y))
    centre = Box.factory[row - 3 : row + 4, column - 3 : column + 4].slice_within(outer.bbox)
    assert (no_data & outer.mask.get("SAT"))[centre.y, centre.x].all()
    assert no_data[centre.y].any(axis=0).all(), "the trail runs through the whole cell"


@pytest.mark.parametrize(("skymap", "tract"), [(SMALL, 0), (SMALL, 1), (LARGE, 0)])
@pytest.mark.parametrize("band", BANDS)
def test_no_pixel_is_undefined_in_silence(
    butler: Butler, skymap: str, tract: int, band: str
) -> None:
    """What has no data is filled, has no weight, and says so; everything else is a number."""
    for cell in coadd_of(butler, skymap, band, tract).cells.values():
        outer = cell.outer
        assert np.isfinite(outer.image.array).all()
        assert np.isfinite(outer.noise_realizations[0].array).all()
        np.testing.assert_array_equal(np.isposinf(outer.variance.array), outer.mask.get("NO_DATA"))
        assert (outer.variance.array > 0).all()
        for fraction in outer.mask_fractions.values():
            assert fraction.array.min() >= 0.0
            assert fraction.array.max() <= 1.0


@pytest.mark.parametrize(("skymap", "tract"), [(SMALL, 0), (SMALL, 1), (LARGE, 0)])
def test_the_stitched_coadd_opens_with_lsst_images(butler: Butler, skymap: str, tract: int) -> None:
    """It is Rubin's public type, and what it holds are the inner regions of the cells."""
    data_id = {"skymap": skymap, "tract": tract, "patch": 0, "band": "r"}
    stitched = CellCoadd.read(butler.getURI("deepCoaddCell_stitched", data_id))
    coadd = coadd_of(butler, skymap, "r", tract)
    assert stitched.bbox == coadd.bbox
    for index, cell in coadd.cells.items():
        part = stitched[coadd.grid.inner_bbox_of(index)]
        np.testing.assert_array_equal(part.image.array, cell.inner.image.array)
        np.testing.assert_array_equal(part.variance.array, cell.inner.variance.array)
    visits = {int(row["visit"]) for row in stitched.provenance.contributions}
    assert visits == {entry.visit for cell in coadd.cells.values() for entry in cell.inputs}
