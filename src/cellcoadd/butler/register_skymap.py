"""Registering a sky map: its record, the regions of its tracts and patches, and the map itself.

A repository knows the sky by the rows of the dimensions skymap, tract and patch; tasks read the
geometry from the dataset ``skyMap``. A tract and its patches are written together, so that whatever
is registered is complete, and tracts can be added as the images that touch them arrive.
"""

from __future__ import annotations

__all__ = [
    "SKYMAP_COLLECTION",
    "SKYMAP_DATASET_TYPE",
    "SkyMapRegistration",
    "register_skymap",
    "registration_cost",
    "tracts_touched",
]

import dataclasses
import itertools
import logging
from collections.abc import Iterable
from typing import Any

from lsst.daf.butler import Butler, DatasetNotFoundError, DatasetType
from lsst.daf.butler.progress import Progress, ProgressBar
from lsst.daf.butler.registry import MissingCollectionError, MissingDatasetTypeError

from ..errors import RepositoryError, SkyMapConflictError
from ..skymap import SkyMap, Tract, overlapping_patches

SKYMAP_COLLECTION = "skymaps"
"""The collection that holds the definitions of sky maps, as in the Rubin pipelines."""

SKYMAP_DATASET_TYPE = "skyMap"
"""The type of their datasets, as in the Rubin pipelines."""

_TRACTS_PER_TRANSACTION = 64
_PATCHES_PER_SECOND = 5_500
_BYTES_PER_PATCH = 850
# Measured with SQLite on one core of a server of 2024, a record of four corners and its overlaps
# with the HTM index; the time is for telling a user what to expect.

# A bar is drawn only where the level is enabled, and the butler command enables its own loggers'
# INFO, not ours.
_progress = Progress("cellcoadd.butler.register_skymap", level=logging.WARNING)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SkyMapRegistration:
    """What a registration has changed.

    Parameters
    ----------
    name
        The sky map.
    is_new
        Whether it was not in the repository before.
    tracts_added
        Tracts that were registered now, sorted.
    tracts_there
        Number of the tracts asked for that were registered before.
    """

    name: str
    is_new: bool
    tracts_added: tuple[int, ...]
    tracts_there: int


def register_skymap(
    butler: Butler,
    skymap: SkyMap,
    *,
    tracts: Iterable[int] | None = None,
    collection: str = SKYMAP_COLLECTION,
) -> SkyMapRegistration:
    """Register a sky map, or more tracts of one that is registered.

    Parameters
    ----------
    butler
        Writeable.
    skymap
        The map; its name is the name in data IDs.
    tracts
        Ids of the tracts to register; None: all.
    collection
        Collection of type RUN to put the map into.

    Returns
    -------
    registration
        What was changed.

    Raises
    ------
    SkyMapError
        If there is no such tract; nothing is changed then.
    SkyMapConflictError
        If another map is registered under this name, or this map under another name.
    """
    wanted = sorted(set(range(len(skymap)) if tracts is None else tracts))
    for outermost in wanted[:1] + wanted[-1:]:
        skymap[outermost]  # raises if there is no such tract
    is_new = _is_new(butler, skymap)
    there = set() if is_new else _registered_tracts(butler, skymap.name)
    missing = [tract for tract in wanted if tract not in there]

    kind = DatasetType(SKYMAP_DATASET_TYPE, ("skymap",), "CellSkyMap", universe=butler.dimensions)
    butler.registry.registerDatasetType(kind)
    butler.collections.register(collection)
    with butler.transaction():
        if is_new:
            butler.registry.insertDimensionData("skymap", _skymap_row(skymap))
        if stored_skymap(butler, skymap.name, collection) is None:
            butler.put(skymap, kind, {"skymap": skymap.name}, run=collection)
    bar: ProgressBar[int]
    with _progress.bar(desc="Registering tracts", total=len(missing)) as bar:
        for chunk in itertools.batched(missing, _TRACTS_PER_TRANSACTION):
            _insert_tracts(butler, [skymap[tract] for tract in chunk])
            bar.update(len(chunk))
    return SkyMapRegistration(
        name=skymap.name,
        is_new=is_new,
        tracts_added=tuple(missing),
        tracts_there=len(wanted) - len(missing),
    )


def stored_skymap(butler: Butler, name: str, collection: str = SKYMAP_COLLECTION) -> SkyMap | None:
    """Return the sky map that a repository holds, or None."""
    try:
        found: SkyMap = butler.get(SKYMAP_DATASET_TYPE, skymap=name, collections=collection)
    except (DatasetNotFoundError, MissingDatasetTypeError):
        return None
    return found


def tracts_touched(
    butler: Butler, skymap: SkyMap, *, collection: str, dataset_type: str = "calexp"
) -> list[int]:
    """Return the tracts that have a patch which an ingested image touches.

    Parameters
    ----------
    butler
        The repository.
    skymap
        The map; it need not be registered.
    collection
        Where the images are.
    dataset_type
        What they are called.

    Raises
    ------
    RepositoryError
        If there are no such images.
    """
    try:
        refs = butler.query_datasets(
            dataset_type, collections=collection, limit=None, explain=False, find_first=False
        )
    except (MissingCollectionError, MissingDatasetTypeError) as error:
        raise RepositoryError(
            f"No images of the type {dataset_type} in {collection}: {error}"
        ) from error
    if not refs:
        raise RepositoryError(f"There are no images of the type {dataset_type} in {collection}.")
    detectors = {
        tuple(ref.dataId[key] for key in ("instrument", "visit", "detector")) for ref in refs
    }
    visits = sorted({(instrument, visit) for instrument, visit, _ in detectors})
    touched: set[int] = set()
    for instrument, visit in _progress.wrap(visits, desc="Looking at visits"):
        for row in butler.query_dimension_records(
            "visit_detector_region", instrument=instrument, visit=visit, limit=None, explain=False
        ):
            if (instrument, visit, row.detector) in detectors and row.region is not None:
                touched.update(tract for tract, _ in overlapping_patches(skymap, row.region))
    return sorted(touched)


def registration_cost(skymap: SkyMap, n_tracts: int) -> tuple[float, float]:
    """Return about how many seconds and bytes of an SQLite registry a registration takes."""
    shape = skymap.max_patch_shape
    n_patches = n_tracts * shape.x * shape.y
    return n_patches / _PATCHES_PER_SECOND, float(n_patches * _BYTES_PER_PATCH)


def _is_new(butler: Butler, skymap: SkyMap) -> bool:
    """Return whether the map is new; refuse one that differs from what is registered."""
    digest = bytes.fromhex(skymap.sha1)
    rows = butler.query_dimension_records("skymap", limit=None, explain=False)
    for row in rows:
        if row.name == skymap.name and row.hash != digest:
            raise SkyMapConflictError(
                f"Another sky map is registered as {skymap.name}: {_difference(butler, skymap)}. "
                "Register yours under a name of its own."
            )
        if row.name != skymap.name and row.hash == digest:
            raise SkyMapConflictError(
                f"The sky map {skymap.name} is registered already, as {row.name}; a repository "
                "holds each map once. Use that name."
            )
    return all(row.name != skymap.name for row in rows)


def _difference(butler: Butler, skymap: SkyMap) -> str:
    stored = stored_skymap(butler, skymap.name)
    if stored is None:
        return "its definition is not in the repository, but its hash is another one"
    theirs, ours = ({**m.to_definition(), "name": ""} for m in (stored, skymap))
    parts = [
        f"{key} is {theirs.get(key, 'absent')} there and {ours.get(key, 'absent')} here"
        for key in sorted(set(theirs) | set(ours))
        if theirs.get(key) != ours.get(key)
    ]
    return "; ".join(parts) or "its hash is another one"


def _registered_tracts(butler: Butler, name: str) -> set[int]:
    rows = butler.query_dimension_records("tract", skymap=name, limit=None, explain=False)
    return {int(row.id) for row in rows}


def _skymap_row(skymap: SkyMap) -> dict[str, Any]:
    shape = skymap.max_patch_shape
    return {
        "name": skymap.name,
        "hash": bytes.fromhex(skymap.sha1),
        "tract_max": len(skymap),
        "patch_nx_max": shape.x,
        "patch_ny_max": shape.y,
    }


def _insert_tracts(butler: Butler, tracts: Iterable[Tract]) -> None:
    tract_rows: list[dict[str, Any]] = []
    patch_rows: list[dict[str, Any]] = []
    for tract in tracts:
        tract_rows.append({"skymap": tract.skymap, "id": tract.id, "region": tract.region})
        patch_rows.extend(
            {
                "skymap": tract.skymap,
                "tract": tract.id,
                "id": patch.id,
                "cell_x": patch.index.x,
                "cell_y": patch.index.y,
                "region": patch.region,
            }
            for patch in tract.patches
        )
    with butler.transaction():
        butler.registry.insertDimensionData("tract", *tract_rows)
        butler.registry.insertDimensionData("patch", *patch_rows)
