"""What is the matter with frames of SDSS, one thing at a time: each is refused by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from cellcoadd.errors import UnusableInputError
from cellcoadd.surveys import is_companion, reader_for
from cellcoadd.surveys.sdss import read_sdss_image
from cellcoadd.surveys.sdss.files import SdssFiles, is_sdss_companion, looks_like_sdss
from cellcoadd.testing.sdss_frames import MadeFrame, write_sdss_frame

COMPANIONS = {
    "mask": "fpM-004192-r4-0300",
    "psf": "psField-004192-4-0300",
    "calibration": "tsField-004192-4-",
}


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    """A frame with nothing the matter, not compressed so that it can be changed."""
    path = write_sdss_frame(tmp_path, ending=".fit")
    read_sdss_image(path)
    return path


def refusal(path: Path) -> str:
    """The reason; whoever reads headers alone must not be told that all is well with companions."""
    with pytest.raises(UnusableInputError) as caught:
        read_sdss_image(path)
    return str(caught.value)


def change(path: Path, hdu: int, column: str, value: Any) -> None:
    with fits.open(path, mode="update") as hdus:
        hdus[hdu].data[column][...] = value


def test_frames_are_told_by_their_names_and_companions_too() -> None:
    """A folder holds all of them; companions are no images, and callers can ask."""
    names = {
        "fpC-004192-r4-0300.fit": True,
        "fpC-004192-r4-0300.fit.gz": True,
        "fpC-4192-r4-0300.fit": False,
        "fpC-004192-y4-0300.fit": False,
        "fpC-004192-r7-0300.fit": False,
        "drC-004192-r4-0300.fit": False,
        "fpC-004192-r4-0300.fit.gz.part": False,
    }
    assert {name: looks_like_sdss(Path(name)) for name in names} == names
    companions = (
        "fpM-004192-r4-0300.fit",
        "psField-004192-4-0300.fit",
        "tsField-004192-4-40-0300.fit.gz",
        "asTrans-004192.fit",
    )
    assert all(is_sdss_companion(Path(name)) for name in companions)
    assert not any(is_sdss_companion(Path(name)) for name in names)


@pytest.mark.parametrize("which", COMPANIONS)
def test_a_companion_that_is_given_as_an_image_is_refused_as_one(frame: Path, which: str) -> None:
    """Not as an unknown kind of file."""
    companion = getattr(SdssFiles.of(frame), which)
    assert is_companion(companion)
    assert not is_companion(frame)
    with pytest.raises(UnusableInputError, match=r"no image, but belongs to one.*fpC-"):
        reader_for(companion)


@pytest.mark.parametrize(("which", "name"), COMPANIONS.items())
def test_a_missing_companion_is_named(frame: Path, which: str, name: str) -> None:
    """With where it is looked for; the frame itself is there."""
    path = getattr(SdssFiles.of(frame), which)
    path.unlink()
    text = refusal(frame)
    assert name in text
    assert "must lie beside the frame or in" in text
    assert str(path.parent) in text
    assert "no such file" not in text
    with pytest.raises(UnusableInputError, match=name):
        reader_for(frame).read_header(frame)


def test_companions_may_lie_beside_the_frame(frame: Path, tmp_path: Path) -> None:
    """As somebody has them who fetched four files."""
    files = SdssFiles.of(frame)
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in (files.image, files.mask, files.psf, files.calibration):
        shutil.copy(path, flat)
    found = SdssFiles.of(flat / frame.name)
    assert {found.mask.parent, found.psf.parent, found.calibration.parent} == {flat}
    assert found.rerun is None
    read_sdss_image(flat / frame.name)


def test_calibrations_of_several_reruns_are_told_apart_by_the_folder(
    frame: Path, tmp_path: Path
) -> None:
    """Beside a frame that lies elsewhere nothing tells them apart: none is guessed."""
    files = SdssFiles.of(frame)
    other = files.calibration.with_name("tsField-004192-4-41-0300.fit")
    shutil.copy(files.calibration, other)
    assert SdssFiles.of(frame).calibration == files.calibration
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in (files.image, files.mask, files.psf, files.calibration, other):
        shutil.copy(path, flat)
    assert "several reruns" in refusal(flat / frame.name)
    files.calibration.unlink()
    assert "RERUN 40, its header says 40" not in refusal(flat / frame.name)
    fits.setval(other, "RERUN", value=41)
    assert "must be of RERUN 40, its header says 41" in refusal(frame)


@pytest.mark.parametrize(
    ("which", "keyword", "value"),
    [
        ("image", "RUN", 4193),
        ("image", "CAMCOL", 3),
        ("image", "FILTER", "i"),
        ("mask", "RUN", 4193),
        ("mask", "CAMCOL", 3),
        ("mask", "FIELD", 301),
        ("psf", "RUN", 4193),
        ("psf", "CAMCOL", 3),
        ("psf", "FIELD", 301),
        ("calibration", "RUN", 4193),
        ("calibration", "CAMCOL", 3),
        ("calibration", "FIELD0", 301),
        ("calibration", "RERUN", 41),
    ],
)
def test_a_file_of_another_frame_under_this_name_is_refused(
    frame: Path, which: str, keyword: str, value: Any
) -> None:
    """A PSF or sky of another frame would make a wrong coadd that looks right."""
    path = getattr(SdssFiles.of(frame), which)
    before = fits.getval(path, keyword)
    fits.setval(path, keyword, value=value)
    text = refusal(frame)
    assert f"must be of {keyword} {before}, its header says {value}" in text
    assert which == "image" or str(path) in text


@pytest.mark.parametrize(
    ("which", "keyword"), [("mask", "FRAME_ID"), ("mask", "PS_ID"), ("psf", "PS_ID")]
)
def test_a_companion_of_another_reduction_is_refused(frame: Path, which: str, keyword: str) -> None:
    """Its sky and its PSF were measured in a frame that was made otherwise."""
    path = getattr(SdssFiles.of(frame), which)
    fits.setval(path, keyword, value="2009-01-01T00:00:00 1 camCol 4")
    assert f"{path} is of another reduction: its {keyword} is '2009" in refusal(frame)


def test_a_calibration_of_another_time_is_refused(frame: Path) -> None:
    """The frame says when it was read; neighbouring fields are 36 s apart."""
    fits.setval(frame, "TAI", value=MadeFrame().tai + 35.8)
    assert "its first row was read 36 s before or after" in refusal(frame)


def test_a_band_that_companions_lack_is_refused(frame: Path) -> None:
    """Entries are found by the names of the bands, not by counting."""
    path = SdssFiles.of(frame).psf
    fits.setval(path, "FILTERS", value="u g i z")
    assert "is of the bands u g i z, not of r" in refusal(frame)


@pytest.mark.parametrize("which", ["image", "mask", "psf", "calibration"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_file_that_is_cut_off_is_refused_by_name(frame: Path, which: str, kept: float) -> None:
    """Wherever it ends."""
    path = getattr(SdssFiles.of(frame), which)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    assert str(path) in refusal(frame)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_compressed_frame_that_is_cut_off_is_refused(tmp_path: Path, kept: float) -> None:
    """When it is read, not when a part of it is asked for."""
    path = write_sdss_frame(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    assert str(path) in refusal(path)


def test_a_frame_that_was_renamed_is_refused_with_the_names_that_frames_have(frame: Path) -> None:
    """Its name is how its companions are found."""
    other = frame.rename(frame.with_name("my_field.fit"))
    assert "is called fpC-<run>-<band><camcol>-<field>.fit[.gz]" in refusal(other)


@pytest.mark.parametrize(
    ("which", "hdu", "column", "value", "rule"),
    [
        ("psf", 6, "gain", 0.0, "gain of the band must be above 0, it is 0"),
        ("psf", 6, "gain", -9999.0, "gain of the band must be above 0, it is -9999"),
        ("psf", 6, "sky", -9999.0, "sky of the band must be at least 0, it is -9999"),
        ("psf", 6, "sky", np.nan, "sky of the band must be at least 0, it is nan"),
        ("psf", 6, "dark_variance", -1.0, "dark_variance of the band must be at least 0"),
        ("psf", 6, "status", 3, "status 3, no PSF"),
        ("psf", 6, "status", 5, "status 5, missing"),
        ("psf", 6, "field", 301, "has 0 rows of field 300"),
        ("calibration", 1, "aa", 0.0, "aa of the band must be above -40 and below -10, it is 0"),
        ("calibration", 1, "kk", -9999.0, "kk of the band must be at least 0 and below 3"),
        ("calibration", 1, "airmass", 0.0, "airmass of the band must be at least 1"),
        ("calibration", 1, "frames_status", 1, "not reduced: frames_status is 1"),
        ("calibration", 1, "culled", 2, "not calibrated well enough: culled is 2"),
    ],
)  # fmt: skip
def test_what_the_survey_has_no_value_for_is_refused(
    frame: Path, which: str, hdu: int, column: str, value: float, rule: str
) -> None:
    """Never a wrong number in silence: file, value, rule and way out."""
    path = getattr(SdssFiles.of(frame), which)
    change(path, hdu, column, value)
    text = refusal(frame)
    assert rule in text
    assert str(path) in text


@pytest.mark.parametrize("status", [1, 2])
def test_a_psf_that_varies_less_is_used(frame: Path, status: int) -> None:
    """Where the survey had few stars, it made a simpler PSF, and says so."""
    change(SdssFiles.of(frame).psf, 6, "status", status)
    read_sdss_image(frame)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("RNROW", 24, "RROWS has 625 pixels"),
        ("nrow_b", 6, "nrow_b and ncol_b must be in 1..5"),
        ("c", np.nan, "not finite"),
        ("c", 0.0, "PSF cannot be drawn"),
    ],
)
def test_a_psf_that_is_none_is_refused(frame: Path, column: str, value: float, rule: str) -> None:
    """The table of the frame's own band is read."""
    path = SdssFiles.of(frame).psf
    change(path, 1, column, value)
    read_sdss_image(frame)
    change(path, 3, column, value)
    assert rule in refusal(frame)


def test_a_table_without_a_column_is_refused(frame: Path) -> None:
    """Files of other data releases have other columns."""
    path = SdssFiles.of(frame).calibration
    with fits.open(path, mode="update") as hdus:
        hdus[1].columns.change_name("culled", "picked")
    assert "lacks the column culled" in refusal(frame)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda header: (header.remove("CTYPE1"), header.remove("CTYPE2")), "no WCS"),
        (lambda header: header.remove("CTYPE1"), "its WCS cannot be read"),
        (lambda header: header.remove("TAI"), "TAI in its header must be a positive number"),
        (lambda header: header.set("EXPTIME", "none"), "EXPTIME in its header must be a positive"),
        (lambda header: header.set("CD1_2", 0.0), "its WCS cannot be read"),
    ],
)
def test_a_header_that_lacks_something_is_refused(
    frame: Path, spoil: Callable[[fits.Header], Any], rule: str
) -> None:
    """With the keyword."""
    with fits.open(frame, mode="update") as hdus:
        spoil(hdus[0].header)
    assert rule in refusal(frame)
