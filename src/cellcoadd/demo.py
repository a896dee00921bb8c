"""The demonstration: a small simulated survey from exposures to a cell-based coadd.

It runs the very commands that a user would, prints them, and leaves all it makes in one folder.
"""

from __future__ import annotations

__all__ = ["DemoResult", "run_demo"]

import dataclasses
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lsst.daf.butler import Butler
from rich.console import Console

from .errors import CellCoaddError
from .products.cell_coadd import MultipleCellCoadd
from .report.coadd_figures import draw_coadd_and_inputs, input_counts
from .report.style import write_figure
from .simulate import survey_plan, write_survey

_SKYMAP = "hsc_rings_cells_v1"
_TRACT = 9813
_INPUT = "HSC/runs/demo"
_OUTPUT = "u/demo/cell_coadds"
_PIPELINE = "resource://cellcoadd/pipelines/cell_coadds.yaml"
_MARK = ".cellcoadd-demo"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What a demonstration left behind.

    Parameters
    ----------
    repository
        The Butler repository.
    coadds
        Stitched coadds as FITS files.
    figures
        Pictures of the coadds.
    """

    repository: Path
    coadds: tuple[Path, ...]
    figures: tuple[Path, ...]


def run_demo(
    folder: Path, *, plan: str = "demo", processes: int = 2, console: Console | None = None
) -> DemoResult:
    """Simulate a survey, coadd it, and leave coadds and figures in a folder.

    Parameters
    ----------
    folder
        Where to put everything. What an earlier demonstration left there is replaced; a folder
        that holds anything else is refused.
    plan
        Which survey to simulate: ``demo`` or, smaller, ``tests``.
    processes
        Number of processes of ``pipetask``.
    console
        Where to print.

    Raises
    ------
    CellCoaddError
        If the folder holds something else, or a command fails.
    """
    console = console or Console()
    _prepare(folder)
    repository, images = folder / "repo", folder / "images"
    console.rule("1. Simulate a survey")
    survey = survey_plan(plan)
    with console.status("Drawing stars and galaxies ..."):
        files = write_survey(survey, images)
    console.print(
        f"{len(files.images)} images of {len(survey.visits)} visits in {images}, "
        f"truth in {files.truth.name}"
    )
    console.rule("2. Make a repository, bring in sky map and images")
    _run(["butler", "make-cell-repo", repository], console)
    _run(["butler", "register-skymap", repository, _SKYMAP, "--tracts", str(_TRACT)], console)
    _run(["butler", "ingest-calibrated", repository, images, "-o", _INPUT], console)
    console.rule("3. Warp, assemble and stitch")
    where = f"instrument='{survey.camera.instrument}' AND skymap='{_SKYMAP}' AND tract={_TRACT}"
    pipetask: list[str | Path] = ["pipetask", "--log-level", "WARNING", "run", "-j", str(processes)]
    pipetask += ["--register-dataset-types", "-b", repository, "-i", _INPUT, "-o", _OUTPUT]
    pipetask += ["-p", _PIPELINE, "-d", f"{where} AND band='{survey.band}'"]
    _run(pipetask, console)
    console.rule("4. Look")
    return _show(folder, repository, console)


def _prepare(folder: Path) -> None:
    if folder.exists():
        strangers = [path for path in folder.iterdir() if path.name != _MARK]
        if strangers and not (folder / _MARK).exists():
            raise CellCoaddError(
                f"{folder} holds {strangers[0].name}, which no demonstration made: choose a new "
                "folder or an empty one."
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()


def _run(command: Sequence[str | Path], console: Console) -> None:
    """Print a command and run it with the program that belongs to this Python."""
    name, *arguments = (str(part) for part in command)
    console.print(f"[bold]$ {shlex.join([name, *arguments])}", soft_wrap=True, highlight=False)
    beside = Path(sys.executable).parent / name
    program = str(beside) if beside.exists() else shutil.which(name)
    if program is None:
        raise CellCoaddError(
            f"The command {name} is not installed beside {sys.executable}: install cellcoadd "
            "with its dependencies."
        )
    # One thread a process: -j already uses the cores.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    result = subprocess.run([program, *arguments], env=environment, check=False)
    if result.returncode != 0:
        raise CellCoaddError(f"{name} failed with exit code {result.returncode}; see above.")


def _show(folder: Path, repository: Path, console: Console) -> DemoResult:
    coadds: list[Path] = []
    figures: list[Path] = []
    with Butler.from_config(str(repository), collections=_OUTPUT) as butler:
        for ref in butler.query_datasets("deepCoaddCell", limit=None):
            name = f"coadd_{ref.dataId['tract']}_{ref.dataId['patch']}_{ref.dataId['band']}"
            coadd: MultipleCellCoadd = butler.get(ref)
            stitched = folder / f"{name}.fits"
            coadd.stitch().write(str(stitched))
            coadds.append(stitched)
            figures.append(write_figure(draw_coadd_and_inputs(coadd), folder / f"{name}.png"))
            _summarize(coadd, console)
    console.print(f"Stitched coadd:  {', '.join(str(path) for path in coadds)}")
    console.print(f"Picture:         {', '.join(str(path) for path in figures)}")
    console.print(f"Repository:      {repository}")
    console.print("\nLook further, in Python:", style="bold")
    console.print(
        "  from lsst.daf.butler import Butler\n"
        f"  butler = Butler.from_config({str(repository)!r}, collections={_OUTPUT!r})\n"
        "  ref = butler.query_datasets('deepCoaddCell')[0]\n"
        "  coadd = butler.get(ref)",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return DemoResult(repository=repository, coadds=tuple(coadds), figures=tuple(figures))


def _summarize(coadd: MultipleCellCoadd, console: Console) -> None:
    counts = input_counts(coadd)
    filled = counts[counts > 0]
    visits = {entry.observation.visit for entry in coadd.inputs}
    console.print(
        f"{coadd.identifiers}, {coadd.band} band: {filled.size} of {counts.size} cells filled, "
        f"with {filled.min()} to {filled.max()} of {len(visits)} visits each "
        f"(mean {filled.mean():.1f})"
    )
