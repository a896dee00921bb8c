"""Names of observations and patches, as plain values that travel with the products."""

from __future__ import annotations

__all__ = ["ObservationIdentifiers", "PatchIdentifiers"]

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class ObservationIdentifiers:
    """One detector of one visit. Sorted by instrument, visit, detector."""

    instrument: str
    visit: int
    detector: int
    physical_filter: str
    band: str
    day_obs: int
    """The night as a number YYYYMMDD."""

    def __str__(self) -> str:
        return f"{self.instrument} visit {self.visit} detector {self.detector} ({self.band})"


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class PatchIdentifiers:
    """One patch of a tract of a sky map, by its sequential id."""

    skymap: str
    tract: int
    patch: int

    def __str__(self) -> str:
        return f"{self.skymap} tract {self.tract} patch {self.patch}"
