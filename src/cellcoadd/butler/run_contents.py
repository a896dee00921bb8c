"""What collections hold of warps, coadds, the images below them and the records of their tasks."""

from __future__ import annotations

__all__ = [
    "COADD",
    "WARP",
    "Place",
    "RunContents",
    "TractPlace",
    "VisitPlace",
    "dataset_types_in",
    "place_of",
    "read_contents",
    "visit_of",
]

import dataclasses
import functools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from lsst.daf.butler import Butler, DatasetRef, MissingDatasetTypeError

COADD = "deepCoaddCell"
"""Dataset type of coadds."""

WARP = "deepCoadd_directWarp"
"""Dataset type of warps."""

_OF_PATCHES = {"skymap", "tract", "patch", "band"}
_OF_TRACTS = {"skymap", "tract", "band"}
_WARPING = "makeDirectWarp_metadata"
_ASSEMBLY = "assembleCellCoadd_metadata"


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """A patch in a band."""

    skymap: str
    tract: int
    patch: int
    band: str

    @property
    def data_id(self) -> dict[str, str | int]:
        """As the Butler names it."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return f"{self.skymap} tract {self.tract} patch {self.patch} {self.band}"


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class VisitPlace:
    """A visit on a patch."""

    place: Place
    instrument: str
    visit: int

    @property
    def data_id(self) -> dict[str, str | int]:
        """As the Butler names it."""
        names = {**self.place.data_id, "instrument": self.instrument, "visit": self.visit}
        del names["band"]
        return names

    def __str__(self) -> str:
        return f"{self.place}, {self.instrument} visit {self.visit}"


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class TractPlace:
    """A tract in a band."""

    skymap: str
    tract: int
    band: str

    def __str__(self) -> str:
        return f"{self.skymap} tract {self.tract} {self.band}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunContents:
    """The datasets of a run by what they are of.

    Parameters
    ----------
    coadds, assemblies
        Coadds, and the records that their task has ended well, which there are of empty patches,
        too.
    warps, warpings
        Warps, and the records that their task has ended well.
    images
        Identifiers of images by detector, of the visits on patches that have a warp or a coadd.
    image_type
        What they are called.
    registered
        When warps and coadds were registered, by identifier: days.
    lacking
        Tasks of the pipeline that make something of coadds, and the patches and tracts with a coadd
        on which they have not ended well.
    """

    coadds: Mapping[Place, DatasetRef]
    assemblies: Mapping[Place, DatasetRef]
    warps: Mapping[VisitPlace, DatasetRef]
    warpings: Mapping[VisitPlace, DatasetRef]
    images: Mapping[VisitPlace, Mapping[int, uuid.UUID]]
    image_type: str
    registered: Mapping[uuid.UUID, float]
    lacking: Mapping[str, Sequence[Place | TractPlace]]

    @property
    def places(self) -> list[Place]:
        """Patches and bands of which anything was made, sorted."""
        return sorted({*self.coadds, *self.assemblies, *self.warps_by_place})

    @functools.cached_property
    def warps_by_place(self) -> dict[Place, dict[VisitPlace, DatasetRef]]:
        """The warps on each patch in a band, sorted."""
        found: dict[Place, dict[VisitPlace, DatasetRef]] = {}
        for visit in sorted(self.warps):
            found.setdefault(visit.place, {})[visit] = self.warps[visit]
        return found

    def registered_after(self, one: DatasetRef, other: DatasetRef) -> bool:
        """Whether a dataset was registered after another one."""
        return self.registered[one.id] > self.registered[other.id]


def read_contents(butler: Butler, *, where: str = "", image_type: str = "calexp") -> RunContents:
    """Ask a repository what its collections hold.

    Parameters
    ----------
    butler
        With the collections to look into.
    where
        Only what this data query selects.
    image_type
        What calibrated images are called.
    """
    warps = {visit_of(ref.dataId.mapping): ref for ref in _find(butler, WARP, where)}
    coadds = {place_of(ref.dataId.mapping): ref for ref in _find(butler, COADD, where)}
    assemblies = {place_of(ref.dataId.mapping): ref for ref in _find(butler, _ASSEMBLY, where)}
    places = set(coadds) | set(assemblies) | {visit.place for visit in warps}
    return RunContents(
        coadds=coadds,
        assemblies=assemblies,
        warps=warps,
        warpings={visit_of(ref.dataId.mapping): ref for ref in _find(butler, _WARPING, where)},
        images=_read_images(butler, places, image_type, where),
        image_type=image_type,
        registered={
            row[f"{ref_type}.dataset_id"]: row[f"{ref_type}.ingest_date"].jd
            for ref_type, refs in ((WARP, warps), (COADD, coadds))
            if refs
            for row in _rows(butler, ref_type, next(iter(refs.values())).dimensions.names, where)
        },
        lacking=_find_lacking(butler, coadds, where),
    )


def dataset_types_in(butler: Butler) -> set[str]:
    """Return the names of the dataset types that there are in a Butler's collections."""
    infos = butler.collections.query_info(
        butler.collections.defaults, include_summary=True, flatten_chains=True
    )
    return {name for info in infos for name in info.dataset_types or ()}


def _find_lacking(
    butler: Butler, coadds: Iterable[Place], where: str
) -> dict[str, list[Place | TractPlace]]:
    """Find where tasks that make something of coadds have left no record of success.

    A run keeps the configuration of each task of its pipeline, whether it has been at work or not.
    """
    types = dataset_types_in(butler)
    labels = sorted(name.removesuffix("_config") for name in types if name.endswith("_config"))
    found: dict[str, list[Place | TractPlace]] = {}
    for label in labels:
        record = f"{label}_metadata"
        if record not in {_WARPING, _ASSEMBLY} and butler.registry.queryDatasetTypes(record):
            dimensions = set(butler.get_dataset_type(record).dimensions.required)
            if dimensions not in (_OF_PATCHES, _OF_TRACTS):
                continue
            of_ref = place_of if dimensions == _OF_PATCHES else _tract_of
            done = {of_ref(ref.dataId.mapping) for ref in _find(butler, record, where)}
            found[label] = sorted({of_ref(place.data_id) for place in coadds} - done)
    return found


def _find(butler: Butler, dataset_type: str, where: str) -> list[DatasetRef]:
    """Find datasets of a type, one each; a type that the repository does not know has none."""
    try:
        return butler.query_datasets(dataset_type, where=where, limit=None, explain=False)
    except MissingDatasetTypeError:
        return []


def _rows(
    butler: Butler, dataset_type: str, dimensions: Iterable[str], where: str
) -> Iterator[dict[str, Any]]:
    """Yield the dimensions of datasets with what the registry knows of these."""
    fields: dict[str, set[Literal["dataset_id", "ingest_date"]]]
    fields = {dataset_type: {"dataset_id", "ingest_date"}}
    with butler.query() as query:
        query = query.join_dataset_search(dataset_type, butler.collections.defaults)
        if where:
            query = query.where(where)
        yield from query.general(
            butler.dimensions.conform(dimensions), dataset_fields=fields, find_first=True
        )


def _read_images(
    butler: Butler, places: Iterable[Place], image_type: str, where: str
) -> dict[VisitPlace, dict[int, uuid.UUID]]:
    """Find the images that touch patches, which is what a warp is made of."""
    patches: dict[tuple[str, int, str], list[int]] = {}
    for place in places:
        patches.setdefault((place.skymap, place.tract, place.band), []).append(place.patch)
    found: dict[VisitPlace, dict[int, uuid.UUID]] = {}
    for (skymap, tract, band), numbers in patches.items():
        there = (
            f"skymap = '{skymap}' AND tract = {tract} AND band = '{band}' "
            f"AND patch IN ({', '.join(map(str, sorted(numbers)))})"
        )
        both = f"({where}) AND {there}" if where else there
        try:
            for row in _rows(butler, image_type, ("visit", "detector", "patch"), both):
                images = found.setdefault(visit_of(row), {})
                images[int(row["detector"])] = row[f"{image_type}.dataset_id"]
        except MissingDatasetTypeError:
            break
    return found


def place_of(data_id: Mapping[str, Any]) -> Place:
    """Return the patch and band of a data ID that has the implied values too."""
    return Place(
        skymap=str(data_id["skymap"]),
        tract=int(data_id["tract"]),
        patch=int(data_id["patch"]),
        band=str(data_id["band"]),
    )


def _tract_of(data_id: Mapping[str, Any]) -> TractPlace:
    return TractPlace(
        skymap=str(data_id["skymap"]), tract=int(data_id["tract"]), band=str(data_id["band"])
    )


def visit_of(data_id: Mapping[str, Any]) -> VisitPlace:
    """Return the visit on a patch of a data ID that has the implied values too."""
    return VisitPlace(
        place=place_of(data_id),
        instrument=str(data_id["instrument"]),
        visit=int(data_id["visit"]),
    )
