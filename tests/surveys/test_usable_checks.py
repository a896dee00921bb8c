"""What makes an image unusable is found before it is warped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lsst.images import Image

from cellcoadd.errors import UnusableInputError
from cellcoadd.psfs.models import PsfexPointSpreadFunction
from cellcoadd.surveys._base import pixel_scale_arcsec
from cellcoadd.surveys.checks import check_projection
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image

type Make = Callable[..., Any]


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_an_image_without_any_variance_is_refused(visit_image: Make, value: float) -> None:
    """Its weight would be endless or nothing."""
    source = visit_image(variance=np.full((60, 70), value))
    with pytest.raises(UnusableInputError, match="no pixel has a variance"):
        calibrated_image_from_visit_image(source)


def test_an_image_of_nan_is_refused(visit_image: Make) -> None:
    """Nothing is left of it."""
    with pytest.raises(UnusableInputError, match="finite value"):
        calibrated_image_from_visit_image(visit_image(image=np.full((60, 70), np.nan)))


def test_an_image_that_is_flagged_everywhere_is_refused(visit_image: Make) -> None:
    """A single good pixel is enough, none is not."""
    source = visit_image()
    selected = np.ones((60, 70), dtype=bool)
    selected[30, 30] = False
    source.mask.set("BAD", selected)
    assert calibrated_image_from_visit_image(source) is not None
    source.variance.array[30, 30] = np.nan
    with pytest.raises(UnusableInputError, match="flagged BAD or NO_DATA"):
        calibrated_image_from_visit_image(source)


def test_one_good_pixel_among_odd_ones_is_usable(visit_image: Make) -> None:
    """Odd pixels are the warp's business; they refuse no image."""
    image, variance = np.full((60, 70), np.nan), np.zeros((60, 70))
    image[5, 5], variance[5, 5] = 1.0, 1.0
    source = visit_image(image=image, variance=variance)
    assert calibrated_image_from_visit_image(source).mean_variance is None


@pytest.mark.parametrize(
    "cards",
    [
        {"CDELT1": 1e300},
        {"CRPIX1": 1e12, "CRVAL2": 89.0},
        {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CDELT1": 5.0, "CDELT2": 5.0},
    ],
    ids=["overflow", "far", "beyond the sphere"],
)
def test_a_wcs_without_positions_or_way_back_is_refused(
    projection: Make, cards: dict[str, Any]
) -> None:
    """Pixels that are nowhere on the sky cannot be warped."""
    bad = projection(**cards)
    with pytest.raises(UnusableInputError, match="f1: its WCS"):
        check_projection(bad, bad.pixel_frame.bbox, "f1")


def test_a_good_wcs_passes_and_has_its_scale(projection: Make) -> None:
    """The area of the middle pixel is that of the header."""
    good = projection(CDELT1=-0.3 / 3600, CDELT2=0.4 / 3600)
    check_projection(good, good.pixel_frame.bbox, "f1")
    scale = pixel_scale_arcsec(good, good.pixel_frame.bbox)
    assert scale == pytest.approx(np.sqrt(0.12), rel=1e-6)


def test_a_psf_that_cannot_be_drawn_is_refused(visit_image: Make) -> None:
    """A polynomial far away from its stars can have no light left."""
    basis = np.stack([np.ones((5, 5)), -np.ones((5, 5)), np.zeros((5, 5))])
    source = visit_image()
    source.psf = PsfexPointSpreadFunction(
        basis,
        degree=1,
        x_zero=0.0,
        y_zero=0.0,
        x_scale=1.0,
        y_scale=1.0,
        sampling=1.0,
        bounds=source.bbox,
    )
    with pytest.raises(UnusableInputError, match="PSF cannot be drawn"):
        calibrated_image_from_visit_image(source)


def test_a_psf_of_nan_is_refused(visit_image: Make) -> None:
    """It would make a cell of NaN."""

    class Hollow(PsfexPointSpreadFunction):
        def compute_kernel_image(self, *, x: float, y: float) -> Image:  # noqa: ARG002
            return Image(np.full((5, 5), np.nan))

    source = visit_image()
    source.psf = Hollow(
        np.ones((1, 5, 5)),
        degree=0,
        x_zero=0.0,
        y_zero=0.0,
        x_scale=1.0,
        y_scale=1.0,
        sampling=1.0,
        bounds=source.bbox,
    )
    with pytest.raises(UnusableInputError, match="positive finite sum"):
        calibrated_image_from_visit_image(source)


@pytest.mark.parametrize("scale", [1e-4, 0.2 * 3600])
def test_pixels_of_no_camera_are_refused(projection: Make, scale: float) -> None:
    """A matrix in arcseconds where degrees are meant makes pixels of a degree."""
    bad = projection(CDELT1=-scale / 3600, CDELT2=scale / 3600)
    with pytest.raises(UnusableInputError, match="a pixel measures"):
        check_projection(bad, bad.pixel_frame.bbox, "f1")
