"""The definition of a camera in YAML: what is wrong is told with file, key, value and rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cellcoadd.errors import UnusableInputError
from cellcoadd.surveys.plain.definition import CameraDefinition
from cellcoadd.surveys.plain.definition_files import load_camera, ready_cameras

GOOD: dict[str, Any] = {
    "name": "TestCam",
    "unit": "count",
    "noise": {"inverse_variance": {"file": {"suffix": ".weight.fits"}}},
    "zero_point": {"magnitude": {"keyword": "MAGZERO"}, "system": "AB", "per": "exposure"},
    "psf": {"gaussian": {"fwhm": 0.8, "unit": "arcsec"}},
    "filter": {"keyword": "FILTER"},
    "time": {"date_obs": {"keyword": "DATE-OBS"}},
}


def load(tmp_path: Path, **changes: Any) -> CameraDefinition:
    """The good definition with some keys replaced, or left out where they are None."""
    content = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    path = tmp_path / "camera.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_camera(path)


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    """No mask, no saturation, no sky, detector 0, and a visit that is made of the time."""
    camera = load(tmp_path)
    assert (camera.mask, camera.saturation, camera.sky, camera.identity.visit) == (None,) * 4
    assert camera.identity.detector.given == 0
    assert camera.noise.plane is not None
    assert camera.flux.is_known
    assert not load(tmp_path, zero_point=None).flux.is_known


@pytest.mark.parametrize("name", ready_cameras())
def test_definitions_of_the_package_are_right(name: str) -> None:
    """Each is read by its name alone; none leaves pixels in counts."""
    camera = load_camera(name)
    assert camera.source == name
    assert camera.flux.is_known


MASK = {"hdu": 1, "bits": {1: "BAD"}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"psf": None}, "psf is missing: no coadd can be made without one. Give its width"),
        (
            {"psf": {}},
            "psf must have exactly one of the keys gaussian, moffat, image, psfex, measured",
        ),
        ({"psf": {"gaussian": {"fwhm": 1, "unit": "mm"}}}, "psf.gaussian.unit must be one of"),
        ({"psf": {"moffat": {"fwhm": 1, "unit": "pixel", "beta": 1}}}, "beta must be above 1, got"),
        ({"psf": {"image": {}}}, "psf.image must say where it is: with hdu, or with file."),
        ({"noise": None}, "noise is missing."),
        ({"noise": {"rms": {"hdu": 1}, "variance": {"hdu": 2}}}, "it has variance, rms."),
        ({"noise": {"rms": {"hdu": -1}}}, "noise.rms.hdu must not be negative, got -1."),
        ({"noise": {"rms": {"hdu": 1.5}}}, "noise.rms.hdu must be a number or a name, got 1.5."),
        (
            {"noise": {"weight": {"hdu": 1}}},
            "noise.weight must have exactly one of the keys scale",
        ),
        ({"noise": {"rms": {"file": {"replace": ["a"]}}}}, "must be two different parts of names"),
        ({"noise": {"rms": {"file": {"suffix": ".fits"}}}}, "must differ from the image's own"),
        ({"noise": {"rms": {"file": {}}}}, "noise.rms.file.replace must be there."),
        ({"noise": {"constant": {"rms": {"keywrd": "X"}}}}, "must be a value, or have the key"),
        ({"unit": "ADU"}, "unit must be one of Jy, MJy/sr, count, count/s, mJy, nJy, uJy; got"),
        ({"unit": "nJy"}, "zero_point is for pixels in counts, these are in nJy."),
        ({"pixel_area": 1.0}, "pixel_area is for pixels in MJy/sr, these are in count."),
        ({"zero_point": {"magnitude": 27, "system": "AB"}}, "zero_point.per is missing."),
        (
            {"zero_point": {"magnitude": 27, "system": "AB", "per": "second"}},
            "exposure_time is missing: zero_point.per needs it.",
        ),
        (
            {"zero_point": {"magnitude": 27, "system": "Vega", "per": "exposure"}},
            "zero_point.offset is missing.",
        ),
        (
            {"zero_point": {"magnitude": 27, "system": "ST", "per": "exposure"}},
            "zero_point.system must be one of AB, Vega; got 'ST'.",
        ),
        (
            {"noise": {"from_gain": {"gain": 2}}, "unit": "nJy", "zero_point": None},
            "noise.from_gain needs an image in counts, its unit is nJy.",
        ),
        (
            {"noise": {"from_gain": {"gain": 2}}, "unit": "count/s", "zero_point": None},
            "exposure_time is missing: noise.from_gain needs it.",
        ),
        ({"mask": {"hdu": 1}}, "mask must have exactly one of the keys bits, codes"),
        ({"mask": {"hdu": 1, "bits": {3: "BAD"}}}, "mask.bits.3 must be for the value of one bit"),
        ({"mask": {"hdu": 1, "bits": {1: "BAAD"}}}, "mask.bits.1 must be of the planes BAD, SAT"),
        ({"mask": {"hdu": 1, "codes": {0: "BAD"}}}, "must be for a whole number above 0, got 0."),
        (
            {"mask": {**MASK, "harmless": [1]}},
            "mask.harmless has 1, for which mask.bits has planes",
        ),
        ({"mask": {**MASK, "harmless": 1}}, "mask.harmless must be a list of bits, got 1."),
        ({"saturation": {"level": 9, "unit": "count/s"}}, "exposure_time is missing: saturation"),
        ({"visit": {"file_name": "x("}}, "visit.file_name must be a regular expression, got 'x('"),
        ({"visit": {"file_name": "x"}}, "visit.file_name must have a named group"),
        ({"visit": {"keyword": 3}}, "visit.keyword must be a text, got 3."),
        ({"time": {"mjd": 1, "date_obs": "x"}}, "time must have exactly one of the keys"),
        ({"band": {"r": True}}, "band must be a mapping of filters to bands, both texts"),
        ({"check_noise": 1}, "check_noise must be true or false, got 1."),
        ({"filtre": "r"}, "filtre is not a key of this definition; did you mean 'filter'?"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """In one line, with the file."""
    with pytest.raises(UnusableInputError) as caught:
        load(tmp_path, **changes)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'camera.yaml'}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_definition_is_told(tmp_path: Path) -> None:
    """It may not exist, be no YAML, or hold a list; what exists by name is listed."""
    with pytest.raises(UnusableInputError, match=r"one of .*noirlab-cp, .*ps1-warp"):
        load_camera("nonesuch")
    path = tmp_path / "camera.yaml"
    path.write_text("name: [", encoding="utf-8")
    with pytest.raises(UnusableInputError, match="it is not YAML"):
        load_camera(path)
    path.write_text("- 1", encoding="utf-8")
    with pytest.raises(UnusableInputError, match="must be a mapping"):
        load_camera(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UnusableInputError, match="it cannot be read"):
        load_camera(path)
