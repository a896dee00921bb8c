"""One look for all figures, set for each figure and not for the whole process."""

from __future__ import annotations

__all__ = ["VALUES_COLOURS", "new_figure", "write_figure"]

import os
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

VALUES_COLOURS = "viridis"
"""Colour map of numbers: readable in grey and by the colour-blind."""

_STYLE: Any = {  # matplotlib's type of its parameters lists every one of them
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "savefig.dpi": 150,
}


def new_figure(*, width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches; no window, no global state."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG; a file that was begun and not finished does not stay.

    Returns
    -------
    path
        The file.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with rc_context(_STYLE):
            figure.savefig(partial, format="png")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path
