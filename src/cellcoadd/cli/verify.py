"""`cellcoadd verify`: whether files are as they were written."""

from __future__ import annotations

__all__ = ["verify"]

import sys
from pathlib import Path

import click


@click.command()
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
    """Verify the checksums of FITS files, and of all in folders: repositories, for instance.

    Each HDU of a file that this package wrote says what it adds up to. One that does not is named.
    Files of others are held to the checksums that they have.

    \b
    Exit status
      0  all files that have checksums are as they were written
      1  a file is damaged, or cannot be read
      2  there is nothing to verify: no file, or none with a checksum
    """
    from ..errors import CellCoaddError
    from ..files.checksums import fits_files_in, verify_file
    from ..files.sealing import seal_file

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
