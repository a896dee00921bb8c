"""A definition that is drafted from a header: it can be read at once, and asks what it must."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from cellcoadd.surveys import camera_reader
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
    assert header.observation.band == "r.01"


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
