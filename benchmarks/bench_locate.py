"""Speed of looking up catalogues on one core: ``python benchmarks/bench_locate.py [--small]``.

Prints seconds of processor time for a million positions: tract, patch and cell of each, on the
whole sky (all 18,938 tracts are made on the way) and in one tract; then the cells of a patch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from cellcoadd.skymap import locate, named_sky_map

TRACT = 9813


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a smoke run, of no meaning")
    count = 1000 if parser.parse_args().small else 1_000_000
    rng = np.random.default_rng(1)
    skymap = named_sky_map("hsc_rings_cells_v1")
    ra = rng.uniform(0.0, 360.0, count)
    dec = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count)))
    report(f"locate: {count} positions, whole sky", lambda: locate(skymap, ra, dec))

    tract = skymap[TRACT]
    x, y = rng.uniform(0.0, tract.bbox.x.size - 1.0, (2, count))
    sky = tract.sky_projection.pixel_to_sky(x=x, y=y)
    near_ra, near_dec = sky.ra.deg, sky.dec.deg
    report(
        f"locate: {count} positions, one tract, given",
        lambda: locate(skymap, near_ra, near_dec, tract=TRACT),
    )
    report(
        f"locate: {count} positions, one tract and its neighbours",
        lambda: locate(skymap, near_ra, near_dec),
    )
    report(
        f"indices_of: {count} pixel positions, cells of a patch",
        lambda: tract.patch(50).grid.indices_of(x=x, y=y),
    )


def report(name: str, work: Callable[[], object]) -> None:
    best = np.inf
    for _ in range(3):
        start = time.thread_time()
        work()
        best = min(best, time.thread_time() - start)
    print(f"{best:8.3f} s  {name}")


if __name__ == "__main__":
    main()
