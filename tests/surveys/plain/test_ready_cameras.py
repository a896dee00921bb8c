"""Ready definitions of MegaCam, ZTF, SkyMapper and VIRCAM, on files that are made here.

Real files are not at hand: layout, keywords and units are those that the archives describe. What is
checked is that each comes out in nJy with its sky taken away, its noise right and its masks kept.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits

from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.surveys import SurveyImage, images_in, named_reader, reader_for

SIDE, SCALE = 400, 0.2
FLUX_NJY = 5e5
STARS = [(60 + 55 * (n % 6), 70 + 55 * (n // 6)) for n in range(36)]


def sky_image(*, counts: float, sky: float, noise: float, fwhm: float, seed: int) -> Any:
    """Stars of some counts, each a Moffat of some pixels, on a sky with a slope."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    image = sky * (1.0 + 0.02 * x / SIDE) + rng.normal(0.0, noise, (SIDE, SIDE))
    steep = 4.0 * (2.0 ** (1 / 3) - 1.0) / fwhm**2
    norm = 2.0 * steep / math.pi
    for star_x, star_y in STARS:
        part = np.s_[max(star_y - 40, 0) : star_y + 41, max(star_x - 40, 0) : star_x + 41]
        square = (x[part] - star_x) ** 2 + (y[part] - star_y) ** 2
        image[part] += counts * norm * (1.0 + steep * square) ** -3
    return image.astype(np.float32)


def wcs_cards(scale: float, ra: float = 150.0) -> dict[str, Any]:
    return {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra, "CRVAL2": -20.0,
        "CRPIX1": 200.0, "CRPIX2": 200.0, "CD1_1": -scale / 3600, "CD1_2": 0.0, "CD2_1": 0.0,
        "CD2_2": scale / 3600,
    }  # fmt: skip


def counts_of(zero_point: float, flux: float = FLUX_NJY) -> float:
    """Counts of a star of a flux in nJy, where one count is of this AB magnitude."""
    return flux / 10 ** (0.4 * (31.4 - zero_point))


def write(path: Path, *hdus: tuple[npt.NDArray[Any] | None, dict[str, Any]]) -> Path:
    made = fits.HDUList()
    for number, (pixels, cards) in enumerate(hdus):
        hdu: Any = fits.ImageHDU(pixels) if number else fits.PrimaryHDU(pixels)
        hdu.header.update(cards)
        made.append(hdu)
    made.writeto(path)
    return path


def check(
    image: CalibratedImage, *, noise_njy: float, fwhm_px: float, flux: float = FLUX_NJY
) -> None:
    """The sky is gone, the noise is stated, stars have their flux by the PSF."""
    planes = image.masked_image[...]
    in_njy = image.nanojansky_per_count
    good = plane_array(planes.mask) == 0
    sky = np.median(planes.image.array[good]) * in_njy
    assert abs(sky) < 0.15 * noise_njy
    stated = math.sqrt(np.median(planes.variance.array[good])) * in_njy
    assert stated == pytest.approx(noise_njy, rel=0.05)
    fluxes = []
    for x, y in STARS[7:28]:
        kernel = image.psf.compute_kernel_image(x=float(x), y=float(y))
        half = min(kernel.array.shape[0] // 2, 12)
        centre = kernel.array.shape[0] // 2
        stamp = kernel.array[centre - half : centre + half + 1, centre - half : centre + half + 1]
        window = planes.image.array[y - half : y + half + 1, x - half : x + half + 1]
        fluxes.append(float((stamp * window).sum() / (stamp**2).sum()) * in_njy)
    assert np.median(fluxes) == pytest.approx(flux, rel=0.02)
    peak = image.psf.compute_kernel_image(x=200.0, y=200.0).array
    wide = np.count_nonzero(peak >= 0.5 * peak.max())
    assert wide == pytest.approx(math.pi * fwhm_px**2 / 4.0, abs=2.5)


def test_megacam(tmp_path: Path) -> None:
    """Two CCDs in one compressed file; PSF and sky are measured, extinction is taken off."""
    zero_point = 26.5 - 0.1 * 0.4 + 2.5 * math.log10(300.0)
    star = counts_of(zero_point, 5e4)
    hdus: list[Any] = [
        fits.PrimaryHDU(),
        *(
            fits.CompImageHDU(
                sky_image(counts=star, sky=900.0, noise=25.0, fwhm=4.0, seed=n),
                name=f"ccd{n:02d}", quantize_level=64.0,
            )
            for n in (4, 5)
        ),
    ]  # fmt: skip
    common = {
        "OBSID": 731069, "FILTER": "r.MP9601", "MJD-OBS": 53000.2, "EXPTIME": 300.0,
        "AIRMASS": 1.4, "PHOT_C": 26.5, "PHOT_K": -0.1,
    }  # fmt: skip
    for n, hdu in enumerate(hdus):
        hdu.header.update(common)
        if n:
            # 900 counts of sky of 1.55 electrons each, and the read-out, make 25 counts of noise.
            cards = {"GAIN": 1.55, "RDNOISE": 10.2, "SATURATE": 6e4, **wcs_cards(0.186, 150 + n)}
            hdu.header.update(cards)
    path = tmp_path / "731069p.fits.fz"
    fits.HDUList(hdus).writeto(path)
    reader = reader_for(path)
    assert reader.name == "megacam"
    addresses = images_in(reader, path)
    assert len(addresses) == 2
    image = reader.read(addresses[1])
    observation = image.header.observation
    assert (observation.visit, observation.detector, observation.band) == (731069, 5, "r")
    noise = 25.0 * 10 ** (0.4 * (31.4 - zero_point))
    check(image.calibrated_image, noise_njy=noise, fwhm_px=4.0, flux=5e4)
    assert image.psf_quality is not None


def test_ztf(tmp_path: Path) -> None:
    """A quadrant with its mask, of which sources and halos say nothing against a pixel."""
    stem = "ztf_20200204197199_000812_zr_c04_o_q3"
    bits = np.zeros((SIDE, SIDE), np.int16)
    bits[20, 30:35] = (1, 2, 256, 128, 4096)
    path = write(
        tmp_path / f"{stem}_sciimg.fits",
        (
            sky_image(counts=counts_of(26.3), sky=310.0, noise=7.4, fwhm=2.2, seed=1),
            {
                "GAIN": 6.2, "READNOI": 13.5, "MAGZP": 26.3, "SATURATE": 5e4, "SEEING": 2.2 * 1.01,
                "FILTER": "ZTF_r", "OBSMJD": 58883.2, "EXPTIME": 30.0, **wcs_cards(1.01),
            },
        ),
    )  # fmt: skip
    write(tmp_path / f"{stem}_mskimg.fits", (bits, {}))
    image = reader_for(path).read(path)
    observation = image.header.observation
    assert (observation.visit, observation.detector) == (20200204197199, 43)
    assert observation.band == "r"
    noise = math.sqrt(310.0 / 6.2 + (13.5 / 6.2) ** 2) * 10 ** (0.4 * (31.4 - 26.3))
    check(image.calibrated_image, noise_njy=noise, fwhm_px=2.2)
    mask = image.calibrated_image.masked_image[...].mask
    found = plane_array(mask)[20, 30:35]
    for value, planes in zip(found, (["STREAK"], [], ["SAT"], ["CR"], []), strict=True):
        assert bool(value) == bool(planes)
        assert value & bits_of(mask.schema, planes) or not planes


def test_skymapper(tmp_path: Path) -> None:
    """A cut-out of one CCD, which has no mask; the exposure is named by its identifier."""
    path = write(
        tmp_path / "cutout.fits",
        (
            sky_image(counts=counts_of(28.7), sky=400.0, noise=20.0, fwhm=3.5, seed=2),
            {
                "GAIN": 1.0, "ZPAPPROX": 28.7, "SATURATE": 6e4, "QAFWHM": 3.5 * 0.497,
                "IMAGE_ID": "20160417083802-17", "FILTNAME": "i", "MJD-OBS": 57495.3,
                "EXPTIME": 100.0, **wcs_cards(0.497),
            },
        ),
    )  # fmt: skip
    image = named_reader("skymapper").read(path)
    observation = image.header.observation
    assert (observation.visit, observation.detector) == (20160417083802, 17)
    check(image.calibrated_image, noise_njy=20.0 * 10 ** (0.4 * (31.4 - 28.7)), fwhm_px=3.5)


def test_vircam(tmp_path: Path) -> None:
    """Detectors by name, confidence of 100 where the noise is SKYNOISE, and Vega to AB."""
    zero_point = 23.5 + 1.827 - 0.05 * 0.3 + 2.5 * math.log10(6.0)
    name = "v20100101_00123_st"
    common = {"MJD-OBS": 55197.1, "EXPTIME": 6.0, "AIRMASS": 1.3}
    primary = common | {"HIERARCH ESO INS FILT1 NAME": "Ks", "HIERARCH ESO TEL AIRM START": 1.3}
    confidence = np.full((SIDE, SIDE), 100, np.int16)
    confidence[100, 300] = 0
    confidence[:, 350:] = 50
    noise = np.where(confidence == 50, math.sqrt(2.0), 1.0)
    planes, weights = [], []
    for number in (1, 16):
        image = sky_image(counts=counts_of(zero_point), sky=0.0, noise=0.0, fwhm=3.0, seed=1)
        image += 5000.0 + 40.0 * noise * np.random.default_rng(number).normal(size=(SIDE, SIDE))
        cards = {
            "EXTNAME": f"DET1.CHIP{number}", "MAGZPT": 23.5, "SKYNOISE": 40.0, "SEEING": 3.0,
            **wcs_cards(0.34, 150.0 + number),
        }  # fmt: skip
        planes.append((image.astype(np.float32), cards))
        weights.append((confidence, {"EXTNAME": f"DET1.CHIP{number}"}))
    path = write(tmp_path / f"{name}.fit", (None, primary), *planes)
    write(tmp_path / f"{name}_conf.fit", (None, {}), *reversed(weights))
    reader = reader_for(path)
    found: list[SurveyImage] = [reader.read(address) for address in images_in(reader, path)]
    assert [image.header.observation.detector for image in found] == [1, 16]
    assert {image.header.observation.band for image in found} == {"Ks"}
    for image in found:
        in_njy = 10 ** (0.4 * (31.4 - zero_point))
        check(image.calibrated_image, noise_njy=40.0 * in_njy, fwhm_px=3.0)
        variance = image.calibrated_image.masked_image[...].variance.array
        assert math.isinf(variance[100, 300])
        assert variance[10, 380] == pytest.approx(2.0 * variance[10, 10])
        correlation = image.calibrated_image.noise_correlation
        if correlation is not None:
            middle = correlation.shape[0] // 2
            assert abs(correlation[middle, middle + 1]) < 0.05
