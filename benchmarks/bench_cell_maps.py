"""Speed and memory of maps of a tract: ``python benchmarks/bench_cell_maps.py [--small]``.

The tract of the Rubin pipelines' test data: tables of 33 patches of 484 cells, 13,764 cells when
each counts once, all eight quantities. Prints seconds of processor time, and the memory in MB that
is needed at most beyond what was there before, the finished maps included: their indices alone, of
nside 256, take 6.3 MB each.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Iterator

from astropy.table import Table

from cellcoadd.analysis.cell_maps import CellMapSettings, map_cells
from cellcoadd.analysis.cell_pixels import PixelAssignment
from cellcoadd.skymap import Tract, named_sky_map
from cellcoadd.testing.cell_tables import invent_cell_table

PATCHES = (*range(37, 42), *range(44, 53), *range(55, 64), *range(67, 75), 83, 84)
"""Those of tract 9813 that the test data reach."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a smoke run, of no meaning")
    patches = PATCHES[:2] if parser.parse_args().small else PATCHES
    tract = named_sky_map("hsc_rings_cells_v1")[9813]
    tables = [invent_cell_table(tract.patch(number)) for number in patches]
    for assignment in PixelAssignment:
        for nside in (8192, 32768):
            settings = CellMapSettings(assignment=assignment, nside_sparse=nside)
            report(f"{assignment}, nside {nside}, {len(tables)} patches", tables, tract, settings)
    settings = CellMapSettings()
    report("box, nside 8192, 1 patch", tables[:1], tract, settings)


def report(name: str, tables: list[Table], tract: Tract, settings: CellMapSettings) -> None:
    start = time.thread_time()
    map_cells(tables, tract, settings=settings)
    print(f"{time.thread_time() - start:8.3f} s  map_cells: {name}")
    tracemalloc.start()
    map_cells(one_by_one(tables), tract, settings=settings)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{peak / 1e6:8.1f} MB  map_cells: {name}")


def one_by_one(tables: list[Table]) -> Iterator[Table]:
    """Give out copies, as tables are that are read from files: they count."""
    for table in tables:
        yield table.copy()


if __name__ == "__main__":
    main()
