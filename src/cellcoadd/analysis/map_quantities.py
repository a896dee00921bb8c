"""What can be mapped: each quantity, the column of the table of cells that it is, and its meaning.

The stage that makes the maps, its task and the documentation read the same list.
"""

from __future__ import annotations

__all__ = ["MAP_QUANTITIES", "MapQuantity"]

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType


@dataclasses.dataclass(frozen=True, kw_only=True)
class MapQuantity:
    """A quantity of cells that can be mapped.

    Parameters
    ----------
    name
        As in the name of the dataset type, ``deepCoaddCell_{name}_map``.
    column
        Its column in the table of cells, which also states the unit.
    meaning
        What a reader of the map needs to know, in a few words.
    """

    name: str
    column: str
    meaning: str


MAP_QUANTITIES: Mapping[str, MapQuantity] = MappingProxyType(
    {
        quantity.name: quantity
        for quantity in (
            MapQuantity(
                name="inputs",
                column="visit_count",
                meaning="Number of visits that were added up",
            ),
            MapQuantity(
                name="variance",
                column="variance_median",
                meaning="Median variance of the inner region",
            ),
            MapQuantity(
                name="depth",
                column="depth",
                meaning="5-sigma magnitude limit of point sources",
            ),
            MapQuantity(
                name="psf_fwhm",
                column="psf_fwhm",
                meaning="Full width at half maximum of the PSF",
            ),
            MapQuantity(
                name="psf_ellipticity",
                column="psf_ellipticity",
                meaning="Ellipticity of the PSF, (a^2 - b^2) / (a^2 + b^2)",
            ),
            MapQuantity(
                name="psf_fidelity",
                column="psf_fidelity",
                meaning="Change of stars with their place between pixels, squared",
            ),
            MapQuantity(
                name="psf_size_spread",
                column="psf_size_spread",
                meaning="Scatter of the sizes of the inputs' PSFs over their mean",
            ),
            MapQuantity(
                name="psf_size_change",
                column="psf_size_change",
                meaning="Largest change of the PSF's width over a cell",
            ),
            MapQuantity(
                name="masked_fraction",
                column="masked_fraction",
                meaning="Weighted mean masked fraction of the inputs",
            ),
            MapQuantity(
                name="input_fraction_005",
                column="input_fraction_0.05",
                meaning="Part of the inputs masked by less than 5 %",
            ),
            MapQuantity(
                name="input_fraction_010",
                column="input_fraction_0.1",
                meaning="Part of the inputs masked by less than 10 %",
            ),
        )
    }
)
"""All quantities, by name."""
