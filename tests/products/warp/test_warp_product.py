"""A warp in a person's hands, and its stored form."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import Box, MaskedImage
from lsst.images.serialization import (
    InvalidComponentError,
    InvalidParameterError,
    open_archive,
    read_archive,
    write_archive,
)

from cellcoadd.cell_grid import Index2D
from cellcoadd.errors import MissingCellError
from cellcoadd.masks.planes import ALL_PLANES, plane_array
from cellcoadd.products.warp import NO_OWNER, Warp
from cellcoadd.testing.images import make_detector, make_warp, small_patch
from cellcoadd.warping.direct import DirectWarp, make_direct_warp
from cellcoadd.warping.settings import WarpSettings

PATCH = small_patch()


def assert_same_pixels(ours: MaskedImage, theirs: MaskedImage) -> None:
    assert ours.bbox == theirs.bbox
    assert ours.image.array.tobytes() == theirs.image.array.tobytes()
    assert ours.variance.array.tobytes() == theirs.variance.array.tobytes()
    np.testing.assert_array_equal(plane_array(ours.mask), plane_array(theirs.mask))
    assert ours.mask.schema == theirs.mask.schema
    assert ours.sky_projection == theirs.sky_projection
    assert ours.image.unit == theirs.image.unit
    assert ours.variance.unit == theirs.variance.unit


@pytest.fixture(params=[0, 1])
def warp(request: pytest.FixtureRequest, direct_warps: list[DirectWarp]) -> Warp:
    number: int = request.param
    return direct_warps[number].warp


def test_warp_is_the_same_after_storing(warp: Warp, tmp_path: Path) -> None:
    """Coaddition reads what warping made, bit for bit: pixels, tables, footprints, every PSF."""
    path = tmp_path / "warp.fits"
    write_archive(warp, path)
    again = read_archive(str(path), Warp)
    assert_same_pixels(warp.masked_image, again.masked_image)
    np.testing.assert_array_equal(again.owner, warp.owner)
    assert again.owner.dtype == np.uint8
    assert again.cell_inputs.dtype == warp.cell_inputs.dtype
    np.testing.assert_array_equal(again.cell_inputs, warp.cell_inputs)
    assert again.stamps.dtype == np.float32
    np.testing.assert_array_equal(again.stamps, warp.stamps)
    assert (again.identifiers, again.patch, again.grid) == (
        warp.identifiers, warp.patch, warp.grid,
    )  # fmt: skip
    assert (again.instrument, again.visit, again.band) == ("Cam", warp.visit, "i")
    assert list(again.mask_fractions) == list(warp.mask_fractions) == [
        ALL_PLANES, "BAD", "SAT", "CR",
    ]  # fmt: skip
    for name, plane in warp.mask_fractions.items():
        assert again.mask_fractions[name].bbox == plane.bbox
        np.testing.assert_array_equal(again.mask_fractions[name].array, plane.array)
    for ours, theirs in zip(warp.inputs, again.inputs, strict=True):
        assert ours.observation == theirs.observation
        assert ours.bbox == theirs.bbox
        assert ours.sky_projection == theirs.sky_projection
        assert ours.footprint == theirs.footprint
        assert ours.weight == theirs.weight
        stars = [each.psf.compute_stellar_image(x=30.3, y=70.6) for each in (ours, theirs)]
        assert type(ours.psf) is type(theirs.psf)
        assert stars[0].bbox == stars[1].bbox
        np.testing.assert_allclose(stars[0].array, stars[1].array, rtol=1e-12, atol=1e-15)


def test_a_warp_from_its_file_is_equal(warp: Warp, tmp_path: Path) -> None:
    """To the bit; a part is not, nor is one with a single other pixel."""
    path = tmp_path / "warp.fits"
    warp.write(path)
    again = Warp.read(path)
    assert again == warp
    assert again.psf == warp.psf
    assert Warp.read(path, bbox=warp.bbox.dilated_by(-3)) != warp
    again.image.array[0, 0] = 7.0
    assert again != warp
    assert warp != "a warp"
    with pytest.raises(FileExistsError, match="overwrite=True"):
        warp.write(path)


def test_a_box_reads_the_pixels_of_that_box(warp: Warp, tmp_path: Path) -> None:
    """A cut-out of a large file must not cost the whole of it."""
    path = tmp_path / "warp.fits"
    write_archive(warp, path)
    box = PATCH.grid.outer_bbox_of(Index2D(x=2, y=2))
    part = read_archive(str(path), Warp, bbox=box)
    assert_same_pixels(warp[box], part.masked_image)
    place = box.slice_within(warp.bbox)
    np.testing.assert_array_equal(part.owner, warp.owner[place.y, place.x])
    for name, plane in warp.mask_fractions.items():
        assert part.mask_fractions[name] == plane[box]
    with open_archive(str(path), Warp) as reader:
        assert_same_pixels(reader.get_component("masked_image", bbox=box), warp[box])
        assert reader.get_component("image", bbox=box) == warp.image[box]
        assert reader.get_component("grid") == warp.grid
        assert reader.get_component("patch") == warp.patch
        assert reader.get_component("sky_projection") == warp.sky_projection
        for call in (
            lambda: reader.get_component("grid", bbox=box),
            lambda: reader.get_component("masked_image", nonsense=1),
            lambda: reader.read(nonsense=1),
        ):
            with pytest.raises(InvalidParameterError):
                call()
        with pytest.raises(InvalidComponentError):
            reader.get_component("nonsense")


def test_a_box_reads_the_cells_that_are_whole_in_it(warp: Warp, tmp_path: Path) -> None:
    """So that the coadd of a few cells can be made from a part of the files, and is the same.

    Of the 5 x 5 cells a box of 2 x 2 outer regions holds 2 x 2; a margin of a pixel adds none.
    """
    path = tmp_path / "warp.fits"
    write_archive(warp, path)
    low, high = (PATCH.grid.outer_bbox_of(Index2D(x=n, y=n)) for n in (1, 2))
    box = Box.factory[low.y.start : high.y.stop, low.x.start : high.x.stop].dilated_by(1)
    part = read_archive(str(path), Warp, bbox=box)
    assert {(int(row["cell_x"]), int(row["cell_y"])) for row in part.cell_inputs} == {
        (1, 1), (2, 1), (1, 2), (2, 2)
    }  # fmt: skip
    for index in part.psf.cells:
        assert part.psf[index] == warp.psf[index]
    with pytest.raises(MissingCellError, match="no pixel"):
        read_archive(str(path), Warp, bbox=Box.factory[0:4, 0:4])


def test_file_opens_with_its_planes_first(warp: Warp, tmp_path: Path) -> None:
    """Any viewer shows image, mask and variance."""
    path = tmp_path / "warp.fits"
    write_archive(warp, path)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus[1:4]] == ["IMAGE", "MASK", "VARIANCE"]


def test_warp_without_any_stamp_can_be_stored(tmp_path: Path) -> None:
    """A corner of a detector may reach the patch and no cell's centre."""
    corner = PATCH.outer_bbox.start
    made = make_direct_warp(
        [make_detector(PATCH, x=corner.x, y=corner.y, width=20, height=20)],
        PATCH,
        settings=WarpSettings(),
    )
    assert made is not None
    assert len(made.warp.stamps) == 0
    assert len(made.warp.cell_inputs) > 0
    write_archive(made.warp, tmp_path / "warp.fits")
    again = read_archive(str(tmp_path / "warp.fits"), Warp)
    assert len(again.stamps) == 0
    assert again.psf.cells == []
    with pytest.raises(MissingCellError, match="no input"):
        again.psf[Index2D(x=0, y=0)]


def test_cut_out_beyond_the_warp_has_no_data_there() -> None:
    """A cell at the edge of a detector is as large as any other."""
    bbox = Box.factory[
        PATCH.outer_bbox.y.start + 30 : PATCH.outer_bbox.y.stop,
        PATCH.outer_bbox.x.start : PATCH.outer_bbox.x.start + 50,
    ]
    warp = make_warp(PATCH, bbox=bbox, pixels=np.arange(82 * 50).reshape(82, 50))
    box = PATCH.grid.outer_bbox_of(Index2D(x=1, y=1))
    cut = warp[box]
    assert cut.bbox == box
    for y in range(box.y.start, box.y.stop):
        for x in range(box.x.start, box.x.stop):
            here = cut[Box.factory[y : y + 1, x : x + 1]]
            if bbox.contains(x=x, y=y):
                expected = (y - bbox.y.start) * 50 + x - bbox.x.start
                assert here.image.array[0, 0] == expected
                assert not here.mask.get("NO_DATA")[0, 0]
            else:
                assert np.isnan(here.image.array[0, 0])
                assert here.variance.array[0, 0] == np.inf
                assert here.mask.get("NO_DATA")[0, 0]
    far = warp[Box.factory[0:3, 0:4]]
    assert np.isnan(far.image.array).all()


def test_cut_out_inside_of_the_warp_is_a_view() -> None:
    """No pixel is copied, so a change shows in both."""
    warp = make_warp(PATCH)
    box = PATCH.grid.outer_bbox_of(Index2D(x=1, y=1))
    warp[box].image.array[0, 0] = 77.0
    assert warp.image[box].array[0, 0] == 77.0


@pytest.mark.parametrize("side", ["left", "right", "below", "above", "corner", "far"])
def test_cut_out_beside_the_warp_is_empty_but_complete(side: str) -> None:
    """A person loops over visits and boxes; where a visit shows nothing, nothing must need care."""
    box = PATCH.outer_bbox
    bbox = Box.factory[box.y.start + 30 : box.y.stop - 20, box.x.start + 25 : box.x.stop - 20]
    warp = make_warp(PATCH, bbox=bbox)
    y, x = {
        "left": (bbox.y.start, bbox.x.start - 4),
        "right": (bbox.y.start, bbox.x.stop),
        "below": (bbox.y.start - 3, bbox.x.start),
        "above": (bbox.y.stop, bbox.x.start),
        "corner": (bbox.y.stop, bbox.x.stop),
        "far": (-70000, -90000),
    }[side]
    cut = warp[Box.factory[y : y + 3, x : x + 4]]
    assert cut.bbox == Box.factory[y : y + 3, x : x + 4]
    assert np.isnan(cut.image.array).all()
    assert (cut.variance.array == np.inf).all()
    assert cut.mask.schema == warp.mask.schema
    assert (cut.mask.array == warp.mask.schema.bitmask("NO_DATA")).all()
    assert cut.unit == warp.image.unit
    assert cut.variance.unit == warp.variance.unit
    assert cut.sky_projection is warp.sky_projection


def test_cut_out_around_the_warp_holds_all_of_it() -> None:
    """Every plane, with a border without data."""
    flags = {"SAT": np.random.default_rng(1).random((62, 50)) < 0.3}
    box = PATCH.outer_bbox
    bbox = Box.factory[box.y.start + 30 : box.y.stop - 20, box.x.start + 25 : box.x.start + 75]
    pixels = np.arange(62 * 50).reshape(62, 50)
    warp = make_warp(PATCH, bbox=bbox, pixels=pixels, variance=pixels + 1.0, flags=flags)
    cut = warp[bbox.dilated_by(3)]
    assert_same_pixels(cut[bbox], warp.masked_image)
    assert int(cut.mask.get("NO_DATA").sum()) == 68 * 56 - 62 * 50
    assert_same_pixels(warp[...], warp.masked_image)
    assert np.shares_memory(warp[...].image.array, warp.image.array)


def test_a_warp_is_cut_out_by_boxes_only() -> None:
    """Slices say not whether they count from the tract's corner or from the warp's."""
    with pytest.raises(TypeError, match="by a Box in pixels of the tract, got a tuple"):
        make_warp(PATCH)[0:3, 0:4]  # type: ignore[index]


def test_psf_of_a_cell_is_that_of_the_detector_at_its_centre() -> None:
    """Two detectors of different seeing side by side, neither at the centre of the middle column.

    The helper makes the second detector's PSF 10 per cent wider.
    """
    owner = np.full(tuple(PATCH.outer_bbox.shape), NO_OWNER)
    owner[:, :50], owner[:, 60:] = 0, 1
    warp = make_warp(PATCH, owner=owner, mean_variances=(1.0, 2.0))
    assert {index.x for index in warp.psf.cells} == {0, 1, 3, 4}
    left, right = (warp.psf[Index2D(x=x, y=2)].array for x in (1, 3))
    assert left.max() / right.max() == pytest.approx(1.1**2, rel=1e-3)


def test_warp_says_what_it_is(warp: Warp) -> None:
    """A person in a notebook sees visit, patch, box and detectors."""
    text = repr(warp)
    for part in (f"visit={warp.visit}", "small tract 0 patch 24"):
        assert part in text
    assert "detectors" in str(warp.describe())


def test_wrong_parts_are_refused() -> None:
    """Each message says the rule and the value."""
    warp = make_warp(PATCH)
    values: dict[str, Any] = {
        "identifiers": warp.identifiers, "patch": warp.patch, "cell_border": 6,
        "inputs": warp.inputs, "owner": warp.owner, "cell_inputs": warp.cell_inputs,
        "stamps": warp.stamps,
    }  # fmt: skip
    with pytest.raises(ValueError, match="at least one input"):
        Warp(warp.masked_image, **(values | {"inputs": []}))
    with pytest.raises(ValueError, match=r"owner has shape \(3, 4\)"):
        Warp(warp.masked_image, **(values | {"owner": np.zeros((3, 4), np.uint8)}))
    with pytest.raises(ValueError, match="at most 254 detectors, got 255"):
        Warp(warp.masked_image, **(values | {"inputs": list(warp.inputs) * 255}))
    bare = MaskedImage(
        copy.deepcopy(warp.image), mask=warp.mask.copy(), variance=warp.variance.copy()
    )
    if bare.sky_projection is None:
        with pytest.raises(ValueError, match="projection"):
            Warp(bare, **values)
