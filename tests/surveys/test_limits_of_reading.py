"""What reading may cost, and what is the computer's fault and not the file's."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import Box, VisitImage
from lsst.images.psfs import GaussianPointSpreadFunction
from lsst.images.serialization import write_archive

from cellcoadd.errors import UnusableInputError
from cellcoadd.files.computer_errors import raise_if_of_the_computer
from cellcoadd.image_files import read_headers
from cellcoadd.surveys.fits_files import open_fits
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image, read_visit_image

type Make = Callable[..., VisitImage]


def test_a_stamp_that_nobody_draws_is_refused_before_it_is_drawn(visit_image: Make) -> None:
    """One of 20001 pixels a side takes 3 GB, at each cell."""
    psf = GaussianPointSpreadFunction(2.0, Box.factory[0:60, 0:70], 20001)
    with pytest.raises(UnusableInputError, match="20001 pixels a side, 2001 are allowed"):
        calibrated_image_from_visit_image(visit_image(psf=psf))


def failing(*_: Any, **__: Any) -> Any:
    """What a disk does for a moment."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_an_image_is_not_left_out_because_a_disk_failed(
    visit_image: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left out, the same command would make another coadd the next time; the file is named."""
    path = tmp_path / "image.fits"
    write_archive(visit_image(), path)
    monkeypatch.setattr("astropy.io.fits.Header.fromfile", failing)
    with pytest.raises(OSError, match=r"Input/output error: .*image\.fits") as caught:
        read_headers([path])
    assert caught.value.errno == errno.EIO


def test_pixels_that_a_disk_does_not_give_are_an_error_of_the_disk(
    visit_image: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is read of a file, by whichever reader."""
    path, plain = tmp_path / "image.fits", tmp_path / "plain.fits"
    write_archive(visit_image(), path)
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(plain)
    monkeypatch.setattr("cellcoadd.files.fits_entries.FitsEntries._read", failing)
    with pytest.raises(OSError, match=r"Input/output error: .*image\.fits"):
        read_visit_image(path)
    with pytest.raises(OSError, match=r"Input/output error: .*plain\.fits"), open_fits(plain):
        failing()


def test_errors_of_files_are_not_those_of_the_computer() -> None:
    """A file that is gone, or whose numbers lead before its beginning, is named and left out."""
    for error in (
        FileNotFoundError(errno.ENOENT, "none"), OSError(errno.EINVAL, "invalid"), OSError("broken")
    ):  # fmt: skip
        raise_if_of_the_computer(error, "f.fits")
    inner = ValueError("no header")
    inner.__cause__ = OSError(errno.ESTALE, "stale")
    with pytest.raises(OSError, match=r"f\.fits"):
        raise_if_of_the_computer(inner, "f.fits")
