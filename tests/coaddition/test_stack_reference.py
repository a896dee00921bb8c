"""The sums beside those of the Rubin pipelines (RULES.md section 4 of the reference values).

Their selection looks at the inner regions only and adds up NaN, so the inputs of each cell are
taken from their record, and pixels where theirs is NaN or made up are passed over.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import YX, Box
from lsst.images.cells import CellGrid

from cellcoadd.cell_grid import BorderedCellGrid, Index2D
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.coaddition.stack import CellStackBuilder, InputInCell, StackLayout
from cellcoadd.kernels.accumulate import InputPlanes
from cellcoadd.masks.planes import ALL_PLANES, STANDARD_PLANES, bits_of, mask_schema
from cellcoadd.products.cell_coadd.stack import CellStack

SCHEMA = mask_schema()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A coadd of ours and theirs."""

    ours: CellStack
    theirs: dict[str, npt.NDArray[Any]]
    planes: dict[str, int]
    from_scatter: bool
    noise_follows: dict[Index2D, npt.NDArray[np.bool_]]
    """Where the noise of all inputs has the mask of their images."""


def _translated(bits: npt.NDArray[Any], planes: dict[str, int]) -> npt.NDArray[np.int32]:
    result = np.zeros(bits.shape, np.int32)
    for name, bit in planes.items():
        if name in STANDARD_PLANES and name not in ("EDGE", "NOT_DEBLENDED"):
            result[bits & (1 << bit) != 0] |= bits_of(SCHEMA, [name])
    return result


def _box(corners: list[int]) -> Box:
    x_min, y_min, x_max, y_max = corners
    return Box.factory[y_min : y_max + 1, x_min : x_max + 1]


@pytest.fixture(scope="module", params=["C1_default", "C2_error_from_scatter"])
def case(request: pytest.FixtureRequest, shared: Path) -> Case:
    folder = shared / "reference" / "rubin" / "C_assembly"
    inputs = json.loads((folder / "inputs.json").read_text())
    description = json.loads((folder / f"{request.param}.json").read_text())
    theirs = dict(np.load(folder / "C1_default.npz"))
    changed = dict(np.load(folder / f"{request.param}.npz"))
    for name in changed:
        if name.endswith("_diffindex"):
            plane = name.removesuffix("_diffindex")
            changed_plane = theirs[plane].copy()
            changed_plane.flat[changed[name]] = changed[f"{plane}_diffvalue"]
            theirs[plane] = changed_plane
        elif not name.endswith("_diffvalue"):
            theirs[name] = changed[name]
    patch = _box(inputs["sky"]["patch_outer_bbox"])
    grid = BorderedCellGrid(
        inner=CellGrid(
            bbox=Box.factory[
                patch.y.start + 20 : patch.y.stop - 20, patch.x.start + 20 : patch.x.stop - 20
            ],
            cell_shape=YX(y=60, x=60),
        ),
        border=20,
    )
    settings = CoaddSettings(
        num_noise_realizations=1,
        calc_error_from_input_variance=description["config"]["calc_error_from_input_variance"],
        do_interpolate_coadd=False,
    )
    builder = CellStackBuilder(
        StackLayout(grid=grid, schema=SCHEMA, fraction_names=(ALL_PLANES,), settings=settings)
    )
    warps = {}
    for warp in inputs["warps_in_processing_order"]:
        planes = np.load(folder / warp["file"])
        warps[warp["visit"]] = {name: planes[name] for name in planes}
    names = description["mask_planes"]
    owned = {
        visit: InputPlanes(
            image=planes["image"],
            variance=planes["variance"],
            mask=_translated(planes["mask"], names),
            owner=np.zeros(planes["image"].shape, np.uint8),
            noise=planes["noise0_image"][np.newaxis],
            fractions=planes["masked_fraction"][np.newaxis],
        )
        for visit, planes in warps.items()
    }
    bad = np.int32(sum(1 << names[plane] for plane in settings.bad_mask_planes))
    noise_follows = {}
    psf = np.full((35, 35), 1 / 35**2, np.float32)
    for cell in description["cells"]:
        index = Index2D(x=cell["cell"][0], y=cell["cell"][1])
        outer = grid.outer_bbox_of(index)
        assert outer == _box(cell["outer_bbox"])
        window = outer.slice_within(patch)
        noise_follows[index] = np.ones(tuple(outer.shape), np.bool_)
        for entry in cell["inputs"]:
            planes = {
                name: plane[window.y, window.x] for name, plane in warps[entry["visit"]].items()
            }
            noise_follows[index] &= ((planes["mask"] ^ planes["noise0_mask"]) & bad) == 0
            builder.add(
                owned[entry["visit"]],
                {index: InputInCell(psf=psf, noise_covariance=psf)},
                start=YX(y=patch.y.start, x=patch.x.start),
                kept_bits=-1,
                number=0,
                weight=entry["weight"],
            )
    ours = builder.finish()
    assert ours is not None
    return Case(
        ours=ours,
        theirs=theirs,
        planes=names,
        from_scatter=not settings.calc_error_from_input_variance,
        noise_follows=noise_follows,
    )


def compared_pixels(case: Case, row: int) -> npt.NDArray[np.bool_]:
    """Where both have a value that was summed."""
    index = case.ours.indices[row]
    name = f"{index.x}_{index.y}"
    filled = case.theirs[f"{name}_mask"] & (1 << case.planes["NO_DATA"]) != 0
    good: npt.NDArray[np.bool_] = np.isfinite(case.theirs[f"{name}_image"]) & ~filled
    return good


def test_image_and_noise_are_theirs(case: Case) -> None:
    """Theirs multiplies in single precision: to 3e-7 of the largest value of a cell.

    Their noise lacks the defects that were put into the images; there it is passed over.
    """
    assert len(case.ours.indices) == 21
    compared = 0
    for row, index in enumerate(case.ours.indices):
        name, good = f"{index.x}_{index.y}", compared_pixels(case, row)
        masks = {"image": good, "noise0": good & case.noise_follows[index]}
        for plane, ours in (("image", case.ours.image), ("noise0", case.ours.noise[0])):
            theirs = case.theirs[f"{name}_{plane}"][masks[plane]]
            if theirs.size:
                difference = np.abs(ours[row][masks[plane]] - theirs).max()
                assert difference <= 3e-7 * np.abs(theirs).max()
            compared += theirs.size
    assert compared > 350_000


def test_variance_is_theirs(case: Case) -> None:
    """From the variances to 3e-7; from the scatter, theirs is a difference of squares.

    In single precision that loses the digits that the mean has more than the scatter, all of them
    where the inputs have equal values, so most pixels agree well and a few do not.
    """
    compared = 0
    for row, index in enumerate(case.ours.indices):
        good = compared_pixels(case, row)
        ours, theirs = case.ours.variance[row], case.theirs[f"{index.x}_{index.y}_variance"]
        good &= np.isfinite(theirs) & np.isfinite(ours)
        if not good.any():
            continue
        difference = np.abs(ours[good] / theirs[good] - 1)
        if case.from_scatter:
            assert np.quantile(difference, 0.9) < 1e-4
            assert np.quantile(difference, 0.99) < 1e-2
        else:
            assert difference.max() < 3e-7
        compared += int(good.sum())
    assert compared > (80_000 if case.from_scatter else 170_000)


def test_mask_is_theirs_where_ours_knows_no_better(case: Case) -> None:
    """Ours marks INEXACT_PSF wherever an input was left out; theirs forgets those without data."""
    ours_only = bits_of(SCHEMA, ["INEXACT_PSF"])
    for row, index in enumerate(case.ours.indices):
        good = compared_pixels(case, row)
        theirs = _translated(case.theirs[f"{index.x}_{index.y}_mask"], case.planes)
        ours = case.ours.mask[row]
        np.testing.assert_array_equal(ours[good] & ~ours_only, theirs[good] & ~ours_only)
        assert not np.any(theirs[good] & ours_only & ~ours[good])
