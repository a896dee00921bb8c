"""The `cellcoadd` command, a file a sub-command. What one needs is loaded when it runs."""

from __future__ import annotations

__all__ = ["main"]

import click

from .camera import camera
from .coadd import coadd
from .compare import compare
from .demo import demo
from .info import info
from .report import report
from .status import status
from .verify import verify


@click.group()
@click.version_option(package_name="cellcoadd")
def main() -> None:
    """Cell-based coadds: sky images in which every cell has one exact point-spread function.

    `cellcoadd coadd` makes coadds of files. Repositories are made and filled by `butler
    make-cell-repo`, `butler register-skymap` and `butler ingest-calibrated`; there, coadds are made
    by `pipetask run`.
    """


for command in (camera, coadd, compare, demo, info, report, status, verify):
    main.add_command(command)
