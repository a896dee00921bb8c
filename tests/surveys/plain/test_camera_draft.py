"""A definition that is drafted from a header: it can be read at once, and asks what it must."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from cellcoadd.surveys import camera_reader
from cellcoadd.surveys.plain.psf import profile_image
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.plain_files import write_plain_image, write_planes


def test_a_draft_reads_the_image_that_it_was_made_of(tmp_path: Path) -> None:
    """Its keywords are those of the header; each guess stands beside what the header says."""
    path = write_plain_image(
        tmp_path / "image.fits", cards={"BUNIT": "adu/s", "CCDNUM": 4, "SATURATE": 5e4}
    )
    done = run_command("cellcoadd", "camera", "new", path)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert "unit: count/s  # BUNIT 'adu/s'" in lines
    assert any(line.startswith("zero_point: ") and "# 27.0 # ? AB or" in line for line in lines)
    assert any(line.startswith("saturation: ") and "# 50000.0 # ?" in line for line in lines)
    assert "# airmass: may be left out" in lines
    (tmp_path / "camera.yaml").write_text(done.output, encoding="utf-8")
    header = camera_reader(tmp_path / "camera.yaml").read(path).header
    assert (header.observation.visit, header.observation.detector) == (7, 4)
    assert header.observation.band == "r"


def test_noise_is_drafted_from_the_gain(tmp_path: Path) -> None:
    """Where the header has one; a plane is better, and the line says so."""
    path = write_plain_image(
        tmp_path / "image.fits", sky=100.0, cards={"GAIN": 100.0, "RDNOISE": 10.0}
    )
    done = run_command("cellcoadd", "camera", "new", path)
    assert "no BUNIT # ? count or count/s" in done.output
    (tmp_path / "camera.yaml").write_text(done.output, encoding="utf-8")
    image = camera_reader(tmp_path / "camera.yaml").read(path).calibrated_image
    assert np.median(image.masked_image.variance.array) == pytest.approx(1.01, rel=0.01)


def test_what_a_header_does_not_say_is_asked(tmp_path: Path) -> None:
    """A bare image, of two, still gives YAML with all that must be answered."""
    path = write_planes(tmp_path / "bare.fits", np.ones((9, 9)), np.ones((9, 9)))
    done = run_command("cellcoadd", "camera", "new", path)
    assert done.exit_code == 0
    for key in ("name", "image", "unit", "filter", "time", "exposure_time"):
        assert any(
            line.startswith(f"{key}: ") and "# ?" in line for line in done.output.split("\n")
        )
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    for name, said in (("empty.fits", "it holds no image"), ("none.fits", "no such file")):
        failed = run_command("cellcoadd", "camera", "new", tmp_path / name)
        assert failed.exit_code == 1
        assert said in failed.output
        assert not failed.has_traceback


def test_ready_cameras_are_listed() -> None:
    """By the names that --camera takes."""
    done = run_command("cellcoadd", "camera", "list")
    assert "ps1-warp" in done.output.split()


def test_what_lies_beside_an_image_is_found(tmp_path: Path) -> None:
    """Weights, mask and PSF by their names; a sky that was left in; a visit that is no number."""
    path = write_plain_image(
        tmp_path / "a_ooi_b.fits",
        side=120,
        sky=250.0,
        weight_suffix=None,
        cards={"SKYLEVEL": 249.0, "OBSID": "x7", "EXPNUM": None, "FILTER": "r.MP9602"},
    )
    write_planes(tmp_path / "a_oow_b.fits", np.ones((120, 120), np.float32))
    write_planes(tmp_path / "a_ood_b.fits", np.zeros((120, 120), np.int16))
    write_planes(tmp_path / "a_ooi_b.psf.fits", profile_image(fwhm=4.0, beta=None))
    done = run_command("cellcoadd", "camera", "new", path)
    assert done.exit_code == 0, done.output
    for line in (
        "  inverse_variance: {file: {replace: ['_ooi_', '_oow_']}}  # a_oow_b.fits: it says 1, ",
        "sky: {keyword: SKYLEVEL}  # 249.0, and the median of the pixels is 2",
        "mask: {file: {replace: ['_ooi_', '_ood_']}, bits: {1: BAD}}",
        "  image: {file: {suffix: .psf.fits}}",
        "# visit: may be left out",
        'band: {"r.MP9602": "r"}',
    ):
        assert line in done.output
    (tmp_path / "camera.yaml").write_text(done.output, encoding="utf-8")
    image = camera_reader(tmp_path / "camera.yaml").read(path).calibrated_image
    assert abs(np.median(image.masked_image.image.array) - 1.0) < 0.1  # 250 less 249
    assert image.observation.band == "r"


@pytest.mark.parametrize(
    ("cards", "weight", "said"),
    [
        ({}, 4e-3, "  weight: {file: {suffix: .weight.fits}, rms: "),
        ({"SKYNOISE": 1.1}, None, "  constant: {rms: {keyword: SKYNOISE}}  # 1.1"),
        ({"SKYNOISE": 50.0, "GAIN": 1.0}, None, "  constant: {rms: "),
    ],
)
def test_noise_is_what_pixels_scatter_by(
    tmp_path: Path, cards: dict[str, float], weight: float | None, said: str
) -> None:
    """What says much more or less than that is something else: relative weights, or nothing."""
    path = write_plain_image(tmp_path / "image.fits", side=120, cards=cards, weight_suffix=None)
    if weight is not None:
        write_planes(tmp_path / "image.weight.fits", np.full((120, 120), weight, np.float32))
    done = run_command("cellcoadd", "camera", "new", path)
    assert said in done.output
    (tmp_path / "camera.yaml").write_text(done.output, encoding="utf-8")
    image = camera_reader(tmp_path / "camera.yaml").read(path).calibrated_image
    assert np.median(image.masked_image.variance.array) == pytest.approx(1.0, rel=0.25)


def test_two_units_are_a_question(tmp_path: Path) -> None:
    """The extension says one thing and the file another, as in files of 90Prime."""
    path = tmp_path / "image.fits"
    hdu = fits.ImageHDU(np.random.default_rng(1).normal(size=(60, 60)).astype(np.float32))
    hdu.header["BUNIT"] = "ADU"
    primary = fits.PrimaryHDU()
    primary.header["BUNIT"] = "counts/s"
    fits.HDUList([primary, hdu]).writeto(path)
    done = run_command("cellcoadd", "camera", "new", path)
    assert "unit: count  # BUNIT 'ADU', and 'counts/s' in the header of the whole file # ? " in (
        done.output
    )
