"""Files of a run that are gone, or that are not as they were written."""

from __future__ import annotations

__all__ = ["damaged_files", "types_of_patches"]

import logging
from typing import Any

from lsst.daf.butler import Butler, DatasetRef
from lsst.daf.butler.progress import Progress
from lsst.resources import ResourcePath

from ..errors import UnusableInputError
from ..files.checksums import check_file
from ..files.parquet_tables import check_parquet_pages
from .run_contents import Place, VisitPlace, dataset_types_in, place_of, visit_of

_progress = Progress("cellcoadd.butler.damaged_files", level=logging.WARNING)

_CHECKS: dict[str, Any] = {
    ".fits": check_file,
    ".hsp": check_file,
    ".parq": check_parquet_pages,
}


def damaged_files(butler: Butler, *, where: str = "") -> dict[Place | VisitPlace, str]:
    """Read all files of warps, of coadds and of what was made of these, patch by patch.

    Parameters
    ----------
    butler
        With the collections to look into.
    where
        Only what this data query selects.

    Returns
    -------
    reasons
        What is the matter with the first file of a patch, or of a visit on a patch, that is gone or
        whose checksums are not right. Files without checksums pass, if they can be read.
    """
    found: dict[Place | VisitPlace, str] = {}
    refs = [ref for name in types_of_patches(butler) for ref in _find(butler, name, where)]
    for ref in _progress.wrap(refs, desc="Adding up", total=len(refs)):
        reason = _damage_of(butler, ref)
        if reason is not None:
            of_visit = "visit" in ref.dimensions
            place = (visit_of if of_visit else place_of)(ref.dataId.mapping)
            found.setdefault(place, reason)
    return found


def types_of_patches(butler: Butler) -> list[str]:
    """Return the dataset types of single patches that there are in a Butler's collections."""
    names = dataset_types_in(butler)
    return sorted(name for name in names if "patch" in butler.get_dataset_type(name).dimensions)


def _find(butler: Butler, name: str, where: str) -> list[DatasetRef]:
    return butler.query_datasets(name, where=where, limit=None, explain=False)


def _damage_of(butler: Butler, ref: DatasetRef) -> str | None:
    """Return what is the matter with the files of a dataset, if anything is."""
    parts = butler.getURIs(ref)
    for uri in (parts.primaryURI, *parts.componentURIs.values()):
        check = None if uri is None else _CHECKS.get(uri.getExtension())
        if uri is None or check is None:
            continue
        if not uri.exists():
            return f"its {ref.datasetType.name} is gone: there is no {uri.basename()}."
        try:
            _check(uri, check)
        except UnusableInputError as error:
            return f"its {ref.datasetType.name} in {uri.basename()}: {error.reason}"
    return None


def _check(uri: ResourcePath, check: Any) -> None:
    with uri.as_local() as local:
        check(local.ospath, name=str(uri))
