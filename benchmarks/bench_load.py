"""Visits on a patch, patches in a tract, tracts: ``python benchmarks/bench_load.py [FOLDER]``.

Measures processor seconds and peak memory of each process, started as a user starts it:

* one visit of the standard work (`standard_survey`: six detectors around patch 61) warped;
* coadds of a growing number of such visits, of which pixels repeat (`load_patch`), one of them
  stitched, with a table of its cells;
* coadds of a growing number of short visits that cover a twelfth of the patch each;
* the plan of the whole pipeline for a tract of 121 patches, under visits of 30 detectors without
  files (`load_tract`);

and says what follows from the largest for 18,938 tracts, all of the sky map. ``--full`` has the
numbers of docs/performance.md: 8 and 40 visits, 50 and 200 short ones, 50 and 100 planned (ten
minutes, 9 GB); without it a few (three minutes, 5 GB). Images are kept in FOLDER for the next time,
the rest is removed.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from load_patch import coadd_visits, finish_patch, put_short_visits, put_whole_visits, warp_visit
from load_tract import measure_plan, tract_repository
from rich.console import Console
from rich.table import Table
from standard import Result, task_repository
from standard_survey import images_of, standard_plan

_TRACTS, _PATCHES = 18_938, 121  # of hsc_rings_cells_v1
_CORES = 64  # of a node
_VISITS_ON_PAPER = (8, 40, 200)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """Numbers of visits to measure, smaller ones first."""

    whole: Sequence[int] = (4, 12)
    short: Sequence[int] = (25, 50)
    planned: Sequence[int] = (20, 40)
    sources: int = 2
    windows: tuple[int, int] = (2, 4)
    distinct: int = 16
    camera: tuple[int, int] = (6, 5)


FULL = Amounts(whole=(8, 40), short=(50, 200), planned=(50, 100))
SMALL = Amounts(
    whole=(2,), short=(2,), planned=(2,), sources=1, windows=(1, 1), distinct=2, camera=(2, 1)
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/standard"))
    parser.add_argument("--full", action="store_true", help="the numbers of docs/performance.md")
    parser.add_argument("--small", action="store_true", help="a smoke run, of no meaning")
    arguments = parser.parse_args()
    amounts = SMALL if arguments.small else FULL if arguments.full else Amounts()
    folder: Path = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    results = measure_patch(folder, amounts, small=arguments.small)
    show_patch(results, console)
    plans = measure_tract(folder, amounts)
    show_plans(plans, console)
    show_survey(results, plans, console)


def measure_patch(folder: Path, amounts: Amounts, *, small: bool) -> dict[str, Result]:
    """Measure warps and coadds of the patch; their names say what they are."""
    # Images are made where the repository of the standard work has them.
    place = folder / "small" if small else folder
    images = images_of(place, amounts.sources, small=small)
    visits = [plan.visit for plan in standard_plan(amounts.sources).visits]
    results: dict[str, Result] = {}
    with task_repository(folder, amounts.sources, small=small) as repository:
        for visit in visits:
            results["warp of a visit"] = warp_visit(repository, visit)
        numbers = put_whole_visits(repository, visits, number=amounts.whole[-1], run="whole")
        for count in amounts.whole:
            coadd = coadd_visits(repository, numbers[:count], run="whole")
            results[f"coadd of {count} visits"] = coadd
        results["stitched, table of cells"] = finish_patch(repository, coadd)
        numbers, covered = put_short_visits(
            repository, images, windows=amounts.windows, distinct=amounts.distinct,
            like=visits[0], number=amounts.short[-1], run="short",
        )  # fmt: skip
        for count in amounts.short:
            coadd = coadd_visits(repository, numbers[:count], run="short")
            name = f"coadd of {count} visits on {100 * covered:.0f} % of the patch each"
            results[name] = coadd
    return results


def measure_tract(folder: Path, amounts: Amounts) -> list[Result]:
    """Measure plans of a tract."""
    columns, rows = amounts.camera
    visits = amounts.planned[-1]
    with tract_repository(folder, visits=visits, columns=columns, rows=rows) as repository:
        return [measure_plan(repository, count) for count in amounts.planned]


def show_patch(results: Mapping[str, Result], console: Console) -> None:
    """Print what each process took."""
    patches = Table(title="A patch, each line a process of its own")
    for column in ("", "CPU s", "a visit", "start-up s", "peak MB", "stored MB"):
        patches.add_column(column, justify="left" if column == "" else "right")
    for name, result in results.items():
        count = result.get("visits")
        patches.add_row(
            name,
            f"{result['cpu_s']:.1f}",
            "" if count is None else f"{result['cpu_s'] / count:.2f}",
            f"{result['start_up_s']:.1f}",
            f"{result['peak_mb']:.0f}",
            f"{result['stored_mb']:.0f}",
        )
    console.print(patches)


def show_plans(plans: Sequence[Result], console: Console) -> None:
    """Print what each plan took."""
    table = Table(title=f"A plan of a tract of {plans[-1]['patches']} patches")
    for column in ("visits", "warps", "quanta", "CPU s", "peak MB", "graph MB"):
        table.add_column(column, justify="right")
    for plan in plans:
        table.add_row(
            f"{plan['visits']}", f"{plan['warps']}", f"{plan['quanta']}",
            f"{plan['cpu_s']:.1f}", f"{plan['peak_mb']:.0f}", f"{plan['graph_mb']:.2f}",
        )  # fmt: skip
    console.print(table)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """What grows with a number: ``fixed + each * number``."""

    fixed: float
    each: float

    @classmethod
    def through(cls, results: Sequence[Result], number: str, value: str) -> Line:
        """Return the line through the first and the last; of one, what is in proportion."""
        first, last = results[0], results[-1]
        if first is last:
            return cls(fixed=0.0, each=last[value] / last[number])
        each = (last[value] - first[value]) / (last[number] - first[number])
        return cls(fixed=last[value] - each * last[number], each=each)

    def at(self, number: float) -> float:
        """Return the value."""
        return self.fixed + self.each * number


def survey_rows(
    results: Mapping[str, Result], plans: Sequence[Result], *, visits: Sequence[int]
) -> dict[str, list[float]]:
    """Return what follows for the whole sky, by name, for numbers of visits a patch."""
    warp, finish = results["warp of a visit"], results["stitched, table of cells"]
    coadds = [one for one in results.values() if one.get("output", "").startswith("coadds/whole")]
    coadd = Line.through(coadds, "visits", "cpu_s")
    planning = Line.through(plans, "warps", "cpu_s")
    graph = Line.through(plans, "warps", "graph_mb")
    coadd_mb = coadds[-1]["stored_mb"] + finish["stored_mb"]
    patches = _TRACTS * _PATCHES

    def of_patches(of_one: Callable[[int], float]) -> list[float]:
        return [patches * of_one(number) for number in visits]

    hours = {
        "warps": of_patches(lambda number: number * warp["cpu_s"] / 3600),
        "coadds": of_patches(lambda number: coadd.at(number) / 3600),
        "stitched, tables": of_patches(lambda _: finish["cpu_s"] / 3600),
        "start-up, a process a patch": of_patches(lambda _: warp["start_up_s"] / 3600),
        "plans, one a tract": [_TRACTS * planning.at(_PATCHES * n) / 3600 for n in visits],
    }
    total = [sum(values) for values in zip(*hours.values(), strict=True)]
    return {
        "million warps": of_patches(lambda number: number / 1e6),
        **{f"core hours: {name}": values for name, values in hours.items()},
        "core hours: all": total,
        f"days of a node of {_CORES} cores": [each / _CORES / 24 for each in total],
        "TB of warps": of_patches(lambda number: number * warp["stored_mb"] / 1e6),
        "TB of coadds, stitched, tables": of_patches(lambda _: coadd_mb / 1e6),
        "TB of graphs": [_TRACTS * graph.at(_PATCHES * n) / 1e6 for n in visits],
    }


def show_survey(results: Mapping[str, Result], plans: Sequence[Result], console: Console) -> None:
    """Print what follows for the whole sky."""
    table = Table(title=f"{_TRACTS:,} tracts of {_PATCHES} patches, in one band")
    table.add_column("visits a patch")
    for number in _VISITS_ON_PAPER:
        table.add_column(f"{number}", justify="right")
    for name, values in survey_rows(results, plans, visits=_VISITS_ON_PAPER).items():
        table.add_row(name, *(f"{value:,.{0 if value >= 10 else 2}f}" for value in values))
    console.print(table)


if __name__ == "__main__":
    main()
