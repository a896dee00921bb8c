"""Our coadd of reference warps beside that of the Rubin pipelines, cell by cell."""

from __future__ import annotations

__all__ = ["compare_coadd"]

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from ..coaddition.assemble import assemble_cell_coadd
from ..kernels.moments import adaptive_moments, effective_area
from ..products.cell_coadd import MultipleCellCoadd, SingleCellCoadd
from ..products.cell_inputs import RefusalReason
from ..products.mask_planes import ALL_PLANES, bits_of, mask_schema, plane_array
from .cell_rules import CellRules, find_rules
from .comparison import Comparison, Tally, local_scale, worst_near
from .reference_cases import box_from_corners
from .reference_coadds import CellInput, CoaddCase

ROUNDING = 2e-6
"""Of the local scale: they form products in single precision."""

SCATTER = 1e-6
"""Of the variance and the mean's square: theirs is a difference of squares in single precision."""

FILLED = 3e-4
"""Of the row: their four coefficients have four decimals, and in wide runs are a limit."""

STAMP = 1e-5
"""Of a PSF's peak."""

PSF_SUM = 5e-3
"""What the sum of a PSF may be off 1."""

SUM_LESS_THEIRS = 1e-6
"""Theirs are of single precision."""

MOMENTS = 5e-5
"""Of the mean moment: theirs are of the warp's PSF, on a linear map of the pixels."""

WEIGHT = 1e-6
FRACTION = 1e-12

_SCHEMA = mask_schema()
_INTRP = bits_of(_SCHEMA, ["INTRP"])
_INEXACT = bits_of(_SCHEMA, ["INEXACT_PSF"])
_FAULTY_RUN = 7  # pixels at an edge, which theirs fills by the wrong pattern

type _Where = npt.NDArray[np.bool_]


def compare_coadd(case: CoaddCase) -> Comparison:
    """Assemble a reference case and compare cells, inputs, pixels and PSFs with theirs."""
    coadd = assemble_cell_coadd(case.on_patch(), case.patch, settings=case.settings)
    if coadd is None:
        raise ValueError(f"{case.name}: no cell has an input.")
    whole = _with_whole_psfs(case)
    tally = Tally(case.name, rounding=ROUNDING)
    present = dict.fromkeys(coadd.cells, 1) | dict.fromkeys(case.cells, -1)
    missing = set(coadd.cells) ^ set(case.cells)
    tally.agree("cells present", float(len(missing)), 0.0, len(present))
    for index, expected in case.cells.items():
        if index in missing:
            continue
        cell = coadd.cells[index]
        rules = find_rules(case, index, expected.inputs)
        if _compare_inputs(tally, case, cell, expected.inputs, rules):
            if "psf" in expected.planes:
                uncut = whole.psf[index].array
                _compare_cell_psf(tally, cell.psf_image.array, expected.planes["psf"], uncut)
            if "mask" in expected.planes:
                _compare_mask(tally, cell, expected.planes, rules)
            _compare_pixels(tally, case, cell, expected.planes, rules)
    _compare_psf(tally, case, coadd)
    return tally.result()


def _compare_inputs(
    tally: Tally,
    case: CoaddCase,
    cell: SingleCellCoadd,
    inputs: tuple[CellInput, ...],
    rules: CellRules,
) -> bool:
    """Compare the table of inputs; false if it is not of the same inputs."""
    rows = cell.contributions
    rows = rows[rows["reason"] == RefusalReason.ACCEPTED]
    # What is not finite counts as masked to us, and can be too much.
    limit = 1.0 - case.settings.max_maskfrac
    kept = [
        entry
        for entry, hidden in zip(inputs, rules.silent_inner, strict=True)
        if hidden == 0.0 or entry.unmasked_fraction - hidden >= limit
    ]
    tally.differ("inputs refused because what is not finite counts as masked",
                 len(inputs) - len(kept), count=len(inputs))  # fmt: skip
    ours = [(entry.visit, entry.detector) for entry in cell.inputs]
    same = ours == [(entry.visit, entry.detector) for entry in kept or inputs]
    tally.agree("inputs of a cell", float(not same), 0.0, len(inputs))
    if not same or len(kept) < len(inputs):
        return False
    for row, entry, hidden in zip(rows, inputs, rules.silent_inner, strict=True):
        tally.agree("weight (relative)", abs(float(row["weight"]) / entry.weight - 1.0), WEIGHT)
        difference = abs(float(row["overlap_fraction"]) - entry.overlap_fraction)
        tally.agree("overlap fraction", difference, FRACTION)
        difference = abs(float(row["unmasked_fraction"]) + hidden - entry.unmasked_fraction)
        tally.agree("unmasked fraction", difference, FRACTION)
        rule = "unmasked fraction: what is not finite counts as masked"
        tally.differ(rule, hidden > 0, largest=hidden)
        # For less they take the PSF somewhere else.
        if entry.overlap_fraction >= 0.5:
            xx, yy, xy = entry.moments
            found = [float(row[f"psf_shape_{name}"]) for name in ("xx", "yy", "xy")]
            difference = float(np.abs(np.subtract(found, (xx, yy, xy))).max()) / (0.5 * (xx + yy))
            tally.agree("PSF moments of an input (of their mean)", difference, MOMENTS)
    return True


def _compare_mask(
    tally: Tally, cell: SingleCellCoadd, planes: dict[str, npt.NDArray[Any]], rules: CellRules
) -> None:
    ours, theirs = plane_array(cell.outer.mask), planes["mask"]
    ignored = _INEXACT | (_INTRP if rules.empty.all() else 0)
    chosen = rules.common & ~rules.stray
    tally.same("mask, without INEXACT_PSF", ours & ~ignored, theirs & ~ignored, chosen)
    inexact = (ours & _INEXACT) != 0
    tally.same("INEXACT_PSF where an input is left out", inexact, rules.left_out)
    theirs_inexact = (theirs & _INEXACT) != 0
    lost = theirs_inexact & ~inexact
    tally.agree("INEXACT_PSF of theirs that ours lacks", float(lost.sum()), 0.0, lost.size)
    tally.differ(
        "INEXACT_PSF: ours also where an input has no data or is another detector's",
        int((inexact & ~theirs_inexact).sum()), count=inexact.size,
    )  # fmt: skip
    tally.differ("pixels not finite without a flag: ours leaves them out",
                 int(rules.silent.sum()), count=ours.size)  # fmt: skip
    tally.differ("pixels of another detector in the border: ours leaves them out",
                 int(rules.foreign.sum()), count=ours.size)  # fmt: skip
    tally.differ(
        "mask planes outside of an input's detector: to ours there is NO_DATA only",
        int(rules.stray.sum()), count=ours.size,
    )  # fmt: skip
    if rules.empty.all():
        tally.differ("cells without a good pixel: INTRP and noise 0, theirs no flag and NaN", 1)


def _compare_pixels(
    tally: Tally,
    case: CoaddCase,
    cell: SingleCellCoadd,
    planes: dict[str, npt.NDArray[Any]],
    rules: CellRules,
) -> None:
    outer = cell.outer
    good = rules.common & ~rules.empty
    ours = {
        "image": outer.image.array,
        "variance": outer.variance.array,
        "mask_fractions": outer.mask_fractions[ALL_PLANES].array,
        "noise0": outer.noise_realizations[0].array,
    }
    if "image" in planes:
        tally.near("image", ours["image"], planes["image"], good)
        if case.settings.do_interpolate_coadd:
            _compare_filled(
                tally, "image", ours["image"], planes["image"], common=rules.common,
                empty=rules.empty,
            )  # fmt: skip
        elif not rules.empty.all():
            chosen = rules.empty & rules.common
            tally.near("image NaN where no input is used", ours["image"], planes["image"], chosen)
    if "variance" in planes:
        if case.settings.calc_error_from_input_variance:
            tally.near("variance", ours["variance"], planes["variance"], good)
        else:
            _compare_scatter(tally, ours, planes["variance"], rules)
        wrong = np.isfinite(ours["variance"][rules.empty])
        tally.agree("variance inf where no input is used", float(wrong.sum()), 0.0, wrong.size)
        tally.differ(
            "filled pixels: variance +inf, theirs finite",
            int(np.isfinite(planes["variance"][rules.empty & rules.common]).sum()),
            count=good.size,
        )  # fmt: skip
    if "mask_fractions" in planes:
        plane = planes["mask_fractions"]
        # A fraction is small or zero in most places: differences are compared with 1.
        common = rules.common & ~rules.outside
        tally.near("masked fraction", ours["mask_fractions"] + 1.0, plane + 1.0, common)
        tally.differ(
            "masked fraction outside of the detector, in cells that touch three regions: theirs 0",
            int(rules.outside.sum()), count=common.size,
        )  # fmt: skip
    if "noise0" in planes:
        tally.near("noise", ours["noise0"], planes["noise0"], good & ~rules.noise)
        if case.settings.do_interpolate_coadd and not rules.empty.all():
            _compare_filled(
                tally, "noise", ours["noise0"], planes["noise0"],
                common=rules.common & ~rules.noise, empty=rules.empty,
            )  # fmt: skip
        tally.differ("noise: left out where the image is, theirs by a mask of its own",
                     int(rules.noise.sum()), count=good.size)  # fmt: skip


def _compare_scatter(
    tally: Tally, ours: dict[str, npt.NDArray[Any]], theirs: npt.NDArray[Any], rules: CellRules
) -> None:
    """Variance from the scatter: theirs loses digits where the mean is large."""
    w, w2 = rules.weight, rules.squared_weight
    several = rules.common & ~rules.empty & (w**2 - w2 > 1e-9 * w**2)
    shrink = w2[several] / (w**2 - w2)[several]
    mine, other = ours["variance"][several], theirs[several]
    # Inputs of one value have no scatter but what rounding makes.
    rounding = shrink * local_scale(ours["image"])[several] ** 2
    known = np.isfinite(mine) & np.isfinite(other)
    difference = np.abs(mine[known] - other[known]) / (other + rounding)[known]
    tally.agree("variance from scatter", float(difference.max(initial=0.0)), SCATTER, known.sum())
    tally.differ("variance from scatter: rounding noise of inputs with one value",
                 int((~known).sum()), count=known.size)  # fmt: skip
    single = rules.common & ~rules.empty & ~(w**2 - w2 > 1e-9 * w**2)
    finite = np.isfinite(ours["variance"][single]) | np.isfinite(theirs[single])
    tally.agree("variance inf for a single input", float(finite.sum()), 0.0, finite.size)


def _compare_filled(
    tally: Tally,
    name: str,
    ours: npt.NDArray[Any],
    theirs: npt.NDArray[Any],
    *,
    common: _Where,
    empty: _Where,
) -> None:
    """Compare what was interpolated from other pixels of the row, where those are the same."""
    rows = common.all(axis=1) & ~_faulty_rows(empty)
    chosen = empty & rows[:, np.newaxis]
    # One other pixel in the cell is enough to change the median that wide runs at edges get.
    if not common.all():
        chosen &= ~_touches_edge(empty)
    worst, count = worst_near(ours, theirs, chosen, size=(1, 51))
    tally.agree(f"filled pixels of the {name} (of the row)", worst, FILLED, count)
    skipped = empty & common & ~chosen
    tally.differ(
        f"filled pixels of the {name}: others in the row or cell, or runs of 7 at an edge",
        np.count_nonzero(skipped), count=np.count_nonzero(empty),
    )  # fmt: skip


def _faulty_rows(empty: _Where) -> _Where:
    """Rows with a run of seven pixels at an edge."""
    left = empty[:, :_FAULTY_RUN].all(axis=1) & ~empty[:, _FAULTY_RUN]
    right = empty[:, -_FAULTY_RUN:].all(axis=1) & ~empty[:, -_FAULTY_RUN - 1]
    result: _Where = left | right
    return result


def _touches_edge(empty: _Where) -> _Where:
    """Pixels of runs along the rows that reach an edge."""
    runs, _ = label(empty, structure=[[0, 0, 0], [1, 1, 1], [0, 0, 0]])
    edge = np.union1d(runs[:, 0], runs[:, -1])
    result: _Where = np.isin(runs, edge[edge > 0])
    return result


def _with_whole_psfs(case: CoaddCase) -> MultipleCellCoadd:
    """The coadd again, with PSF images that nothing is cut off."""
    size = max(visit.warp.stamps.shape[1] for visit in case.visits)
    settings = dataclasses.replace(case.settings, psf_dimensions=size)
    coadd = assemble_cell_coadd(case.on_patch(), case.patch, settings=settings)
    assert coadd is not None, "the same cells have an input"
    return coadd


def _compare_cell_psf(
    tally: Tally,
    ours: npt.NDArray[np.float64],
    theirs: npt.NDArray[np.float32],
    whole: npt.NDArray[np.float64],
) -> None:
    """Compare the PSF of a cell with theirs, and its sum with 1; neither renormalises it."""
    worst = np.abs(ours - theirs).max() / theirs.max()
    tally.agree("PSF of a cell (of the peak)", float(worst), STAMP, theirs.size)
    expected = np.array(adaptive_moments(theirs)[:3])
    found = np.array(adaptive_moments(ours.astype(np.float32))[:3])
    difference = np.abs(found - expected).max() / expected[:2].mean()
    tally.agree("PSF of a cell: moments (of their mean)", float(difference), STAMP)
    ratio = effective_area(ours) / effective_area(theirs)
    tally.agree("PSF of a cell: area (relative)", abs(ratio - 1.0), STAMP)
    total = theirs.sum(dtype=np.float64)
    tally.agree("PSF of a cell: sum less theirs", abs(float(ours.sum() - total)), SUM_LESS_THEIRS)
    tally.agree(
        "PSF of a cell, no wings cut off: sum less 1", abs(float(whole.sum()) - 1.0), PSF_SUM
    )
    wings = abs(float(whole.sum() - ours.sum()))
    if wings <= PSF_SUM:
        tally.agree("PSF of a cell: sum less 1", abs(float(ours.sum()) - 1.0), PSF_SUM)
    tally.differ(
        "PSF of a cell: wings beyond the image, which cuts them off, as theirs does (of the sum)",
        wings > PSF_SUM, largest=wings,
    )  # fmt: skip


def _compare_psf(tally: Tally, case: CoaddCase, coadd: MultipleCellCoadd) -> None:
    """The PSF of the whole coadd, at positions in several cells."""
    for point in case.psf_points:
        x, y = point["point"]
        kernel = coadd.psf.compute_kernel_image(x=x, y=y)
        if kernel.bbox != box_from_corners(point["kernel_image"]["bbox"]):
            raise ValueError(f"The PSF is in {kernel.bbox}, theirs in {point['kernel_image']}.")
        theirs = case.psf[point["kernel_image"]["key"]]
        worst = np.abs(kernel.array - theirs).max() / theirs.max()
        tally.agree("PSF of the coadd at a position (of the peak)", float(worst), STAMP)
        theirs = case.psf[point["image"]["key"]]
        image = coadd.psf.compute_stellar_image(x=x, y=y)
        worst = np.abs(image.array - theirs).max() / theirs.max()
        tally.differ(
            "PSF moved to a position: by sinc interpolation, theirs by Lanczos-5 (of the peak)",
            1, largest=float(worst),
        )  # fmt: skip
