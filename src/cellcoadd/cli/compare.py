"""`cellcoadd compare`: what differs between two products, or between those of two collections."""

from __future__ import annotations

__all__ = ["compare"]

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..butler.run_differences import RunDifferences
    from ..differences import Difference

_MOST_NAMED = 20


@click.command()
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@click.option("--repo", metavar="REPO", help="A and B are collections of this repository.")
@click.option(
    "--other-repo", metavar="REPO", help="B is one of this repository; without it, of --repo too."
)
@click.option(
    "-d",
    "--data-query",
    "where",
    metavar="QUERY",
    default="",
    help="Only the datasets that this selects, as pipetask takes it.",
)
@click.option(
    "-t",
    "--dataset-type",
    "dataset_types",
    metavar="NAME",
    multiple=True,
    help="Only datasets of this type; can be given several times.",
)
def compare(
    one: str,
    other: str,
    repo: str | None,
    other_repo: str | None,
    where: str,
    dataset_types: tuple[str, ...],
) -> None:
    """Say what differs between A and B, bit by bit.

    A and B are files of two coadds, warps, images, tables or maps, or with --repo two collections,
    whose products are compared one by one. Of two coadds the cells that both have are compared, and
    the inputs that both list. Differences of images are said in units of the noise too. What a file
    tells of the run that wrote it is not compared, nor are logs, configurations and reports.

    \b
    Examples
      cellcoadd compare coadd.fits other/coadd.fits
      cellcoadd compare --repo REPO u/me/before u/me/after -t deepCoaddCell

    \b
    Exit status
      0  they are the same
      1  something differs
      2  nobody can tell: no such file or collection, or it cannot be read
    """
    from ..errors import CellCoaddError

    if repo is None and (other_repo or where or dataset_types):
        raise click.UsageError("--other-repo, -d and -t are about collections: they need --repo.")
    try:
        if repo is None:
            differs = _compare_files(one, other)
        else:
            differs = _compare_collections(
                (repo, one), (other_repo or repo, other), where, dataset_types
            )
    except BrokenPipeError:
        raise  # click ends quietly when nobody reads on
    except (CellCoaddError, OSError, TypeError) as error:
        raise _CannotTellError(str(error)) from error
    if differs:
        raise click.exceptions.Exit(1)


class _CannotTellError(click.ClickException):
    exit_code = 2


def _compare_files(one: str, other: str) -> bool:
    from ..any_file import read
    from ..differences import differences_between

    found = differences_between(read(one), read(other))
    if not found:
        click.echo("They are the same to the bit.")
    _list(found)
    return bool(found)


def _compare_collections(
    one: tuple[str, str], other: tuple[str, str], where: str, dataset_types: Sequence[str]
) -> bool:
    from ..butler.progress_bars import progress_shown
    from ..butler.repository import open_collections
    from ..butler.run_differences import compare_runs

    with (
        progress_shown(sys.stderr),
        open_collections(one[0], [one[1]]) as butler,
        open_collections(other[0], [other[1]]) as its,
    ):
        found = compare_runs(butler, its, where=where, dataset_types=dataset_types)
    if not (found.same or found.different or any(found.alone)):
        raise _CannotTellError(f"Neither {one[1]} nor {other[1]} has a product to compare.")
    _report(found)
    return bool(found.different or any(found.alone))


def _report(found: RunDifferences) -> None:
    for dataset in found.different:
        click.echo(dataset.dataset)
        _list(dataset.differences, indent="  ")
    for collection, names in zip("AB", found.alone, strict=True):
        for name in names[:_MOST_NAMED]:
            click.echo(f"only in {collection}: {name}")
        if len(names) > _MOST_NAMED:
            click.echo(f"only in {collection}: {len(names) - _MOST_NAMED:,} more")
    alone = " and ".join(
        f"{len(names):,} in {collection} alone"
        for collection, names in zip("AB", found.alone, strict=True)
        if names
    )
    click.echo(
        f"{found.same:,} datasets are the same to the bit, {len(found.different):,} differ"
        f"{f'; {alone}' if alone else ''}."
    )


def _list(differences: Iterable[Difference], indent: str = "") -> None:
    for difference in differences:
        click.echo(f"{indent}{difference}")
