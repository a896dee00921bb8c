"""``kill -9`` at seeded moments, then the documented way to go on: the bits must be the same."""

from __future__ import annotations

__all__ = ["kill_runs", "measure"]

import logging
import random
import time
from pathlib import Path

from .small_survey import SmallSurvey, ended, killed, started
from .trial import Tally, Trials

_LOG = logging.getLogger(__name__)

_IMPORTS = 0.3  # of the time of a run: nothing is written before


def measure(survey: SmallSurvey, *, seed: int, count: int) -> list[Trials]:
    """Kill runs of the pipeline and ingests.

    Parameters
    ----------
    survey
        What they work on.
    seed
        Of the moments.
    count
        How many runs are killed; a quarter as many in parallel, and ingests.
    """
    rng = random.Random(seed)
    return [
        kill_runs(survey, rng, count, jobs=1),
        kill_runs(survey, rng, (count + 3) // 4, jobs=2),
        _ingests_killed(survey, rng, (count + 3) // 4),
    ]


def kill_runs(
    survey: SmallSurvey,
    rng: random.Random,
    count: int,
    *,
    jobs: int,
    earliest: float = _IMPORTS,
) -> Trials:
    """Kill runs of the pipeline at random moments and take them up.

    Parameters
    ----------
    survey
        What they work on.
    rng
        Chooses the moments.
    count
        How many runs are killed.
    jobs
        How many processes each has.
    earliest
        Part of the time of a run that has gone by at the earliest moment.
    """
    tally = Tally(f"`kill -9` of `pipetask run -j {jobs}`, then the run of the how-to")
    for number in range(count):
        root = survey.copy(survey.filled, "killed")
        moment = survey.seconds * rng.uniform(earliest, 1.0)
        words = survey.run(root, "-j", str(jobs))
        _note(tally, survey, root, f"{number}, after {moment:.2f} s", words, moment)
    return tally.trials()


def _note(
    tally: Tally,
    survey: SmallSurvey,
    root: Path,
    what: str,
    words: tuple[str | Path, ...],
    moment: float,
) -> None:
    process = started(*words)
    time.sleep(moment)
    if process.poll() is None:
        killed(process)
    else:
        ended(process)
        what = f"{what} (it was done)"
    again = survey.take_up(root)
    wrong = survey.what_is_wrong(root)
    _LOG.info("kill %s: status %d, %s", what, again.status, wrong or "the same bits")
    if again.status != 0:
        tally.bad("not taken up", f"kill {what}: status {again.status}: {again.output[-500:]}")
    elif wrong is not None:
        tally.bad("other products", f"kill {what}: {wrong}")
    else:
        tally.good("the same bits")


def _ingests_killed(survey: SmallSurvey, rng: random.Random, count: int) -> Trials:
    tally = Tally("`kill -9` of `butler ingest-calibrated`, then the same command")
    start = time.monotonic()
    ended(started(*survey.ingestion(survey.copy(survey.empty, "timed"))))
    seconds = time.monotonic() - start
    for number in range(count):
        root = survey.copy(survey.empty, "killed")
        moment = seconds * rng.uniform(_IMPORTS, 1.0)
        process = started(*survey.ingestion(root))
        time.sleep(moment)
        if process.poll() is None:
            killed(process)
        again = ended(started(*survey.ingestion(root)))
        if again.status != 0:
            tally.bad("not taken up", f"kill {number} after {moment:.2f} s: {again.output[-500:]}")
            continue
        made = ended(started(*survey.run(root)))
        wrong = survey.what_is_wrong(root) if made.status == 0 else made.output[-500:]
        _LOG.info("kill of ingest %d: %s", number, wrong or "the same bits")
        if wrong is not None:
            tally.bad("other products", f"kill {number} after {moment:.2f} s: {wrong}")
        else:
            tally.good("the same bits")
    return tally.trials()
