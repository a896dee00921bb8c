"""The table of faults: every kind of trial of this package, printed and put into its page."""

from __future__ import annotations

__all__ = ["KINDS", "main", "to_markdown"]

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ...testing.pages import join_sections, read_tables, replace_tables, split_sections
from . import damage, disks, kills, races, repeats
from .small_survey import SmallSurvey
from .trial import Trials


class Measure(Protocol):
    """What a module of this package offers."""

    def __call__(self, survey: SmallSurvey, *, seed: int, count: int) -> list[Trials]:
        """Return the trials, ``count`` of each fault."""
        ...


KINDS: dict[str, tuple[Measure, int]] = {
    "kills": (kills.measure, 20),
    "disks": (disks.measure, 6),
    "races": (races.measure, 3),
    "repeats": (repeats.measure, 6),
    "damage": (damage.measure, 150),
}
"""All kinds by name, in the order of the page, with the number of trials of the full form."""


def to_markdown(rows: Sequence[Trials]) -> str:
    """Return the table."""
    lines = ["| fault | tried | what became of it | holds |", "|---|---|---|---|"]
    for row in rows:
        ends = "; ".join(f"{number} {end}" for end, number in row.ends.items())
        holds = "yes" if row.holds else "**no**"
        lines.append(f"| {row.fault} | {row.tried} | {ends} | {holds} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if anything ended as it must not."""
    parser = argparse.ArgumentParser(
        prog="python -m cellcoadd.validation.faults",
        description="Kill, fill disks, race and damage files; compare what is made in the end.",
    )
    parser.add_argument("--only", choices=list(KINDS), help="one of the kinds")
    parser.add_argument("--count", type=int, help="how many trials of each fault")
    parser.add_argument("--seed", type=int, default=1, help="of moments, places and values")
    parser.add_argument("--update", type=Path, help="put the tables into this page as well")
    options = parser.parse_args(arguments)
    found: dict[str, list[Trials]] = {}
    with tempfile.TemporaryDirectory(prefix="faults") as folder, _progress():
        survey = SmallSurvey(Path(folder) / "survey")
        for name in [options.only] if options.only else KINDS:
            measure, count = KINDS[name]
            start = time.monotonic()
            found[name] = measure(survey, seed=options.seed, count=options.count or count)
            print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    tables = {name: to_markdown(rows) for name, rows in found.items()}
    print(join_sections(tables, order=KINDS), end="")
    if options.update is not None:
        before = split_sections(read_tables(options.update))  # that another run may have renewed
        replace_tables(options.update, join_sections(before | tables, order=KINDS))
    rows = [row for each in found.values() for row in each]
    bad = [sentence for row in rows for sentence in row.bad]
    print("\n".join(bad), file=sys.stderr, end="\n" if bad else "")
    return 0 if rows and all(row.holds for row in rows) else 1


@contextmanager
def _progress() -> Iterator[None]:
    """Show what the trials log."""
    own = logging.getLogger(__package__)
    handler = logging.StreamHandler(sys.stderr)
    level = own.level
    own.addHandler(handler)
    own.setLevel(logging.INFO)
    try:
        yield
    finally:
        own.setLevel(level)
        own.removeHandler(handler)
