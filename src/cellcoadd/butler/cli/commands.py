"""The sub-commands themselves: options in, one call, what became of it out."""

from __future__ import annotations

__all__ = ["ingest_calibrated", "make_cell_repo", "register_cell_skymap"]

import contextlib
import logging
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from lsst.daf.butler.cli.opt import repo_argument, transfer_option
from lsst.daf.butler.cli.utils import ButlerCommand

if TYPE_CHECKING:
    from ...skymap import SkyMap

_PIPELINE = "resource://cellcoadd/pipelines/cell_coadds.yaml"
_LONG_SECONDS = 20.0  # beyond this a command says beforehand how long it takes


@click.command(
    "make-cell-repo",
    cls=ButlerCommand,
    short_help="Create a repository for cell-based coadds.",
)
@repo_argument(required=True, help="REPO is the folder or URI of the new repository.")
@click.option(
    "--seed-config",
    metavar="FILE",
    help="YAML of a Butler's configuration: what is to be otherwise in this repository, such as a "
    "PostgreSQL database (registry: db) or a bucket for the datasets (datastore: root).",
)
def make_cell_repo(repo: str, seed_config: str | None) -> None:
    """Create an empty repository that knows the data types of cellcoadd."""
    with _running():
        from ..repository import make_repository

        with make_repository(repo, seed_config=seed_config):
            pass
        click.echo(f"Made the repository {repo}.")
        _next(f"butler register-skymap {shlex.quote(repo)} hsc_rings_cells_v1 --tracts 9813")
        _next(f"butler ingest-calibrated {shlex.quote(repo)} FILES... -o COLLECTION")


@click.command(
    "register-skymap",
    cls=ButlerCommand,
    short_help="Register a sky map of tracts, patches and cells.",
)
@repo_argument(required=True, help="REPO is the folder or URI of the repository.")
@click.argument("name")
@click.option(
    "--definition",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file that defines the map. Without it NAME is one of the maps that are known: "
    "hsc_rings_cells_v1, lsst_cells_v1, lsst_cells_v2.",
)
@click.option("--tracts", metavar="IDS", help="Only these tracts, such as 9813,9814 or 9813..9820.")
@click.option(
    "--overlapping",
    metavar="COLLECTION",
    help="Only the tracts that the images in this collection touch.",
)
@click.option(
    "--dataset-type",
    default="calexp",
    show_default=True,
    help="What the images in the collection of --overlapping are called.",
)
def register_cell_skymap(
    repo: str,
    name: str,
    definition: Path | None,
    tracts: str | None,
    overlapping: str | None,
    dataset_type: str,
) -> None:
    """Register a sky map, all its tracts or some, with their patches and regions.

    NAME is the name of the map in data IDs, as in skymap='hsc_rings_cells_v1'.

    More tracts can be added later; registering the same again changes nothing. Another map under a
    name that is taken is refused.
    """
    with _running():
        from ...errors import RepositoryError
        from ...skymap import load_sky_map, named_sky_map
        from ..register_skymap import register_skymap, tracts_touched
        from ..repository import open_repository

        if tracts is not None and overlapping is not None:
            raise click.UsageError("--tracts and --overlapping exclude each other.")
        skymap = named_sky_map(name) if definition is None else load_sky_map(definition, name=name)
        wanted = None if tracts is None else _parse_ids(tracts)
        with open_repository(repo) as butler:
            if overlapping is not None:
                wanted = tracts_touched(
                    butler, skymap, collection=overlapping, dataset_type=dataset_type
                )
                if not wanted:
                    raise RepositoryError(
                        f"No tract of {name} touches the images in {overlapping}."
                    )
            _announce(skymap, len(skymap) if wanted is None else len(wanted))
            result = register_skymap(butler, skymap, tracts=wanted)
        if result.tracts_added:
            click.echo(
                f"Registered {_count(len(result.tracts_added), 'tract')} of {name}"
                f"{_list_ids(result.tracts_added)}."
            )
            if result.tracts_there:
                click.echo(f"There already: {_count(result.tracts_there, 'tract')}.")
        else:
            click.echo(
                f"Nothing to do: {name} is registered, with "
                f"{_count(result.tracts_there, 'tract')} asked for."
            )
        if overlapping is None or not wanted:
            _next(f"butler ingest-calibrated {shlex.quote(repo)} FILES... -o COLLECTION")
        else:
            _next(
                f"pipetask run --register-dataset-types -b {shlex.quote(repo)} "
                f"-i {shlex.quote(overlapping)} -o u/$USER/cell_coadds -p {_PIPELINE} "
                f"-d \"skymap='{name}' AND tract={wanted[0]}\""
            )


@click.command(
    "ingest-calibrated",
    cls=ButlerCommand,
    short_help="Bring calibrated images into a repository.",
)
@repo_argument(required=True, help="REPO is the folder or URI of the repository.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="COLLECTION",
    help="Name for what pipetask needs as its input: a chain of the images, which go into the run "
    "COLLECTION/images, and of the sky maps  [default: calibrated].",
)
@click.option(
    "--run",
    help="Put the images into this run, and make no chain. pipetask -i then needs RUN,skymaps.",
)
@click.option(
    "--camera",
    "--survey",
    "camera",
    metavar="NAME|FILE",
    help="Whose files they are: rubin, decam, ..., the name of a camera that is ready, or a "
    "definition in YAML [default: look].",
)
@click.option(
    "--dataset-type", default="calexp", show_default=True, help="What the images are called."
)
@click.option(
    "--summary-type",
    default="finalVisitSummary",
    show_default=True,
    help="What visit summaries are called.",
)
@click.option(
    "--check/--no-check",
    default=True,
    help="Read each image whole before anything is changed, or trust what headers say, which is "
    "faster [default: check].",
)
@transfer_option(default="auto")  # type: ignore[untyped-decorator]
def ingest_calibrated(
    repo: str,
    paths: tuple[Path, ...],
    output: str | None,
    run: str | None,
    camera: str | None,
    dataset_type: str,
    summary_type: str,
    check: bool,
    transfer: Any,
) -> None:
    """Bring calibrated images into a repository.

    PATHS are image files, or folders to search for them. Instrument, detectors, filters, nights and
    visits are registered from what the files say. Files that belong to an image (variance, mask,
    point-spread function) are found beside it. Visit summaries of the Rubin pipelines, given or
    beside images, become datasets of their own, which makeDirectWarp takes WCS, PSF and calibration
    from.

    A file that cannot be used is named with the reason, and the others go in. Ingesting the same
    files again changes nothing.
    """
    with _running():
        from ...surveys import named_reader
        from ..candidates import find_images
        from ..image_collections import IMAGES_RUN, chain_images
        from ..ingest import ingest_images
        from ..repository import open_repository
        from .ingest_report import print_report

        if output is not None and run is not None:
            raise click.UsageError("--output and --run exclude each other.")
        chain = (output or "calibrated") if run is None else None
        _quieten_butler()
        reader = None if camera is None else named_reader(camera)
        with open_repository(repo) as butler:
            images = find_images(paths, camera=reader)
            if not images:
                raise click.ClickException(_nothing_found(paths, camera))
            report = ingest_images(
                butler,
                images,
                run=run or f"{chain}/{IMAGES_RUN}",
                camera=reader,
                dataset_type=dataset_type,
                summary_type=summary_type,
                transfer=transfer,
                check=check,
            )
            taken = report.ingested or report.already_there or report.visit_summaries
            if chain is not None and taken:
                chain_images(butler, chain, report.run)
        print_report(report)
        if not taken:
            sys.exit(1)
        if report.ingested:
            _next(
                f"butler register-skymap {shlex.quote(repo)} hsc_rings_cells_v1 "
                f"--overlapping {shlex.quote(chain or report.run)}"
            )


@contextlib.contextmanager
def _running() -> Iterator[None]:
    """Show progress, and turn errors that are the user's to mend into plain messages."""
    from ...errors import CellCoaddError
    from ..progress_bars import progress_shown
    from ..registry_errors import explain_registry_error

    try:
        with progress_shown(sys.stdout):
            yield
    except BrokenPipeError:
        _end_quietly()
    except (CellCoaddError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    except Exception as error:
        if (explained := explain_registry_error(error)) is None:
            raise
        raise click.ClickException(explained) from error


def _end_quietly() -> NoReturn:
    """End when nobody reads on, as in ``| head``; the butler command would print a traceback."""
    # Python flushes its standard output once more when it ends, which would fail, too.
    with contextlib.suppress(OSError):
        standard_output = sys.stdout.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), standard_output)
    sys.exit(1)


def _nothing_found(folders: tuple[Path, ...], camera: str | None) -> str:
    from ...surveys import READERS

    readers = (
        f"the reader {camera} recognizes"
        if camera is not None
        else f"the readers {', '.join(READERS)} recognize"
    )
    return f"No file in {', '.join(map(str, folders))} is one that {readers}."


def _quieten_butler() -> None:
    """Drop the line that the Butler logs for each visit, unless a level was asked for."""
    logger = logging.getLogger("lsst.daf.butler.direct_butler")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)


def _announce(skymap: SkyMap, n_tracts: int) -> None:
    from ..register_skymap import registration_cost

    seconds, size = registration_cost(skymap, n_tracts)
    if seconds > _LONG_SECONDS:
        click.echo(
            f"{n_tracts:,} tracts: this takes about {max(seconds / 60, 1):.0f} min and "
            f"{size / 1e9:.1f} GB of the registry. It can be interrupted and taken up again; "
            "--tracts or --overlapping registers fewer."
        )


def _parse_ids(text: str) -> list[int]:
    """Parse ``1,2,5..9``; both ends of a range are in it."""
    ids: set[int] = set()
    for part in text.split(","):
        first, dots, last = part.partition("..")
        try:
            ids.update(range(int(first), int(last if dots else first) + 1))
        except ValueError:
            raise click.BadParameter(
                f"{part!r} is neither a number nor a range such as 9813..9820.",
                param_hint="--tracts",
            ) from None
    if not ids:
        raise click.BadParameter(f"{text!r} holds no tract.", param_hint="--tracts")
    return sorted(ids)


def _list_ids(ids: tuple[int, ...], at_most: int = 8) -> str:
    if len(ids) > at_most:
        return f", {ids[0]} to {ids[-1]}"
    return ": " + ", ".join(map(str, ids))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _next(command: str) -> None:
    click.echo(f"  next: {command}")
