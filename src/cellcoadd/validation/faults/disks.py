"""Disks that are full: a small one, which fills up at a seeded place; then the same with room."""

from __future__ import annotations

__all__ = ["measure"]

import contextlib
import logging
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .small_survey import SmallSurvey, ended, started
from .trial import Tally, Trials

_LOG = logging.getLogger(__name__)

_SAYS = ("No space left", "disk is full", "disk I/O error")
_ROOM = 1 << 30  # bytes


def measure(survey: SmallSurvey, *, seed: int, count: int) -> list[Trials]:
    """Run the pipeline on disks that fill up, and take it up when there is room.

    Parameters
    ----------
    survey
        What it works on.
    seed
        Of the sizes.
    count
        How many sizes are tried. Only the administrator may make disks: else there is no row.
    """
    if os.geteuid() != 0:
        _LOG.info("disks: only root can mount one; none is tried")
        return []
    rng = random.Random(seed)
    tally = Tally("`pipetask run` on a disk that fills up, then with room")
    before, after = _size(survey.filled), _size(survey.done)
    for number in range(count):
        size = rng.randrange(before, before + (after - before) * 9 // 10)
        with _disk(survey.folder / "disk", size) as disk:
            root = survey.copy(survey.filled, "disk/repo")
            failed = ended(started(*survey.run(root)))
            _mount(disk, _ROOM, "remount")
            again = survey.take_up(root)
            wrong = survey.what_is_wrong(root) if again.status == 0 else None
        what = f"disk {number} of {size} bytes"
        _LOG.info("%s: status %d, then %d, %s", what, failed.status, again.status, wrong)
        if failed.status == 0 or not any(reason in failed.output for reason in _SAYS):
            tally.bad("nothing said", f"{what}: status {failed.status}: {failed.output[-500:]}")
        elif again.status != 0:
            tally.bad("not taken up", f"{what}: {again.output[-500:]}")
        elif wrong is not None:
            tally.bad("other products", f"{what}: {wrong}")
        else:
            tally.good("an error that says so, then the same bits")
    return [tally.trials()]


def _size(root: Path) -> int:
    """Bytes of a repository on a disk, in whole pages, and a page a folder."""
    return sum(-(-path.lstat().st_size // 4096) * 4096 + 4096 for path in root.rglob("*"))


@contextlib.contextmanager
def _disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a disk in memory."""
    folder.mkdir(exist_ok=True)
    _mount(folder, size)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _mount(folder: Path, size: int, *options: str) -> None:
    chosen = ",".join([*options, f"size={size}"])
    subprocess.run(["mount", "-t", "tmpfs", "-o", chosen, "tmpfs", str(folder)], check=True)
