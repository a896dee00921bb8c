"""Bars at a terminal for what takes long."""

from __future__ import annotations

__all__ = ["progress_shown"]

import contextlib
from collections.abc import Iterator
from typing import TextIO

from lsst.daf.butler.cli.progress import ClickProgressHandler
from lsst.daf.butler.progress import Progress


@contextlib.contextmanager
def progress_shown(stream: TextIO) -> Iterator[None]:
    """Show the progress of what runs in the block, if somebody is watching.

    Parameters
    ----------
    stream
        Where the bars go, if it is a terminal.
    """
    if not stream.isatty():
        yield
        return
    Progress.set_handler(ClickProgressHandler(file=stream))
    try:
        yield
    finally:
        Progress.set_handler(None)
