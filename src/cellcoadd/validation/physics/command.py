"""The physics table: every measurement of this package, printed and put into its page."""

from __future__ import annotations

__all__ = ["MEASUREMENTS", "main", "to_markdown"]

import argparse
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ...testing.pages import join_sections, read_tables, replace_tables, split_sections
from . import constant_sky, galaxies, noise, seams, shear, stars
from .check import Check


class Measure(Protocol):
    """What a module of this package offers."""

    def __call__(self, *, short: bool) -> list[Check]:
        """Return the checks of the short or the full form."""
        ...


MEASUREMENTS: dict[str, Measure] = {
    "stars": stars.measure,
    "kernels": stars.measure_kernels,
    "galaxies": galaxies.measure,
    "seams": seams.measure,
    "sky": constant_sky.measure,
    "noise": noise.measure,
    "shear": shear.measure,
}
"""All measurements by name, in the order of the page."""


def to_markdown(checks: Sequence[Check]) -> str:
    """Return the table of one measurement."""
    lines = [
        "| case | quantity | deviation | wanted | measured | holds | note |",
        "|---|---|---|---|---|---|---|",
        *(_line(check) for check in checks),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return 1 if anything is further off than wanted."""
    parser = argparse.ArgumentParser(
        prog="python -m cellcoadd.validation.physics",
        description="Compare coadds of simulated skies with the truth.",
    )
    parser.add_argument("--short", action="store_true", help="fewer cases, in seconds")
    parser.add_argument("--only", choices=sorted(MEASUREMENTS), help="one of the measurements")
    parser.add_argument("--update", type=Path, help="put the tables into this page as well")
    options = parser.parse_args(arguments)
    if options.short and options.update is not None:
        parser.error("a page shows the results of the full form: --short does not go with --update")
    before = {} if options.update is None else split_sections(read_tables(options.update))
    names = [options.only] if options.only else list(MEASUREMENTS)
    with _progress():
        found = {name: _timed(name, MEASUREMENTS[name], short=options.short) for name in names}
    tables = {name: to_markdown(checks) for name, checks in found.items()}
    print(join_sections(tables, order=MEASUREMENTS), end="")
    if options.update is not None:
        replace_tables(options.update, join_sections(before | tables, order=MEASUREMENTS))
    failed = [check for checks in found.values() for check in checks if not check.holds]
    for check in failed:
        print(f"{check.case}: {check.quantity}: {check.deviation:.2g}, wanted {check.wanted:g}",
              file=sys.stderr)  # fmt: skip
    return 1 if failed else 0


def _timed(name: str, measure: Callable[..., list[Check]], *, short: bool) -> list[Check]:
    start = time.monotonic()
    checks = measure(short=short)
    print(f"{name}: {len(checks)} checks in {time.monotonic() - start:.0f} s", file=sys.stderr)
    return checks


@contextmanager
def _progress() -> Iterator[None]:
    """Show what the measurements log, and of the package nothing less than errors."""
    package, own = logging.getLogger("cellcoadd"), logging.getLogger(__package__)
    levels = package.level, own.level
    handler = logging.StreamHandler(sys.stderr)
    own.addHandler(handler)
    # Some of the simulated PSFs reach beyond the stamps of coadds, and a warning says so.
    package.setLevel(logging.ERROR)
    own.setLevel(logging.INFO)
    try:
        yield
    finally:
        package.setLevel(levels[0])
        own.setLevel(levels[1])
        own.removeHandler(handler)


def _line(check: Check) -> str:
    error = f" ± {check.error:.1g}" if check.error else ""
    shown = math.isinf(check.wanted)
    wanted = "-" if shown else f"{check.wanted:g}"
    holds = "-" if shown else "yes" if check.holds else "**no**"
    return (
        f"| {check.case} | {check.quantity} | {check.deviation:.2g}{error} | {wanted} | "
        f"{check.count:,} | {holds} | {check.note} |"
    )
