"""Sub-commands of ``butler``: make a repository, register a sky map, ingest images.

The ``butler`` command finds them through the entry point ``butler.cli`` and loads this module
whatever it is asked to do, so nothing heavy is imported before one of ours is run.
"""

from __future__ import annotations

__all__ = ["get_cli_resource"]

import click

from .commands import ingest_calibrated, make_cell_repo, register_cell_skymap


def get_cli_resource() -> list[click.Command]:
    """Return our sub-commands."""
    return [make_cell_repo, register_cell_skymap, ingest_calibrated]
