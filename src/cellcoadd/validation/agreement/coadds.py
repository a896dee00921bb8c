"""Our coadd of reference warps beside that of the Rubin pipelines, cell by cell."""

from __future__ import annotations

__all__ = ["compare_coadd"]

from typing import Any

import numpy as np
import numpy.typing as npt

from ...coaddition.assemble import assemble_cell_coadd
from ...masks.planes import ALL_PLANES, bits_of, mask_schema, plane_array
from ...products.cell_coadd.cell import SingleCellCoadd
from .cell_psfs import compare_cell_psf, compare_moved_psfs, with_whole_psfs
from .cell_rules import CellRules, find_rules
from .comparison import Comparison, Tally, local_scale
from .filled_runs import has_faulty_run, touches_edge
from .filling import compare_filled
from .inputs import compare_inputs, compare_outlines
from .reference_coadds import CoaddCase

ROUNDING = 2e-6
"""Of the local scale: they form products in single precision."""

SCATTER = 1e-6
"""Of the variance and the mean's square: theirs is a difference of squares in single precision."""

_SCHEMA = mask_schema()
_INTRP = bits_of(_SCHEMA, ["INTRP"])
_INEXACT = bits_of(_SCHEMA, ["INEXACT_PSF"])

type _Where = npt.NDArray[np.bool_]


def compare_coadd(case: CoaddCase) -> Comparison:
    """Assemble a reference case and compare cells, inputs, pixels and PSFs with theirs."""
    coadd = assemble_cell_coadd(case.on_patch(), case.patch, settings=case.settings)
    if coadd is None:
        raise ValueError(f"{case.name}: no cell has an input.")
    whole = with_whole_psfs(case)
    tally = Tally(case.name, rounding=ROUNDING)
    present = dict.fromkeys(coadd.cells, 1) | dict.fromkeys(case.cells, -1)
    missing = set(coadd.cells) ^ set(case.cells)
    tally.agree("cells present", float(len(missing)), 0.0, len(present))
    for index, expected in case.cells.items():
        if index in missing:
            continue
        cell = coadd.cells[index]
        inputs = case.in_our_order(expected.inputs)
        tally.differ("inputs of a cell in another order: matched by visit and detector",
                     inputs != expected.inputs)  # fmt: skip
        rules = find_rules(case, index, inputs)
        if compare_inputs(tally, case, cell, inputs, rules):
            if "psf" in expected.planes:
                uncut = whole.psf[index].array
                compare_cell_psf(tally, cell.psf_image.array, expected.planes["psf"], whole=uncut)
            if "mask" in expected.planes:
                _compare_mask(tally, cell, expected.planes, rules)
            _compare_pixels(tally, case, cell, expected.planes, rules)
    compare_moved_psfs(tally, case, coadd)
    compare_outlines(tally, case)
    return tally.result()


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
    rows = common.all(axis=1) & ~has_faulty_run(empty)
    chosen = empty & rows[:, np.newaxis]
    # One other pixel in the cell is enough to change the median that wide runs at edges get.
    if not common.all():
        chosen &= ~touches_edge(empty)
    compare_filled(tally, f"filled pixels of the {name}", ours, theirs, chosen=chosen, empty=empty)
    skipped = empty & common & ~chosen
    tally.differ(
        f"filled pixels of the {name}: others in the row or cell, or runs of 7 at an edge",
        np.count_nonzero(skipped), count=np.count_nonzero(empty),
    )  # fmt: skip
