"""What the configurations of the tasks that make maps of a tract have in common."""

from __future__ import annotations

__all__ = ["MapConfig"]

from lsst.pex.config import ChoiceField, Config, Field

from ..analysis.cell_maps import SkyMapSettings

_DEFAULTS = SkyMapSettings()


class MapConfig(Config):
    """How maps of a tract are made, of whatever."""

    nside_sparse = Field[int](
        doc="HEALPix resolution of the maps, a power of two.", default=_DEFAULTS.nside_sparse
    )
    nside_coverage = Field[int](
        doc="HEALPix resolution of the maps' indices, a power of two.",
        default=_DEFAULTS.nside_coverage,
    )
    assignment = ChoiceField[str](
        doc="Which pixels a cell has.",
        allowed={
            "box": "all that overlap with the box in right ascension and declination around its "
            "inner region; those of several cells have the mean",
            "centre": "those with their centres in its inner region, which are none for some "
            "cells if the pixels are as large as the cells",
        },
        default=str(_DEFAULTS.assignment),
        optional=False,
    )
