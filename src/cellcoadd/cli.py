"""The `cellcoadd` command."""

from __future__ import annotations

__all__ = ["main"]

import sys
from pathlib import Path

import click


@click.group()
@click.version_option(package_name="cellcoadd")
def main() -> None:
    """Cell-based coadds: sky images in which every cell has one exact point-spread function.

    Repositories are made and filled by `butler make-cell-repo`, `butler register-skymap` and
    `butler ingest-calibrated`; coadds are made by `pipetask run`.
    """


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--plan",
    type=click.Choice(["demo", "tests", "hsc-tests", "hsc-patch"]),
    default="demo",
    show_default=True,
    help="The simulated survey. hsc-tests has the gaps, depths and defects of HSC on small "
    "detectors; hsc-patch fills a whole patch with 48 images of full size in a quarter of an hour.",
)
@click.option(
    "-j",
    "--processes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that warp and assemble. Each takes seconds to start, so that for a survey of "
    "this size one is as fast as two.",
)
def demo(folder: Path, plan: str, processes: int) -> None:
    """Simulate a survey and coadd it; everything is left in FOLDER."""
    from .demo import run_demo
    from .errors import CellCoaddError

    try:
        run_demo(folder, plan=plan, processes=processes)
    except (CellCoaddError, OSError) as err:
        raise click.ClickException(str(err)) from err


@main.command()
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
    from .butler.tract_reports import write_reports
    from .errors import CellCoaddError

    try:
        for written in write_reports(repo, collections, output, tracts=tracts, bands=bands):
            size = written.page.stat().st_size / 1e6
            click.echo(f"{written.page}: {len(written.figures)} figures, {size:.1f} MB")
            for sentence in written.left_out:
                click.echo(f"  {sentence}")
    except (CellCoaddError, OSError) as err:
        raise click.ClickException(str(err)) from err


@main.command()
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)
)
@click.option(
    "--seal",
    is_flag=True,
    help="Give these files new checksums, as they are now: for those that were changed on purpose. "
    "Not for folders: what is damaged would pass for sound.",
)
def verify(paths: tuple[Path, ...], seal: bool) -> None:
    r"""Verify the checksums of FITS files, and of all in folders: repositories, for instance.

    Each HDU of a file that this package wrote says what it adds up to. One that does not is named.
    Files of others are held to the checksums that they have.

    \b
    Exit status
      0  all files that have checksums are as they were written
      1  a file is damaged, or cannot be read
      2  there is nothing to verify: no file, or none with a checksum
    """
    from .errors import CellCoaddError
    from .files.checksums import fits_files_in, verify_file
    from .files.sealing import seal_file

    if seal and (folders := [str(path) for path in paths if path.is_dir()]):
        raise click.UsageError(f"--seal takes files, not folders: {', '.join(folders)}.")
    counts = {"sound": 0, "bare": 0, "HDUs": 0}
    bad: list[str] = []
    with click.progressbar(fits_files_in(paths), label="Adding up", file=sys.stderr) as files:
        for path in files:
            try:
                if seal:
                    seal_file(path)
                verdict = verify_file(path)
            except (CellCoaddError, OSError) as error:
                bad.append(str(error) if str(path) in str(error) else f"{path}: {error}")
                continue
            bad += [f"{path}: {sentence}" for sentence in verdict.damage]
            if not verdict.damage:
                counts["sound" if verdict.sealed else "bare"] += 1
                counts["HDUs"] += verdict.sealed
    for sentence in bad:
        click.echo(sentence, err=True)
    if seal:
        click.echo(f"Sealed anew: {len(paths) - len(bad)} files.")
    click.echo(f"As written: {counts['sound']} files with {counts['HDUs']} HDUs.")
    if counts["bare"]:
        click.echo(f"Without checksums, so that nobody knows: {counts['bare']} files.")
    if bad:
        raise click.exceptions.Exit(1)
    if not counts["sound"]:
        click.echo("Nothing was verified.", err=True)
        raise click.exceptions.Exit(2)
