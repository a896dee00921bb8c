"""A small survey in a repository, and the documented commands on it, each in its own process."""

from __future__ import annotations

__all__ = ["IMAGES", "OUTPUT", "SmallSurvey", "started"]

import dataclasses
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...butler.repository import open_collections
from ...butler.run_differences import compare_runs
from ...butler.unfinished_files import find_unfinished
from ...simulate import Camera, VisitPlan, survey_plan, write_survey
from ...testing.commands import run_command

IMAGES = "HSC/calibrated"
"""Collection of the images."""

OUTPUT = "u/me/coadds"
"""Collection that the pipeline writes to."""

_WHERE = "instrument='HSC' AND skymap='hsc_rings_cells_v1' AND tract=9813 AND band='i'"
_AGAIN = ("--extend-run", "--skip-existing", "--clobber-outputs")
_PATIENCE = 600.0  # seconds


def started(
    *words: str | Path, threads: int = 1, before: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    """Start a command in a process group of its own.

    Parameters
    ----------
    *words
        The command; its name is that of an installed one.
    threads
        Of linear algebra.
    before
        What the process does first, such as lowering its limits.
    """
    name, *rest = words
    return subprocess.Popen(
        [Path(sysconfig.get_path("scripts")) / name, *map(str, rest)],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=before,
    )


@dataclasses.dataclass(frozen=True)
class Ended:
    """What became of a command.

    Parameters
    ----------
    status
        Its exit status; negative: the signal that ended it.
    output
        What it printed.
    """

    status: int
    output: str


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a command; one that takes ten minutes is killed."""
    try:
        output, _ = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        killed(process)
        output = "it did not end"
    return Ended(process.returncode, output)


def killed(process: subprocess.Popen[str]) -> None:
    """Kill a command and all that it has started, as ``kill -9`` does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


class SmallSurvey:
    """Two visits of one detector that holds a cell or two, and a repository.

    Parameters
    ----------
    folder
        Where all of it is; made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = folder / "images"
        self.images.mkdir(parents=True)
        plan = survey_plan(
            "tests",
            camera=Camera(columns=1, rows=1, width=420, height=420),
            visits=(
                VisitPlan(visit=1228, sequence=1),
                VisitPlan(visit=1230, sequence=2, rotation=90.0),
            ),
        )
        write_survey(plan, self.images)
        self.empty = folder / "empty"
        root = str(self.empty)
        self._do("butler", "make-cell-repo", root)
        self._do("butler", "register-skymap", root, "hsc_rings_cells_v1", "--tracts", "9813")
        self.filled = self.copy(self.empty, "filled")
        self._do(*map(str, self.ingestion(self.filled)))
        self.done = self.copy(self.filled, "done")
        start = time.monotonic()
        end = ended(started(*self.run(self.done)))
        if end.status != 0:
            raise RuntimeError(f"The pipeline failed: {end.output}")
        self.seconds = time.monotonic() - start
        """How long a run takes that nobody disturbs."""

    def _do(self, *words: str) -> None:
        done = run_command(*words)
        if done.exit_code != 0:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.output}")

    def copy(self, root: Path, name: str) -> Path:
        """Copy a repository that nobody has open, in place of one that has the name already."""
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(root, target)
        return target

    def ingestion(self, root: Path) -> tuple[str | Path, ...]:
        """Return the command that ingests the images."""
        return ("butler", "ingest-calibrated", root, self.images, "-o", IMAGES)

    def run(self, root: Path, *options: str, output: str = OUTPUT) -> tuple[str | Path, ...]:
        """Return the command that makes the coadds."""
        return (
            "pipetask", "run", "--register-dataset-types", "-b", root, "-i", IMAGES,
            "-o", output, "-p", "resource://cellcoadd/pipelines/cell_coadds.yaml", "-d", _WHERE,
            *options,
        )  # fmt: skip

    def take_up(self, root: Path) -> Ended:
        """Take a run up where it ended, as docs/how-to/own-images.md says.

        ``status`` tells whether anything is there; then the run goes on, else it begins.
        """
        state = ended(started("cellcoadd", "status", root, OUTPUT, "-d", _WHERE))
        if state.status == 0:
            return state
        return ended(started(*self.run(root, *(() if state.status == 2 else _AGAIN))))

    def what_is_wrong(self, root: Path, output: str = OUTPUT) -> str | None:
        """Say in what products differ from those of the run that nobody disturbed; None: nothing.

        Half-written files are no difference, as long as the command that sweeps finds them.
        """
        with (
            open_collections(str(self.done), [OUTPUT]) as one,
            open_collections(str(root), [output]) as other,
        ):
            found = compare_runs(one, other)
            swept = {each.path for each in find_unfinished(other)}
        if found.different:
            first = found.different[0]
            return f"{first.dataset}: {first.differences[0]}"
        for which, names in zip(("missing", "too many"), found.alone, strict=True):
            if names:
                return f"{len(names)} datasets are {which}, the first {names[0]}"
        strays = {path for path in root.rglob("*.tmp*") if path.is_file()} - swept
        return f"nobody sweeps {min(strays)}" if strays else None

    @property
    def products(self) -> Sequence[Path]:
        """The files that the run has made."""
        return sorted((self.done / OUTPUT).rglob("*.fits"))
