"""The base of all sky maps: from sky positions to tracts.

A sky map is small: a name, the settings of its tracts, and a rule that places them. Tracts are made
when they are asked for; the latest are kept.
"""

from __future__ import annotations

__all__ = ["SkyMap"]

import abc
import functools
import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from lsst.sphgeom import Region

from ..cell_grid import Index2D
from ..errors import SkyMapError
from .definition_reader import DefinitionReader
from .tangent_plane import TangentPlane, directions_from_sky
from .tract import VERTEX_MARGIN, Tract, tract_box
from .tract_settings import TractSettings

TRACTS_KEPT = 256
"""Number of tracts that a sky map remembers; one takes a few kB."""

LONGEST_NAME = 64
"""Number of characters that a butler repository has room for in the name of a sky map."""


class SkyMap(abc.ABC):
    """A division of the sky into tracts, of these into patches, and of these into cells.

    Parameters
    ----------
    name
        The name under which the sky map is, or will be, registered.
    settings
        How its tracts are divided.

    Notes
    -----
    Sky maps are equal if their definitions are, whatever their names.
    """

    kind: ClassVar[str]
    """The word for this sort of sky map in a definition."""

    _sha1_label: ClassVar[str]
    _kinds: ClassVar[dict[str, type[SkyMap]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        SkyMap._kinds[cls.kind] = cls

    def __init__(self, *, name: str, settings: TractSettings) -> None:
        if not 0 < len(name) <= LONGEST_NAME or name != name.strip():
            raise ValueError(
                f"The name of a sky map must have 1..{LONGEST_NAME} characters and no blanks at "
                f"its ends, got {name!r}."
            )
        self._name = name
        self._settings = settings
        self._tract = functools.lru_cache(TRACTS_KEPT)(self._make_tract)

    @property
    def name(self) -> str:
        """The name under which the sky map is registered."""
        return self._name

    @property
    def settings(self) -> TractSettings:
        """How the tracts are divided."""
        return self._settings

    @property
    def sha1(self) -> str:
        """Hexadecimal SHA-1 of the definition: equal to that of the same map of Rubin's."""
        digest = hashlib.sha1(self._sha1_label.encode(), usedforsecurity=False)
        digest.update(self._settings.to_bytes())
        digest.update(self._placement_bytes())
        return digest.hexdigest()

    @property
    @abc.abstractmethod
    def max_patch_shape(self) -> Index2D:
        """The largest numbers of patches in x and in y that any tract has."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of tracts."""

    def __iter__(self) -> Iterator[Tract]:
        return (self[tract_id] for tract_id in range(len(self)))

    def __getitem__(self, tract_id: int) -> Tract:
        """Return a tract.

        Raises
        ------
        SkyMapError
            If there is no tract with this id.
        """
        if not 0 <= tract_id < len(self):
            raise SkyMapError(
                f"Sky map {self.name!r} has the tracts 0..{len(self) - 1}; there is no {tract_id}."
            )
        return self._tract(int(tract_id))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SkyMap) and self.sha1 == other.sha1

    def __hash__(self) -> int:
        return hash(self.sha1)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {len(self)} tracts>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (SkyMap.from_definition, (self.to_definition(),))

    def find_tract(self, *, ra: float, dec: float) -> Tract:
        """Return the tract that is responsible for a position in degrees.

        Raises
        ------
        ValueError
            If the position is not on the sky.
        """
        return self[int(self.find_tract_ids(ra=ra, dec=dec))]

    def find_all_tracts(self, *, ra: float, dec: float) -> list[Tract]:
        """Return all the tracts whose boxes contain a position in degrees, by increasing id."""
        _check_position(ra=ra, dec=dec)
        near = self.tract_ids_near(directions_from_sky(ra=ra, dec=dec), radius=0.0)
        return [self[i] for i in near if self[i].contains(ra=ra, dec=dec)]

    def find_tract_ids(self, *, ra: npt.ArrayLike, dec: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the ids of the tracts that are responsible for many positions in degrees.

        Raises
        ------
        ValueError
            If a position is not on the sky: not finite, or beyond a pole.
        """
        _check_position(ra=ra, dec=dec)
        lon, lat = np.broadcast_arrays(np.asarray(ra, np.float64), np.asarray(dec, np.float64))
        return self._find_tract_ids(lon, lat)

    @abc.abstractmethod
    def tract_ids_near(self, direction: npt.NDArray[np.float64], *, radius: float) -> list[int]:
        """Return the ids of all tracts that come near to a position, in increasing order.

        Parameters
        ----------
        direction
            Unit vector to the position, shape (3,).
        radius
            Radians. No tract is left out that has a patch whose outer box comes this near; a
            tract that is a little farther away can be among them.
        """

    def to_definition(self) -> dict[str, Any]:
        """Return the definition in plain values, fit for YAML; `from_definition` undoes it."""
        settings = {name: getattr(self.settings, name) for name in TractSettings.__slots__}
        return {"name": self.name, "kind": self.kind, **self._placement(), **settings}

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any], *, name: str | None = None) -> SkyMap:
        """Return the sky map that a definition describes.

        Parameters
        ----------
        definition
            See `cellcoadd.skymap.load_sky_map` for the keys.
        name
            The name of the map; that in the definition if this is None.

        Raises
        ------
        SkyMapError
            If a key is missing or unknown, or has a wrong value; the message names it.
        """
        reader = DefinitionReader(definition)
        kinds = {kind: c for kind, c in SkyMap._kinds.items() if issubclass(c, cls)}
        kind = reader.choice("kind", kinds)
        stated = reader.text("name", default=name)
        try:
            settings = TractSettings(
                pixel_scale_arcsec=reader.number("pixel_scale_arcsec"),
                **reader.given_numbers("tract_overlap", "rotation"),
                **reader.given_integers(
                    "cell_inner_size", "cell_border", "patch_inner_cells", "patch_border_cells"
                ),
            )
            sky_map = kinds[kind]._from_reader(reader, name=name or stated, settings=settings)
        except ValueError as error:
            raise SkyMapError(str(error)) from error
        reader.finish()
        return sky_map

    @classmethod
    @abc.abstractmethod
    def _from_reader(cls, reader: DefinitionReader, *, name: str, settings: TractSettings) -> Self:
        """Read the keys that place the tracts."""

    @abc.abstractmethod
    def _placement(self) -> dict[str, Any]:
        """Return the keys of the definition that place the tracts."""

    @abc.abstractmethod
    def _placement_bytes(self) -> bytes:
        """Return what places the tracts, packed for the SHA-1."""

    @abc.abstractmethod
    def _find_tract_ids(
        self, ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.int64]:
        """Do the work of `find_tract_ids` for checked positions of one shape."""

    @abc.abstractmethod
    def _make_tract(self, tract_id: int) -> Tract:
        """Return a new tract."""

    def _place_tract(
        self, tract_id: int, *, ra: float, dec: float, radius: float, inner: Region | None
    ) -> Tract:
        """Return a tract of its own box and projection; without inner region, it is its box."""
        box = tract_box(self.settings, radius=radius)
        plane = TangentPlane(
            ra=ra,
            dec=dec,
            pixel_scale=self.settings.pixel_scale_radians,
            rotation=self.settings.rotation,
            x=-box.x.start,
            y=-box.y.start,
        )
        bbox = Box.from_shape(box.shape)
        return Tract(
            skymap=self.name,
            id=tract_id,
            ra=ra,
            dec=dec,
            bbox=bbox,
            inner_region=inner or plane.polygon(bbox, shrunk_by=VERTEX_MARGIN),
            plane=plane,
            settings=self.settings,
        )

    def _reach(self, radius: float) -> float:
        """Return how far the patches of a tract reach from its centre, in radians."""
        box = tract_box(self.settings, radius=radius).dilated_by(self.settings.patch_border)
        farthest = math.hypot(*(max(-side.min, side.max) + 0.5 for side in (box.x, box.y)))
        return math.atan(farthest * self.settings.pixel_scale_radians)


def _check_position(*, ra: npt.ArrayLike, dec: npt.ArrayLike) -> None:
    if not (np.all(np.isfinite(ra)) and np.all(np.abs(dec) <= 90.0)):
        raise ValueError(
            "Positions must have a finite right ascension and a declination in -90..90 degrees, "
            f"got ra={np.asarray(ra)}, dec={np.asarray(dec)}."
        )
