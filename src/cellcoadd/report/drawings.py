"""Figures that a report shows if all that they need is there, and what is missing if not."""

from __future__ import annotations

__all__ = ["Drawing", "capital", "make_section", "sky_drawing"]


import dataclasses
from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from .page_parts import PageFigure, PageSection
from .style import png_of
from .tract_data import TractData
from .tract_maps import draw_tract_map

_ON_THE_SKY = (
    "North is up, east to the left; the red lines are the patches, each with its number. A pixel "
    "has the mean of the cells that it touches."
)
_CUT = " Colours end at the percentiles 1 and 99."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure that is drawn if nothing that it needs is missing.

    Parameters
    ----------
    name, alt, caption
        As of `PageFigure`.
    draw
        Draws it.
    missing
        A sentence on what it needs and is not there; empty if nothing is missing.
    """

    name: str
    alt: str
    caption: str
    draw: Callable[[], Figure]
    missing: str


def make_section(name: str, heading: str, drawings: Sequence[Drawing]) -> PageSection:
    """Return a section with the figures that can be drawn, and sentences on the others."""
    return PageSection(
        name=name,
        heading=heading,
        figures=[
            PageFigure(
                name=entry.name, png=png_of(entry.draw()), alt=entry.alt, caption=entry.caption
            )
            for entry in drawings
            if not entry.missing
        ],
        left_out=[f"Left out: {entry.alt} {entry.missing}" for entry in drawings if entry.missing],
    )


def sky_drawing(
    data: TractData,
    quantity: str,
    label: str,
    meaning: str,
    limits: tuple[float, float] | None = None,
) -> Drawing:
    """Return the map of a quantity on the sky.

    Parameters
    ----------
    data
        The tract.
    quantity
        Name of the map.
    label
        What its numbers are, and their unit.
    meaning
        The same in words, for title and caption.
    limits
        Values at the ends of the colours; None: percentiles 1 and 99 of the map's.
    """
    return Drawing(
        name=f"sky-{quantity.replace('_', '-')}",
        alt=f"Map of the sky: {meaning[:1].lower()}{meaning[1:]}, {data.title}.",
        caption=f"{meaning}. {_ON_THE_SKY}{_CUT if limits is None else ''}",
        draw=lambda: draw_tract_map(
            data.maps[quantity],
            label=label,
            title=f"{meaning}\n{data.title}",
            outlines=data.outlines,
            limits=limits,
        ),
        missing="" if quantity in data.maps else f"There is no {data.coadd_name}_{quantity}_map.",
    )


def capital(text: str) -> str:
    """Return a text with a capital at its beginning, for titles."""
    return text[:1].upper() + text[1:]
