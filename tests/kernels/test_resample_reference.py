"""The resampler beside the Rubin pipelines' warper (RULES.md section 1 of the reference values)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import maximum_filter

from cellcoadd.kernels.positions import node_indices
from cellcoadd.kernels.resample import resample
from cellcoadd.kernels.warping_kernel import warping_kernel
from cellcoadd.testing.slow_twins import interpolate_positions

CASES = ["B1_tan_rotated", "B3_tan_sip_scale", "B6_partial_coverage"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A detector and its warp, ours and the reference's."""

    area: npt.NDArray[np.float64]
    ours: dict[str, npt.NDArray[Any]]
    theirs: dict[str, npt.NDArray[Any]]
    no_data: int


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, shared: Path) -> Case:
    folder = shared / "reference" / "rubin" / request.param
    description = json.loads((folder / "case.json").read_text())
    entry = description["inputs"][0]
    source = np.load(folder / entry["file"])
    wcs = WCS(fits.Header.fromstring("".join(entry["wcs_header_cards"])))
    tract = description["sky"]["tract_wcs"]
    target = WCS(naxis=2)
    target.wcs.ctype = tract["ctype"]
    target.wcs.crpix = tract["crpix_fits_1based"]
    target.wcs.crval = tract["crval_deg"]
    target.wcs.cd = tract["cd_deg"]

    x_min, y_min, x_max, y_max = description["sky"]["patch_outer_bbox"]
    columns = node_indices(x_min, x_max + 1, 10)
    rows = node_indices(y_min, y_max + 1, 10)
    sky = target.all_pix2world(*np.meshgrid(columns.astype(float), rows.astype(float)), 0)
    x, y = wcs.all_world2pix(*sky, 0, tolerance=1e-10, maxiter=50)
    origin = entry["xy0"]
    x, y = np.ascontiguousarray(x - origin[0]), np.ascontiguousarray(y - origin[1])

    planes = entry["mask_planes"]
    scale = np.float32(entry["photocalib_nJy_per_count"])
    shape = (y_max - y_min + 1, x_max - x_min + 1)
    ours: dict[str, Any] = {
        "image": np.empty((1, *shape), np.float32),
        "variance": np.empty((1, *shape), np.float32),
        "mask": np.empty(shape, np.int32),
        "masked_fraction": np.empty((1, *shape), np.float32),
        "coverage": np.empty(shape, np.bool_),
    }
    # Their bad pixels, when they do not interpolate.
    bad = (source["variance"] < 0) | np.isinf(source["variance"])
    assert not description["config"]["doPreWarpInterpolation"]
    image = source["image"] * scale
    variance = source["variance"] * scale**2
    resample(
        image[None], variance[None], source["mask"],
        bad.astype(np.uint16), 0, bad.shape[0],
        x, y, x_min, y_min, 10, warping_kernel().table, 3,
        1 << planes["EDGE"], 1 << planes["NO_DATA"],
        *ours.values(),
    )  # fmt: skip
    _, _, area = interpolate_positions(
        x, y, x_start=x_min, y_start=y_min, width=shape[1], height=shape[0], spacing=10
    )
    theirs = dict(np.load(folder / "warp.npz"))
    return Case(area=area, ours=ours, theirs=theirs, no_data=1 << planes["NO_DATA"])


def _local_scale(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the largest magnitude near each pixel: rounding errors are relative to that."""
    finite = np.where(np.isfinite(plane), np.abs(plane), 0)
    scale: npt.NDArray[np.float32] = maximum_filter(finite, 9)
    return scale


@pytest.mark.parametrize("plane", ["image", "variance"])
def test_pixels_are_those_of_the_rubin_warper(case: Case, plane: str) -> None:
    """Same kernel, positions and areas: what differs is the rounding of single precision sums."""
    good = case.ours["mask"] != case.no_data
    assert good.mean() > 0.05
    ours, theirs = case.ours[plane][0], case.theirs[plane]
    assert np.all(np.isfinite(theirs[good]))
    difference = np.abs(ours[good] - theirs[good]) / _local_scale(theirs)[good]
    assert difference.max() < 2e-6


def test_no_data_is_theirs_and_what_they_leave_unflagged(case: Case) -> None:
    """They flag what leaves the detector; 6 x 6 pixels around a NaN or inf come out unflagged."""
    ours = case.ours["mask"] == case.no_data
    theirs = case.theirs["mask"] & case.no_data != 0
    silent = ~np.isfinite(case.theirs["image"]) | ~np.isfinite(case.theirs["variance"])
    np.testing.assert_array_equal(ours, theirs | silent)
    np.testing.assert_array_equal(case.ours["coverage"], ~theirs)
    assert np.all(np.isnan(case.ours["image"][0][ours]))
    assert np.all(case.ours["variance"][0][ours] == np.inf)


def test_mask_is_that_of_the_rubin_warper(case: Case) -> None:
    """Bits spread over the 2 x 2 pixels around a position, EDGE over the whole kernel."""
    good = case.ours["mask"] != case.no_data
    np.testing.assert_array_equal(case.ours["mask"][good], case.theirs["mask"][good])


def test_masked_fraction_is_theirs_without_the_area_ratio(case: Case) -> None:
    """A fraction is not a flux: theirs, scaled by the area, is compared after dividing it out."""
    ours, theirs = case.ours["masked_fraction"][0], case.theirs["masked_fraction"]
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs / case.area, rtol=0, atol=2e-6)
    assert np.nanmax(ours) <= 1.0
