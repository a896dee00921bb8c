"""A run that is killed at work and taken up as the how-to says has the same bits in the end."""

from __future__ import annotations

import random
from pathlib import Path

from cellcoadd.validation.faults.kills import kill_runs
from cellcoadd.validation.faults.small_survey import SmallSurvey


def test_what_was_killed_is_taken_up_with_the_same_bits(tmp_path: Path) -> None:
    """The full form has twenty kills; one shows that the documented commands work."""
    survey = SmallSurvey(tmp_path / "survey")
    runs = kill_runs(survey, random.Random(7), 1, jobs=1, earliest=0.6)
    assert runs.bad == ()
    assert runs.ends == {"the same bits": 1}
