"""Views of our products under the names of lsst.afw: what they show is ours, to the bit."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from lsst.images import Box, Mask, MaskPlane, MaskSchema

from cellcoadd import Index2D, MissingPlaneError, MultipleCellCoadd, Warp, any_of, compute_weight
from cellcoadd.coming_from_afw import (
    AssembleCellCoaddTask,
    Butler,
    afwGeom,
    afwImage,
    afwMath,
    as_afw,
    geom,
)
from cellcoadd.masks.planes import STANDARD_PLANES
from cellcoadd.testing.repositories import template_repository
from cellcoadd.warping.direct import DirectWarp


@pytest.fixture
def warp(direct_warps: list[DirectWarp]) -> Warp:
    return copy.deepcopy(direct_warps[0].warp)


def test_pixels_are_those_of_the_product(warp: Warp) -> None:
    """A view that copied would double the memory, and lose what is changed through it."""
    view = as_afw(warp)
    for plane in ("image", "variance"):
        assert getattr(view, plane).array is getattr(warp, plane).array
        assert np.shares_memory(
            getattr(view.getMaskedImage(), plane).array, getattr(warp, plane).array
        )
    assert view.mask.array.base is not None
    assert np.shares_memory(view.mask.array, warp.mask.array)
    assert view.mask.array.shape == warp.mask.array.shape[:2]
    view.image.array[3, 4] = 137.0
    assert warp.image.array[3, 4] == 137.0


def test_a_cut_out_has_pixels_of_the_warp(warp: Warp) -> None:
    """`warp[bbox]` is an exposure, by a box of either kind, as is the masked image's own."""
    box = warp.bbox.local[5:9, 0:7]
    for asked in (box, as_afw(box)):
        cut_out = as_afw(warp)[asked].getMaskedImage()
        assert (cut_out.getWidth(), cut_out.getHeight()) == (7, 4)
        assert cut_out.getBBox() == as_afw(box)
        np.testing.assert_array_equal(cut_out.getImage().array, warp[box].image.array)
        assert np.shares_memory(cut_out.variance.array, warp.variance.array)
    assert as_afw(warp).maskedImage[box].image.array.shape == (4, 7)
    assert as_afw(warp).image[as_afw(box)].array.shape == (4, 7)
    assert as_afw(warp).mask[box].array.shape == (4, 7)


def test_a_box_ends_one_pixel_after_its_last() -> None:
    """The technote takes corners of cells from `begin` and `end`."""
    box = as_afw(Box.factory[10:14, 20:25])
    assert (box.beginX, box.endX, box.minX, box.maxX, box.width) == (20, 25, 20, 24, 5)
    assert (box.beginY, box.endY, box.minY, box.maxY, box.height) == (10, 14, 10, 13, 4)
    assert (box.getBeginX(), box.getMaxY(), box.getWidth()) == (20, 13, 5)


def test_planes_have_the_bits_of_their_masks(cell_coadd: MultipleCellCoadd) -> None:
    """By the class, before there is a mask, and by each mask: the same numbers."""
    cell = next(iter(as_afw(cell_coadd).cells.values()))
    mask = cell.outer.mask
    for plane in ("BAD", "SAT", "INTRP", "CR"):
        bits = mask.getPlaneBitMask(plane)
        assert bits == afwImage.Mask.getPlaneBitMask(plane) == 1 << mask.getMaskPlane(plane)
        found = np.where(np.bitwise_and(mask.array, bits), True, False)
        np.testing.assert_array_equal(found, cell.ours.outer.mask.get(plane))
    both = afwImage.Mask.getPlaneBitMask(("BAD", "SAT"))
    np.testing.assert_array_equal(mask.array & both != 0, any_of(mask.ours, ["BAD", "SAT"]))
    assert mask.getMaskPlaneDict().items() >= {"BAD": 0, "SAT": 1, "INTRP": 2}.items()
    assert list(afwImage.Mask.getMaskPlaneDict()) == list(STANDARD_PLANES)
    with pytest.raises(MissingPlaneError, match="no plane 'SATURATION'"):
        mask.getPlaneBitMask("SATURATION")


def test_a_mask_with_other_bits_is_refused() -> None:
    """The bits of `afwImage.Mask` would mean other planes in it."""
    planes = [MaskPlane("SAT", "Saturated."), MaskPlane("BAD", "Bad.")]
    mask = Mask(0, schema=MaskSchema(planes, dtype=np.int32), bbox=Box.factory[0:2, 0:2])
    with pytest.raises(ValueError, match="to_standard_planes"):
        as_afw(mask)


def test_cells_are_found_by_index_or_pair_of_the_named_tuple(cell_coadd: MultipleCellCoadd) -> None:
    """Filled ones only, in the order of the coadd; the planes are those of the cell."""
    view = as_afw(cell_coadd)
    assert list(view.cells.keys()) == list(cell_coadd.cells)
    assert view.grid.shape[0] == cell_coadd.grid.shape.x
    for index, cell in view.cells.items():
        assert isinstance(index, Index2D)
        assert cell.ours == cell_coadd.cells[index]
        inner, outer = cell.inner, cell.outer
        assert inner.bbox.ours == cell_coadd.grid.inner_bbox_of(index)
        np.testing.assert_array_equal(inner.image.array, cell.ours.inner.image.array)
        assert np.shares_memory(outer.variance.array, cell_coadd.stack.variance)
        assert len(outer.noise_realizations) == len(cell.ours.outer.noise_realizations)
        assert outer.asMaskedImage().mask == outer.mask
        fractions = cell.ours.outer.mask_fractions["rejected"]
        np.testing.assert_array_equal(outer.mask_fractions.array, fractions.array)
        np.testing.assert_array_equal(cell.psf_image.array, cell.ours.psf_image.array)
        assert (cell.inputs, cell.visit_count) == (cell.ours.inputs, cell.ours.visit_count)
    assert repr(view.cells) == repr(cell_coadd.cells)


def test_positions_are_those_of_the_projection(cell_coadd: MultipleCellCoadd) -> None:
    """There and back, one and many, in radians and in degrees."""
    wcs = as_afw(cell_coadd).wcs
    cell = next(iter(as_afw(cell_coadd).cells.values()))
    assert cell.getWcs() == cell.wcs == wcs
    x, y = cell.inner.bbox.beginX, cell.inner.bbox.endY
    sky, truth = wcs.pixelToSky(x, y), cell_coadd.wcs.pixel_to_sky(x=float(x), y=float(y))
    assert wcs.pixelToSky((x, y)) == sky
    assert sky.getRa().asDegrees() == pytest.approx(truth.ra.deg, rel=1e-15)
    assert sky.getLatitude().asRadians() == sky.dec == sky[1] == truth.dec.rad
    assert sky.getDec().asArcseconds() == pytest.approx(60 * sky.getDec().asArcminutes())
    assert tuple(wcs.skyToPixel(sky)) == pytest.approx((x, y), abs=1e-6)
    many = wcs.pixelToSkyArray([x, x + 1], [y, y], degrees=True)
    assert (many[0][0], many[1][0]) == pytest.approx((truth.ra.deg, truth.dec.deg), rel=1e-15)
    back = wcs.skyToPixelArray(*wcs.pixelToSkyArray([x, x + 1], [y, y]))
    np.testing.assert_allclose(back, [[x, x + 1], [y, y]], atol=1e-6)
    assert wcs.getPixelScale((x, y)).asArcseconds() == pytest.approx(0.2, rel=1e-6)
    assert sky.separation(wcs.pixelToSky(x + 1, y)).asArcseconds() == pytest.approx(0.2, rel=1e-6)
    with pytest.raises(TypeError, match="pixelToSkyArray"):
        wcs.pixelToSky([x, x], [y, y])
    assert wcs.pixelToSky(x + 9, y).getRa() < sky.getRa(), "right ascension grows to the left"
    assert geom.Angle(math.pi).asDegrees() == 180.0


def test_the_weight_is_ours(warp: Warp) -> None:
    """One over the clipped mean of the variance, without the pixels of the mask that is set."""
    control, task = afwMath.StatisticsControl(), AssembleCellCoaddTask()
    control.setAndMask(afwImage.Mask.getPlaneBitMask(("BAD", "NO_DATA", "SAT")))
    control.setNanSafe(True)
    assert control.getAndMask() == 0b100000011
    view = as_afw(warp).getMaskedImage()
    weight = task._compute_weight(view, control)
    assert weight == compute_weight(warp.masked_image) > 0
    warp.variance.array[:40] *= 4.0
    warp.mask.set("BAD", np.arange(warp.bbox.y.size)[:, np.newaxis] < np.full(warp.bbox.x.size, 40))
    masked = task._compute_weight(view, control)
    assert masked == compute_weight(warp.masked_image)
    control.setAndMask(afwImage.Mask.getPlaneBitMask(["NO_DATA", "SAT"]))
    assert task._compute_weight(view, control) < masked
    finite = np.argwhere(np.isfinite(warp.variance.array))[-1]
    warp.variance.array[tuple(finite)] = np.nan
    assert np.isfinite(task._compute_weight(view, control))
    control.setNanSafe(False)
    assert not control.getNanSafe()
    assert math.isnan(task._compute_weight(view, control))


@pytest.mark.parametrize(
    ("of", "name", "advice"),
    [
        (lambda warp: as_afw(warp), "getPsf", "warp.ours.psf"),
        (lambda warp: as_afw(warp), "getPhotoCalib", "nJy"),
        (lambda warp: as_afw(warp).mask, "addMaskPlane", "add_plane"),
        (lambda warp: as_afw(warp).wcs, "getFitsMetadata", "as_fits_wcs"),
        (lambda warp: as_afw(warp.bbox), "getDimensions", r"\(y, x\)"),
        (lambda _: afwImage, "ExposureF", "Exposure"),
        (lambda _: afwMath, "makeStatistics", "compute_weight"),
        (lambda _: afwGeom, "makeSkyWcs", "from_fits_wcs"),
        (lambda _: afwMath.StatisticsControl(), "setNumIter", "twice"),
    ],
)
def test_a_name_that_is_not_offered_says_what_to_use(
    of: Any, name: str, advice: str, warp: Warp
) -> None:
    """Whoever comes from lsst.afw knows the names of there, and learns those of here."""
    with pytest.raises(AttributeError, match=f"{name} is not offered; in cellcoadd: .*{advice}"):
        getattr(of(warp), name)


def test_other_names_are_ordinary_errors(warp: Warp) -> None:
    """They name the page; and `hasattr`, copies and pickles work."""
    with pytest.raises(AttributeError, match=r"Exposure has no 'getNothing'; .*coming-from-afw"):
        as_afw(warp).getNothing()
    box = as_afw(warp.bbox)
    assert not hasattr(box, "_repr_html_")
    assert copy.copy(box) == pickle.loads(pickle.dumps(box)) == box
    assert box != warp.bbox
    assert "y=" in repr(box)


def test_what_is_ours_is_found_on_the_view(warp: Warp, cell_coadd: MultipleCellCoadd) -> None:
    """Nobody has to choose between the two worlds, not for one line."""
    assert as_afw(warp).inputs == warp.inputs
    assert as_afw(cell_coadd).stitch().bbox == cell_coadd.bbox
    table = Table()
    assert as_afw(table) is table


def test_the_butler_is_a_butler_in_all_else(tmp_path: Path) -> None:
    """What has no view comes out as it is, now or later; the technote's test reads what has."""
    root = template_repository(tmp_path / "repo", tracts=[9813])
    with Butler(root, writeable=True, run="u/someone") as butler:
        assert "skymaps" in butler.registry.queryCollections()
        sky_map = butler.get("skyMap", skymap="hsc_rings_cells_v1", collections="skymaps")
        assert sky_map[9813].patch(61).id == 61
        handle = butler.getDeferred("skyMap", skymap="hsc_rings_cells_v1", collections="skymaps")
        assert handle.get() == sky_map
        assert handle.dataId["skymap"] == "hsc_rings_cells_v1"
