"""Two epochs of one field of SDSS's Stripe 82 in r and i: frames, and their coadds.

The coadds are of the middle of the field, on pixels of 0.396 arcsec, the survey's own size, and of
0.2 arcsec. Magnitudes are compared with a catalogue of the stripe that somebody else made of
many epochs.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from lsst.images import Image

from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.cell import SingleCellCoadd
from cellcoadd.psfs.stamp_shift import place_stamp
from cellcoadd.recipes import coadd_files
from cellcoadd.skymap import Patch
from cellcoadd.skymap.sky_map import SkyMap
from cellcoadd.surveys import SurveyImage
from cellcoadd.validation.physics.star_fits import StarFit, fit_star

type Floats = npt.NDArray[np.float64]

BANDS = ("r", "i")
SCALES = (0.396, 0.2)
FLUX_LIMITS = {0.396: 0.004, 0.2: 0.002}
"""Relative differences of fluxes that the resampling may make. Where the pixels of the coadd are as
coarse as the survey's, Lanczos-3 widens stars by an amount that depends on their place in a pixel;
in the sharper epoch more."""
PSF_SIZES = {0.396: 51, 0.2: 101}  # 20 arcsec, as the survey's models
CELLS = {0.396: 8, 0.2: 9}  # along a side of the patch
HALF_ARCSEC = 3.6  # of the stamps around stars
MIDDLE = (351.65, 0.104)
BRIGHT = 19.5  # magnitude


@pytest.fixture(scope="module")
def stars(sdss: Path) -> Any:
    """The catalogue's stars near the field; its right ascensions are negative."""
    table = fits.getdata(sdss / "ref_cat" / "stars.fits")
    near = (abs(table["ra"] + 360.0 - MIDDLE[0]) < 0.12) & (abs(table["dec"] - MIDDLE[1]) < 0.12)
    return table[near & (table["starnotgal"] == 1)]


def positions(stars: Any) -> SkyCoord:
    return SkyCoord(stars["ra"] + 360.0, stars["dec"], unit="deg")


def scatter_of(values: npt.ArrayLike) -> float:
    values = np.asarray(values)
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A star in a cell of a coadd and in the frames that the cell adds up."""

    magnitude: float
    catalogue_error: float
    coadd: StarFit
    displaced: StarFit  # of a bright star: with each epoch's image of it where the frame has it
    frames: list[StarFit]
    fluxes: Floats  # in the frames, nJy
    weights: Floats

    @property
    def difference(self) -> float:
        """Magnitude in the coadd, less that of the catalogue."""
        return 31.4 - 2.5 * float(np.log10(self.coadd.flux)) - self.magnitude

    @property
    def photon_error(self) -> float:
        """Of the magnitude in the coadd, by its variance plane, in magnitudes."""
        fit = self.coadd
        model = fit.model / fit.flux
        return 1.0857 * float(
            np.sqrt((model**2 * fit.variance).sum()) / (model**2).sum() / fit.flux
        )

    def excess(self, fit: StarFit) -> float:
        """Relative difference of a flux from the mean of those in the frames."""
        return fit.flux / float(np.average(self.fluxes, weights=self.weights)) - 1.0


def patch_of(scale: float) -> Patch:
    definition: dict[str, Any] = {
        "kind": "discrete",
        "pixel_scale_arcsec": scale,
        "patch_inner_cells": CELLS[scale],
        "tracts": [{"ra": MIDDLE[0], "dec": MIDDLE[1], "radius": 0.002}],
    }
    return SkyMap.from_definition(definition, name="stripe82")[0].patch(0)


type Measure = Callable[[str, float, int | None], list[Measured]]


@pytest.fixture(scope="module")
def coadd_of(sdss_paths: list[Path]) -> Callable[[str, float, int | None], MultipleCellCoadd]:
    """The coadd of a band on pixels of a size, of both epochs or of one; remembered."""

    @functools.cache
    def made(band: str, scale: float, epoch: int | None) -> MultipleCellCoadd:
        files = [path for path in sdss_paths if f"-{band}4-" in path.name]
        done = coadd_files(
            files if epoch is None else [files[epoch]],
            patch_of(scale),
            coadd_settings=CoaddSettings(psf_dimensions=PSF_SIZES[scale]),
        )
        assert not done.refused
        assert done.coadd is not None
        return done.coadd

    return made


@pytest.fixture(scope="module")
def measure(
    coadd_of: Callable[[str, float, int | None], MultipleCellCoadd],
    sdss_frames: list[SurveyImage],
    stars: Any,
) -> Measure:
    """Measures the stars of a coadd; remembers them."""

    @functools.cache
    def measured(band: str, scale: float, epoch: int | None) -> list[Measured]:
        coadd = coadd_of(band, scale, epoch)
        images = [
            one.calibrated_image for one in sdss_frames if one.header.observation.band == band
        ]
        if epoch is not None:
            images = [images[epoch]]
        faintest = 21.0 if epoch is None else BRIGHT
        wanted = stars[(stars[band] > 15.5) & (stars[band] < faintest)]
        found = [measure_star(coadd, images, row, band, scale) for row in wanted]
        return [star for star in found if star is not None]

    return measured


def measure_star(
    coadd: MultipleCellCoadd, images: Sequence[CalibratedImage], star: Any, band: str, scale: float
) -> Measured | None:
    """None if the star is not in a cell, has a neighbour, or a pixel that is left out somewhere."""
    sky = SkyCoord(star["ra"] + 360.0, star["dec"], unit="deg")
    at = coadd.sky_projection.sky_to_pixel(sky)
    x, y = float(at.x), float(at.y)
    if not coadd.bbox.contains(x=round(x), y=round(y)):
        return None
    cell = coadd.cells[coadd.grid.index_of(x=round(x), y=round(y))]
    psf = functools.partial(place_stamp, cell.psf_image)
    try:
        fits_of = [fit_in_frame(image, sky) for image in images]
        fit = fit_in_cell(cell, psf, x=x, y=y, scale=scale)
        weights = weights_of(coadd, cell, images)
        apart = displaced(psf, coadd, images, fits_of, weights)
        other = fit_in_cell(cell, apart, x=x, y=y, scale=scale) if is_bright(star, band) else fit
    except ValueError:
        return None  # the stamp reaches beyond the image
    if not all(one.used.all() for one in (fit, *fits_of)):
        return None
    if np.hypot(fit.x - x, fit.y - y) * scale > 0.7:
        return None
    return Measured(
        magnitude=float(star[band]),
        catalogue_error=float(star[f"{band}_err"]),
        coadd=fit,
        displaced=other,
        frames=fits_of,
        fluxes=np.array(
            [
                one.flux * image.nanojansky_per_count
                for one, image in zip(fits_of, images, strict=True)
            ]
        ),
        weights=weights,
    )


def is_bright(star: Any, band: str) -> bool:
    return float(star[band]) < BRIGHT


def fit_in_cell(cell: SingleCellCoadd, draw: Any, *, x: float, y: float, scale: float) -> StarFit:
    half = round(HALF_ARCSEC / scale)
    bad = ("NO_DATA", "SAT", "INEXACT_PSF")
    return fit_star(cell.outer, draw, x=x, y=y, half_size=half, bad_planes=bad)


def fit_in_frame(image: CalibratedImage, sky: SkyCoord) -> StarFit:
    at = image.sky_projection.sky_to_pixel(sky)
    half = round(HALF_ARCSEC / 0.396)
    draw = image.psf.compute_stellar_image
    return fit_star(image.masked_image[...], draw, x=float(at.x), y=float(at.y), half_size=half)


def weights_of(
    coadd: MultipleCellCoadd, cell: SingleCellCoadd, images: Sequence[CalibratedImage]
) -> Floats:
    by_visit = {
        coadd.inputs[row["input"]].observation.visit: float(row["weight"])
        for row in cell.contributions
    }
    return np.array([by_visit[image.observation.visit] for image in images])


def displaced(
    draw: Any,
    coadd: MultipleCellCoadd,
    images: Sequence[CalibratedImage],
    found: Sequence[StarFit],
    weights: Floats,
) -> Callable[..., Image]:
    """The cell's PSF, once for each epoch at the place where that has the star."""
    at = [
        coadd.sky_projection.sky_to_pixel(image.sky_projection.pixel_to_sky(x=fit.x, y=fit.y))
        for image, fit in zip(images, found, strict=True)
    ]
    x, y = (np.array([float(getattr(one, name)) for one in at]) for name in ("x", "y"))
    share = weights / weights.sum()
    dx, dy = x - share @ x, y - share @ y

    def drawn(*, x: float, y: float) -> Image:
        whole = draw(x=x, y=y)
        total = np.zeros(whole.array.shape)
        for fraction, east, north in zip(share, dx, dy, strict=True):
            one = draw(x=x + east, y=y + north)
            shared = whole.bbox.intersection(one.bbox)
            to, of = shared.slice_within(whole.bbox), shared.slice_within(one.bbox)
            total[to.y, to.x] += fraction * one.array[of.y, of.x]
        return Image(total, bbox=whole.bbox)

    return drawn


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("band", BANDS)
def test_both_epochs_are_in_the_cells_that_both_frames_hold(
    coadd_of: Callable[[str, float, int | None], MultipleCellCoadd],
    sdss_frames: list[SurveyImage],
    band: str,
    scale: float,
) -> None:
    """Slow twin: the corners of a cell, with the reach of the kernel, are within a frame or not."""
    coadd = coadd_of(band, scale, None)
    held = dict.fromkeys(coadd.grid, 0)
    for frame in (one for one in sdss_frames if one.header.observation.band == band):
        for index in coadd.grid:
            box = coadd.grid.outer_bbox_of(index)
            x = np.array([box.x.min, box.x.max, box.x.max, box.x.min], dtype=float)
            y = np.array([box.y.min, box.y.min, box.y.max, box.y.max], dtype=float)
            sky = coadd.sky_projection.pixel_to_sky(x=x, y=y)
            at = frame.header.sky_projection.sky_to_pixel(sky)
            whole = frame.header.bbox
            held[index] += all(
                np.floor(values).min() - 2 >= side.min and np.floor(values).max() + 3 <= side.max
                for values, side in ((at.x, whole.x), (at.y, whole.y))
            )
    assert {index: cell.visit_count for index, cell in coadd.cells.items()} == {
        index: count for index, count in held.items() if count
    }
    assert list(held.values()).count(2) >= 80


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("band", BANDS)
def test_magnitudes_of_stars_are_those_of_the_catalogue(
    measure: Measure, band: str, scale: float
) -> None:
    """Within 0.03 on average, fainter by some 0.02: the survey's PSFs lack the outer wings.

    The scatter is that of the catalogue's errors, and of stars that vary.
    """
    found = measure(band, scale, None)
    differences = [star.difference for star in found if star.magnitude < BRIGHT]
    assert len(differences) >= 12
    assert abs(np.median(differences)) < 0.03
    assert scatter_of(differences) < 0.04


@pytest.mark.parametrize("band", BANDS)
def test_scatter_of_faint_stars_is_that_of_the_photons(measure: Measure, band: str) -> None:
    """It is that or more, and less than with the errors that the catalogue states."""
    faint = [star for star in measure(band, 0.396, None) if star.magnitude > BRIGHT]
    assert len(faint) >= 12
    photons = float(np.median([star.photon_error for star in faint]))
    catalogue = float(np.median([star.catalogue_error for star in faint]))
    scatter = scatter_of([star.difference for star in faint])
    assert 0.8 * photons < scatter < np.hypot(photons, catalogue)


@pytest.mark.parametrize("band", BANDS)
def test_epochs_differ_by_what_their_variances_say(measure: Measure, band: str) -> None:
    """Fluxes of faint stars, each with the error that the frame's variances give its fit."""
    faint = [star for star in measure(band, 0.396, None) if star.magnitude > BRIGHT]
    ratio = np.median([star.fluxes[0] / star.fluxes[1] for star in faint])
    pulls = []
    for star in faint:
        first, second = (error_of(fit) / fit.flux for fit in star.frames)
        pulls.append((star.fluxes[0] / star.fluxes[1] / ratio - 1.0) / np.hypot(first, second))
    # Twenty stars know it to 25 %, and some of them vary.
    assert 0.6 < scatter_of(pulls) < 1.6


def error_of(fit: StarFit) -> float:
    """Error of a flux that was fitted with a sky, all pixels with the same weight."""
    design = np.column_stack([(fit.model / fit.flux)[fit.used], np.ones(int(fit.used.sum()))])
    solution = np.linalg.pinv(design)
    return float(np.sqrt(solution[0] ** 2 @ fit.variance[fit.used]))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("band", BANDS)
def test_profile_of_a_star_is_the_psf_of_the_cell(
    measure: Measure, band: str, scale: float
) -> None:
    """A median chi^2 of 1 a pixel, of stars so faint that 1 % of them is below the noise."""
    found = [star for star in measure(band, scale, None) if star.magnitude > 18.5]
    chi2 = np.median([star.coadd.reduced_chi2 for star in found])
    assert 0.85 < chi2 < 1.2
    in_frames = np.median([fit.reduced_chi2 for star in found for fit in star.frames])
    assert chi2 == pytest.approx(in_frames, abs=0.15)


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize(("band", "scale"), [("r", 0.396), ("i", 0.2)])
def test_flux_in_the_coadd_of_one_epoch_is_that_of_the_frame(
    measure: Measure, band: str, scale: float, epoch: int
) -> None:
    """Pixels and PSF are resampled alike."""
    found = measure(band, scale, epoch)
    assert abs(np.median([star.excess(star.coadd) for star in found])) < FLUX_LIMITS[scale]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("band", BANDS)
def test_flux_in_the_coadd_of_both_epochs_is_their_mean(
    measure: Measure, band: str, scale: float
) -> None:
    """Within 0.3 %, with the PSF where each epoch has the star.

    The positions of the epochs differ by 0.1 arcsec, in the survey's exact astrometry, too, so that
    stars of the coadd are wider than its PSF by half a percent; fitted with that PSF alone, they
    are as much fainter.
    """
    found = [star for star in measure(band, scale, None) if star.magnitude < BRIGHT]
    assert abs(np.median([star.excess(star.displaced) for star in found])) < 0.003
    assert -0.008 < np.median([star.excess(star.coadd) for star in found]) < -0.001


@pytest.mark.parametrize("band", BANDS)
def test_what_the_survey_calls_bad_is_in_no_pixel_of_the_coadd_unseen(
    coadd_of: Callable[[str, float, int | None], MultipleCellCoadd], band: str
) -> None:
    """Bad columns of an epoch leave the other one alone, and say so: INEXACT_PSF, REJECTED."""
    mask = coadd_of(band, 0.396, None).mask
    bits = plane_array(mask)
    rejected = bits & bits_of(mask.schema, ["REJECTED"]) != 0
    inexact = bits & bits_of(mask.schema, ["INEXACT_PSF"]) != 0
    np.testing.assert_array_equal(rejected, inexact)
    assert 0.01 < rejected.mean() < 0.05
