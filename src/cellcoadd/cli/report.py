"""`cellcoadd report`: pages on the coadds of a repository."""

from __future__ import annotations

__all__ = ["report"]

from pathlib import Path

import click


@click.command()
@click.argument("repo")
@click.option(
    "--collection",
    "collections",
    metavar="COLLECTION",
    multiple=True,
    required=True,
    help="Collection of the coadds, with their tables and maps; can be given several times.",
)
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Where the pages and figures go.",
)
@click.option("--tract", "tracts", type=int, multiple=True, help="Only this tract; repeatable.")
@click.option("--band", "bands", multiple=True, help="Only this band; repeatable.")
def report(
    repo: str,
    collections: tuple[str, ...],
    output: Path,
    tracts: tuple[int, ...],
    bands: tuple[str, ...],
) -> None:
    """Write a page for each tract and band of the coadds in REPO, with figures and tables.

    A page is one HTML file that needs no other; its figures lie beside it as PNG files, too. What
    the collections do not hold is named and left out.
    """
    from ..butler.tract_reports import write_reports
    from ..errors import CellCoaddError

    try:
        for written in write_reports(repo, collections, output, tracts=tracts, bands=bands):
            size = written.page.stat().st_size / 1e6
            click.echo(f"{written.page}: {len(written.figures)} figures, {size:.1f} MB")
            for sentence in written.left_out:
                click.echo(f"  {sentence}")
    except (CellCoaddError, OSError) as err:
        raise click.ClickException(str(err)) from err
