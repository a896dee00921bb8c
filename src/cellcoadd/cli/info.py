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
@click.option(
    "--measure-psf",
    is_flag=True,
    help="Measure PSFs from the stars of each image, in place of what --camera says of them.",
)
@click.option(
    "--subtract-sky", type=click.IntRange(min=16), metavar="PX",
    help="Measure the sky of each image on cells of so many pixels and subtract it, in place of "
    "what --camera says of it; 128 is usual.",
)  # fmt: skip
def info(
    paths: tuple[Path, ...], camera: str | None, measure_psf: bool, subtract_sky: int | None
) -> None:
    """Say what files are: any product, any image that can be coadded.

    Of an image: camera, detector, band, pixels, place on the sky, zero point, PSF, and the scatter
    of its sky beside the variance that it states; of a PSF and a sky that are measured, how good
    they are. Exit status 1: one of the files cannot be read.
    """
    from ..errors import CellCoaddError
    from ..file_info import describe_file
    from ..surveys import named_reader

    if camera is None and (measure_psf or subtract_sky is not None):
        raise click.UsageError("--measure-psf and --subtract-sky need --camera.")
    try:
        reader = None
        if camera is not None:
            reader = named_reader(camera, measure_psf=measure_psf, sky_mesh=subtract_sky)
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
