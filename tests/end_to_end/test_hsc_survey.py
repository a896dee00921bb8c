"""What a coadd of an HSC-like survey must show, because the real one does (technote SITCOMTN-137).

With the masked fraction f of the inputs of each cell, the threshold function is the fraction of
inputs with f < t, averaged over the cells. For BAD alone it has one step, at 4/250 for cells with
their border and at 4/150 for those without; for SAT and CR alone it has none there. With one to
three inputs the variance of cells is bimodal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd.cell_grid import Index2D
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.recipes import coadd_images
from cellcoadd.simulate import SurveyPlan, survey_plan
from cellcoadd.simulate.artifacts import bad_columns
from cellcoadd.testing.input_counts import count_inputs
from cellcoadd.validation.physics.sources import images_of, physics_patch
from cellcoadd.warping.settings import WarpSettings

type _Floats = npt.NDArray[np.float64]

REGIONS = {"": 250, "_inner": 150}
STEPS = {"": (0.015, 0.018), "_inner": (0.02, 0.03)}
"""Between these thresholds the step of the real data lies, in cells with and without border."""


@pytest.fixture(scope="module")
def plan() -> SurveyPlan:
    return survey_plan("hsc-tests")


@pytest.fixture(scope="module")
def coadd(plan: SurveyPlan) -> MultipleCellCoadd:
    settings = WarpSettings(do_warp_masked_fraction=True, do_pre_warp_interpolation=True)
    made = coadd_images(images_of(plan), physics_patch(), warp_settings=settings)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def inputs(coadd: MultipleCellCoadd) -> npt.NDArray[np.void]:
    """The rows of the inputs that cells took in."""
    accepted: npt.NDArray[np.bool_] = coadd.contributions["reason"] == RefusalReason.ACCEPTED
    rows: npt.NDArray[np.void] = coadd.contributions[accepted]
    return rows


def remaining(inputs: npt.NDArray[np.void], fraction: _Floats, threshold: float) -> float:
    """The threshold function: inputs with less than the threshold, averaged over cells."""
    cells = np.stack([inputs["cell_y"], inputs["cell_x"]])
    _, cell = np.unique(cells, axis=1, return_inverse=True)
    kept = np.bincount(cell.ravel(), weights=fraction < threshold)
    return float(np.mean(kept / np.bincount(cell.ravel())))


def step(inputs: npt.NDArray[np.void], fraction: _Floats, region: str) -> float:
    """How much the threshold function rises where the real one has its step."""
    low, high = (remaining(inputs, fraction, threshold) for threshold in STEPS[region])
    return high - low


def expected_fractions(
    plan: SurveyPlan, coadd: MultipleCellCoadd, inputs: npt.NDArray[np.void], region: str
) -> tuple[_Floats, npt.NDArray[np.bool_]]:
    """Part of each cell that bad columns cover, and whether they are off the cell's sides.

    Cells and detectors are aligned: the four corners of a cell have two columns of the detector.
    """
    assert plan.artifacts is not None
    fractions, clear = np.zeros(len(inputs)), np.zeros(len(inputs), dtype=bool)
    for number, row in enumerate(inputs):
        cell = coadd.cells[Index2D(x=int(row["cell_x"]), y=int(row["cell_y"]))]
        box = cell.inner.bbox if region else cell.outer.bbox
        x, y = (np.array([axis.min - 0.5, axis.max + 0.5]) for axis in (box.x, box.y))
        sky = coadd.sky_projection.pixel_to_sky(x=np.tile(x, 2), y=np.repeat(y, 2))
        observation = coadd.inputs[row["input"]].observation
        pointing = plan.pointing(observation.visit, observation.detector)
        corners = np.sort(pointing.to_pixels(ra=sky.ra.deg, dec=sky.dec.deg).x)
        left, right = corners[:2].mean(), corners[2:].mean()
        bad, _ = bad_columns(
            plan.artifacts,
            width=plan.camera.width, seed=plan.seed, detector=observation.detector,
        )  # fmt: skip
        columns = np.flatnonzero(bad)
        covered = np.minimum(right, columns + 0.5) - np.maximum(left, columns - 0.5)
        fractions[number] = np.clip(covered, 0.0, None).sum() / (right - left)
        # The bilinear kernel reaches a pixel beyond a column.
        sides = columns[0] - 1.5, columns[-1] + 1.5
        clear[number] = not any(sides[0] < side < sides[1] for side in (left, right))
    return fractions, clear


def test_cells_have_the_inputs_that_hold_them(plan: SurveyPlan, coadd: MultipleCellCoadd) -> None:
    """Counted from the plan. No cell is so near to a detector's side that a pixel matters."""
    made = np.zeros((22, 22), dtype=np.int64)
    for index, cell in coadd.cells.items():
        made[index.y, index.x] = cell.visit_count
    for margin in (1.0, 5.0):
        np.testing.assert_array_equal(made, count_inputs(plan, margin=margin))
    assert set(made.ravel().tolist()) == set(range(7))


@pytest.mark.parametrize("region", REGIONS)
def test_the_fraction_of_bad_columns_is_what_they_cover(
    plan: SurveyPlan, coadd: MultipleCellCoadd, inputs: npt.NDArray[np.void], region: str
) -> None:
    """Resampling moves a defect and keeps its area, also where columns become rows.

    The scale changes by less than 0.3 per cent, of which a part is in the expectation. Where a
    band lies on a side of the cell, the bilinear kernel takes half a column more or less.
    """
    size = REGIONS[region]
    expected, clear = expected_fractions(plan, coadd, inputs, region)
    measured = inputs[f"masked_fraction_BAD{region}"]
    crossed = clear & (expected > 0.0)
    assert crossed.sum() > 15
    assert np.all(measured[clear & (expected == 0.0)] == 0.0)
    np.testing.assert_allclose(measured[crossed], expected[crossed], rtol=2e-3)
    np.testing.assert_allclose(measured[crossed], 4.0 / size, rtol=3e-3)
    np.testing.assert_allclose(measured, expected, atol=0.5 / size)


@pytest.mark.parametrize("region", REGIONS)
def test_bad_columns_alone_make_the_step(
    plan: SurveyPlan, coadd: MultipleCellCoadd, inputs: npt.NDArray[np.void], region: str
) -> None:
    """At 4/250 in cells with their border, at 4/150 without, and as high as geometry says.

    A cell with its border is crossed by a band of a detector of 640 columns in four of ten places
    at most, 250/640; bands near a detector's side are crossed by fewer cells.
    """
    fraction = inputs[f"masked_fraction_BAD{region}"]
    expected, _ = expected_fractions(plan, coadd, inputs, region)
    low, high = STEPS[region]
    height = step(inputs, fraction, region)
    assert height == pytest.approx(step(inputs, expected, region), abs=1e-12)
    assert height > {"": 0.2, "_inner": 0.06}[region]
    # Below it are the few cells whose side cuts a band, above it none: none has two bands.
    below = remaining(inputs, fraction, low) - remaining(inputs, fraction, 0.001)
    assert 0.0 <= below < 0.1 * height
    assert remaining(inputs, fraction, high) == 1.0
    elsewhere = "_inner" if not region else ""
    assert remaining(inputs, fraction, STEPS[elsewhere][0]) == pytest.approx(
        remaining(inputs, fraction, STEPS[elsewhere][1]), abs=1e-12
    )


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("plane", ["SAT", "CR"])
def test_stars_and_cosmic_rays_alone_make_no_step(
    inputs: npt.NDArray[np.void], plane: str, region: str
) -> None:
    """Their fractions are of all sizes: at the step of BAD hardly an input in fifty changes."""
    fraction = inputs[f"masked_fraction_{plane}{region}"]
    assert remaining(inputs, fraction, 0.001) < 0.95
    assert step(inputs, fraction, region) < 0.02


@pytest.mark.parametrize("region", REGIONS)
def test_the_step_of_bad_columns_is_that_of_all_planes_together(
    inputs: npt.NDArray[np.void], region: str
) -> None:
    """Stars and cosmic rays push some inputs with a bad column beyond it.

    Of the real tract 9813's step between 0.015 and 0.018, 0.130 high for BAD alone, 0.093 remain
    for all planes together: seven tenths. Inputs without a bad column hardly enter it.
    """
    together = step(inputs, inputs[f"masked_fraction{region}"], region)
    alone = step(inputs, inputs[f"masked_fraction_BAD{region}"], region)
    assert 0.6 * alone < together < alone + 0.02


def lanczos3_at_half_a_pixel() -> float:
    """Variance that noise keeps when it is resampled half a pixel away in x and in y."""
    offset = np.arange(-2.5, 3.0)
    weight = np.sinc(offset) * np.sinc(offset / 3.0)
    weight /= weight.sum()
    return float((weight**2).sum() ** 2)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_with_few_inputs_the_variance_is_bimodal(
    plan: SurveyPlan, coadd: MultipleCellCoadd, number: int
) -> None:
    """All inputs are deep or all are shallow, and the widest gap of the variances parts the two.

    A visit of sky noise s has the variance s^2 in a cell whose pixels fall on the detector's, and
    0.62 of it where they fall between four; amplifiers change s by 3 per cent at most. N inputs
    have one N-th. Variances of deep cells end below those of shallow ones so.
    """
    assert plan.artifacts is not None
    sigmas = np.sort([visit.sky_sigma for visit in plan.visits])
    deep, shallow = sigmas[:3], sigmas[3:]
    extreme = plan.artifacts.amplifier_noise_step
    most = (deep.max() * (1.0 + extreme)) ** 2
    least = (shallow.min() * (1.0 - extreme)) ** 2 * lanczos3_at_half_a_pixel()
    assert lanczos3_at_half_a_pixel() == pytest.approx(0.62, abs=0.005)
    assert most < 0.9 * least

    depth = {visit.visit: visit.sky_sigma <= deep.max() for visit in plan.visits}
    kinds: list[bool] = []
    variances: list[float] = []
    for cell in coadd.cells.values():
        if cell.visit_count == number:
            (kind,) = {depth[entry.visit] for entry in cell.inputs}
            kinds.append(kind)
            variances.append(float(np.median(cell.inner.variance.array)))
    order = np.argsort(variances)
    variance, is_deep = np.array(variances)[order], np.array(kinds)[order]
    n_deep = int(is_deep.sum())
    assert min(n_deep, len(is_deep) - n_deep) >= 8
    assert is_deep[:n_deep].all()
    assert number * variance[n_deep - 1] < most
    assert number * variance[n_deep] > least
    ratio = variance[1:] / variance[:-1]
    assert int(np.argmax(ratio)) == n_deep - 1
    assert ratio.max() > 1.25
