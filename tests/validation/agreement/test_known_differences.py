"""Differences from the Rubin pipelines that a comparison knows: it names and counts them.

Theirs are made up here: what ours gives, but for the one thing that theirs does otherwise.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import YX, Box, Image, MaskedImage

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.assemble import assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.kernels.fill import fill_no_data
from cellcoadd.kernels.moments import adaptive_moments
from cellcoadd.masks.planes import ALL_PLANES, plane_array
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.products.warp import NO_OWNER, Warp
from cellcoadd.psfs.models import ImagePointSpreadFunction
from cellcoadd.psfs.stamp_shift import place_stamp
from cellcoadd.testing.images import make_detector, make_warp, small_patch
from cellcoadd.validation.agreement.coadds import compare_coadd
from cellcoadd.validation.agreement.comparison import Comparison, Tally
from cellcoadd.validation.agreement.filling import compare_filled
from cellcoadd.validation.agreement.reference_cases import WarpCase
from cellcoadd.validation.agreement.reference_coadds import (
    CellInput,
    CoaddCase,
    ExpectedCell,
    VisitInputs,
)
from cellcoadd.validation.agreement.warp_psfs import compare_warp_psf
from cellcoadd.validation.agreement.warps import compare_warp
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.positions import TractToDetector
from cellcoadd.warping.settings import WarpSettings

type Floats = npt.NDArray[np.float64]

CENTRE = Index2D(x=2, y=2)


def failed(comparison: Comparison) -> set[str]:
    """The quantities that do not agree."""
    return {one.quantity for one in comparison.agreements if not one.holds}


def affected(comparison: Comparison, words: str) -> tuple[int, float]:
    """How many values differ by the one rule with some words in it, and by how much."""
    found = [one for one in comparison.departures if words in one.rule]
    assert len(found) <= 1
    return (found[0].affected, found[0].largest) if found else (0, float("nan"))


# Pixels without data.


def compare_rows(empty: list[list[int]], off: list[list[float]]) -> Comparison:
    """Fill rows of pixels that grow from 1 to 2; theirs are off by parts of the largest."""
    no_data = np.array(empty, np.bool_)
    planes = np.broadcast_to(np.linspace(1.0, 2.0, no_data.shape[1]), (1, *no_data.shape))
    ours = planes.astype(np.float32)
    ours[0][no_data] = 0.0
    fill_no_data(ours, no_data)
    tally = Tally("made up", rounding=1e-6)
    theirs = ours[0] + 2.0 * np.array(off)
    compare_filled(tally, "filled pixels", ours[0], theirs, chosen=no_data, empty=no_data)
    return tally.result()


def test_a_filled_pixel_that_theirs_takes_for_data_is_known() -> None:
    """A single pixel with data between a run and a run at the right edge; at the left both copy."""
    empty = [[0, 0, 0, 0, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0, 1, 1], [1, 1, 0, 1, 0, 0, 0, 0]]
    off = np.zeros((3, 8))
    off[0, 6:] = 0.03
    found = compare_rows(empty, off.tolist())
    assert not failed(found)
    count, largest = affected(found, "at the right edge with one neighbour")
    assert count == 2
    assert 0.03 < largest < 0.04
    for row, column in ((0, 4), (1, 6), (2, 1)):
        wrong = np.zeros((3, 8))
        wrong[row, column] = 0.03
        assert failed(compare_rows(empty, wrong.tolist()))


@pytest.mark.parametrize(("width", "allowed"), [(10, 2e-4), (11, 6e-4), (25, 6e-4)])
def test_two_rounded_weights_are_off_at_once_in_wide_runs(width: int, allowed: float) -> None:
    """From 11 pixels on, each of two weights can be off by 3e-4, and then their sum by 6e-4."""
    empty = [[0] * 4 + [1] * width + [0] * 4]
    off = np.zeros((1, width + 8))
    off[0, 6] = 0.98 * allowed
    assert not failed(compare_rows(empty, off.tolist()))
    off[0, 6] = 1.1 * allowed
    assert len(failed(compare_rows(empty, off.tolist()))) == 1


# The order of lists.


def coadd_case(warps: list[Warp]) -> CoaddCase:
    """Warps, and as theirs the inputs of the cells that we make of them."""
    patch = small_patch()
    settings = CoaddSettings(
        overlap_region="inner", min_overlap_fraction=0.5, num_noise_realizations=1
    )
    visits = tuple(
        VisitInputs(
            warp=warp,
            noise=warp[patch.outer_bbox],
            noise_mask=plane_array(warp[patch.outer_bbox].mask),
        )
        for warp in warps
    )
    case = CoaddCase(
        name="made up", patch=patch, visits=visits, settings=settings, cells={}, psf_points=(),
        psf={},
    )  # fmt: skip
    coadd = assemble_cell_coadd(case.on_patch(), patch, settings=settings)
    assert coadd is not None
    cells = {}
    for index, cell in coadd.cells.items():
        rows = cell.contributions[cell.contributions["reason"] == RefusalReason.ACCEPTED]
        inputs = tuple(
            CellInput(
                visit=entry.visit,
                detector=entry.detector,
                weight=float(row["weight"]),
                overlaps_center=bool(row["overlaps_center"]),
                overlap_fraction=float(row["overlap_fraction"]),
                unmasked_fraction=float(row["unmasked_fraction"]),
                moments=(
                    float(row["psf_shape_xx"]),
                    float(row["psf_shape_yy"]),
                    float(row["psf_shape_xy"]),
                ),
                moments_flag=bool(row["psf_shape_flag"]),
            )
            for entry, row in zip(cell.inputs, rows, strict=True)
        )
        cells[index] = ExpectedCell(inputs=inputs, planes={})
    return dataclasses.replace(case, cells=cells)


def full_warp(visit: int) -> Warp:
    return make_warp(small_patch(), visit=visit, mask_fractions={ALL_PLANES: 0.0})


def test_inputs_of_a_cell_are_matched_by_number() -> None:
    """Three visits, listed backwards; with a wrong number they are not the same inputs."""
    case = coadd_case([full_warp(visit) for visit in (1, 2, 3)])
    assert not failed(compare_coadd(case))
    assert affected(compare_coadd(case), "in another order")[0] == 0
    cells = {
        index: ExpectedCell(inputs=cell.inputs[::-1], planes={})
        for index, cell in case.cells.items()
    }
    turned = compare_coadd(dataclasses.replace(case, cells=cells))
    assert not failed(turned)
    assert affected(turned, "in another order")[0] == 25
    first, *others = case.cells[CENTRE].inputs
    heavier = ExpectedCell(
        inputs=(*others, dataclasses.replace(first, weight=2.0 * first.weight)), planes={}
    )
    wrong = compare_coadd(dataclasses.replace(case, cells=cells | {CENTRE: heavier}))
    assert failed(wrong) == {"weight (relative)"}


def warp_case(images: list[Any], **description: Any) -> WarpCase:
    """Detectors, and as theirs our own warp of them."""
    patch = small_patch()
    settings = WarpSettings(
        number_of_noise_realizations=0, do_warp_masked_fraction=True,
        do_pre_warp_interpolation=False,
    )  # fmt: skip
    made = make_direct_warp(images, patch, settings=settings)
    assert made is not None
    whole: MaskedImage = made.warp[patch.outer_bbox]
    return WarpCase(
        name="made up",
        images=tuple(images),
        patch=patch,
        settings=settings,
        noise=tuple(np.empty((0, 1, 1), np.float32) for _ in images),
        noise_variance=tuple(1.0 for _ in images),
        expected={
            "image": whole.image.array,
            "variance": whole.variance.array,
            "mask": plane_array(whole.mask),
            "masked_fraction": np.where(np.isfinite(whole.image.array), 0.0, np.nan),
        },
        psf={},
        description={"output": description, "exact_source_positions": {}},
        interpolated={},
    )


def transform_to(image: CalibratedImage) -> TractToDetector:
    return TractToDetector(
        tract=small_patch().sky_projection, detector=image.sky_projection, source="made up"
    )


def position_of(image: CalibratedImage) -> dict[str, list[float]]:
    """The detector's position of a pixel of the patch."""
    box = small_patch().outer_bbox
    x, y = box.x.start + 40.0, box.y.start + 50.0
    at = transform_to(image).to_detector(x=np.array([x]), y=np.array([y]))
    return {"dest": [x, y], "src_exact": [float(at.x[0]), float(at.y[0])]}


def test_detectors_of_a_warp_are_matched_by_number() -> None:
    """Two side by side, of unlike size; theirs lists the second first."""
    patch = small_patch()
    x = 0.5 * (patch.outer_bbox.x.min + patch.outer_bbox.x.max)
    images = [
        make_detector(patch, x=x - 70.0, width=100, detector=4, pixels=1.0),
        make_detector(patch, x=x + 30.0, width=90, detector=7, pixels=2.0),
    ]
    case = warp_case(images, psf_points=[])
    pixels = case.expected["image"]
    counts = {4: int((pixels < 1.5).sum()), 7: int((pixels > 1.5).sum())}
    assert len(set(counts.values())) == 2
    for order, turned in (((4, 7), 0), ((7, 4), 1)):
        rows = [{"ccd": number, "goodpix": counts[number]} for number in order]
        output = {"psf_points": [], "coadd_inputs_ccds": rows}
        points = {f"v1_d{image.observation.detector}": [position_of(image)] for image in images}
        stated = dataclasses.replace(
            case, description={"output": output, "exact_source_positions": points}
        )
        found = compare_warp(stated)
        assert "number of good pixels" in {one.quantity for one in found.agreements}
        assert "number of good pixels" not in failed(found)
        assert affected(found, "in another order")[0] == turned
    rows.append({"ccd": 9, "goodpix": 0})
    assert "number of good pixels" in failed(compare_warp(stated))


# Point-spread functions.


@pytest.mark.parametrize(("short_of_centre", "known"), [(0.3, 1), (-0.3, 0)])
def test_flagged_moments_beside_a_detector_are_known(short_of_centre: float, known: int) -> None:
    """The detector ends in the middle pixel of a cell: before its centre, or behind it.

    Theirs owns each pixel that it touches, but has no PSF where its box does not reach.
    """
    patch = small_patch()
    centre = patch.grid.centre_of(CENTRE)
    source = make_detector(patch, x=centre.x - short_of_centre - 75.0)
    owner = np.where(
        np.arange(patch.outer_bbox.x.start, patch.outer_bbox.x.stop) <= centre.x, 0, NO_OWNER
    )
    made = make_warp(patch, owner=owner, mask_fractions={ALL_PLANES: 0.0})
    (entry,) = made.inputs
    warp = Warp(
        made[patch.outer_bbox],
        identifiers=made.identifiers,
        patch=made.patch,
        cell_border=made.grid.border,
        inputs=[dataclasses.replace(entry, bbox=source.bbox, sky_projection=source.sky_projection)],
        owner=made.owner,
        cell_inputs=made.cell_inputs,
        stamps=made.stamps,
        mask_fractions=made.mask_fractions,
    )
    case = coadd_case([warp])
    cell = case.cells[CENTRE]
    (one,) = cell.inputs
    assert 0.5 <= one.overlap_fraction < 0.6
    assert not failed(compare_coadd(case)) - {"outline of a detector (px)"}
    flagged = dataclasses.replace(one, moments=(1.0, 1.0, 0.0), moments_flag=True)
    cells = dict(case.cells) | {CENTRE: ExpectedCell(inputs=(flagged,), planes={})}
    found = compare_coadd(dataclasses.replace(case, cells=cells))
    assert affected(found, "within a pixel of the cell's centre")[0] == known
    assert ("PSF moments of an input: flag" in failed(found)) is not bool(known)


def lanczos3(offset: Floats) -> Floats:
    return np.sinc(offset) * np.sinc(offset / 3.0)


def padded_by_four(stamp: Floats, x: Floats, y: Floats) -> Floats:
    """Theirs: Lanczos-3 at positions on a stamp with four pixels of zeros around it; else 0."""
    padded = np.pad(stamp, 4)
    result = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        column, row = math.floor(x[place]) + 4, math.floor(y[place]) + 4
        if not (2 <= column <= len(padded) - 4 and 2 <= row <= len(padded) - 4):
            continue
        taps = np.arange(-2, 4)
        along, up = (lanczos3(taps - (value - math.floor(value))) for value in (x[place], y[place]))
        pixels = padded[row - 2 : row + 4, column - 2 : column + 4]
        result[place] = up @ pixels @ along / (up.sum() * along.sum())
    return result


def test_a_stamp_that_is_padded_too_little_is_known() -> None:
    """A detector at 30 degrees, and a PSF that is far from zero at its sides.

    Theirs by hand: the map is linear here, and positions are those of the middle of 10,000 bins.
    """
    patch = small_patch()
    middle = patch.grid.centre_of(CENTRE)
    psf = ImagePointSpreadFunction(
        np.ones((11, 11)) + 0.3 * np.eye(11), bounds=Box.factory[0:150, 0:150]
    )
    image = make_detector(patch, x=middle.x + 0.3, y=middle.y - 0.2, rotation=33.0, psf=psf)
    radius = 9
    along = np.arange(-radius, radius + 1.0)
    at = transform_to(image).to_detector(
        x=np.tile(middle.x + along, along.size), y=np.repeat(middle.y + along, along.size)
    )
    x, y = (at.x.reshape(2 * [along.size]), at.y.reshape(2 * [along.size]))
    stamp = psf.compute_stellar_image(x=float(x[radius, radius]), y=float(y[radius, radius]))
    x, y = ((np.floor(1e4 * values) + 0.5) / 1e4 for values in (x, y))
    theirs = padded_by_four(stamp.array, x - stamp.bbox.x.start, y - stamp.bbox.y.start)
    theirs /= theirs.sum()
    kernel = Image(theirs, yx0=YX(y=-radius, x=-radius))
    placed = place_stamp(kernel, x=float(middle.x), y=float(middle.y))
    point = {
        "point": [middle.x, middle.y],
        "kernel_image": {"key": "kernel", "bbox": [-radius, -radius, radius, radius]},
        "image": {
            "key": "image",
            "bbox": [placed.bbox.x.min, placed.bbox.y.min, placed.bbox.x.max, placed.bbox.y.max],
        },
        "shape_ixx_iyy_ixy": list(adaptive_moments(theirs.astype(np.float32))[:3]),
    }
    case = dataclasses.replace(
        warp_case([image], psf_points=[point]),
        psf={"kernel": theirs, "image": placed.array},
    )
    found = compare_warp_psf(case)
    assert not failed(found)
    count, largest = affected(found, "2 to 3 px outside of the stamp")
    assert count > 10
    assert 0.001 < largest < 0.1
