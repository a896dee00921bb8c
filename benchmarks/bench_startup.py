"""How long the package takes to answer: each case is a fresh interpreter, the best of a few."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

CASES = {
    "python itself": "pass",
    "import cellcoadd": "import cellcoadd",
    "cellcoadd --help": (
        "import sys; sys.argv = ['cellcoadd', '--help']; sys.stdout = open('/dev/null', 'w'); "
        "from cellcoadd.cli import main; main()"
    ),
    "a sky map by name": (
        "from cellcoadd.skymap import named_sky_map; named_sky_map('hsc_rings_cells_v1')"
    ),
    "butler, our sub-commands": (
        "from cellcoadd.butler.cli import get_cli_resource; get_cli_resource()"
    ),
}


def seconds(program: str, *, repeats: int) -> float:
    """Return the shortest wall time of running a program in a fresh interpreter."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each case [5]")
    repeats = parser.parse_args().repeats
    for name, program in CASES.items():
        print(f"{name:26s} {seconds(program, repeats=repeats) * 1e3:7.0f} ms")


if __name__ == "__main__":
    main()
