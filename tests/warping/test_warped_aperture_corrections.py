"""The aperture corrections of detectors at the centres of a warp's cells."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from lsst.images import XY, Box
from lsst.images.fields import ChebyshevField, Field, ProductField, SplineField, SumField
from lsst.images.psfs import GaussianPointSpreadFunction

from cellcoadd.products.warp import Warp
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.aperture_corrections import corrections_at_positions
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import WarpSettings

PATCH = small_patch()
BOX = Box.factory[0:100, 0:200]
POSITIONS = XY(x=np.array([0.0, 99.5, 150.25]), y=np.array([99.0, 49.5, 10.0]))


def plane(box: Box, middle: float, along_x: float, along_y: float) -> ChebyshevField:
    """A plane: its value in the middle of a box, what is added at the right and the upper edge."""
    return ChebyshevField(box, np.array([[middle, along_x], [along_y, 0.0]]))


def at_positions(field: Field) -> Any:
    return corrections_at_positions({"a": field}, POSITIONS, source="f1")["a"]


def warped(*images: Any) -> Warp:
    made = make_direct_warp(images, PATCH, settings=WarpSettings())
    assert made is not None
    return made.warp


def test_a_plane_is_evaluated_by_its_formula() -> None:
    """Edges of a box lie half a pixel outside of its outer pixels' centres."""
    x, y = POSITIONS.x, POSITIONS.y
    expected = 0.9 + 0.02 * (x - 99.5) / 100 - 0.01 * (y - 49.5) / 50
    np.testing.assert_allclose(at_positions(plane(BOX, 0.9, 0.02, -0.01)), expected, rtol=1e-14)


def test_every_kind_of_field_can_be_a_correction() -> None:
    """A spline through a constant is the constant; sums and products of planes are known."""
    flat, tilted = plane(BOX, 0.9, 0.0, 0.0), plane(BOX, 1.0, 0.1, 0.0)
    nodes = np.array([0.0, 30.0, 60.0, 90.0, 120.0])
    spline = SplineField(BOX, np.full((5, 5), 0.7), x=nodes, y=nodes)
    slope = 0.1 * (POSITIONS.x - 99.5) / 100
    np.testing.assert_allclose(at_positions(spline), 0.7, rtol=1e-14)
    np.testing.assert_allclose(at_positions(SumField([flat, tilted])), 1.9 + slope, rtol=1e-14)
    product = ProductField([flat, tilted])
    np.testing.assert_allclose(at_positions(product), 0.9 * (1.0 + slope), rtol=1e-14)


def test_percent_are_hundredths() -> None:
    """A unit without dimension is a number."""
    field = ChebyshevField(BOX, np.array([[90.0]]), unit=u.percent)
    np.testing.assert_allclose(at_positions(field), 0.9, rtol=1e-14)


def test_outside_of_its_bounds_a_correction_is_not_known() -> None:
    """What a polynomial does there nobody has looked at."""
    values = at_positions(plane(Box.factory[0:100, 0:120], 0.9, 0.0, 0.0))
    np.testing.assert_array_equal(np.isnan(values), [False, False, True])


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_correction_that_is_not_finite_is_not_known(
    value: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a word: fits that failed are common."""
    assert np.isnan(at_positions(plane(BOX, value, 0.0, 0.0))).all()
    assert not caplog.records


@pytest.mark.parametrize("kind", ["no data", "unit"])
def test_a_correction_that_cannot_be_evaluated_is_not_known(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the image and the algorithm, once; the others are not touched by it."""
    nodes = np.array([0.0, 50.0])
    broken: Field = (
        SplineField(BOX, np.full((2, 2), np.nan), x=nodes, y=nodes)
        if kind == "no data"
        else ChebyshevField(BOX, np.array([[0.9]]), unit=u.m)
    )
    with caplog.at_level(logging.WARNING):
        got = corrections_at_positions(
            {"a": broken, "b": plane(BOX, 0.9, 0.0, 0.0)}, POSITIONS, source="f1"
        )
    assert np.isnan(got["a"]).all()
    np.testing.assert_allclose(got["b"], 0.9)
    (record,) = caplog.records
    assert "f1: its aperture correction a cannot be used" in record.message


def test_a_warp_has_them_at_the_centres_of_its_cells() -> None:
    """The row of a cell's PSF is that of its corrections; positions are found through the sky."""
    image = make_detector(PATCH, width=170, height=180, rotation=30.0, first_pixel=(7, 11))
    field = plane(image.bbox, 0.9, 0.02, -0.01)
    warp = warped(dataclasses.replace(image, aperture_corrections={"a": field, "aErr": field}))
    assert set(warp.aperture_corrections) == {"a", "aErr"}
    assert len(warp.stamps) == 25
    for row in warp.cell_inputs[warp.cell_inputs["stamp"] >= 0]:
        grid = warp.grid
        centre = grid.centre_of(
            next(i for i in grid if (i.x, i.y) == (row["cell_x"], row["cell_y"]))
        )
        sky = PATCH.sky_projection.pixel_to_sky(x=float(centre.x), y=float(centre.y))
        at = image.sky_projection.sky_to_pixel(sky)
        # The middle of 170 x 180 pixels from (7, 11) on is (91.5, 100.5).
        expected = 0.9 + 0.02 * (at.x - 91.5) / 85 - 0.01 * (at.y - 100.5) / 90
        # A thousandth of a pixel is 2e-7 of the plane.
        assert warp.aperture_corrections["a"][row["stamp"]] == pytest.approx(expected, abs=2e-7)


def test_detectors_keep_their_own_and_lack_what_they_lack() -> None:
    """Two detectors side by side; the rows of one follow on those of the other."""
    left = make_detector(PATCH, x=PATCH.outer_bbox.x.start + 26.0, width=70, detector=0)
    right = make_detector(PATCH, x=PATCH.outer_bbox.x.start + 98.0, width=70, detector=1)
    warp = warped(
        dataclasses.replace(left, aperture_corrections={"a": plane(left.bbox, 0.8, 0.0, 0.0)}),
        dataclasses.replace(
            right,
            aperture_corrections={
                "a": plane(right.bbox, 1.2, 0.0, 0.0), "b": plane(right.bbox, 0.9, 0.0, 0.0)
            },
        ),
    )  # fmt: skip
    rows = warp.cell_inputs[warp.cell_inputs["stamp"] >= 0]
    assert set(rows["input"]) == {0, 1}
    a, b = (warp.aperture_corrections[name][rows["stamp"]] for name in "ab")
    np.testing.assert_allclose(a, np.where(rows["input"] == 0, 0.8, 1.2))
    np.testing.assert_array_equal(np.isnan(b), rows["input"] == 0)


class Hole(GaussianPointSpreadFunction):
    """A point-spread function that cannot be drawn in the left half of its detector."""

    def compute_stellar_image(self, *, x: float, y: float) -> Any:
        if x < 75.0:
            raise ValueError("nothing here")
        return super().compute_stellar_image(x=x, y=y)


def test_a_cell_that_loses_its_psf_loses_its_corrections() -> None:
    """The rows that are left still belong together."""
    image = make_detector(PATCH, psf=Hole(1.5, Box.factory[0:150, 0:150], 15))
    # Along x of the detector from 0.8 to 1.2.
    warp = warped(
        dataclasses.replace(image, aperture_corrections={"a": plane(image.bbox, 1.0, 0.2, 0.0)})
    )
    values = warp.aperture_corrections["a"]
    assert 0 < len(values) == len(warp.stamps) < 25
    assert (values > 1.0).all()


def test_without_corrections_there_are_none() -> None:
    """A column of NaN for nobody would be a claim that there is such an algorithm."""
    assert not warped(make_detector(PATCH)).aperture_corrections
