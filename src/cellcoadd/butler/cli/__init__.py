"""Sub-commands of ``butler``: make a repository, register a sky map, ingest images.

The ``butler`` command finds them through the entry point ``butler.cli`` and loads this module
whatever it is asked to do, so nothing heavy is imported before one of ours is run.
"""

from __future__ import annotations

__all__ = ["get_cli_resource"]

import importlib.util

import click

from .commands import ingest_calibrated, make_cell_repo, register_cell_skymap


def get_cli_resource() -> list[click.Command]:
    """Return our sub-commands.

    Notes
    -----
    The Rubin pipelines have a ``register-skymap`` of their own, and ``butler`` refuses to run at
    all when two packages have a command of one name. Where they are installed ours is called
    ``register-cell-skymap``. A package without a file is a mere namespace: that of
    cellcoadd-rubin-names.
    """
    theirs = importlib.util.find_spec("lsst.pipe.tasks")
    if theirs is not None and theirs.has_location:
        register_cell_skymap.name = "register-cell-skymap"
    return [make_cell_repo, register_cell_skymap, ingest_calibrated]
