"""WHERE: from the sky to tracts, patches and cells. No pixel values, no butler.

=========================  ====================================================================
`named_sky_map`            a sky map of the Rubin pipelines; `load_sky_map` reads one's own
`RingsSkyMap`              tracts all over the sky; `DiscreteSkyMap` has them where one wants
`Tract`, `Patch`           what a sky map is made of: boxes, projections, regions, cells
`locate`                   tract, patch and cell of many positions
`overlapping_patches`      the patches, and with `overlapping_cells` the cells, of a footprint
=========================  ====================================================================
"""

from __future__ import annotations

__all__ = [
    "Circle",
    "DiscreteSkyMap",
    "Locations",
    "Patch",
    "RingsSkyMap",
    "SkyMap",
    "TangentPlane",
    "Tract",
    "TractSettings",
    "load_sky_map",
    "locate",
    "named_sky_map",
    "overlapping_cells",
    "overlapping_patches",
    "sky_map_names",
]

from .discrete import Circle, DiscreteSkyMap
from .locations import Locations, locate
from .overlaps import overlapping_cells, overlapping_patches
from .patch import Patch
from .rings import RingsSkyMap
from .sky_map import SkyMap
from .sky_map_files import load_sky_map, named_sky_map, sky_map_names
from .tangent_plane import TangentPlane
from .tract import Tract
from .tract_settings import TractSettings
