"""`cellcoadd info`: what files are, and how they would be read."""

from __future__ import annotations

__all__ = ["info"]

from pathlib import Path

import click


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "--camera",
    metavar="NAME|FILE",
    help="What the images are like, if they are plain FITS: the name of a camera, or a YAML file.",
)
def info(paths: tuple[Path, ...], camera: str | None) -> None:
    """Say what files are: any product, any image that can be coadded.

    Of an image: camera, detector, band, pixels, place on the sky, zero point, PSF, and the scatter
    of its sky beside the variance that it states. Exit status 1: one of the files cannot be read.
    """
    from ..errors import CellCoaddError
    from ..file_info import describe_file
    from ..surveys import named_reader

    try:
        reader = None if camera is None else named_reader(camera)
    except CellCoaddError as error:
        raise click.UsageError(str(error)) from error
    failed = False
    for path in paths:
        try:
            lines = describe_file(path, camera=reader)
        except (CellCoaddError, OSError) as error:
            click.echo(str(error) if str(path) in str(error) else f"{path}: {error}", err=True)
            failed = True
            continue
        click.echo(str(path))
        width = max(len(label) for label, _ in lines)
        for label, text in lines:
            click.echo(f"  {label:{width}}  {text}")
    if failed:
        raise click.exceptions.Exit(1)
