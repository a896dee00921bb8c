"""The demonstration: a small simulated survey from exposures to a cell-based coadd.

It runs the very commands that a user would, prints them, and leaves all it makes in one folder.
They run in this process, which has loaded what they need: a process of its own for each would spend
most of its time on starting.
"""

from __future__ import annotations

__all__ = ["DemoResult", "run_demo"]

import contextlib
import dataclasses
import logging
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from lsst.ctrl.mpexec.cli.pipetask import cli as pipetask_command
from lsst.daf.butler import Butler
from lsst.daf.butler.cli.butler import cli as butler_command
from lsst.daf.butler.cli.cliLog import CliLog
from rich.console import Console

from .butler.tract_reports import write_reports
from .errors import CellCoaddError
from .products.cell_coadd import MultipleCellCoadd
from .report.coadd_figures import draw_coadd_and_inputs, input_counts
from .report.style import write_figure
from .simulate import survey_plan, write_survey

_SKYMAP = "hsc_rings_cells_v1"
_TRACT = 9813
_INPUT = "HSC/runs/demo"
_OUTPUT = "u/demo/cell_coadds"
_PIPELINE = "resource://cellcoadd/pipelines/full.yaml"
_MARK = ".cellcoadd-demo"
_MADE = ("repo", "images", "report", f"coadd_{_TRACT}_*.fits", f"coadd_{_TRACT}_*.png")
# Large detectors reach into neighbouring patches, which would take as long and be half empty.
_PATCHES = {"hsc-patch": " AND patch=61"}
_COMMANDS: dict[str, Any] = {"butler": butler_command, "pipetask": pipetask_command}


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
    page
        The report: figures, tables, and where all of it came from.
    """

    repository: Path
    coadds: tuple[Path, ...]
    figures: tuple[Path, ...]
    page: Path


def run_demo(
    folder: Path, *, plan: str = "demo", processes: int = 1, console: Console | None = None
) -> DemoResult:
    """Simulate a survey, coadd it, and leave coadds and figures in a folder.

    Parameters
    ----------
    folder
        Where to put everything. What an earlier demonstration made there is replaced, and whatever
        else lies beside it is left alone; a folder in which none was made yet must be empty.
    plan
        Which survey to simulate, by its name in `simulate.SURVEY_PLANS`.
    processes
        Number of processes of ``pipetask``.
    console
        Where to print.

    Raises
    ------
    CellCoaddError
        If the folder holds something else, or a command fails.
    OSError
        If the folder cannot be made or written.
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
    _run(["butler", "make-cell-repo", repository], console, doing="Making the repository ...")
    ingest: list[str | Path] = ["butler", "ingest-calibrated", repository, images, "-o", _INPUT]
    _run(ingest, console, doing="Looking at the images ...")
    register: list[str | Path] = ["butler", "register-skymap", repository, _SKYMAP]
    _run([*register, "--overlapping", _INPUT], console, doing="Registering tracts ...")
    console.rule("3. Warp, assemble, stitch, tabulate and map")
    where = f"instrument='{survey.camera.instrument}' AND skymap='{_SKYMAP}' AND tract={_TRACT}"
    where += _PATCHES.get(plan, "")
    pipetask: list[str | Path] = ["pipetask", "--log-level", "WARNING", "run", "-j", str(processes)]
    pipetask += ["--register-dataset-types", "-b", repository, "-i", _INPUT, "-o", _OUTPUT]
    # Its report would be drawn twice: that of the command has the settings of the tasks, too.
    pipetask += ["-p", _PIPELINE, "--delete", "reportCells"]
    pipetask += ["-d", f"{where} AND band='{survey.band}'"]
    _run(pipetask, console, doing="Warping and adding up ...")
    console.rule("4. Report")
    page = _report(folder, repository, console)
    console.rule("5. Look")
    return _show(folder, repository, page, console)


def _prepare(folder: Path) -> None:
    """Make the folder, or remove from it what an earlier demonstration made."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / _MARK
    if mark.exists():
        for pattern in _MADE:
            for path in list(folder.glob(pattern)):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
    elif strangers := sorted(path.name for path in folder.iterdir()):
        raise CellCoaddError(
            f"{folder} holds {strangers[0]}, which no demonstration made: choose a new folder or "
            "an empty one."
        )
    mark.touch()


def _run(command: Sequence[str | Path], console: Console, *, doing: str) -> None:
    """Print a command and run it."""
    name, *arguments = (str(part) for part in command)
    line = " ".join([name, *map(_quoted, arguments)])
    console.print(f"$ {line}", style="bold", soft_wrap=True, highlight=False, markup=False)
    with console.status(doing), _logging_restored():
        try:
            # Of a command that ends itself with a status, click returns that.
            status = _COMMANDS[name].main(args=arguments, prog_name=name, standalone_mode=False)
        except click.ClickException as error:
            raise CellCoaddError(f"{name} failed: {error.format_message()}") from error
        except SystemExit as error:
            status = error.code
    if isinstance(status, int | str) and status:
        raise CellCoaddError(f"{name} failed with exit status {status}; see above.")


def _quoted(argument: str) -> str:
    """Return an argument as one types it in a shell."""
    # shlex puts an expression with single quotes into a thicket of them.
    plain = not set(argument) & set('"$`!\\')
    return f'"{argument}"' if "'" in argument and plain else shlex.quote(argument)


@contextlib.contextmanager
def _logging_restored() -> Iterator[None]:
    """Undo what a command has done to the logging of this process."""
    levels = {logger: logger.level for logger in (logging.getLogger(), logging.getLogger("lsst"))}
    try:
        yield
    finally:
        CliLog.resetLog()
        # The first command of a process leaves its level behind all the same.
        for logger, level in levels.items():
            logger.setLevel(level)


def _report(folder: Path, repository: Path, console: Console) -> Path:
    """Write the report as the command does that is printed."""
    target = folder / "report"
    command = ["cellcoadd", "report", str(repository), "--collection", _OUTPUT, "-o", str(target)]
    line = " ".join(map(_quoted, command))
    console.print(f"$ {line}", style="bold", soft_wrap=True, highlight=False, markup=False)
    with console.status("Drawing figures ..."):
        pages = [written.page for written in write_reports(str(repository), [_OUTPUT], target)]
    return pages[-1]


def _show(folder: Path, repository: Path, page: Path, console: Console) -> DemoResult:
    coadds: list[Path] = []
    figures: list[Path] = []
    with Butler.from_config(str(repository), collections=_OUTPUT) as butler:
        for ref in butler.query_datasets("deepCoaddCell", limit=None):
            name = f"coadd_{ref.dataId['tract']}_{ref.dataId['patch']}_{ref.dataId['band']}"
            coadd: MultipleCellCoadd = butler.get(ref)
            stitched = folder / f"{name}.fits"
            stored = butler.getURI("deepCoaddCell_stitched", ref.dataId).ospath
            shutil.copyfile(stored, stitched)
            coadds.append(stitched)
            figures.append(write_figure(draw_coadd_and_inputs(coadd), folder / f"{name}.png"))
            _summarize(coadd, console)
    console.print(f"Stitched coadd:  {', '.join(str(path) for path in coadds)}")
    console.print(f"Picture:         {', '.join(str(path) for path in figures)}")
    console.print(f"Repository:      {repository}")
    console.print(f"Page to look at: {page}", soft_wrap=True)
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
    return DemoResult(
        repository=repository, coadds=tuple(coadds), figures=tuple(figures), page=page
    )


def _summarize(coadd: MultipleCellCoadd, console: Console) -> None:
    counts = input_counts(coadd)
    filled = counts[counts > 0]
    visits = {entry.observation.visit for entry in coadd.inputs}
    console.print(
        f"{coadd.identifiers}, {coadd.band} band: {filled.size} of {counts.size} cells filled, "
        f"with {filled.min()} to {filled.max()} of {len(visits)} visits each "
        f"(mean {filled.mean():.1f})",
        soft_wrap=True,
    )
