"""The demonstration: what a newcomer runs first."""

from __future__ import annotations

import dataclasses
import logging
import shlex
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from astropy.io import fits
from click.testing import CliRunner, Result
from lsst.daf.butler import Butler
from lsst.images.cells import CellCoadd
from lsst.images.serialization import read_archive

from cellcoadd.cli import main
from cellcoadd.demo import _COMMANDS
from cellcoadd.simulate import Camera, VisitPlan
from cellcoadd.simulate.presets import SURVEY_PLANS
from cellcoadd.simulate.survey import SurveyFiles
from cellcoadd.skymap import named_sky_map
from cellcoadd.testing.commands import run_command


@pytest.fixture(autouse=True)
def small_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan ``tests`` with two visits of one detector: seconds less, and all steps."""
    make = SURVEY_PLANS["tests"]
    plan = make(
        camera=Camera(columns=1, rows=1, width=420, height=420),
        visits=(
            VisitPlan(visit=1228, sequence=1),
            VisitPlan(visit=1230, sequence=2, rotation=90.0),
        ),
    )
    # Pixel (20925, 15950) of the tract is in a cell that the patches 61 and 62 share.
    sky = named_sky_map("hsc_rings_cells_v1")[9813].sky_projection.pixel_to_sky(x=20925, y=15950)
    both = dataclasses.replace(plan, ra=sky.ra.deg, dec=sky.dec.deg, visits=plan.visits[:1])
    monkeypatch.setitem(SURVEY_PLANS, "tests", lambda: plan)
    monkeypatch.setitem(SURVEY_PLANS, "hsc-patch", lambda: both)


def demo(folder: Path, plan: str = "tests") -> Result:
    return CliRunner().invoke(main, ["demo", str(folder), "--plan", plan])


def test_the_demonstration_leaves_a_coadd_that_others_read_and_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line that it prints can be typed again: the commands, and the Python at the end.

    What an earlier demonstration left in the folder is replaced, and nothing else; that folder can
    be the one that one is in.
    """
    folder = tmp_path / "demo (1) [x]"  # which CFITSIO would not take for a name
    with monkeypatch.context() as earlier:
        earlier.setattr("cellcoadd.demo.write_survey", _on_a_full_disk)
        assert demo(folder).exit_code == 1
    notebook = folder / "my-look.ipynb"
    notebook.write_text("...")
    stale = [folder / "coadd_9813_99_i.fits", folder / "repo" / "stale"]
    stale[1].parent.mkdir()
    for path in stale:
        path.touch()

    monkeypatch.chdir(folder)
    levels = logging.getLogger().level, logging.getLogger("lsst").level
    result = demo(Path())
    assert result.exit_code == 0, result.output
    assert notebook.read_text() == "..."
    assert not any(path.exists() for path in stale)
    (stitched,) = folder.glob("*.fits")
    coadd = read_archive(str(stitched), CellCoadd)
    assert coadd.image.array.max() > 0
    with fits.open(stitched) as hdus:
        assert [hdu.name for hdu in hdus[1:4]] == ["IMAGE", "MASK", "VARIANCE"]
    (picture,) = folder.glob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000
    commands = [line[2:] for line in result.output.splitlines() if line.startswith("$ ")]
    assert [command.split()[:2] for command in commands] == [
        ["butler", "make-cell-repo"],
        ["butler", "ingest-calibrated"],
        ["butler", "register-skymap"],
        ["pipetask", "--log-level"],
        ["cellcoadd", "report"],
    ]
    assert commands[-2].endswith(
        "-d \"instrument='HSC' AND skymap='hsc_rings_cells_v1' AND tract=9813 AND band='i'\""
    )
    assert "WARNING:" not in result.output
    assert "2 images of 2 visits" in result.output
    (page,) = Path("report").glob("*.html")
    assert page.stat().st_size > 100_000
    assert f"Page to look at: {page}" in result.output
    page.unlink()
    written = CliRunner().invoke(main, shlex.split(commands[-1])[1:])
    assert written.exit_code == 0, written.output
    assert page.exists()
    shown = result.output.split("Look further, in Python:\n")[1]
    code = "\n".join(line.strip() for line in shown.splitlines())
    names: dict[str, object] = {}
    exec(code, names)  # what the user is told to type
    assert type(names["coadd"]).__name__ == "MultipleCellCoadd"
    butler = names["butler"]
    assert isinstance(butler, Butler)
    butler.close()
    assert (logging.getLogger().level, logging.getLogger("lsst").level) == levels


def _on_a_full_disk(*_: object) -> None:
    raise OSError("No space left on device")


def test_the_survey_of_one_patch_is_not_coadded_on_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Detectors of full size reach into eight of them; that would take nine times as long.

    The report is that of the other demonstration and not drawn again.
    """
    page = SimpleNamespace(page=Path("report.html"))
    monkeypatch.setattr("cellcoadd.demo.write_reports", lambda *_: [page])
    result = demo(tmp_path / "demo", plan="hsc-patch")
    assert result.exit_code == 0, result.output
    assert "AND tract=9813 AND patch=61 AND band='i'" in result.output
    assert [path.name for path in (tmp_path / "demo").glob("*.fits")] == ["coadd_9813_61_i.fits"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A traceback is no answer to a wrong path."""
    (tmp_path / "file").touch()
    result = demo(tmp_path / "file" / "demo")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert str(tmp_path / "file") in result.output


def test_a_folder_with_strangers_is_left_alone(tmp_path: Path) -> None:
    """It may be somebody's only copy."""
    precious = tmp_path / "thesis.tex"
    precious.write_text("...")
    result = demo(tmp_path)
    assert result.exit_code == 1
    assert f"{tmp_path} holds thesis.tex, which no demonstration made" in result.output
    assert "Traceback" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_command_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees it can run that command again."""
    monkeypatch.setattr("cellcoadd.demo._SKYMAP", "nonesuch")
    result = demo(tmp_path / "demo")
    assert result.exit_code == 1
    assert "Error: butler failed: " in result.output
    assert "nonesuch" in result.output
    assert "Traceback" not in result.output


def test_a_command_that_ends_with_a_status_ends_the_demonstration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way it ends; what follows would work on what it did not make."""

    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1)
    @click.pass_context
    def failing(context: click.Context, arguments: tuple[str, ...]) -> None:
        context.exit(3)

    monkeypatch.setitem(_COMMANDS, "butler", failing)
    nothing = SurveyFiles(images=(), truth=tmp_path)
    monkeypatch.setattr("cellcoadd.demo.write_survey", lambda *_: nothing)
    outcome = run_command("cellcoadd", "demo", tmp_path / "demo", "--plan", "tests")
    assert outcome.exit_code == 1
    assert "butler failed with exit status 3" in outcome.output
    assert "ingest-calibrated" not in outcome.output
