"""Sky maps of one's own fields: a list of tracts, each with a centre and a radius."""

from __future__ import annotations

__all__ = ["Circle", "DiscreteSkyMap"]

import dataclasses
import math
import struct
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..cell_grid import Index2D
from .definition_reader import DefinitionReader
from .sky_map import SkyMap
from .tangent_plane import directions_from_sky
from .tract import Tract, tract_box
from .tract_settings import TractSettings


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Circle:
    """A circle on the sky that a tract must hold.

    Parameters
    ----------
    ra, dec
        Centre in degrees.
    radius
        Radius in degrees.

    Raises
    ------
    ValueError
        If the centre is not on the sky or the radius is not in 0..90 degrees.
    """

    ra: float
    dec: float
    radius: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.ra):
            raise ValueError(f"ra must be finite, got {self.ra}.")
        if not -90 <= self.dec <= 90:
            raise ValueError(f"dec must be in -90..90 degrees, got {self.dec}.")
        if not 0 < self.radius < 90:
            raise ValueError(f"radius must be in 0..90 degrees, got {self.radius}.")


class DiscreteSkyMap(SkyMap):
    """A sky map of chosen fields.

    Parameters
    ----------
    name
        The name under which the sky map is registered.
    tracts
        The circle of each tract.
    settings
        How the tracts are divided.
    pixel_shift
        By which part of a pixel in x and y the centre of each tract lies beside that of a pixel,
        for pixels that are to coincide with those of an image.

    Notes
    -----
    Tracts may differ in size and may overlap. `find_tract` returns that of the tracts which contain
    the position whose centre is the nearest; if none contains it, the one with the nearest centre
    of all.
    """

    kind = "discrete"
    _sha1_label = "DiscreteSkyMap"

    def __init__(
        self,
        *,
        name: str,
        tracts: Sequence[Circle],
        settings: TractSettings,
        pixel_shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__(name=name, settings=settings)
        if not tracts:
            raise ValueError("tracts must not be empty.")
        if not all(-1.0 < part < 1.0 for part in pixel_shift):
            raise ValueError(f"pixel_shift must be less than a pixel, got {list(pixel_shift)}.")
        self._pixel_shift = pixel_shift
        self._circles = tuple(tracts)
        self._centres = directions_from_sky(
            ra=[circle.ra for circle in tracts], dec=[circle.dec for circle in tracts]
        )
        self._reaches = np.array([self._reach(circle.radius) for circle in tracts])

    @property
    def circles(self) -> tuple[Circle, ...]:
        """The circle of each tract."""
        return self._circles

    @property
    def max_patch_shape(self) -> Index2D:
        """The largest numbers of patches in x and in y that any tract has."""
        size = self.settings.patch_inner_size
        boxes = [tract_box(self.settings, radius=circle.radius) for circle in self._circles]
        return Index2D(
            x=max(box.x.size for box in boxes) // size, y=max(box.y.size for box in boxes) // size
        )

    def __len__(self) -> int:
        return len(self._circles)

    def tract_ids_near(self, direction: npt.NDArray[np.float64], *, radius: float) -> list[int]:
        """Return the ids of all tracts that come near to a position, in increasing order."""
        limits = np.minimum(self._reaches + radius, math.pi)
        return [int(i) for i in np.flatnonzero(self._centres @ direction >= np.cos(limits))]

    def _find_tract_ids(
        self, ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.int64]:
        directions = directions_from_sky(ra=ra, dec=dec)
        best = np.zeros(ra.shape, dtype=np.int64)
        best_score = np.full(ra.shape, -np.inf)
        for tract in self:
            x, y = tract.plane.sky_to_pixel(ra=ra, dec=dec)
            contained = tract.bbox.contains(x=np.floor(x + 0.5), y=np.floor(y + 0.5))
            # Cosines of distances are at most 1: any tract that contains the position comes
            # before all that do not.
            score = directions @ self._centres[tract.id] + 4.0 * contained
            better = score > best_score
            best = np.where(better, tract.id, best)
            best_score = np.where(better, score, best_score)
        return best

    def _make_tract(self, tract_id: int) -> Tract:
        circle = self._circles[tract_id]
        tract = self._place_tract(
            tract_id, ra=circle.ra % 360.0, dec=circle.dec, radius=circle.radius, inner=None
        )
        if not any(self._pixel_shift):
            return tract
        x, y = self._pixel_shift
        plane = dataclasses.replace(tract.plane, x=tract.plane.x + x, y=tract.plane.y + y)
        return dataclasses.replace(tract, plane=plane)

    @classmethod
    def _from_reader(cls, reader: DefinitionReader, *, name: str, settings: TractSettings) -> Self:
        shift = reader.anything("pixel_shift") if reader.has("pixel_shift") else [0.0, 0.0]
        if (
            not isinstance(shift, list)
            or len(shift) != 2
            or any(isinstance(part, bool) or not isinstance(part, int | float) for part in shift)
        ):
            raise ValueError(f"pixel_shift must be two numbers, in x and y, got {shift!r}.")
        circles = []
        for i, item in enumerate(reader.readers("tracts")):
            values = {key: item.number(key) for key in ("ra", "dec", "radius")}
            item.finish()
            try:
                circles.append(Circle(**values))
            except ValueError as error:
                raise ValueError(f"tracts[{i}]: {error}") from error
        x, y = map(float, shift)
        return cls(name=name, tracts=circles, settings=settings, pixel_shift=(x, y))

    def _placement(self) -> dict[str, Any]:
        shift = {"pixel_shift": list(self._pixel_shift)} if any(self._pixel_shift) else {}
        return shift | {"tracts": [dataclasses.asdict(circle) for circle in self._circles]}

    def _placement_bytes(self) -> bytes:
        ras, decs, radii = zip(*map(dataclasses.astuple, self._circles), strict=True)
        shift = self._pixel_shift if any(self._pixel_shift) else ()
        return struct.pack(f"<{3 * len(self) + len(shift)}d", *ras, *decs, *radii, *shift)
