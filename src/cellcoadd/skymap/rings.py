"""Sky maps of the whole sky: tracts in rings of constant declination."""

from __future__ import annotations

__all__ = ["RingsSkyMap"]

import math
import struct
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from lsst.sphgeom import Angle, AngleInterval, Box, NormalizedAngle, NormalizedAngleInterval

from ..cell_grid import Index2D
from .definition_reader import DefinitionReader
from .sky_map import SkyMap
from .tangent_plane import directions_from_sky
from .tract import Tract
from .tract_settings import TractSettings

MOST_RINGS = 100_000
"""A bound that no practical map comes near to: its tracts would be 6 arcseconds wide."""


class RingsSkyMap(SkyMap):
    """A sky map that covers the whole sky with rings of tracts and a cap at each pole.

    Parameters
    ----------
    name
        The name under which the sky map is registered.
    num_rings
        Number of rings, caps not counted.
    ra_start
        Right ascension in degrees of the first tract of every ring.
    settings
        How the tracts are divided.

    Notes
    -----
    Version 1 of the Rubin pipelines' rings. Tract 0 is the south cap; then come the rings from
    south to north, each eastwards; the last tract is the north cap. A tract's inner region is a
    rectangle in right ascension and declination, and these tile the sky. Their corners can leave
    the tract's pixels next to the poles or in a rotated map; `tract_box` says why.
    """

    kind = "rings"
    _sha1_label = "RingsSkyMap"

    def __init__(
        self, *, name: str, num_rings: int, settings: TractSettings, ra_start: float = 0.0
    ) -> None:
        super().__init__(name=name, settings=settings)
        if not 1 <= num_rings <= MOST_RINGS:
            raise ValueError(f"num_rings must be in 1..{MOST_RINGS}, got {num_rings}.")
        if not math.isfinite(ra_start):
            raise ValueError(f"ra_start must be finite, got {ra_start}.")
        self._num_rings = num_rings
        self._ra_start = ra_start
        self._ring_size = math.pi / (num_rings + 1)
        edges = self._ring_size * (np.arange(num_rings + 1) + 0.5) - math.pi / 2
        nearest = np.minimum(np.abs(edges[:-1]), np.abs(edges[1:]))
        self._counts = (2 * math.pi * np.cos(nearest) / self._ring_size).astype(np.int64) + 1
        self._firsts = 1 + np.concatenate([[0], np.cumsum(self._counts)])
        self._farthest = self._reach(self._radius)

    @property
    def num_rings(self) -> int:
        """Number of rings, caps not counted."""
        return self._num_rings

    @property
    def ra_start(self) -> float:
        """Right ascension in degrees of the first tract of every ring."""
        return self._ra_start

    @property
    def max_patch_shape(self) -> Index2D:
        """The numbers of patches in x and in y, which all tracts have."""
        return self[0].patch_shape

    def __len__(self) -> int:
        return int(self._firsts[-1]) + 1

    def tract_ids_near(self, direction: npt.NDArray[np.float64], *, radius: float) -> list[int]:
        """Return the ids of all tracts that come near to a position, in increasing order."""
        reach = radius + self._farthest
        dec = math.asin(min(1.0, max(-1.0, float(direction[2]))))
        ids: list[int] = [0] if dec - reach <= -math.pi / 2 else []
        lowest = math.floor((dec - reach + math.pi / 2) / self._ring_size) - 1
        highest = math.ceil((dec + reach + math.pi / 2) / self._ring_size) - 1
        for ring in range(max(lowest, 0), min(highest, self.num_rings - 1) + 1):
            ra, ring_dec = self._ring_centres(ring)
            cosines = directions_from_sky(ra=ra, dec=ring_dec) @ direction
            near = np.flatnonzero(cosines >= math.cos(min(reach, math.pi)))
            ids.extend(int(self._firsts[ring]) + int(i) for i in near)
        if dec + reach >= math.pi / 2:
            ids.append(len(self) - 1)
        return ids

    @property
    def _radius(self) -> float:
        """Radius of a tract in degrees."""
        return math.degrees(self._ring_size) / 2

    def _ring_centres(self, ring: int) -> tuple[npt.NDArray[np.float64], float]:
        """Return right ascensions and declination of a ring's tracts in degrees."""
        count = int(self._counts[ring])
        dec = math.degrees(self._ring_size * (ring + 1) - math.pi / 2)
        steps = np.arange(count, dtype=np.float64)
        return (self._ra_start + steps * (360.0 / count)) % 360.0, dec

    def _find_tract_ids(
        self, ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.int64]:
        lat = np.radians(dec)
        half, size = math.pi / 2, self._ring_size
        ring = np.floor((lat - size / 2 + half) / size).astype(np.int64)
        ring = np.clip(ring, 0, self.num_rings - 1)
        counts = self._counts[ring]
        east = np.radians(ra - self._ra_start) % (2 * math.pi)
        place = np.floor(east / (2 * math.pi / counts) + 0.5).astype(np.int64)
        ids = self._firsts[ring] + np.where(place == counts, 0, place)
        ids = np.where(lat < size / 2 - half, 0, ids)
        return np.where(lat > half - size / 2, len(self) - 1, ids)

    def _make_tract(self, tract_id: int) -> Tract:
        half, size = math.pi / 2, self._ring_size
        if tract_id in (0, len(self) - 1):
            lat = AngleInterval(Angle(-half), Angle(size / 2 - half))
            dec = -90.0
            if tract_id:
                lat, dec = AngleInterval(Angle(half - size / 2), Angle(half)), 90.0
            cap = Box(NormalizedAngleInterval.full(), lat)
            return self._place_tract(tract_id, ra=0.0, dec=dec, radius=self._radius, inner=cap)
        ring = int(np.searchsorted(self._firsts, tract_id, side="right")) - 1
        ras, dec = self._ring_centres(ring)
        ra = float(ras[tract_id - self._firsts[ring]])
        south = size * (ring + 0.5) - half
        width = math.pi / len(ras)
        west, east = math.radians(ra) - width, math.radians(ra) + width
        longitudes = NormalizedAngleInterval(NormalizedAngle(west), NormalizedAngle(east))
        inner = Box(longitudes, AngleInterval(Angle(south), Angle(south + size)))
        return self._place_tract(tract_id, ra=ra, dec=dec, radius=self._radius, inner=inner)

    @classmethod
    def _from_reader(cls, reader: DefinitionReader, *, name: str, settings: TractSettings) -> Self:
        return cls(
            name=name,
            num_rings=reader.integer("num_rings"),
            settings=settings,
            **reader.given_numbers("ra_start"),
        )

    def _placement(self) -> dict[str, Any]:
        return {"num_rings": self.num_rings, "ra_start": self.ra_start}

    def _placement_bytes(self) -> bytes:
        return struct.pack("<id", self.num_rings, self.ra_start)
