"""Pixels of visit images are read past lsst.images; they must be what lsst.images reads."""

from __future__ import annotations

import gc
import gzip
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.images import Box, Mask, MaskPlane, MaskSchema, Polygon, VisitImage
from lsst.images.fits import (
    FitsCompressionAlgorithm,
    FitsCompressionOptions,
    FitsDitherAlgorithm,
    FitsQuantizationOptions,
)

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import (
    standard_name,
    to_standard_planes,
    with_standard_names,
)
from cellcoadd.products.calibrated_image.deferred_pixels import DeferredPixels
from cellcoadd.simulate.camera import Camera
from cellcoadd.simulate.observe import simulate_visit_detector
from cellcoadd.simulate.plan import SurveyPlan, VisitPlan
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image, read_visit_image

_TILES = FitsCompressionOptions(tile_shape=(7, 40))
_ROUNDED = FitsCompressionOptions(
    algorithm=FitsCompressionAlgorithm.RICE_1,
    quantization=FitsQuantizationOptions(
        dither=FitsDitherAlgorithm.SUBTRACTIVE_DITHER_1, level=16.0, seed=1
    ),
)
FORMS: dict[str, dict[str, Any]] = {
    "uncompressed": {"image": None, "mask": None, "variance": None},
    "rows": {},
    "tiles of rows": {"image": _TILES, "mask": _TILES, "variance": _TILES},
    "rounded with dither": {"image": _ROUNDED, "variance": None},
}
"""How lsst.images may have compressed the planes; of the last one we know nothing."""


@pytest.fixture(scope="module")
def visit_image() -> VisitImage:
    plan = SurveyPlan(
        visits=(VisitPlan(visit=12),),
        camera=Camera(columns=1, rows=1, width=40, height=51, first_x=3, first_y=5),
    )
    return simulate_visit_detector(plan, visit=12, detector=0)


def with_mask(image: VisitImage, mask: Mask, bounds: Polygon | None = None) -> VisitImage:
    return VisitImage(
        image.image,
        mask=mask,
        variance=image.variance,
        sky_projection=image.sky_projection,
        obs_info=image.obs_info,
        summary_stats=image.summary_stats,
        psf=image.psf,
        detector=image.detector,
        band=image.band,
        bounds=bounds,
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [(5, 56), (5, 6), (20, 33), (55, 56)])
def test_any_rows_are_those_of_lsst_images(
    visit_image: VisitImage, tmp_path: Path, form: str, rows: tuple[int, int]
) -> None:
    """To the bit, whichever tiles they lie in, and the mask plane by plane."""
    path = tmp_path / "image.fits"
    visit_image.write(str(path), compression_options=FORMS[form])
    expected = VisitImage.read(str(path))
    pixels = read_visit_image(path).calibrated_image.masked_image
    assert isinstance(pixels, DeferredPixels)
    box = Box.factory[rows[0] : rows[1], 3:43]
    found = pixels[box]
    assert found.bbox == box
    np.testing.assert_array_equal(found.image.array, expected.image[box].array)
    np.testing.assert_array_equal(found.variance.array, expected.variance[box].array)
    for plane in expected.mask.schema.names:
        np.testing.assert_array_equal(
            found.mask.get(standard_name(plane)), expected.mask[box].get(plane), err_msg=plane
        )


def test_columns_can_be_cut_out(visit_image: VisitImage, tmp_path: Path) -> None:
    """A box that is not of whole rows, for those who ask the Butler for one."""
    path = tmp_path / "image.fits"
    visit_image.write(str(path))
    box = Box.factory[10:30, 7:19]
    found = read_visit_image(path).calibrated_image.window(box)
    np.testing.assert_array_equal(found.masked_image.image.array, visit_image.image[box].array)


def test_an_image_whose_middle_is_bad_is_read_whole(
    visit_image: VisitImage, tmp_path: Path
) -> None:
    """Its middle rows do not tell what it is like, but that is no reason to refuse it."""
    spoilt = visit_image.copy()
    spoilt.variance.array[15:40] = np.inf
    path = tmp_path / "image.fits"
    spoilt.write(str(path))
    image = read_visit_image(path).calibrated_image
    assert not isinstance(image.masked_image, DeferredPixels)
    np.testing.assert_array_equal(image.masked_image.variance.array, spoilt.variance.array)


def test_a_file_that_goes_before_its_pixels_are_read_is_named(
    visit_image: VisitImage, tmp_path: Path
) -> None:
    """The error says which file, and that it is not there."""
    path = tmp_path / "image.fits"
    visit_image.write(str(path))
    image = read_visit_image(path).calibrated_image
    path.unlink()
    with pytest.raises(Exception, match=r"image\.fits"):
        image.window(image.bbox)


@pytest.mark.parametrize(
    "names",
    [("SATURATED", None, "COSMIC_RAY", "BAD"), ("SAT", "SATURATED", "CR", "BAD")],
    ids=["a gap", "two names for one"],
)
def test_odd_masks_are_read_plane_by_plane(
    visit_image: VisitImage, tmp_path: Path, names: tuple[str | None, ...]
) -> None:
    """Bits without a name are not stored; two planes that mean the same are joined."""
    planes = [None if name is None else MaskPlane(name, "Some plane.") for name in names]
    mask = Mask(0, schema=MaskSchema(planes), bbox=visit_image.bbox)
    for column, name in enumerate(filter(None, names)):
        flags = np.zeros(tuple(visit_image.bbox.shape), np.bool_)
        flags[:, column] = True
        mask.set(name, flags)
    image = with_mask(visit_image, mask)
    path = tmp_path / "image.fits"
    image.write(str(path))
    found = read_visit_image(path).calibrated_image.masked_image[...].mask
    for column, name in enumerate(filter(None, names)):
        columns = np.flatnonzero(found.get(standard_name(name))[0])
        assert column in columns
        assert len(columns) == (2 if standard_name(name) == "SAT" and None not in names else 1)


def test_the_mask_of_an_image_in_memory_is_left_alone(visit_image: VisitImage) -> None:
    """Pixels outside of the region of validity are flagged in a copy."""
    mask = with_standard_names(to_standard_planes(visit_image.mask))
    bounds = Polygon(x_vertices=[3.0, 20.0, 20.0, 3.0], y_vertices=[5.0, 5.0, 30.0, 30.0])
    image = with_mask(visit_image, mask, bounds=bounds)
    before = image.mask.array.copy()
    flagged = calibrated_image_from_visit_image(image).masked_image.mask.get("NO_DATA")
    assert flagged.any()
    np.testing.assert_array_equal(image.mask.array, before)


def with_own_planes(image: VisitImage, *, count: int, used: int) -> VisitImage:
    """The image with a mask of planes of its own, some of which a pixel has."""
    planes = [MaskPlane("SATURATED", "Too much light.")]
    planes += [MaskPlane(f"OWN_{number}", "Some plane.") for number in range(count)]
    mask = Mask(0, schema=MaskSchema(planes), bbox=image.bbox)
    for number in range(used):
        flags = np.zeros(tuple(image.bbox.shape), np.bool_)
        flags[number, 7] = True
        mask.set(f"OWN_{number}", flags)
    return with_mask(image, mask)


def test_more_planes_than_there_is_room_for_are_refused_by_name(
    visit_image: VisitImage, tmp_path: Path
) -> None:
    """Seventeen planes of ours and sixteen others are two more than 31 bits hold."""
    image = with_own_planes(visit_image, count=16, used=16)
    path = tmp_path / "image.fits"
    image.write(str(path))
    with pytest.raises(UnusableInputError, match=r"at most 31 planes, got 33: .*OWN_3") as caught:
        read_visit_image(path)
    assert caught.value.source == str(path)
    with pytest.raises(UnusableInputError, match="visit 12 detector 0: its mask has too many"):
        calibrated_image_from_visit_image(image)


def test_planes_that_no_pixel_has_make_room(visit_image: VisitImage, tmp_path: Path) -> None:
    """Nothing is lost with them, and all parts of the image have the same planes."""
    image = with_own_planes(visit_image, count=20, used=3)
    path = tmp_path / "image.fits"
    image.write(str(path))
    found = read_visit_image(path).calibrated_image.masked_image[...].mask
    assert {name for name in found.schema.names if name.startswith("OWN")} == {
        "OWN_0", "OWN_1", "OWN_2",
    }  # fmt: skip
    for number in range(3):
        assert np.argwhere(found.get(f"OWN_{number}")).tolist() == [[number, 7]]
    image = with_own_planes(visit_image, count=14, used=0)
    image.write(str(tmp_path / "room.fits"))
    kept = read_visit_image(tmp_path / "room.fits").calibrated_image.masked_image[...].mask
    assert "OWN_13" in kept.schema.names, "where there is room, all stay"


def test_a_packed_file_is_unpacked_once(
    visit_image: VisitImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels are read strip by strip, each of which would unpack the whole file again."""
    plain, packed = tmp_path / "image.fits", tmp_path / "image.fits.gz"
    visit_image.write(str(plain))
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    opened: list[object] = []
    original = gzip.open

    def counting(*arguments: Any, **keywords: Any) -> Any:
        opened.append(arguments)
        return original(*arguments, **keywords)

    monkeypatch.setattr(gzip, "open", counting)
    survey_image = read_visit_image(packed)
    assert survey_image.source == packed
    expected = read_visit_image(plain).calibrated_image
    image = survey_image.calibrated_image
    packed.unlink()
    for start in range(expected.bbox.y.start, expected.bbox.y.stop, 10):
        box = Box.factory[
            start : min(start + 10, expected.bbox.y.stop),
            expected.bbox.x.start : expected.bbox.x.stop,
        ]
        part, same = image.window(box).masked_image, expected.window(box).masked_image
        np.testing.assert_array_equal(part.image.array, same.image.array)
        np.testing.assert_array_equal(part.variance.array, same.variance.array)
        np.testing.assert_array_equal(part.mask.array, same.mask.array)
    assert len(opened) == 1
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    del survey_image, image, part
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir()), "nothing is left behind"


def test_a_packed_file_that_is_damaged_is_named(visit_image: VisitImage, tmp_path: Path) -> None:
    """Cut off, or no gzip at all; nothing is left behind either."""
    plain, packed = tmp_path / "image.fits", tmp_path / "image.fits.gz"
    visit_image.write(str(plain))
    content = gzip.compress(plain.read_bytes())
    for data in (content[: len(content) // 2], b"no gzip" * 100):
        packed.write_bytes(data)
        with pytest.raises(UnusableInputError, match="cut off or damaged") as caught:
            read_visit_image(packed)
        assert caught.value.source == str(packed)
