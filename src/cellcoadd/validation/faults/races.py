"""Two of the same commands at once: one of them or both make it, and the products are the same."""

from __future__ import annotations

__all__ = ["measure"]

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

from .small_survey import SmallSurvey, ended, started
from .trial import Tally, Trials

_LOG = logging.getLogger(__name__)

type Words = tuple[str | Path, ...]


def measure(survey: SmallSurvey, *, seed: int, count: int) -> list[Trials]:
    """Start commands in pairs, the second a seeded moment after the first.

    Parameters
    ----------
    survey
        What they work on.
    seed
        Of the moments.
    count
        How often each pair is started.
    """
    rng = random.Random(seed)

    def ingest(root: Path) -> tuple[Words, Words]:
        return survey.ingestion(root), survey.ingestion(root)

    def run(root: Path) -> tuple[Words, Words]:
        return survey.run(root), survey.run(root)

    def run_beside(root: Path) -> tuple[Words, Words]:
        return survey.run(root), survey.run(root, output="u/other/coadds")

    empty, filled = survey.empty, survey.filled
    pairs: dict[str, tuple[Callable[[Path], tuple[Words, Words]], Path]] = {
        "`butler ingest-calibrated` twice at once": (ingest, empty),
        "`pipetask run` twice at once, into one collection": (run, filled),
        "`pipetask run` twice at once, into two collections": (run_beside, filled),
    }
    return [_pairs(survey, rng, count, fault, *pair) for fault, pair in pairs.items()]


def _pairs(
    survey: SmallSurvey,
    rng: random.Random,
    count: int,
    fault: str,
    commands: Callable[[Path], tuple[Words, Words]],
    template: Path,
) -> Trials:
    tally = Tally(fault)
    for number in range(count):
        root = survey.copy(template, "raced")
        first, second = commands(root)
        between = rng.uniform(0.0, 1.0)
        one = started(*first)
        time.sleep(between)
        other = started(*second)
        ends = [ended(one), ended(other)]
        if first[0] == "butler":
            again = ended(started(*survey.ingestion(root)))
            again = again if again.status else ended(started(*survey.run(root)))
        else:
            again = survey.take_up(root)
        wrong = survey.what_is_wrong(root)
        if second == survey.run(root, output="u/other/coadds") and ends[1].status == 0:
            wrong = wrong or survey.what_is_wrong(root, "u/other/coadds")
        statuses = [end.status for end in ends]
        what = f"{number}, {between:.2f} s apart"
        _LOG.info("%s %s: %s, then %s", fault, what, statuses, wrong or "the same bits")
        killed_by = [end for end in ends if end.status < 0]
        if again.status != 0 or killed_by:
            said = (killed_by or [again])[0].output[-500:]
            tally.bad("not taken up", f"{what}: {statuses}, then {again.status}: {said}")
        elif wrong is not None:
            tally.bad("other products", f"{what}: {wrong}")
        elif any(statuses):
            tally.good("one of them ended with an error, then the same bits")
        else:
            tally.good("the same bits")
    return tally.trials()
