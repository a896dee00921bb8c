"""The same work in other ways: in parallel, by other threads, in another order."""

from __future__ import annotations

__all__ = ["measure"]

import logging
import random
import shutil
from pathlib import Path

from .small_survey import SmallSurvey, ended, started
from .trial import Tally, Trials

_LOG = logging.getLogger(__name__)

_WAYS: dict[str, tuple[tuple[str, ...], int]] = {
    "again": ((), 1),
    "`-j 2`": (("-j", "2"), 1),
    "`-j 4`": (("-j", "4"), 1),
    "two threads": ((), 2),
    "`-j 2 --start-method forkserver`": (("-j", "2", "--start-method", "forkserver"), 1),
}


def measure(survey: SmallSurvey, *, seed: int, count: int) -> list[Trials]:
    """Make the coadds in other ways, and of images that came in another order.

    Parameters
    ----------
    survey
        What it works on.
    seed
        Of the order.
    count
        How many ways are tried, in the order of the table.
    """
    tallies = []
    for way, (options, threads) in list(_WAYS.items())[:count]:
        root = survey.copy(survey.filled, "repeated")
        tallies.append(_compared(survey, way, survey.run(root, *options), root, threads))
    if count > len(_WAYS):
        tallies.append(_in_another_order(survey, random.Random(seed)))
    return [tally.trials() for tally in tallies]


def _compared(
    survey: SmallSurvey, way: str, words: tuple[str | Path, ...], root: Path, threads: int
) -> Tally:
    tally = Tally(f"the run of the how-to, {way}")
    end = ended(started(*words, threads=threads))
    wrong = survey.what_is_wrong(root) if end.status == 0 else end.output[-500:]
    _LOG.info("%s: %s", way, wrong or "the same bits")
    if wrong is None:
        tally.good("the same bits")
    else:
        tally.bad("other products", wrong)
    return tally


def _in_another_order(survey: SmallSurvey, rng: random.Random) -> Tally:
    """Ingest the images one by one, in a seeded order, under other names."""
    root = survey.copy(survey.empty, "shuffled")
    images = sorted(survey.images.glob("*.fits"))
    rng.shuffle(images)
    for number, image in enumerate(images):
        folder = survey.folder / f"part{number}"
        folder.mkdir(exist_ok=True)
        copied = folder / f"{rng.randrange(10**6):06}.fits"
        shutil.copy(image, copied)
        end = ended(started("butler", "ingest-calibrated", root, copied, "-o", "HSC/calibrated"))
        if end.status != 0:
            raise RuntimeError(end.output)
    return _compared(survey, "of images in another order", survey.run(root), root, 1)
