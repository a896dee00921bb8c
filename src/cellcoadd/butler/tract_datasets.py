"""What a repository holds of a tract in a band, read for the report on it.

Datasets that are not there, or whose files cannot be read, become None; the report names them.
"""

from __future__ import annotations

__all__ = [
    "TractName",
    "empty_patches_of",
    "find_datasets",
    "find_tracts",
    "read_dataset",
    "read_tract",
]

import dataclasses
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from astropy.table import Table
from lsst.daf.butler import Butler, DatasetRef, MissingDatasetTypeError

from ..analysis.map_quantities import MAP_QUANTITIES
from ..analysis.visit_properties import DEFAULT_VISIT_MAPS
from ..errors import RepositoryError
from ..report.tract_data import TractData
from ..skymap import SkyMap, Tract
from ..tract_report.gather import fullest_first, gather_tract_data, stack_tables
from .warp_variance import weighted_warp_variance

if TYPE_CHECKING:
    from healsparse import HealSparseMap

    from ..products.cell_coadd import MultipleCellCoadd
    from ..report.tract_data import Provenance

_COADD = "deepCoaddCell"
_WARP = "deepCoadd_directWarp"
_LOG_OF_ASSEMBLY = "assembleCellCoadd_log"
_NO_CELL = "No cell of "  # how `coaddition.empty_patch` begins
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class TractName:
    """A tract of a sky map, in a band."""

    skymap: str
    tract: int
    band: str

    @property
    def data_id(self) -> dict[str, str | int]:
        """As the Butler names it."""
        return {"skymap": self.skymap, "tract": self.tract, "band": self.band}


def find_tracts(butler: Butler) -> list[TractName]:
    """Return the tracts and bands of which there is a coadd or a table of cells, sorted."""
    names = {
        TractName(
            skymap=str(ref.dataId["skymap"]),
            tract=int(ref.dataId["tract"]),
            band=str(ref.dataId["band"]),
        )
        for dataset_type in (_COADD, f"{_COADD}_table")
        for ref in find_datasets(butler, dataset_type)
    }
    return sorted(names)


def find_datasets(
    butler: Butler, dataset_type: str, data_id: Mapping[str, str | int] | None = None
) -> list[DatasetRef]:
    """Return the datasets of a type in the Butler's collections, sorted by data ID.

    A type that the repository does not know has none.
    """
    try:
        refs = butler.query_datasets(dataset_type, data_id=data_id, limit=None, explain=False)
    except MissingDatasetTypeError:
        return []
    return sorted(refs, key=lambda ref: str(sorted(ref.dataId.required.items())))


def read_tract(butler: Butler, name: TractName, provenance: Provenance) -> TractData:
    """Read what there is of a tract in a band.

    Parameters
    ----------
    butler
        With the collections to look into.
    name
        Which tract and band.
    provenance
        What is known of where it came from.

    Raises
    ------
    RepositoryError
        If the repository does not have the sky map.
    """
    tract = _read_sky_map(butler, name)[name.tract]
    cells = _read_tables(butler, f"{_COADD}_table", name, tract)
    coadds = {int(ref.dataId["patch"]): ref for ref in find_datasets(butler, _COADD, name.data_id)}
    example = _read_example(butler, coadds, cells)
    maps: dict[str, HealSparseMap] = {}
    endings = {quantity: f"{quantity}_map" for quantity in MAP_QUANTITIES}
    endings |= {visit_map: visit_map for visit_map in DEFAULT_VISIT_MAPS}
    for quantity, ending in endings.items():
        for ref in find_datasets(butler, f"{_COADD}_{ending}", name.data_id):
            if (found := read_dataset(butler, ref)) is not None:
                maps[quantity] = found
    return gather_tract_data(
        tract,
        name.band,
        provenance=provenance,
        cells=cells,
        inputs=_read_tables(butler, f"{_COADD}_inputTable", name, tract),
        maps=maps,
        coadded=coadds,
        example=example,
        example_warp_variance=None
        if example is None
        else weighted_warp_variance(
            butler,
            max(example.cells.values(), key=lambda cell: len(cell.inputs)),
            example.identifiers,
        ),
        coadd_name=_COADD,
        empty_patches=_why_empty(butler, name, coadds),
    )


def empty_patches_of(butler: Butler) -> list[str]:
    """Return what logs of the assembly say of patches that have no filled cell."""
    logs = find_datasets(butler, _LOG_OF_ASSEMBLY)
    return [text for ref in logs if (text := _empty_by_log(butler, ref))]


def _why_empty(butler: Butler, name: TractName, coadded: Collection[int]) -> list[str]:
    """Return why patches of a tract have no coadd although there are warps of them."""
    warps = Counter(int(ref.dataId["patch"]) for ref in _warps_of(butler, name))
    logs: dict[int, str] = {}
    for ref in find_datasets(butler, _LOG_OF_ASSEMBLY, name.data_id):
        patch = int(ref.dataId["patch"])
        if patch in warps and patch not in coadded:
            logs[patch] = _empty_by_log(butler, ref)
    return [
        logs.get(patch)
        or f"Patch {patch} has warps of {number} visits and no coadd: it was not made, or no cell "
        "is filled. The log of assembleCellCoadd says which."
        for patch, number in sorted(warps.items())
        if patch not in coadded
    ]


def _empty_by_log(butler: Butler, ref: DatasetRef) -> str:
    said = (record.message for record in read_dataset(butler, ref) or ())
    return next((text for text in said if text.startswith(_NO_CELL)), "")


def _warps_of(butler: Butler, name: TractName) -> list[DatasetRef]:
    where = {"skymap": name.skymap, "tract": name.tract}
    try:
        return list(
            butler.query_datasets(
                _WARP, data_id=where, where="band = :band", bind={"band": name.band}, limit=None,
                explain=False,
            )
        )  # fmt: skip
    except MissingDatasetTypeError:
        return []


def read_dataset(butler: Butler, ref: DatasetRef) -> Any:
    """Read a dataset; None, and a warning in the log, if its file cannot be read."""
    try:
        return butler.get(ref)
    except Exception as error:  # each kind of file breaks in its own way
        _LOG.warning("%s %s cannot be read: %s", ref.datasetType.name, ref.dataId, error)
        return None


def _read_sky_map(butler: Butler, name: TractName) -> SkyMap:
    """Read the sky map, from any collection: a run of coadds does not hold it."""
    refs: Iterable[DatasetRef] = butler.query_datasets(
        "skyMap", "*", find_first=False, data_id={"skymap": name.skymap}, explain=False
    )
    for ref in refs:
        sky_map: SkyMap = butler.get(ref)
        return sky_map
    raise RepositoryError(
        f"The repository has coadds on the sky map {name.skymap!r}, but not the sky map; "
        f"'butler register-skymap' adds it."
    )


def _read_tables(butler: Butler, dataset_type: str, name: TractName, tract: Tract) -> Table | None:
    """Read the tables of all patches, one below the other; None if there is no row."""
    found = (read_dataset(butler, ref) for ref in find_datasets(butler, dataset_type, name.data_id))
    return stack_tables((table for table in found if table is not None), tract)


def _read_example(
    butler: Butler, coadds: Mapping[int, DatasetRef], cells: Table | None
) -> MultipleCellCoadd | None:
    """Read the coadd of the patch with the most filled cells of those that can be read."""
    for patch in fullest_first(coadds, cells):
        if (coadd := read_dataset(butler, coadds[patch])) is not None:
            return coadd  # type: ignore[no-any-return]
    return None
