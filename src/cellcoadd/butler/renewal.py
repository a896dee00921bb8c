"""Having stale coadds and warps made anew, and with them all that was made of them.

``pipetask run --skip-existing`` leaves alone what has a record of success (``<task>_metadata``).
The records of what is stale are taken away, and those of everything on the same patch, or of its
whole tract, that may have been made of it. The products stay where they are until a run with
``--clobber-outputs`` replaces them.
"""

from __future__ import annotations

__all__ = ["datasets_without_files", "forget", "records_to_forget"]

from collections.abc import Iterable

from lsst.daf.butler import Butler, DatasetRef

from .damaged_files import types_of_patches
from .run_contents import Place, VisitPlace
from .run_status import Finding

_OF_PATCHES = {"skymap", "tract", "patch", "band"}
_OF_VISITS = {"skymap", "tract", "patch", "instrument", "visit"}


def records_to_forget(butler: Butler, stale: Iterable[Finding]) -> list[DatasetRef]:
    """Return the records of success that keep stale products from being made anew.

    Parameters
    ----------
    butler
        With the collections of the run.
    stale
        What is to be made anew.
    """
    places: set[Place] = set()
    visits: set[VisitPlace] = set()
    for finding in stale:
        if isinstance(finding.place, VisitPlace):
            visits.add(finding.place)
            places.add(finding.place.place)
        elif isinstance(finding.place, Place):
            places.add(finding.place)
    found: set[DatasetRef] = set()
    for kind in butler.registry.queryDatasetTypes("*_metadata"):
        needed = set(kind.dimensions.required)
        if "tract" in needed and needed <= _OF_PATCHES:
            data_ids = [place.data_id for place in places]
        elif "visit" in needed and needed == _OF_VISITS:
            data_ids = [visit.data_id for visit in visits]
        else:
            continue
        for data_id in data_ids:
            narrowed = {name: value for name, value in data_id.items() if name in needed}
            found.update(
                butler.query_datasets(
                    kind, data_id=narrowed, find_first=False, limit=None, explain=False
                )
            )
    return sorted(found, key=lambda ref: (ref.run, ref.datasetType.name, str(ref.dataId)))


def datasets_without_files(butler: Butler, unreadable: Iterable[Finding]) -> list[DatasetRef]:
    """Return the datasets of which nothing is left but what the registry knows of them.

    A run does not replace them: it finds no file to remove, and may not write one under the same
    identifier.

    Parameters
    ----------
    butler
        With the collections of the run.
    unreadable
        Where to look.
    """
    places = {each.place for each in unreadable if isinstance(each.place, Place | VisitPlace)}
    refs = [
        ref
        for name in types_of_patches(butler)
        for place in places
        if ("visit" in butler.get_dataset_type(name).dimensions) == isinstance(place, VisitPlace)
        for ref in butler.query_datasets(name, data_id=place.data_id, limit=None, explain=False)
    ]
    return [ref for ref, is_stored in butler.stored_many(refs).items() if not is_stored]


def forget(butler: Butler, records: Iterable[DatasetRef]) -> None:
    """Remove records of success, so that ``pipetask run --skip-existing`` works again on these.

    Parameters
    ----------
    butler
        Writeable.
    records
        What `records_to_forget` and `datasets_without_files` have found.
    """
    butler.pruneDatasets(records, disassociate=True, unstore=True, purge=True)
