"""The sub-commands of ``butler``, as a user sees them."""

from __future__ import annotations

import subprocess
import sysconfig
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lsst.daf.butler import Butler
from lsst.daf.butler.cli.butler import cli
from lsst.daf.butler.registry import ConflictingDefinitionError
from lsst.daf.butler.registry.interfaces import ReadOnlyDatabaseError
from sqlalchemy.exc import IntegrityError, OperationalError

from cellcoadd.butler.cli import get_cli_resource
from cellcoadd.butler.cli.commands import register_cell_skymap
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.repositories import copy_repository, files_of, records_of


def butler_command(*arguments: str | Path) -> Result:
    """Run ``butler`` in this process."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def repo(ingested: Path, tmp_path: Path) -> Path:
    """A repository with tract 9813 and all images in the run ``images``, closed."""
    copy_repository(ingested, tmp_path / "repo").close()
    return tmp_path / "repo"


def state(root: Path) -> object:
    with Butler.from_config(root) as opened:
        return records_of(opened), files_of(root)


def test_from_files_to_a_repository_in_three_commands(
    tmp_path: Path, images: tuple[Path, ...]
) -> None:
    """The way of the tutorial; each command names the next."""
    root = tmp_path / "new"
    made = butler_command("make-cell-repo", root)
    assert made.exit_code == 0, made.output
    assert "next: butler" in made.output
    ingested = butler_command(
        "ingest-calibrated", root, images[0].parent, "-o", "HSC/field", "--transfer", "copy",
        "--no-check",
    )  # fmt: skip
    assert ingested.exit_code == 0, ingested.output
    assert "6 files ingested into HSC/field/images, 0 there already, 0 refused." in ingested.output
    registered = butler_command(
        "register-skymap", root, "hsc_rings_cells_v1", "--overlapping", "HSC/field"
    )
    assert registered.exit_code == 0, registered.output
    assert "Registered 1 tract of hsc_rings_cells_v1: 9813." in registered.output
    assert "next: pipetask run" in registered.output
    with Butler.from_config(root, collections="HSC/field") as opened:
        assert opened.get("skyMap", skymap="hsc_rings_cells_v1").name == "hsc_rings_cells_v1"
        assert len(opened.query_datasets("calexp")) == 6


def test_doing_it_again_says_that_nothing_was_to_do(repo: Path, images: tuple[Path, ...]) -> None:
    """And changes nothing."""
    before = state(repo)
    again = butler_command("ingest-calibrated", repo, *images, "--run", "images", "-t", "copy")
    assert again.exit_code == 0, again.output
    assert "0 files ingested into images, 6 there already, 0 refused." in again.output
    assert "not changed" in again.output
    skymap = butler_command("register-skymap", repo, "hsc_rings_cells_v1", "--tracts", "9813")
    assert skymap.exit_code == 0, skymap.output
    assert "Nothing to do" in skymap.output
    assert state(repo) == before


def test_refused_files_are_named_and_fail_the_command_only_if_nothing_is_left(
    repo: Path, images: tuple[Path, ...], tmp_path: Path
) -> None:
    """A script must notice that nothing went in; one bad file among good ones is no failure."""
    bad = tmp_path / "bad.fits"
    bad.write_text("not an image")
    some = butler_command("ingest-calibrated", repo, bad, images[0], "--run", "images")
    assert some.exit_code == 0
    assert f"refused {bad}: " in some.output
    none = butler_command("ingest-calibrated", repo, bad, "--run", "images")
    assert none.exit_code == 1
    assert "0 files ingested into images, 0 there already, 1 refused." in none.output


def test_a_repository_is_not_made_twice(repo: Path) -> None:
    """Making it anew would lose what is in there."""
    before = state(repo)
    again = butler_command("make-cell-repo", repo)
    assert again.exit_code == 1
    assert "includeConfigs" in again.output
    assert state(repo) == before


def test_a_conflicting_sky_map_is_refused_with_a_message(repo: Path, tmp_path: Path) -> None:
    """No traceback: the message says what differs."""
    definition = tmp_path / "mine.yaml"
    definition.write_text(
        "kind: discrete\npixel_scale_arcsec: 0.2\ntracts: [{ra: 150.1, dec: 2.2, radius: 0.06}]\n"
    )
    before = state(repo)
    refused = butler_command(
        "register-skymap", repo, "hsc_rings_cells_v1", "--definition", definition
    )
    assert refused.exit_code == 1
    assert "kind is rings there and discrete here" in refused.output
    assert "Traceback" not in refused.output
    assert state(repo) == before
    accepted = butler_command("register-skymap", repo, "mine", "--definition", definition)
    assert accepted.exit_code == 0, accepted.output
    assert "Registered 1 tract of mine: 0." in accepted.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "no built-in sky map 'nonsense'"),
        (["lsst_cells_v1", "--tracts", "1,x"], "'x' is neither a number nor a range"),
        (["lsst_cells_v1", "--tracts", "5..3"], "'5..3' holds no tract"),
        (["lsst_cells_v1", "--tracts", "99999"], "there is no 99999"),
        (["lsst_cells_v1", "--tracts", "1", "--overlapping", "images"], "exclude each other"),
        (["lsst_cells_v1", "--overlapping", "nowhere"], "nowhere"),
    ],
)
def test_wrong_arguments_are_explained(repo: Path, arguments: list[str], message: str) -> None:
    """The message names the value and the rule; the repository is left alone."""
    before = state(repo)
    result = butler_command("register-skymap", repo, *arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output
    assert state(repo) == before


def test_a_sky_map_that_no_image_touches_is_not_registered(repo: Path, tmp_path: Path) -> None:
    """The images are elsewhere; a map with 0 tracts is of no use."""
    definition = tmp_path / "far.yaml"
    definition.write_text(
        "kind: discrete\npixel_scale_arcsec: 0.2\ntracts: [{ra: 10.0, dec: -60.0, radius: 0.05}]\n"
    )
    before = state(repo)
    result = butler_command(
        "register-skymap", repo, "far", "--definition", definition, "--overlapping", "images"
    )
    assert result.exit_code == 1
    assert result.output == "Error: No tract of far touches the images in images.\n"
    assert state(repo) == before


@pytest.mark.parametrize(
    ("survey", "who"),
    [([], "the readers rubin, calibrated, decam"), (["--survey", "decam"], "the reader")],
)
def test_a_folder_without_images_is_named(
    repo: Path, tmp_path: Path, survey: list[str], who: str
) -> None:
    """Or one wonders why nothing was ingested."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "todo.txt").write_text("...")
    before = state(repo)
    result = butler_command("ingest-calibrated", repo, folder, *survey)
    assert result.exit_code == 1
    assert f"Error: No file in {folder} is one that {who}" in result.output
    assert state(repo) == before


@pytest.mark.parametrize("name", ["file", "empty", "absent"])
@pytest.mark.parametrize("command", ["register-skymap", "ingest-calibrated"])
def test_what_is_no_repository_is_named(tmp_path: Path, name: str, command: str) -> None:
    """A file, a folder without butler.yaml, nothing at all."""
    (tmp_path / "file").write_text("no repository")
    (tmp_path / "empty").mkdir()
    place = tmp_path / name
    argument = "hsc_rings_cells_v1" if command == "register-skymap" else tmp_path
    result = butler_command(command, place, argument)
    assert result.exit_code == 1
    assert f"Error: {place} is not a Butler repository (" in result.output
    assert "aliases" not in result.output


def test_a_repository_cannot_be_made_of_a_file(tmp_path: Path) -> None:
    """No traceback, and the file stays."""
    place = tmp_path / "file"
    place.write_text("precious")
    result = butler_command("make-cell-repo", place)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert str(place) in result.output
    assert place.read_text() == "precious"


def test_a_long_registration_is_announced(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes and gigabytes must not come as a surprise; ranges count both ends."""
    monkeypatch.setattr("cellcoadd.butler.register_skymap._PATCHES_PER_SECOND", 1)
    result = butler_command("register-skymap", repo, "hsc_rings_cells_v1", "--tracts", "9813..9815")
    assert result.exit_code == 0, result.output
    assert "3 tracts: this takes about 6 min" in result.output
    assert "Registered 2 tracts of hsc_rings_cells_v1: 9814, 9815." in result.output
    assert "There already: 1 tract." in result.output


def test_beside_the_rubin_pipelines_no_command_has_the_name_of_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The butler refuses to run at all when two packages have a command of one name."""
    names = [command.name for command in get_cli_resource()]
    assert names == ["make-cell-repo", "register-skymap", "ingest-calibrated"]
    monkeypatch.setattr(register_cell_skymap, "name", register_cell_skymap.name)  # to be undone
    theirs = ModuleSpec("lsst.pipe.tasks", None)
    monkeypatch.setattr("importlib.util.find_spec", {theirs.name: theirs}.get)
    names = [command.name for command in get_cli_resource()]
    assert "register-skymap" in names, "a namespace alone, ours perhaps"
    theirs.has_location = True
    names = [command.name for command in get_cli_resource()]
    assert names == ["make-cell-repo", "register-cell-skymap", "ingest-calibrated"]


def test_the_installed_command_offers_ours(tmp_path: Path) -> None:
    """The entry point is in the package's metadata; only a real process proves it."""
    program = Path(sysconfig.get_path("scripts")) / "butler"
    done = subprocess.run(
        [program, "make-cell-repo", tmp_path / "repo"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Made the repository" in done.stdout
    assert (tmp_path / "repo" / "butler.yaml").is_file()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConflictingDefinitionError("visit 1228"), "was first (visit 1228)"),
        (IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed")), "was first (UNIQUE"),
        (OperationalError("INSERT", {}, Exception("database is locked")), "run the command again"),
        (
            OperationalError("INSERT", {}, Exception("attempt to write a readonly database")),
            "ask its owner for the right to write",
        ),
        (ReadOnlyDatabaseError("Attempt to modify read-only database"), "ask its owner"),
    ],
)
def test_errors_of_the_database_are_explained(
    repo: Path,
    images: tuple[Path, ...],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
) -> None:
    """Two people ingest the same folder, or one has no right to: a sentence, and what to do."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("cellcoadd.butler.ingest.register_visit", fail)
    outcome = run_command("butler", "ingest-calibrated", repo, images[0], "--no-check")
    assert outcome.exit_code == 1
    assert message in outcome.output
    assert not outcome.has_traceback


def test_an_output_that_nobody_reads_on_is_no_traceback(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in ``| head``."""

    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("cellcoadd.butler.cli.commands.click.echo", broken)
    outcome = run_command("butler", "register-skymap", repo, "lsst_cells_v1", "--tracts", "1")
    assert outcome.exit_code == 1
    assert not outcome.has_traceback
