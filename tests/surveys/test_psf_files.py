"""PSFEx files in the form in which PSFEx writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import Box

from cellcoadd.errors import UnusableInputError
from cellcoadd.surveys.psf_files import psfex_from_values, read_psfex

BOUNDS = Box.factory[0:100, 0:100]


def write_psfex(path: Path, basis: np.ndarray[Any, Any], **cards: Any) -> Path:
    """A table of one row with a column PSF_MASK, its axes fastest first, and keywords."""
    column = fits.Column(
        name="PSF_MASK",
        format=f"{basis.size}E",
        dim=str(tuple(reversed(basis.shape))),
        array=basis[np.newaxis].astype(np.float32),
    )
    table = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    table.header.update({"PSF_SAMP": 1.0} | cards)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


POLYNOMIAL = {
    "POLNAXIS": 2,
    "POLNAME1": "X_IMAGE",
    "POLNAME2": "Y_IMAGE",
    "POLZERO1": 51.0,
    "POLZERO2": 31.0,
    "POLSCAL1": 10.0,
    "POLSCAL2": 20.0,
    "POLDEG1": 1,
}


def test_pixels_of_psfex_are_counted_from_one(tmp_path: Path) -> None:
    """At PSFEx's (51, 31), our (50, 30), the polynomial is its first term alone."""
    basis = np.zeros((3, 3, 3))
    basis[0, 1, 1] = basis[1, 0, 0] = basis[2, 2, 2] = 1.0
    psf = read_psfex(write_psfex(tmp_path / "a.psf", basis, **POLYNOMIAL), bounds=BOUNDS)
    assert psf.compute_kernel_image(x=50.0, y=30.0).array[1, 1] == 1.0
    beside = psf.compute_kernel_image(x=60.0, y=40.0).array
    assert beside[[1, 0, 2], [1, 0, 2]] == pytest.approx(np.array([1.0, 1.0, 0.5]) / 2.5)
    assert psf.bounds == BOUNDS


def test_a_constant_model_needs_no_polynomial(tmp_path: Path) -> None:
    """PSFEx writes POLNAXIS = 0 and none of the other keywords."""
    path = write_psfex(tmp_path / "a.psf", np.ones((1, 5, 5)), POLNAXIS=0, PSF_SAMP=0.5)
    psf = read_psfex(path, bounds=BOUNDS)
    assert psf.sampling == 0.5
    assert psf.compute_kernel_image(x=0, y=0).bbox == Box.factory[-1:2, -1:2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"POLNAME2": "MAG_AUTO"}, "only one in x and y"),
        ({"POLNAME3": "MAG_AUTO"}, "only one in x and y"),
        ({"POLDEG1": 2}, "3 images, one of degree 2"),
        ({"POLSCAL1": 0.0}, "x_scale"),
        ({"PSF_SAMP": "fine"}, "broken"),
    ],
)
def test_models_that_cannot_be_drawn_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    """By name and with the reason, not by a wrong PSF."""
    path = write_psfex(tmp_path / "bad.psf", np.ones((3, 5, 5)), **(POLYNOMIAL | change))
    with pytest.raises(UnusableInputError, match=message) as caught:
        read_psfex(path, bounds=BOUNDS)
    assert caught.value.source == str(path)


def test_files_without_a_model_are_refused(tmp_path: Path) -> None:
    """An image, a text, nothing."""
    image, text = tmp_path / "image.fits", tmp_path / "text.psf"
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(image)
    text.write_text("no")
    for path in (image, text, tmp_path / "absent.psf"):
        with pytest.raises(UnusableInputError, match=path.name):
            read_psfex(path, bounds=BOUNDS)
    with pytest.raises(UnusableInputError, match="lacks psf_samp"):
        psfex_from_values({"psf_mask": np.ones((1, 3, 3))}, bounds=BOUNDS, source="here")
