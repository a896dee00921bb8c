"""Speed of the tables on one core: ``python benchmarks/bench_tables.py [--small]``.

Prints seconds of processor time: the threshold function of a tract of 33 patches, with 7700 cells
of 8 visits on one or two detectors each, from its table of inputs; then making the two tables of a
full patch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from astropy.table import Table

from cellcoadd.analysis.cell_table import tabulate_cells
from cellcoadd.analysis.input_table import tabulate_inputs
from cellcoadd.analysis.input_thresholds import remaining_input_fraction
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.skymap import Patch, named_sky_map
from cellcoadd.testing.full_patch import full_patch_coadd
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

N_VISITS = 8
PLANES = ("", "_BAD", "_SAT", "_CR")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a smoke run, of no meaning")
    small = parser.parse_args().small
    tract = named_sky_map("hsc_rings_cells_v1")[9813]
    patches = [tract.patch(number) for number in ((60, 61) if small else range(36, 69))]
    table = tract_table(patches, cells_per_patch=10 if small else 234)
    name = f"{len(patches)} patches, {len(table)} inputs"
    report(f"threshold function: {name}", lambda: remaining_input_fraction(table))
    found = remaining_input_fraction(table)
    report(
        f"means over {found.cell_count} cells, tracts, patches: {name}",
        lambda: (found.mean(), found.by_tract(), found.by_patch()),
    )
    report(
        f"four planes, two regions: {name}",
        lambda: [
            remaining_input_fraction(table, plane=plane, region=region).mean()
            for plane in ("all", "BAD", "SAT", "CR")
            for region in ("outer", "inner")
        ],
    )
    coadd = small_coadd() if small else full_patch_coadd()
    report(f"table of cells: {len(coadd.cells)} cells", lambda: tabulate_cells(coadd))
    report(f"table of inputs: {len(coadd.contributions)} inputs", lambda: tabulate_inputs(coadd))


def tract_table(patches: list[Patch], *, cells_per_patch: int) -> Table:
    """A table of inputs as long as a real one, half of the visits on two detectors."""
    rng = np.random.default_rng(1)
    per_cell = N_VISITS + N_VISITS // 2
    n_patch = cells_per_patch * per_cell
    count = n_patch * len(patches)
    # Cells in the left columns of every patch, so that neighbours share some.
    cell = np.tile(np.repeat(np.arange(cells_per_patch), per_cell), len(patches))
    cell_x, cell_y = cell // 22, cell % 22
    table = Table(
        {
            "skymap": np.full(count, "hsc_rings_cells_v1"),
            "band": np.full(count, "i"),
            "tract": np.full(count, 9813),
            "patch": np.repeat([patch.id for patch in patches], n_patch),
            "cell_x": cell_x.astype(np.int16),
            "cell_y": cell_y.astype(np.int16),
            "tract_cell_x": cell_x + np.repeat([20 * p.index.x - 1 for p in patches], n_patch),
            "tract_cell_y": cell_y + np.repeat([20 * p.index.y - 1 for p in patches], n_patch),
            # Of two detectors at most one covers a cell.
            "accepted": np.tile(np.arange(per_cell) < N_VISITS, count // per_cell),
        }
    )
    for plane in PLANES:
        for region in ("", "_inner"):
            table[f"masked_fraction{plane}{region}"] = rng.exponential(0.02, count)
    return table


def small_coadd() -> MultipleCellCoadd:
    return make_coadd(make_warp(small_patch()))


def report(name: str, work: Callable[[], object]) -> None:
    best = np.inf
    for _ in range(3):
        start = time.thread_time()
        work()
        best = min(best, time.thread_time() - start)
    print(f"{best:8.3f} s  {name}")


if __name__ == "__main__":
    main()
