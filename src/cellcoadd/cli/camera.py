"""`cellcoadd camera`: definitions of cameras, listed and drafted."""

from __future__ import annotations

__all__ = ["camera"]

from pathlib import Path

import click


@click.group()
def camera() -> None:
    """Say what the files of a camera are like, for `cellcoadd coadd --camera`."""


@camera.command("list")
def list_cameras() -> None:
    """List the names that --camera takes: definitions that are ready, and readers of surveys."""
    from ..surveys.readers import camera_names

    for name in camera_names():
        click.echo(name)


@camera.command()
@click.argument("image", type=click.Path(path_type=Path))
def new(image: Path) -> None:
    """Draft a definition from an image and the files beside it.

    It is printed as YAML, with what header, pixels and files say behind each line, and a question
    where they do not: cellcoadd camera new IMAGE > camera.yaml
    """
    from ..errors import UnusableInputError
    from ..surveys.plain.draft import draft_camera

    try:
        click.echo(draft_camera(image), nl=False)
    except UnusableInputError as error:
        raise click.ClickException(str(error)) from error
