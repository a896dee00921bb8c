"""Bringing calibrated images into a repository.

Files come in; datasets and the rows that describe their visits are registered. Everything is
worked out first: which files can be used, which are there already, which contradict the repository.
Then each visit goes in as one transaction, so that an interruption leaves whole visits only.
"""

from __future__ import annotations

__all__ = ["IngestReport", "Refusal", "find_images", "ingest_images"]

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from lsst.daf.butler import Butler, CollectionType, DatasetRef, DatasetType, FileDataset
from lsst.daf.butler.progress import Progress
from lsst.sphgeom import ConvexPolygon

from ..errors import RepositoryError, UnusableInputError
from ..surveys import READERS, Reader, SurveyHeader, reader_for
from .image_collections import check_collection
from .regions import detector_region
from .visit_records import ObservationChecker, register_cameras, register_visit

type Transfer = Literal[
    "auto", "copy", "direct", "hardlink", "link", "move", "relsymlink", "symlink"
]

_STORED_AS_THEY_ARE = {"rubin": "VisitImage"}
"""Surveys whose files the Butler reads as they are, and with which storage class."""

_DIMENSIONS = ("instrument", "visit", "detector")

# A bar is drawn only where the level is enabled, and the butler command enables its own loggers'
# INFO, not ours.
_progress = Progress("cellcoadd.butler.ingest", level=logging.WARNING)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """A file that was not taken, and why."""

    source: Path
    reason: str


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
    """

    run: str
    ingested: tuple[Path, ...]
    already_there: tuple[Path, ...]
    refused: tuple[Refusal, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Candidate:
    """A file that can be used."""

    header: SurveyHeader
    reader: Reader
    region: ConvexPolygon
    storage_class: str

    @property
    def source(self) -> Path:
        return self.header.source

    @property
    def key(self) -> tuple[str, int, int]:
        observation = self.header.observation
        return observation.instrument, observation.visit, observation.detector


def ingest_images(
    butler: Butler,
    paths: Iterable[Path],
    *,
    run: str,
    survey: str | None = None,
    dataset_type: str = "calexp",
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
        by the survey's reader.
    run
        Collection to put the images into; made if it does not exist.
    survey
        Reader of the files, a key of `cellcoadd.surveys.READERS`; None: each file's is recognized.
    dataset_type
        Name of the dataset type.
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
    ValueError
        If there is no such survey.
    RepositoryError
        If the run is a collection of another type, or the dataset type has other dimensions.
    """
    reader = None if survey is None else _reader(survey)
    check_collection(butler, run, CollectionType.RUN)
    registered = _registered_type(butler, dataset_type)

    candidates, refused = _examine(butler, paths, reader, registered, check=check)
    present = _present(butler, run, registered, candidates)
    already_there = [candidate.source for candidate in candidates if candidate.key in present]
    new = [candidate for candidate in candidates if candidate.key not in present]
    if not new:
        return _report(run, [], already_there, refused)

    kind = registered or _register_type(butler, dataset_type, new[0].storage_class)
    butler.collections.register(run)
    with butler.transaction():
        register_cameras(butler, [candidate.header for candidate in new])
    ingested: list[Path] = []
    visits = list(_by_visit(new))
    for visit in _progress.wrap(visits, desc="Ingesting visits", total=len(visits)):
        with butler.transaction():
            taken, failed = _ingest_visit(butler, visit, kind, run, transfer)
        ingested.extend(taken)
        refused.extend(failed)
    return _report(run, ingested, already_there, refused)


def find_images(paths: Iterable[Path], *, survey: str | None = None) -> list[Path]:
    """Replace folders by the image files in them, at any depth.

    Parameters
    ----------
    paths
        Files, which are kept whatever they are, and folders.
    survey
        Take only files that this survey's reader recognizes; None: that any does.

    Raises
    ------
    ValueError
        If there is no such survey.
    """
    readers = list(READERS.values()) if survey is None else [_reader(survey)]
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*")) if file.is_file())
            found.extend(f for f in files if any(reader.recognizes(f) for reader in readers))
        else:
            found.append(path)
    return found


def _reader(survey: str) -> Reader:
    if survey not in READERS:
        raise ValueError(f"No survey is called {survey!r}; there are {', '.join(READERS)}.")
    return READERS[survey]


def _report(
    run: str, ingested: Sequence[Path], already_there: Sequence[Path], refused: Sequence[Refusal]
) -> IngestReport:
    return IngestReport(
        run=run,
        ingested=tuple(ingested),
        already_there=tuple(already_there),
        refused=tuple(refused),
    )


def _examine(
    butler: Butler,
    paths: Iterable[Path],
    reader: Reader | None,
    registered: DatasetType | None,
    *,
    check: bool,
) -> tuple[list[_Candidate], list[Refusal]]:
    """Tell files that can be used from those that cannot."""
    candidates: dict[tuple[str, int, int], _Candidate] = {}
    refused: list[Refusal] = []
    first_of_visit: dict[tuple[str, int], _Candidate] = {}
    files = sorted(set(paths))
    checker = ObservationChecker(butler)
    for path in _progress.wrap(files, desc="Looking at files", total=len(files)):
        try:
            candidate = _candidate(checker, path, reader, registered)
            instrument, visit, _ = candidate.key
            if (twin := candidates.get(candidate.key)) is not None:
                raise UnusableInputError(
                    str(path), f"{twin.source} holds the same visit and detector."
                )
            first = first_of_visit.get((instrument, visit), candidate)
            _check_same_visit(candidate, first)
            if check:
                candidate.reader.read(path)
        except UnusableInputError as error:
            refused.append(Refusal(source=path, reason=error.reason))
        else:
            candidates[candidate.key] = candidate
            first_of_visit.setdefault((instrument, visit), candidate)
    return [candidates[key] for key in sorted(candidates)], refused


def _candidate(
    checker: ObservationChecker, path: Path, reader: Reader | None, registered: DatasetType | None
) -> _Candidate:
    if not path.is_file():
        raise UnusableInputError(str(path), "there is no such file.")
    reader = reader or reader_for(path)
    header = reader.read_header(path)
    if conflict := checker.conflict(header):
        raise UnusableInputError(str(path), conflict)
    storage_class = _STORED_AS_THEY_ARE.get(reader.name, "CalibratedImage")
    if registered is not None and not _fits(checker.butler, registered, storage_class):
        raise UnusableInputError(
            str(path),
            f"the dataset type {registered.name} has the storage class "
            f"{registered.storageClass_name} here, which cannot hold a {storage_class}; choose "
            "another name with --dataset-type.",
        )
    try:
        region = detector_region(header.sky_projection, header.bbox)
    except ValueError as error:
        raise UnusableInputError(str(path), str(error)) from error
    return _Candidate(header=header, reader=reader, region=region, storage_class=storage_class)


def _fits(butler: Butler, registered: DatasetType, storage_class: str) -> bool:
    ours = butler.storageClasses.getStorageClass(storage_class)
    return registered.storageClass.can_convert(ours)


def _check_same_visit(candidate: _Candidate, first: _Candidate) -> None:
    ours, theirs = candidate.header.observation, first.header.observation
    for field in ("physical_filter", "band", "day_obs"):
        if getattr(ours, field) != getattr(theirs, field):
            raise UnusableInputError(
                str(candidate.source),
                f"it has {field} {getattr(ours, field)}, but {first.source} of the same visit has "
                f"{getattr(theirs, field)}.",
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


def _register_type(butler: Butler, name: str, storage_class: str) -> DatasetType:
    kind = DatasetType(name, _DIMENSIONS, storage_class, universe=butler.dimensions)
    butler.registry.registerDatasetType(kind)
    return kind


def _present(
    butler: Butler, run: str, registered: DatasetType | None, candidates: Sequence[_Candidate]
) -> set[tuple[str, int, int]]:
    """Find the visits and detectors that the run has."""
    if registered is None or not butler.collections.query(run):
        return set()
    present: set[tuple[str, int, int]] = set()
    for instrument in sorted({candidate.key[0] for candidate in candidates}):
        refs = butler.query_datasets(
            registered.name,
            collections=run,
            instrument=instrument,
            limit=None,
            explain=False,
        )
        for ref in refs:
            data_id = ref.dataId
            present.add((instrument, int(data_id["visit"]), int(data_id["detector"])))
    return present


def _by_visit(candidates: Iterable[_Candidate]) -> Iterator[list[_Candidate]]:
    visits: dict[tuple[str, int], list[_Candidate]] = {}
    for candidate in candidates:
        instrument, visit, _ = candidate.key
        visits.setdefault((instrument, visit), []).append(candidate)
    yield from visits.values()


def _ingest_visit(
    butler: Butler,
    visit: Sequence[_Candidate],
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
                FileDataset(path=str(c.source.absolute()), refs=[_reference(butler, c, kind, run)])
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
            refused.append(Refusal(source=candidate.source, reason=error.reason))
            continue
        register_visit(butler, [(candidate.header, candidate.region)])
        butler.put(image, _reference(butler, candidate, kind, run))
        taken.append(candidate.source)
    return taken, refused


def _reference(butler: Butler, candidate: _Candidate, kind: DatasetType, run: str) -> DatasetRef:
    instrument, visit, detector = candidate.key
    data_id = butler.registry.expandDataId(instrument=instrument, visit=visit, detector=detector)
    stored = (
        kind
        if kind.storageClass_name == candidate.storage_class
        else kind.overrideStorageClass(candidate.storage_class)
    )
    return DatasetRef(stored, data_id, run=run)
