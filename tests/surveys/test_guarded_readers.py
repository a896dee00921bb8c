"""Whatever a file does to its reader becomes a refusal with its name, and the others go on."""

from __future__ import annotations

import errno
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io.fits.verify import VerifyError
from lsst.images.serialization import write_archive

from cellcoadd import coadd_files
from cellcoadd.errors import SkyMapError, UnusableInputError
from cellcoadd.image_files import read_headers
from cellcoadd.products.calibrated_image.deferred_pixels import DeferredPixels
from cellcoadd.surveys import camera_reader, reader_for
from cellcoadd.surveys.guarded import GuardedReader
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image
from cellcoadd.testing.afw_files import write_visit_image_as_afw
from cellcoadd.testing.damaged_files import damaged
from cellcoadd.testing.decam_exposure import DecamExposure
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.testing.plain_files import write_camera, write_plain_image
from cellcoadd.testing.sdss_frames import MadeFrame, write_sdss_frame

WEIGHTS = {"inverse_variance": {"file": {"suffix": ".weight.fits"}}}


class FailingReader:
    """A reader of another package, to which a file does something."""

    name = "failing"

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def recognizes(self, path: Path) -> bool:  # noqa: ARG002
        raise self.error

    def read_header(self, path: Path) -> Any:  # noqa: ARG002
        raise self.error

    def read(self, path: Path) -> Any:  # noqa: ARG002
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (VerifyError("a card cannot be parsed"), "(a card cannot be parsed): get it again"),
        (zlib.error("Error -3 while decompressing"), "(Error -3 while decompressing)"),
        (struct.error("unpack requires 4 bytes"), "(unpack requires 4 bytes)"),
        (RecursionError("maximum recursion depth exceeded"), "(maximum recursion depth"),
        (OverflowError("too large"), "(too large)"),
        (KeyError(("MASK", 1)), "(it lacks ('MASK', 1))"),
        (KeyError("Keyword 'GAIN' not found."), "(Keyword 'GAIN' not found.)"),
        (UnicodeDecodeError("ascii", b"\xff", 0, 1, "ordinal not in range"), "ordinal not in"),
        (OSError(errno.ELOOP, "Too many levels of symbolic links"), "Too many levels"),
        (AssertionError(), "(AssertionError)"),
        (LookupError(), "(it lacks what is looked up)"),
        (SkyMapError("the definition is wrong"), "the definition is wrong"),
    ],
)
def test_whatever_a_file_does_is_a_refusal(error: Exception, reason: str, tmp_path: Path) -> None:
    """With the name of the file and a reason, and the error as its cause, from each method."""
    guard, path = GuardedReader(FailingReader(error)), tmp_path / "image.fits"
    assert not guard.recognizes(path)
    assert guard.images_in(path) == [path]
    for method in (guard.read_header, guard.read):
        with pytest.raises(UnusableInputError) as caught:
            method(path)
        assert caught.value.source == str(path)
        assert reason in caught.value.reason
        assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error"), OSError(errno.ENOSPC, "No space left on device"),
        MemoryError("Unable to allocate"), KeyboardInterrupt(),
    ],
)  # fmt: skip
def test_errors_of_the_computer_stay_errors(error: BaseException, tmp_path: Path) -> None:
    """The file may be good; another day the same command would make another coadd."""
    guard = GuardedReader(FailingReader(error))
    for method in (guard.recognizes, guard.read_header, guard.read):
        with pytest.raises(type(error)):
            method(tmp_path / "image.fits")


def test_pixels_that_are_read_later_are_guarded_too() -> None:
    """Nobody who warps them needs to know of files."""
    whole = make_detector(small_patch())

    def read(bbox: Any) -> Any:
        raise struct.error("unpack requires 4 bytes")

    pixels = DeferredPixels(read, bbox=whole.bbox, sky_projection=whole.sky_projection)
    with pytest.raises(UnusableInputError, match=r"^a\.fits: .*unpack requires 4 bytes"):
        pixels.of_file("a.fits")[...]


def decam(folder: Path, **changes: Any) -> Path:
    """Write an exposure of DECam."""
    return DecamExposure(**changes).write(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cards": {"image": {"EXPNUM": "abc"}}}, "its EXPNUM must be a whole number"),
        ({"cards": {"image": {"CCDNUM": "N4"}}}, "its CCDNUM must be a whole number"),
        ({"cards": {"image": {"DATE-OBS": "0001-01-01T00:00:00"}}}, "of the year 1, it must be"),
        ({"cards": {"image": {"DATE-OBS": "9999-12-31T00:00:00"}}}, "of the year 10000, it"),
        ({"cards": {"image": {"WCSAXES": 7}}}, "its WCS"),
        ({"ccd": {"exptime": -90.0}}, "its exposure time is -90 s, it must be 0 to 1e+08"),
        ({"ccd": {"exptime": 1e38}}, "its exposure time is 1e+38 s, it must be 0 to 1e+08"),
        ({"ccd": {"ccdzpt": 300.0}}, "its zero point, ccdzpt, is 300.0, it must be 5 to 45"),
        ({"ccd": {"ccdzpt": 99.0}}, "its zero point, ccdzpt, is 99.0, which stands for none"),
        ({"ccd": {"ccdzpt": 1e30}}, "its zero point, ccdzpt, is 1e+30, it must be 5 to 45"),
        ({"weights": np.full((96, 100), 1e30)}, "more than 1e+07 times the standard deviation"),
    ],
)  # fmt: skip
def test_values_of_decam_that_cannot_be_are_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    """File, value and rule, in the header already where that says it."""
    path = decam(tmp_path, **changes)
    images, refused = read_headers([path])
    if not refused:
        with pytest.raises(UnusableInputError) as caught:
            images[0].reader.read(path)
        refused = [caught.value]
    assert refused[0].source == str(path)
    assert reason in refused[0].reason


@pytest.mark.parametrize("magnitude", [99.0, -99.0, 0.0, 1e30, 300.0, -300.0, 2.0])
def test_zero_points_of_plain_fits_that_cannot_be_are_refused(
    tmp_path: Path, magnitude: float
) -> None:
    """A sentinel gives an image all the weight, or none."""
    camera = camera_reader(write_camera(tmp_path / "camera.yaml"))
    path = write_plain_image(tmp_path / "image.fits", cards={"MAGZERO": magnitude})
    _, (error,) = read_headers([path], camera=camera)
    assert f"MAGZERO, is {magnitude}" in error.reason


def test_a_mean_variance_that_is_not_of_the_pixels_is_refused(tmp_path: Path) -> None:
    """It is the weight, and nothing else in the image would show it."""
    noise = np.random.default_rng(3).normal(0.0, 2.0, (150, 150))
    make_detector(small_patch(), pixels=noise, mean_variance=1e-30).write(tmp_path / "image.fits")
    with pytest.raises(UnusableInputError, match=r"stated mean variance is 1e-30, .* 0\.01 to 100"):
        reader_for(tmp_path / "image.fits").read(tmp_path / "image.fits")


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    """The loop is in the file system; the file is named."""
    loop = tmp_path / "image.fits"
    loop.symlink_to(loop)
    _, (error,) = read_headers([loop])
    assert error.source == str(loop)
    assert "there is no such file" in error.reason


def two_visits(folder: Path) -> tuple[list[Path], Any]:
    camera = camera_reader(write_camera(folder / "camera.yaml", visit={"keyword": "EXPNUM"}))
    names = ("one", "two", "three")
    paths = [
        write_plain_image(
            folder / f"{name}.fits", side=120, seed=number, cards={"EXPNUM": number, "FILTER": band}
        )
        for number, (name, band) in enumerate(zip(names, ("r", "r", "i"), strict=True), 1)
    ]
    return paths, camera


def test_a_file_of_another_band_is_refused_by_name(tmp_path: Path) -> None:
    """The others are coadded; two of two bands are nobody's choice but the user's."""
    paths, camera = two_visits(tmp_path)
    made = coadd_files(paths, small_patch(), camera=camera)
    (error,) = made.refused
    assert error.source == str(paths[2])
    assert "it is of the band i, most files are of r" in error.reason
    with pytest.raises(ValueError, match=r"three\.fits of i, .*one\.fits of r"):
        coadd_files([paths[0], paths[2]], small_patch(), camera=camera)


def test_the_second_of_two_takes_the_place_of_a_broken_first(tmp_path: Path) -> None:
    """A file that nobody can read must not keep out its sound copy."""
    camera = camera_reader(write_camera(tmp_path / "camera.yaml", noise=WEIGHTS))
    first, second = (write_plain_image(tmp_path / name / "image.fits") for name in "ab")
    (tmp_path / "a" / "image.weight.fits").write_bytes(b"no weights")
    images, (error,) = read_headers([first, second], camera=camera)
    assert [image.path for image in images] == [second]
    assert "a/image.weight.fits" in error.source


def make_sdss(folder: Path, _: Callable[..., Any]) -> tuple[Path, Any]:
    folder.mkdir()
    return write_sdss_frame(folder, MadeFrame()), None


def make_decam(folder: Path, _: Callable[..., Any]) -> tuple[Path, Any]:
    return decam(folder, compress=True), None


def make_plain(folder: Path, _: Callable[..., Any]) -> tuple[Path, Any]:
    folder.mkdir()
    camera = camera_reader(write_camera(folder / "camera.yaml", noise=WEIGHTS, check_noise=True))
    return write_plain_image(folder / "image.fits"), camera


def make_rubin(folder: Path, visit_image: Callable[..., Any]) -> tuple[Path, Any]:
    folder.mkdir()
    write_archive(visit_image(), folder / "image.fits")
    return folder / "image.fits", None


def make_afw(folder: Path, visit_image: Callable[..., Any]) -> tuple[Path, Any]:
    folder.mkdir()
    write_visit_image_as_afw(visit_image(), folder / "image.fits")
    return folder / "image.fits", None


def make_own(folder: Path, visit_image: Callable[..., Any]) -> tuple[Path, Any]:
    folder.mkdir()
    calibrated_image_from_visit_image(visit_image()).write(folder / "image.fits")
    return folder / "image.fits", None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make", [make_decam, make_sdss, make_plain, make_rubin, make_afw, make_own]
)
def test_damaged_files_are_read_or_refused(
    make: Callable[..., tuple[Path, Any]],
    visit_image: Callable[..., Any],
    tmp_path: Path,
    mistakes: list[str],
) -> None:
    """Cards, bytes, blocks and ends of each file that a reader opens, at seeded places."""
    good = tmp_path / "good"
    image, camera = make(good, visit_image)
    files = sorted(path for path in good.rglob("*") if ".fit" in path.name and path.is_file())
    refused = 0
    for seed in range(12):
        rng = random.Random(seed)
        copy = tmp_path / f"copy{seed}"
        shutil.copytree(good, copy)
        victim = copy / rng.choice(files).relative_to(good)
        done, content = damaged(victim.read_bytes(), rng)
        victim.write_bytes(content)
        found, errors = read_headers([copy / image.relative_to(good)], camera=camera)
        try:
            for one in found:
                one.reader.read(one.path).calibrated_image.masked_image[...]
        except UnusableInputError as error:
            errors.append(error)
        refused += len(errors)
        for refusal in errors:
            assert len(refusal.reason) > 20, done
            assert str(copy) in str(refusal), done
    assert refused
    mistakes.clear()
