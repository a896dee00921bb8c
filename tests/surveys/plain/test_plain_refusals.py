"""Plain FITS that cannot be used are refused, each with file, keyword, value and rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from cellcoadd.errors import UnusableInputError
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.surveys import camera_reader
from cellcoadd.testing.plain_files import write_camera, write_plain_image, write_planes

SHAPE = (60, 60)


def read(path: Path, **changes: Any) -> CalibratedImage:
    """An image by a definition with some keys replaced, or left out where None."""
    camera = camera_reader(write_camera(path.parent / "camera.yaml", **changes))
    return camera.read(path).calibrated_image


@pytest.mark.parametrize(
    ("cards", "changes", "said"),
    [
        ({"MAGZERO": 0.0}, {}, "its zero point, MAGZERO, is 0.0, which stands for none"),
        ({"MAGZERO": 99.0}, {}, "its zero point, MAGZERO, is 99.0, which stands for none"),
        ({"MAGZERO": "nan"}, {}, "MAGZERO .* must be a finite number, it is 'nan'"),
        ({"MAGZERO": None}, {}, "no value of MAGZERO, .* names for zero_point.magnitude"),
        ({"EXPTIME": 0.0}, {}, "EXPTIME .* must be positive, it is 0.0"),
        ({"EXPNUM": 1.5}, {"visit": {"keyword": "EXPNUM"}}, "must be a whole number .* it is 1.5"),
        ({}, {"visit": {"file_name": "c(?P<a>.)"}}, "its name, 'image.fits', does not match"),
        ({"DATE-OBS": "x"}, {}, "DATE-OBS must be a date such as .*, it is 'x'"),
        ({"SEEING": 80.0}, {}, r"its PSF must be 0.5 to 50.0 pixels wide, SEEING says 400"),
        (
            {"RADESYS": "FK4", "EQUINOX": 1950.0},
            {},
            "its frame is FK4, which no rotation turns into ICRS",
        ),
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, {}, "its header has no WCS"),
        ({"CD1_1": -2.0, "CD2_2": 2.0}, {}, "pixel"),
        ({}, {"image": {"hdu": "SCI"}}, "no extension 'SCI', .* there are 0 PRIMARY"),
        ({}, {"noise": {"rms": {"hdu": 1}}}, "no extension 1, .* names in noise.rms"),
        (
            {},
            {"noise": {"rms": {"file": {"suffix": ".rms.fits"}}}},
            "image.rms.fits must lie beside",
        ),
        ({}, {"noise": {"rms": {"file": {"replace": ["_i", "_w"]}}}}, "its name has no '_i'"),
        (
            {},
            {
                "zero_point": {
                    "magnitude": 25,
                    "system": "Vega",
                    "offset": {"g": 1},
                    "per": "second",
                }
            },
            "says nothing of its filter 'r.01', but of g",
        ),
        (
            {},
            {"unit": "MJy/sr", "zero_point": None, "pixel_area": 1e-10},
            "a pixel of its WCS has 9.402e-13 sr",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    tmp_path: Path, cards: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    """Never a silent wrong number: file, keyword, value and rule."""
    path = write_plain_image(tmp_path / "image.fits", cards=cards)
    with pytest.raises(UnusableInputError, match=said) as caught:
        read(path, **changes)
    assert caught.value.source == str(path)
    assert "\n" not in str(caught.value)


def test_mosaics_and_wrong_sizes_are_refused(tmp_path: Path) -> None:
    """A file of several detectors is no image of one; a plane has the rows of its image."""
    path = write_plain_image(tmp_path / "image.fits")
    cards = dict(fits.getheader(path))
    write_planes(path, np.ones(SHAPE), np.ones(SHAPE), **cards)
    with pytest.raises(UnusableInputError, match="one extension must be an image, there are 2"):
        read(path)
    assert read(path, image={"hdu": 0}).bbox.area == 3600
    fits.PrimaryHDU().writeto(tmp_path / "none.fits")
    with pytest.raises(UnusableInputError, match="none of its extensions is an image"):
        read(tmp_path / "none.fits")
    write_planes(tmp_path / "image.weight.fits", np.ones((60, 59)))
    noise = {"inverse_variance": {"file": {"suffix": ".weight.fits"}}}
    with pytest.raises(UnusableInputError, match="60 rows and 59 columns"):
        read(path, image={"hdu": 0}, noise=noise)
    write_planes(tmp_path / "image.dq.fits", np.full(SHAPE, 0.5))
    mask = {"file": {"suffix": ".dq.fits"}, "bits": {1: "BAD"}}
    with pytest.raises(UnusableInputError, match=r"image.dq.fits: a mask must be of whole numbers"):
        read(path, image={"hdu": 0}, mask=mask)


def test_noise_that_the_image_does_not_show_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The noise has unit variance, a bright star and a slope matter not; a constant has none."""
    path = write_plain_image(tmp_path / "image.fits", flux=1e5)
    with fits.open(path, mode="update") as hdus:
        hdus[0].data += 0.02 * np.arange(60, dtype=np.float32)
    for rms in (1.0, 0.8, 1.3):
        read(path, noise={"constant": {"rms": rms}}, check_noise=True)
    assert caplog.text == ""
    path = write_plain_image(tmp_path / "sky.fits", flux=0.0)
    read(path, noise={"constant": {"rms": 2.0}}, check_noise=True)
    assert "times what its variance plane says" in caplog.text
    for rms in (0.2, 5.0):
        with pytest.raises(
            UnusableInputError, match=r"0\.1 to 10\.0 it is refused.*check_noise: false"
        ):
            read(path, noise={"constant": {"rms": rms}}, check_noise=True)
        read(path, noise={"constant": {"rms": rms}})
    write_planes(path, np.ones(SHAPE), **dict(fits.getheader(path)))
    with pytest.raises(UnusableInputError, match=r"its pixels are all the same"):
        read(path, check_noise=True)
