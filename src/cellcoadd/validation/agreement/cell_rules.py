"""Where our rules for a cell part from those of the Rubin pipelines, from its inputs alone."""

from __future__ import annotations

__all__ = ["CellRules", "find_rules"]

import dataclasses

import numpy as np
import numpy.typing as npt

from ...cell_grid import Index2D
from ...masks.planes import bits_of, mask_schema, plane_array
from .reference_coadds import CellInput, CoaddCase, VisitInputs

_SCHEMA = mask_schema()
_NO_DATA = bits_of(_SCHEMA, ["NO_DATA"])

type _Where = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CellRules:
    """Where the two programs' rules part in a cell, from the inputs alone. All of the outer cell.

    Parameters
    ----------
    silent
        Some input is not finite and no mask says so: theirs adds it up, ours leaves it out.
    foreign
        Some input's pixel is another detector's: theirs takes it, unless the inner cell touches
        three regions or more; ours never does.
    stray
        Some input's pixel is not its detector's own and has mask planes beside NO_DATA: theirs
        counts them.
    outside
        Some input's pixel is not its detector's own, and the inner cell touches three regions or
        more: theirs takes a masked fraction of 0, ours of 1.
    noise
        Some input's noise has another mask than its image: theirs uses it, ours both or none.
    left_out
        Ours leaves out some input.
    empty
        Ours leaves out all inputs.
    weight, squared_weight : float64
        Sums over the inputs that ours uses.
    silent_inner
        For each input, the part of its pixels in the inner cell that are silent.
    """

    silent: _Where
    foreign: _Where
    stray: _Where
    outside: _Where
    noise: _Where
    left_out: _Where
    empty: _Where
    weight: npt.NDArray[np.float64]
    squared_weight: npt.NDArray[np.float64]
    silent_inner: tuple[float, ...]

    @property
    def common(self) -> _Where:
        """Where both programs use the same inputs."""
        return ~(self.silent | self.foreign)


def find_rules(case: CoaddCase, index: Index2D, inputs: tuple[CellInput, ...]) -> CellRules:
    """Return where the rules part in a cell with given inputs."""
    grid, box = case.patch.grid, case.patch.outer_bbox
    outer = grid.outer_bbox_of(index).slice_within(box)
    inner_box = grid.inner_bbox_of(index)
    inner = inner_box.slice_within(grid.outer_bbox_of(index))
    visits = {visit.warp.visit: visit for visit in case.visits}
    shape = tuple(grid.outer_cell_shape)
    silent, foreign, stray, outside, noise = (np.zeros(shape, np.bool_) for _ in range(5))
    used_anywhere, left_out = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    weight, squared_weight = np.zeros(shape), np.zeros(shape)
    silent_inner = []
    for entry in inputs:
        visit = visits[entry.visit]
        number = visit.detectors.index(entry.detector)
        one = _rules_of_input(
            case, visit, number, outer=(outer.y, outer.x), inner=(inner.y, inner.x)
        )
        silent |= one["silent"]
        foreign |= one["foreign"]
        stray |= one["stray"]
        outside |= one["outside"]
        noise |= one["noise"]
        left_out |= ~one["used"]
        used_anywhere |= one["used"]
        weight += entry.weight * one["used"]
        squared_weight += entry.weight**2 * one["used"]
        mine = visit.warp.owner[outer.y, outer.x][inner.y, inner.x] == number
        hidden = one["unflagged"][inner.y, inner.x] & mine
        silent_inner.append(float(hidden.sum() / mine.sum()))
    return CellRules(
        silent=silent,
        foreign=foreign,
        stray=stray,
        outside=outside,
        noise=noise,
        left_out=left_out,
        empty=~used_anywhere,
        weight=weight,
        squared_weight=squared_weight,
        silent_inner=tuple(silent_inner),
    )


def _rules_of_input(
    case: CoaddCase,
    visit: VisitInputs,
    number: int,
    *,
    outer: tuple[slice, slice],
    inner: tuple[slice, slice],
) -> dict[str, _Where]:
    bad_bits = bits_of(_SCHEMA, case.settings.bad_mask_planes)
    mask, noise_mask = plane_array(visit.warp.mask)[outer], visit.noise_mask[outer]
    owner = visit.warp.owner[outer]
    own = owner == number
    flagged = (mask & bad_bits) != 0
    finite = np.isfinite(visit.warp.image.array[outer]) & np.isfinite(
        visit.warp.variance.array[outer]
    )
    both_leave_out = np.unique(owner[inner]).size > 2
    return {
        "unflagged": ~flagged & ~finite,
        "silent": ~flagged & ~finite & own,
        "foreign": ~own & ~flagged & (not both_leave_out),
        "stray": ~own & ((mask & bad_bits & ~_NO_DATA) != 0),
        "outside": ~own & both_leave_out,
        "noise": flagged != ((noise_mask & bad_bits) != 0),
        "used": own & ~flagged & finite,
    }
