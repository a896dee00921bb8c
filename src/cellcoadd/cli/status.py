"""`cellcoadd status`: whether the coadds of a repository are made of all that there is."""

from __future__ import annotations

__all__ = ["status"]

import sys
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..butler.run_status import RunStatus
    from ..butler.unfinished_files import UnfinishedFile

_AS_BEFORE = "--extend-run --skip-existing --clobber-outputs"


@click.command()
@click.argument("repo")
@click.argument("collections", metavar="COLLECTION...", nargs=-1, required=True)
@click.option(
    "-d",
    "--data-query",
    "where",
    metavar="QUERY",
    default="",
    help="Only what this selects: the query that pipetask was given. Without it, images that "
    "pipetask was not to use are missing from warps.",
)
@click.option(
    "--dataset-type", default="calexp", show_default=True, help="What the images are called."
)
@click.option(
    "--verify",
    is_flag=True,
    help="Read all files of the patches too, and name those that are gone or damaged.",
)
@click.option(
    "--renew",
    is_flag=True,
    help="Have what is stale or unreadable made anew by the next pipetask run "
    f"{_AS_BEFORE}: forget that it was made, with all that was made of it. No product is removed.",
)
@click.option(
    "--sweep",
    is_flag=True,
    help="Remove half-written files that killed processes have left, an hour after the last byte.",
)
@click.option("--yes", is_flag=True, help="Do not ask before something is changed.")
def status(
    repo: str,
    collections: tuple[str, ...],
    where: str,
    dataset_type: str,
    verify: bool,
    renew: bool,
    sweep: bool,
    yes: bool,
) -> None:
    """Say which coadds in REPO are made of less than there is now.

    Coadds are compared with the warps of their patch and band, and warps with the images that touch
    the patch, by the records in their files: no pixel is read, unless --verify asks for it.
    COLLECTION is what pipetask was given as its output (-o), with images below it. What is stale or
    unreadable is left as it is by pipetask run --skip-existing; what is missing is made by it.

    \b
    Exit status
      0  every coadd is made of all that there is
      1  something is stale, missing or unreadable
      2  nobody can tell: no such repository or collection, or nothing in it
    """
    from ..butler.progress_bars import progress_shown
    from ..butler.renewal import datasets_without_files, forget, records_to_forget
    from ..butler.repository import open_collections
    from ..butler.run_status import examine_run
    from ..butler.unfinished_files import find_unfinished, remove_unfinished
    from ..errors import CellCoaddError

    try:
        with (
            progress_shown(sys.stderr),
            open_collections(repo, collections, writeable=renew) as butler,
        ):
            found = examine_run(butler, where=where, image_type=dataset_type, verify=verify)
            unfinished = find_unfinished(butler)
            _report(found, unfinished)
            if sweep and unfinished:
                removed = remove_unfinished(unfinished)
                click.echo(f"Removed: {removed} of {len(unfinished)} half-written files.")
            if renew and found.stale:
                records = records_to_forget(butler, found.stale)
                empty = datasets_without_files(butler, found.unreadable)
                for what, refs in (("records of success", records), ("products gone", empty)):
                    for run, number in sorted(Counter(ref.run for ref in refs).items()):
                        click.echo(f"{number} {what} in {run}")
                if not yes:
                    click.confirm("Forget them, so that this is made anew?", abort=True)
                forget(butler, [*records, *empty])
                click.echo(f"Forgotten: {len(records) + len(empty)} records.")
    except BrokenPipeError:
        raise  # click ends quietly when nobody reads on
    except (CellCoaddError, OSError) as error:
        raise _CannotTellError(str(error)) from error
    if not (found.coadds or found.warps or found.findings or found.empty):
        raise _CannotTellError(
            f"No coadd (deepCoaddCell) and no warp in {', '.join(collections)} of {repo}"
            f"{f' with {where}' if where else ''}; 'butler query-collections {repo}' lists the "
            "collections."
        )
    if any(file.is_left_over for file in unfinished) and not sweep:
        click.echo("  next: --sweep removes half-written files, an hour after the last byte")
    if found.stale and not renew:
        click.echo(
            "  next: --renew lets the pipetask run below make anew what is stale or unreadable"
        )
    if found.findings:
        click.echo(f"  next: the pipetask run of before, with {_AS_BEFORE}")
        raise click.exceptions.Exit(1)


class _CannotTellError(click.ClickException):
    exit_code = 2


def _report(found: RunStatus, unfinished: Iterable[UnfinishedFile]) -> None:
    for finding in found.findings:
        click.echo(str(finding))
    for place in found.empty:
        click.echo(f"empty: {place}: no input covers a whole cell; there is no coadd.")
    for file in unfinished:
        click.echo(f"half-written, {_ago(file.at_rest)}: {file.path}")
    click.echo(
        f"Of {found.coadds:,} coadds and {found.warps:,} warps, {found.sound:,} are made of all "
        "that there is."
    )


def _ago(seconds: float) -> str:
    minutes = max(seconds, 0.0) / 60
    return f"{minutes:.0f} min ago" if minutes < 120 else f"{minutes / 60:.0f} h ago"
