"""One look for all figures, set for each figure and not for the whole process."""

from __future__ import annotations

__all__ = ["VALUES_COLOURS", "new_figure", "png_of", "styled", "write_figure"]

import functools
import io
import os
from collections.abc import Callable
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
    "legend.fontsize": 9,
    "savefig.dpi": 150,
}

_PAGE_DPI = 100  # a figure of 12 inches is as wide as a page, which is to load quickly


def styled[**P](draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function that draws a figure draw it in our style.

    What is put on axes takes its sizes from matplotlib's settings at that moment, so that they must
    hold while the figure is drawn, and not only when it is made.
    """

    @functools.wraps(draw)
    def draw_in_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with rc_context(_STYLE):
            return draw(*args, **kwargs)

    return draw_in_style


def new_figure(*, width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches; no window, no global state."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG for a page of the report; the same figure gives the same bytes."""
    stream = io.BytesIO()
    with rc_context(_STYLE):
        figure.savefig(stream, format="png", dpi=_PAGE_DPI, metadata={"Software": None})
    return stream.getvalue()


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
