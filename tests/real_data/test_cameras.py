"""Real images of five cameras in plain FITS, each coadded by one command and a page of YAML."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import map_coordinates

from cellcoadd import MultipleCellCoadd, read
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.surveys import PlainFitsReader, camera_reader
from cellcoadd.surveys._base import pixel_scale_arcsec
from cellcoadd.testing.commands import run_command

# Exposures that were brought to the grid of the first, whose times all headers have; no weights.
DECAM_STAMPS = """
name: DECam
unit: count
noise:
  from_gain: {gain: {keyword: GAIN}, sky: {keyword: AVSKY}, read_noise: {keyword: RDNOISE}}
saturation: {level: {keyword: ESATUR}}
psf: {moffat: {fwhm: {keyword: FWHM}, unit: pixel, beta: 3.0}}
visit: {keyword: EXP_BN, pattern: 'c4d_(?P<night>[0-9]{6})_(?P<time>[0-9]{6})_'}
detector: {keyword: CCDNUM}
filter: {keyword: FILTER}
band: {i DECam SDSS c0003 7835.0 1470.0: i}
time: {date_obs: {keyword: DATE-OBS}}
exposure_time: {keyword: EXPTIME}
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A set of images, and what is expected of it.

    Parameters
    ----------
    folder, pattern
        Images of one band among the files of a camera.
    camera
        The definition, by name, or its text.
    band, visits
        Of the coadd; an exposure with bad seeing does not count.
    nanojansky
        Of one unit of the first image, worked out by hand from its header; None: counts.
    """

    folder: str
    pattern: str
    camera: str
    band: str
    visits: int
    nanojansky: float | None


CASES = {
    # 10^(0.4 (31.4 - 21.383)), of a count a second
    "mosaic3": Case(
        folder="mosaic3-90prime-cp", pattern="k4m_*.fits", camera="noirlab-cp", band="z", visits=2,
        nanojansky=10158.5,
    ),
    "90prime-r": Case(
        folder="mosaic3-90prime-cp", pattern="ksb_*_r_*.fits", camera="noirlab-cp", band="r",
        visits=3, nanojansky=20530.5,
    ),
    # 10^(0.4 (31.4 - 24.31745)) / 30 s
    "ps1": Case(
        folder="ps1-warp-z", pattern="*.fits", camera="ps1-warp", band="z", visits=1,
        nanojansky=22.693,
    ),
    # 10^(0.4 (31.4 - 24.053 - 1.900 + 0.05 * 0.067)) / 10 s, at an airmass of 1.067
    "ukidss": Case(
        folder="ukidss-wfcam-k", pattern="*.fits", camera="ukidss-wfcam", band="K", visits=1,
        nanojansky=15.1405,
    ),
    # 1e15 nJy/sr in a square of 0.0307759 arcsec
    "nircam": Case(
        folder="nircam-a2744-f200w", pattern="*.fits", camera="nircam-stamp", band="F200W",
        visits=2, nanojansky=22.262,
    ),
    "decam": Case(
        folder="decam-sfft-i", pattern="*.fits", camera=DECAM_STAMPS, band="i", visits=4,
        nanojansky=None,
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made:
    case: Case
    output: str
    coadd: MultipleCellCoadd
    images: list[CalibratedImage]


@pytest.fixture(scope="module", params=CASES)
def made(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    """One of the sets, coadded by the command."""
    case = CASES[request.param]
    files = shared / "data" / "cameras" / case.folder
    if not files.is_dir():
        pytest.skip(f"the images are not here: {files} does not exist")
    folder = Path(tmp_path_factory.mktemp(request.param))
    camera = case.camera
    if "\n" in camera:
        camera = str(folder / "camera.yaml")
        Path(camera).write_text(case.camera, encoding="utf-8")
    target = folder / "coadd.fits"
    done = run_command(
        "cellcoadd", "coadd", files / case.pattern, "--camera", camera, "-o", target
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    reader: PlainFitsReader = camera_reader(camera)
    coadd = read(target)
    used = {entry.visit for cell in coadd.cells.values() for entry in cell.inputs}
    images = [
        reader.read(path).calibrated_image
        for path in sorted(files.glob(case.pattern))
        if not reader.is_companion(path)
    ]
    images = [image for image in images if image.observation.visit in used]
    return Made(case=case, output=done.output, coadd=coadd, images=images)


def sampled(image: CalibratedImage, made: Made) -> npt.NDArray[np.float64]:
    """An exposure in nJy at the pixels of the stitched coadd, by splines; a witness of our own."""
    stitched = made.coadd.stitch()
    y, x = np.mgrid[
        stitched.bbox.y.start : stitched.bbox.y.stop, stitched.bbox.x.start : stitched.bbox.x.stop
    ].astype(np.float64)
    sky = stitched.sky_projection.pixel_to_sky(x=x.ravel(), y=y.ravel())
    there = image.sky_projection.sky_to_pixel(sky)
    pixels = image.masked_image.image.array.astype(np.float64) * image.nanojansky_per_count
    pixels[~np.isfinite(pixels)] = np.nan
    area = (
        pixel_scale_arcsec(stitched.sky_projection, stitched.bbox)
        / pixel_scale_arcsec(image.sky_projection, image.bbox)
    ) ** 2
    order = 3 if np.isfinite(pixels).all() else 1
    values = map_coordinates(pixels, [there.y, there.x], order=order, cval=np.nan)
    result: npt.NDArray[np.float64] = area * values.reshape(x.shape)
    return result


def test_band_and_visits_are_those_of_the_files(made: Made) -> None:
    """None is left out; each is counted once."""
    assert made.coadd.band == made.case.band
    assert "Left out" not in made.output
    cells = made.coadd.cells.values()
    assert max(cell.visit_count for cell in cells) == made.case.visits
    assert len(made.images) == made.case.visits


def test_counts_are_never_silent(made: Made) -> None:
    """The zero point is the one that is worked out by hand; without one the command warns."""
    if made.case.nanojansky is None:
        assert "coadd in counts" in made.output
        assert "stay in counts, since it has no zero point" in made.output
        assert {image.nanojansky_per_count for image in made.images} == {1.0}
    else:
        assert "coadd in nJy" in made.output
        found = made.images[0].nanojansky_per_count
        assert found == pytest.approx(made.case.nanojansky, rel=2e-4)


def test_the_light_is_that_of_the_exposures(made: Made) -> None:
    """The coadd is a weighted mean: of all its pixels together, and of its brightest ones.

    A weight that does not reach the coadd's own value: the coadd lies between the exposures, by
    more than the noise of a sum at most where resampling takes the sharpest peaks differently.
    """
    coadd = made.coadd.stitch()
    image = coadd.image.array.astype(np.float64)
    exposures = np.array([sampled(one, made) for one in made.images])
    inside = ~coadd.mask.get("NO_DATA") & np.isfinite(exposures).all(axis=0) & np.isfinite(image)
    assert np.count_nonzero(inside) > 300
    sigma = float(np.sqrt(np.median(coadd.variance.array[inside])))
    bright = inside & (image > np.percentile(image[inside], 98.0))
    for pixels in (inside, bright):
        sums = exposures[:, pixels].sum(axis=1)
        room = 5.0 * sigma * np.sqrt(np.count_nonzero(pixels)) + 0.03 * np.abs(sums).max()
        assert sums.min() - room < image[pixels].sum() < sums.max() + room


def test_the_noise_is_that_of_the_exposures(made: Made) -> None:
    """No pixel without data has a finite weight, and no variance is below that of the mean."""
    for image in made.images:
        variance = image.masked_image.variance.array
        pixels = image.masked_image.image.array
        data = np.isfinite(variance)
        assert (variance[data] > 0).all()
        assert np.isfinite(pixels[data]).all()
        assert (image.masked_image.mask.get("NO_DATA") == ~data).all()
