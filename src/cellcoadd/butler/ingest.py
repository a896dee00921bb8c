"""Bringing calibrated images into a repository.

Files come in; datasets and the rows that describe their visits are registered. Everything is
worked out first: which files can be used, which are there already, which contradict the repository.
Then each visit goes in as one transaction, so that an interruption leaves whole visits only.
"""

from __future__ import annotations

__all__ = ["IngestReport", "ingest_images"]

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from lsst.daf.butler import Butler, CollectionType, DatasetRef, DatasetType, FileDataset
from lsst.daf.butler.progress import Progress

from ..errors import RepositoryError, UnusableInputError
from ..surveys import Reader, named_reader
from ..surveys.afw.visit_summary import is_visit_summary
from .candidates import Candidate, DataKey, Refusal, examine, visit_summaries_beside
from .formatters import VisitImageFileFormatter
from .image_collections import check_collection
from .ingest_visit_summaries import VISIT_SUMMARY_TYPE, ingest_visit_summaries
from .visit_records import register_cameras, register_visit

type Transfer = Literal[
    "auto", "copy", "direct", "hardlink", "link", "move", "relsymlink", "symlink"
]

_DIMENSIONS = ("instrument", "visit", "detector")

# A bar is drawn only where the level is enabled, and the butler command enables its own loggers'
# INFO, not ours.
_progress = Progress("cellcoadd.butler.ingest", level=logging.WARNING)


@dataclasses.dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What became of the files.

    Parameters
    ----------
    run
        The collection that the images are in.
    ingested
        Files that were taken.
    already_there
        Files whose visit and detector are in the run already; they were left alone.
    refused
        Files that cannot be used, with the reason.
    visit_summaries
        Visit summaries that were taken.
    """

    run: str
    ingested: tuple[Path, ...]
    already_there: tuple[Path, ...]
    refused: tuple[Refusal, ...]
    visit_summaries: tuple[Path, ...] = ()


def ingest_images(
    butler: Butler,
    paths: Iterable[Path],
    *,
    run: str,
    camera: Reader | Path | str | None = None,
    dataset_type: str = "calexp",
    summary_type: str = VISIT_SUMMARY_TYPE,
    transfer: Transfer = "auto",
    check: bool = True,
) -> IngestReport:
    """Bring calibrated images into a repository.

    Parameters
    ----------
    butler
        Writeable.
    paths
        The files. Files that belong to an image (variance, mask, point-spread function) are found
        by the camera's reader. Visit summaries of the Rubin pipelines, given or beside images of
        theirs, become datasets, too; the images are taken with what they say of themselves then,
        unless they cannot be used without.
    run
        Collection to put the images into; made if it does not exist.
    camera
        Reader of the files: a key of `cellcoadd.surveys.READERS`, a definition of a camera in YAML
        or the name of one that is ready, or a reader; None: each file's is recognized.
    dataset_type
        Name of the dataset type.
    summary_type
        Name of the dataset type of visit summaries.
    transfer
        How files that the Butler reads as they are (Rubin's) get into the repository. Images of
        other surveys are always written anew, as one file with all that belongs to them.
    check
        Read each image whole first, as a task will, so that a broken one is refused here and not
        in the middle of a night's processing; false: only headers are read, which is faster.

    Returns
    -------
    report
        What became of each file.

    Raises
    ------
    UnusableInputError
        If there is no such camera, or its definition is wrong.
    RepositoryError
        If the run is a collection of another type, or a dataset type is registered otherwise.
    """
    reader = named_reader(camera) if isinstance(camera, str | Path) else camera
    run_exists = check_collection(butler, run, CollectionType.RUN)
    registered = _registered_type(butler, dataset_type)
    present = _present(butler, run, dataset_type) if registered and run_exists else set()

    files = set(paths)
    summaries = {path for path in files if is_visit_summary(path)}
    candidates, refused = examine(
        butler, files - summaries, reader, registered, trusted=present if check else None
    )
    already_there = [candidate.source for candidate in candidates if candidate.key in present]
    new = [candidate for candidate in candidates if candidate.key not in present]
    ingested: list[Path] = []
    if new:
        kind = registered or _register_type(butler, dataset_type, new)
        butler.collections.register(run)
        with butler.transaction():
            register_cameras(butler, [candidate.header for candidate in new])
        visits = list(_by_visit(new))
        for visit in _progress.wrap(visits, desc="Ingesting visits", total=len(visits)):
            with butler.transaction():
                taken, failed = _ingest_visit(butler, visit, kind, run, transfer)
            ingested.extend(taken)
            refused.extend(failed)
    taken_summaries, present_summaries, failed = ingest_visit_summaries(
        butler,
        summaries | visit_summaries_beside(candidates),
        run=run,
        dataset_type=summary_type,
        transfer=transfer,
    )
    return IngestReport(
        run=run,
        ingested=tuple(ingested),
        already_there=(*already_there, *present_summaries),
        refused=(*refused, *failed),
        visit_summaries=tuple(taken_summaries),
    )


def _registered_type(butler: Butler, name: str) -> DatasetType | None:
    found = list(butler.registry.queryDatasetTypes(name))
    if not found:
        return None
    if set(found[0].dimensions.required) != set(_DIMENSIONS):
        raise RepositoryError(
            f"The dataset type {name} has the dimensions {sorted(found[0].dimensions.required)}; "
            f"images need {sorted(_DIMENSIONS)}. Choose another name."
        )
    return found[0]


def _register_type(butler: Butler, name: str, candidates: Iterable[Candidate]) -> DatasetType:
    # Of a mixture it is the more general one, as which visit images can be read too.
    kinds = {candidate.storage_class for candidate in candidates}
    storage_class = kinds.pop() if len(kinds) == 1 else "CalibratedImage"
    kind = DatasetType(name, _DIMENSIONS, storage_class, universe=butler.dimensions)
    butler.registry.registerDatasetType(kind)
    return kind


def _present(butler: Butler, run: str, dataset_type: str) -> set[DataKey]:
    """Find the images that the run has."""
    refs = butler.query_datasets(dataset_type, collections=run, limit=None, explain=False)
    return {
        (
            str(ref.dataId["instrument"]),
            int(ref.dataId["visit"]),
            int(ref.dataId["detector"]),
        )
        for ref in refs
    }


def _by_visit(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    visits: dict[tuple[str, int], list[Candidate]] = {}
    for candidate in candidates:
        instrument, visit, _ = candidate.key
        visits.setdefault((instrument, visit), []).append(candidate)
    yield from visits.values()


def _ingest_visit(
    butler: Butler,
    visit: Sequence[Candidate],
    kind: DatasetType,
    run: str,
    transfer: Transfer,
) -> tuple[list[Path], list[Refusal]]:
    """Register one visit and its datasets. Returns the files taken, and those refused."""
    as_they_are = [c for c in visit if c.storage_class != "CalibratedImage"]
    taken: list[Path] = []
    refused: list[Refusal] = []
    if as_they_are:
        register_visit(butler, [(c.header, c.region) for c in as_they_are])
        butler.ingest(
            *(
                FileDataset(
                    path=str(c.source.absolute()),
                    refs=[_reference(butler, c, kind, run)],
                    formatter=VisitImageFileFormatter,
                )
                for c in as_they_are
            ),
            transfer=transfer,
        )
        taken.extend(c.source for c in as_they_are)
    # One at a time: the pixels of a whole camera do not fit into every computer's memory.
    for candidate in visit:
        if candidate.storage_class != "CalibratedImage":
            continue
        try:
            image = candidate.reader.read(candidate.source).calibrated_image
        except UnusableInputError as error:
            refused.append(Refusal.of(candidate.source, error))
            continue
        register_visit(butler, [(candidate.header, candidate.region)])
        butler.put(image, _reference(butler, candidate, kind, run))
        taken.append(candidate.source)
    return taken, refused


def _reference(butler: Butler, candidate: Candidate, kind: DatasetType, run: str) -> DatasetRef:
    instrument, visit, detector = candidate.key
    data_id = butler.registry.expandDataId(instrument=instrument, visit=visit, detector=detector)
    return DatasetRef(kind, data_id, run=run)
