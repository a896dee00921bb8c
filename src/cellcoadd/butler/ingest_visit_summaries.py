"""Visit summaries of the Rubin pipelines as datasets of a repository, whose visits are registered.

Files come in; one dataset a visit is registered, which the warping task takes WCS, PSF and
calibration from. The files stay as they are.
"""

from __future__ import annotations

__all__ = ["VISIT_SUMMARY_TYPE", "ingest_visit_summaries"]

from collections.abc import Iterable
from pathlib import Path

from lsst.daf.butler import Butler, DataCoordinate, DatasetRef, DatasetType, FileDataset

from ..errors import RepositoryError, UnusableInputError
from ..surveys.afw import VisitSummary
from .afw_formatters import VisitSummaryFormatter
from .candidates import Refusal
from .repository import REPOSITORY_CONFIG

VISIT_SUMMARY_TYPE = "finalVisitSummary"
"""What the Rubin pipelines call the summaries that they make coadds with."""

_STORAGE_CLASS = "CellVisitSummary"
_DIMENSIONS = ("instrument", "visit")


def ingest_visit_summaries(
    butler: Butler,
    paths: Iterable[Path],
    *,
    run: str,
    dataset_type: str = VISIT_SUMMARY_TYPE,
    transfer: str = "auto",
) -> tuple[list[Path], list[Path], list[Refusal]]:
    """Bring visit summaries into a repository that has images of their visits.

    Parameters
    ----------
    butler
        Writeable.
    paths
        The files.
    run
        Collection to put them into; made if it does not exist.
    dataset_type
        Name of the dataset type.
    transfer
        How the files get into the repository.

    Returns
    -------
    taken
        Files that became datasets.
    already_there
        Files of visits of which the run has a summary; they were left alone.
    refused
        Files that cannot be used, with the reason.

    Raises
    ------
    RepositoryError
        If the repository does not know what a visit summary is, or the dataset type is another.
    """
    files = sorted(set(paths))
    if not files:
        return [], [], []
    kind = _dataset_type(butler, dataset_type)
    taken: dict[DataCoordinate, Path] = {}
    already_there, refused = [], []
    butler.collections.register(run)
    present = _present(butler, kind, run)
    for path in files:
        try:
            instrument, visit = _key(butler, VisitSummary.read(path))
        except UnusableInputError as error:
            refused.append(Refusal.of(path, error))
            continue
        data_id = butler.registry.expandDataId(instrument=instrument, visit=visit)
        if (instrument, visit) in present:
            already_there.append(path)
        elif twin := taken.get(data_id):
            refused.append(Refusal(source=path, reason=f"{twin} is the summary of the same visit."))
        else:
            taken[data_id] = path
    butler.ingest(
        *(
            FileDataset(
                path=str(path.absolute()),
                refs=[DatasetRef(kind, data_id, run=run)],
                formatter=VisitSummaryFormatter,
            )
            for data_id, path in taken.items()
        ),
        transfer=transfer,
    )
    return list(taken.values()), already_there, refused


def _dataset_type(butler: Butler, name: str) -> DatasetType:
    """Return the dataset type, registered."""
    if _STORAGE_CLASS not in butler.storageClasses:
        raise RepositoryError(
            "The repository was made before visit summaries could be datasets. Add the line "
            f"'includeConfigs: {REPOSITORY_CONFIG}' to its butler.yaml."
        )
    kind = DatasetType(name, _DIMENSIONS, _STORAGE_CLASS, universe=butler.dimensions)
    registered = list(butler.registry.queryDatasetTypes(name))
    if registered and registered[0] != kind:
        raise RepositoryError(
            f"The dataset type {name} is registered otherwise here ({registered[0]}); give visit "
            "summaries another name, and name it to the task: "
            "-c makeDirectWarp:connections.visit_summary=NAME."
        )
    butler.registry.registerDatasetType(kind)
    return kind


def _present(butler: Butler, kind: DatasetType, run: str) -> set[tuple[str, int]]:
    refs = butler.query_datasets(kind, collections=run, limit=None, explain=False)
    return {(str(ref.dataId["instrument"]), int(ref.dataId["visit"])) for ref in refs}


def _key(butler: Butler, summary: VisitSummary) -> tuple[str, int]:
    """Return instrument and visit, of those that are registered."""
    if summary.visit is None:
        raise UnusableInputError(summary.source, "no column visit says of which visit it is.")
    instruments = [
        str(record.name)
        for record in butler.query_dimension_records("instrument", explain=False)
        if butler.query_dimension_records(
            "visit", instrument=record.name, visit=summary.visit, explain=False
        )
    ]
    if summary.instrument in instruments:
        instruments = [summary.instrument]
    if len(instruments) != 1:
        which = f"instruments {', '.join(instruments)}, and it does not say which is meant"
        raise UnusableInputError(
            summary.source,
            f"its visit {summary.visit} must be one of the repository, it is one of "
            f"{which if instruments else 'none'}: ingest images of the visit first.",
        )
    return instruments[0], summary.visit
