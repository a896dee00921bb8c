"""Skies that are measured on a mesh, beside the sky that the image was drawn with."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Box

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of, mask_schema
from cellcoadd.surveys.measured_sky import MeasuredSky, SkyMesh, measure_sky
from cellcoadd.surveys.sources import believed_pixels, mask_sources
from cellcoadd.testing.star_fields import StarField, Truth, make_star_field

type Floats = npt.NDArray[np.float64]

NOISE = 3.0


def measured(image: Floats, good: npt.NDArray[np.bool_] | None = None, **mesh: Any) -> MeasuredSky:
    where = np.isfinite(image) if good is None else good
    return measure_sky(image, where, mesh=SkyMesh(**mesh), source="image.fits")


def sky_of(side: int) -> Floats:
    """A slope of ten times the noise from corner to corner, and a bend."""
    y, x = np.mgrid[0:side, 0:side] / side
    sky: Floats = 500.0 + 20.0 * x + 10.0 * y + 6.0 * (x - 0.5) ** 2
    return sky


def stars(**changes: Any) -> StarField:
    """A hundred stars; the brightest have 5000 times the noise."""
    values: dict[str, Any] = {
        "stars": 100, "spacing": 80, "signal_to_noise": (10.0, 5000.0), "noise": NOISE,
    } | changes  # fmt: skip
    return make_star_field(Truth(fwhm=4.0, beta=3.0), **values)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_sky_under_stars_is_found(seed: int) -> None:
    """To 2 % of the noise of a pixel on average; from cell to cell to 4 %.

    A cell of 16384 pixels knows its own level to 2.1 / 128 = 1.7 % of the noise, and the median of
    nine of them better than 1 %; at the edges there are fewer, and the spline goes on straight.
    """
    field = stars(seed=seed)
    image = field.planes.image.array.astype(np.float64)
    sky = sky_of(image.shape[0])
    found = measured(image + sky)
    off = (found.model - sky) / NOISE
    assert abs(off.mean()) < 0.02
    assert off.std() < 0.04
    assert np.abs(off).max() < 0.25
    assert found.noise == pytest.approx(np.full(image.shape, NOISE), rel=0.1)
    assert np.median(found.noise) == pytest.approx(NOISE, rel=0.01)


def test_bright_stars_keep_their_light() -> None:
    """Of those that are 100 to 5000 times the noise, less than 0.3 % goes, within three widths.

    One pass of clipping takes more of it than two, in cells that are half full of light.
    """
    field = stars(seed=3)
    image = field.planes.image.array.astype(np.float64)
    sky = sky_of(image.shape[0])
    found = measured(image + sky)
    lost, light = 0.0, 0.0
    for x, y, flux in zip(field.x, field.y, field.flux, strict=True):
        if flux < 100.0 * NOISE * np.sqrt(50.0):
            continue
        box = Box.factory[round(y) - 12 : round(y) + 13, round(x) - 12 : round(x) + 13]
        part = np.s_[box.y.start : box.y.stop, box.x.start : box.x.stop]
        lost += float((found.model - sky)[part].sum())
        light += flux
    assert abs(lost) < 3e-3 * light
    brightest = int(np.argmax(field.flux))
    x, y = round(field.x[brightest]), round(field.y[brightest])
    assert abs(found.model[y, x] - sky[y, x]) < 0.1 * NOISE


def test_a_plane_is_found_up_to_the_edges() -> None:
    """Whatever the mesh, also where the darker half of a cell is masked, which is no bias.

    The slope is 20 times the noise from side to side; of one or two cells a side, it is a line.
    """
    y, x = np.mgrid[0:300, 0:420].astype(np.float64)
    plane = 100.0 + 0.05 * x - 0.02 * y
    image = plane + np.random.default_rng(1).normal(0.0, 1.0, plane.shape)
    good = np.ones(plane.shape, np.bool_)
    good[:, 128:170] = False
    for size in (50, 64, 100, 150):
        found = measured(image, good, size=size)
        assert found.quality.cells == (round(300 / size), round(420 / size))
        off = found.model - plane
        assert abs(off.mean()) < 0.02
        assert off.std() < 0.1
        assert np.abs(off).max() < 0.35


def test_masked_pixels_do_not_count() -> None:
    """Whatever is in them."""
    rng = np.random.default_rng(2)
    image = 50.0 + rng.normal(0.0, 1.0, (256, 256))
    spoilt = image.copy()
    spoilt[100:140] = 1e6
    spoilt[::17, ::5] = np.nan
    bits = np.zeros(image.shape, np.int32)
    bits[100:140] = bits_of(mask_schema(), ["SAT"])
    variance = np.ones(image.shape)
    variance[30, 40] = np.inf
    good = believed_pixels(spoilt, variance, bits, mask_schema())
    assert not good[100:140].any()
    assert not good[0, 0]
    assert not good[30, 40]
    found = measured(spoilt, good, size=64)
    assert np.abs(found.model - 50.0).max() < 0.2
    assert found.quality.used < 0.85


def test_the_size_of_the_mesh_decides_what_is_sky() -> None:
    """A wave of 300 pixels is followed by cells of 32, and not by those of 256."""
    rng = np.random.default_rng(4)
    x = np.arange(768)
    wave = np.tile(5.0 * np.sin(2.0 * np.pi * x / 300.0), (768, 1))
    image = wave + rng.normal(0.0, 1.0, wave.shape)
    left = {size: float((image - measured(image, size=size).model).std()) for size in (32, 256)}
    assert left[32] < 1.2
    assert left[256] > 3.0


def test_the_filter_takes_out_a_cell_that_is_odd() -> None:
    """A haze over one cell, too smooth to be a source, is sky without the filter."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:448, 0:448]
    haze = 1.5 * np.exp(-0.5 * ((x - 224.0) ** 2 + (y - 224.0) ** 2) / 25.0**2)
    image = 10.0 + rng.normal(0.0, 20.0, haze.shape) + haze * 20.0 * 0.2
    peak = {side: measured(image, filter=side).model[224, 224] - 10.0 for side in (1, 3)}
    middle = {side: measured(image, size=64, filter=side).model[224, 224] - 10.0 for side in (1, 3)}
    assert middle[1] > 2.0
    assert middle[3] < 0.6 * middle[1]
    assert abs(peak[3]) < 1.0


def test_sources_are_masked_and_the_sky_is_not() -> None:
    """Of a star the light to well below the noise; of an empty sky one per cent."""
    field = stars(stars=1, spacing=200, signal_to_noise=(500.0, 500.1))
    image = field.planes.image.array.astype(np.float64)
    noise = np.full(image.shape, NOISE)
    good = np.ones(image.shape, np.bool_)
    found = mask_sources(image, noise, good)
    light = field.flux[0] * field.star(x=field.x[0], y=field.y[0], box=field.planes.bbox)
    assert light[~found].max() < 0.2 * NOISE
    empty = np.random.default_rng(6).normal(0.0, NOISE, (500, 500))
    assert (
        mask_sources(empty, np.full(empty.shape, NOISE), np.ones(empty.shape, np.bool_)).mean()
        < 0.06
    )
    assert not mask_sources(
        np.zeros((50, 50)), np.ones((50, 50)), np.zeros((50, 50), np.bool_)
    ).any()


def test_what_cannot_be_measured_is_refused() -> None:
    """With the file, the numbers, and the ways out."""
    image = np.random.default_rng(7).normal(0.0, 1.0, (100, 200))
    with pytest.raises(
        UnusableInputError, match=r"image.fits: .* 128 pixels, .* only 200 x 100; ch"
    ):
        measured(image)
    none = np.zeros(image.shape, np.bool_)
    with pytest.raises(UnusableInputError, match=r"in 0 of 18 cells of 32 pixels, 30% are needed"):
        measured(image, none, size=32)
    with pytest.raises(UnusableInputError, match="all their pixels are the same"):
        measured(np.ones((100, 200)), size=32)


@pytest.mark.parametrize(
    ("mesh", "said"),
    [
        ({"size": 8}, "size must be 16 pixels or more, got 8"),
        ({"filter": 2}, "filter must be odd, from 1 to 15, got 2"),
        ({"filter": 17}, "got 17"),
        ({"filter": -1}, "got -1"),
    ],
)
def test_meshes_are_checked(mesh: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SkyMesh(**mesh)


def test_quality_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    image = 7.0 + np.random.default_rng(8).normal(0.0, 2.0, (256, 256))
    quality = measured(image).quality
    assert quality.lowest < 7.1
    assert quality.highest > 6.9
    assert quality.noise == pytest.approx(2.0, rel=0.02)
    assert (quality.cells, quality.used > 0.9) == ((2, 2), True)
    assert "image.fits: its sky was measured on 2 x 2 cells by 9" in caplog.text
    assert dataclasses.astuple(quality) == dataclasses.astuple(measured(image).quality)
