"""`cellcoadd demo`: a simulated survey from exposures to the report."""

from __future__ import annotations

__all__ = ["demo"]

from pathlib import Path

import click


@click.command()
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
    from ..demo import run_demo
    from ..errors import CellCoaddError

    try:
        run_demo(folder, plan=plan, processes=processes)
    except (CellCoaddError, OSError) as err:
        raise click.ClickException(str(err)) from err
