"""The table of agreement with the Rubin pipelines: ``python -m cellcoadd.validation.agreement``.

Every stage is run on the inputs that the Rubin pipelines' own code was given, and its output is
compared with theirs: the worst difference of each quantity, what is wanted, and in which case. A
second table counts what differs on purpose. The tests make the same comparisons, case by case.
"""

from __future__ import annotations

__all__ = ["compare", "find_cases", "main", "to_markdown"]

import argparse
import itertools
import logging
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ...testing.pages import replace_tables
from .coadds import compare_coadd
from .comparison import Agreement, Comparison, Departure
from .filling import compare_filling
from .reference_cases import has_warp_case, read_warp_case
from .reference_coadds import read_coadd_case
from .shapes import compare_shapes
from .stacks import compare_stacks
from .warps import compare_warp
from .weights import compare_weights

COADDS = "C_assembly"
STATISTICS = "D_statistics"
PARTS: Mapping[str, Callable[[Path], Comparison]] = {
    "D1_stack": compare_stacks,
    "D2_weights": compare_weights,
    "D3_shapes": compare_shapes,
    "D4_interp": compare_filling,
}
"""Cases of single parts of a stage, each with its comparison; it takes the folder `STATISTICS`."""

_STAGES = {
    "B": "Warps",
    "C": "Coadds",
    "D1": "Stacks",
    "D2": "Weights",
    "D3": "Shapes",
    "D4": "Filling",
}


def find_cases(folder: Path) -> list[str]:
    """Return the names of the reference cases in a folder, warps first."""
    warps = [path.name for path in sorted(folder.glob("B*")) if has_warp_case(path)]
    coadds = [path.stem for path in sorted((folder / COADDS).glob("C*.json"))]
    parts = [name for name in PARTS if (folder / STATISTICS / f"{name}.json").is_file()]
    return warps + coadds + parts


def compare(folder: Path, name: str) -> Comparison:
    """Run the stage of a case and compare its output."""
    if name in PARTS:
        return PARTS[name](folder / STATISTICS)
    if name.startswith("C"):
        return compare_coadd(read_coadd_case(folder / COADDS, name))
    return compare_warp(read_warp_case(folder / name))


def to_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return the tables: the worst of each quantity over all cases, then what differs."""
    agreements = list(itertools.chain.from_iterable(one.agreements for one in comparisons))
    departures = list(itertools.chain.from_iterable(one.departures for one in comparisons))
    lines = [
        "| stage | quantity | worst | wanted | in case | compared |",
        "|---|---|---|---|---|---|",
        *(_agreement_line(group) for group in _grouped(agreements)),
        "",
        "| stage | differs on purpose | affected | of | largest | worst in case |",
        "|---|---|---|---|---|---|",
        *(_departure_line(group) for group in _grouped(departures)),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return 1 if anything is further off than wanted."""
    parser = argparse.ArgumentParser(
        prog="python -m cellcoadd.validation.agreement",
        description="Compare every stage with reference values of the Rubin pipelines.",
    )
    parser.add_argument("folder", type=Path, help="the folder of the reference cases")
    parser.add_argument("--update", type=Path, help="put the tables into this page as well")
    options = parser.parse_args(arguments)
    names = find_cases(options.folder)
    if not names:
        parser.error(f"{options.folder} holds no reference case (B*/case.json, C_assembly, ...)")
    # The stamps of the reference cut off more of a wide PSF than our warning allows.
    logger = logging.getLogger("cellcoadd")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        comparisons = [compare(options.folder, name) for name in names]
    finally:
        logger.setLevel(level)
    tables = to_markdown(comparisons)
    print(tables, end="")
    if options.update is not None:
        replace_tables(options.update, tables)
    failed = [one for comparison in comparisons for one in comparison.agreements if not one.holds]
    for one in failed:
        print(f"{one.case}: {one.quantity}: {one.worst:.2g}, wanted {one.wanted:.2g}",
              file=sys.stderr)  # fmt: skip
    return 1 if failed else 0


def _grouped[T: (Agreement, Departure)](items: Iterable[T]) -> Iterable[tuple[str, str, list[T]]]:
    """Group by stage and by what is compared, in the order of the first appearance."""
    groups: dict[tuple[str, str], list[T]] = {}
    for item in items:
        what = item.quantity if isinstance(item, Agreement) else item.rule
        groups.setdefault((_stage_of(item.case), what), []).append(item)
    return [(stage, what, group) for (stage, what), group in groups.items()]


def _stage_of(case: str) -> str:
    return next(stage for start, stage in _STAGES.items() if case.startswith(start))


def _agreement_line(grouped: tuple[str, str, list[Agreement]]) -> str:
    stage, quantity, group = grouped
    worst = max(group, key=lambda one: one.worst)
    count = sum(one.count for one in group)
    case = worst.case if worst.worst else f"all {len(group)}"
    wanted = f"{worst.wanted:.0e}" if worst.wanted else "none"
    return f"| {stage} | {quantity} | {worst.worst:.2g} | {wanted} | {case} | {count:,} |"


def _departure_line(grouped: tuple[str, str, list[Departure]]) -> str:
    stage, rule, group = grouped
    measured = [one for one in group if math.isfinite(one.largest)]
    if measured:
        shown = max(measured, key=lambda one: one.largest)
        largest = f"{shown.largest:.2g}"
    else:
        shown, largest = max(group, key=lambda one: one.affected / max(one.count, 1)), ""
    return f"| {stage} | {rule} | {shown.affected:,} | {shown.count:,} | {largest} | {shown.case} |"
