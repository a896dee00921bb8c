"""Which files can go into a repository, found out without changing it.

Files come in; candidates go out, each with its header, its region and the storage class that it
will have, and refusals with their reasons. `ingest` takes the candidates from here.
"""

from __future__ import annotations

__all__ = [
    "Candidate",
    "DataKey",
    "Refusal",
    "examine",
    "find_images",
    "visit_summaries_beside",
]

import dataclasses
import logging
from collections.abc import Iterable, Set
from pathlib import Path

from lsst.daf.butler import Butler, DatasetType
from lsst.daf.butler.progress import Progress
from lsst.sphgeom import ConvexPolygon

from ..errors import UnusableInputError
from ..surveys import READERS, Reader, SurveyHeader, reader_for
from ..surveys.afw import AfwReader
from ..surveys.afw.visit_summary import find_visit_summary, is_visit_summary
from ..surveys.guarded import GuardedReader, guarded
from .regions import detector_region
from .visit_records import ObservationChecker

type DataKey = tuple[str, int, int]
"""Instrument, visit, detector."""

_STORED_AS_THEY_ARE = {"rubin": "VisitImage"}
"""Surveys whose files the Butler reads as they are, and with which storage class."""
_FOR_REPOSITORIES: dict[str, GuardedReader] = {"afw": guarded(AfwReader(prefers_own=True))}
"""Readers that take the place of others of the same name: visit summaries are datasets here."""

# A bar is drawn only where the level is enabled, and the butler command enables its own loggers'
# INFO, not ours.
_progress = Progress("cellcoadd.butler.candidates", level=logging.WARNING)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """A file that was not taken, and why."""

    source: Path
    reason: str

    @classmethod
    def of(cls, source: Path, error: UnusableInputError) -> Refusal:
        """Say why a file was not taken; what is wrong may be another file that belongs to it."""
        about_another = error.source != str(source)
        return cls(source=source, reason=str(error) if about_another else error.reason)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A file that can be used.

    Parameters
    ----------
    header
        What it says of itself.
    reader
        What reads it.
    region
        The sky that it covers.
    storage_class
        What the repository will take it for.
    """

    header: SurveyHeader
    reader: Reader
    region: ConvexPolygon
    storage_class: str

    @property
    def source(self) -> Path:
        """The file, or the address of one detector in it."""
        return self.header.source

    @property
    def key(self) -> DataKey:
        """Instrument, visit and detector."""
        observation = self.header.observation
        return observation.instrument, observation.visit, observation.detector


def find_images(paths: Iterable[Path], *, camera: Reader | None = None) -> list[Path]:
    """Replace folders by the image files in them, and visit summaries, at any depth.

    Parameters
    ----------
    paths
        Files, which are kept whatever they are, and folders.
    camera
        Take only files that this reader recognizes; None: that any does.
    """
    readers = list(READERS.values()) if camera is None else [guarded(camera)]
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*")) if file.is_file())
            found.extend(
                file
                for file in files
                if is_visit_summary(file) or any(reader.recognizes(file) for reader in readers)
            )
        else:
            found.append(path)
    return found


def visit_summaries_beside(candidates: Iterable[Candidate]) -> set[Path]:
    """Return the visit summaries that lie beside files of images."""
    found = {
        find_visit_summary(candidate.source, candidate.header.observation.visit)
        for candidate in candidates
        if candidate.reader.name == AfwReader.name
    }
    return {path for path in found if path is not None}


def examine(
    butler: Butler,
    paths: Iterable[Path],
    reader: Reader | None,
    registered: DatasetType | None,
    *,
    trusted: Set[DataKey] | None,
) -> tuple[list[Candidate], list[Refusal]]:
    """Tell files that can be used from those that cannot.

    Parameters
    ----------
    butler
        The repository that they are for.
    paths
        The files.
    reader
        What reads them; None: whatever recognizes each.
    registered
        The dataset type that they are for, if there is one yet.
    trusted
        Images of which headers alone are read; None: all.

    Returns
    -------
    candidates
        Sorted by instrument, visit and detector.
    refused
        In the order of their names.
    """  # noqa: DOC501  (what is raised for a file refuses that file, here)
    candidates: dict[DataKey, Candidate] = {}
    refused: list[Refusal] = []
    first_of_visit: dict[tuple[str, int], Candidate] = {}
    files = sorted(set(paths))
    checker = ObservationChecker(butler)

    def look_at(path: Path, reader: Reader) -> None:
        try:
            candidate = _candidate(checker, path, reader, registered)
            instrument, visit, _ = candidate.key
            twin = candidates.get(candidate.key)
            if twin is not None and (trusted is not None or not _is_broken(twin, refused)):
                raise UnusableInputError(
                    str(path), f"{twin.source} holds the same visit and detector."
                )
            first = first_of_visit.get((instrument, visit), candidate)
            _check_same_visit(candidate, first)
            if trusted is not None and candidate.key not in trusted:
                # All of its pixels, too.
                candidate.reader.read(path).calibrated_image.masked_image[...]
        except UnusableInputError as error:
            refused.append(Refusal.of(path, error))
        else:
            candidates[candidate.key] = candidate
            checker.note(candidate.header)
            first_of_visit.setdefault((instrument, visit), candidate)

    for path in _progress.wrap(files, desc="Looking at files", total=len(files)):
        try:
            chosen = reader_for(path, camera=reader)
            chosen = _FOR_REPOSITORIES.get(chosen.name, chosen)
        except UnusableInputError as error:
            refused.append(Refusal.of(path, error))
            continue
        for address in chosen.images_in(path):
            look_at(address, chosen)
    return [candidates[key] for key in sorted(candidates)], refused


def _is_broken(candidate: Candidate, refused: list[Refusal]) -> bool:
    """Read the pixels of a file whose place another file could take, and refuse it if it cannot."""
    try:
        candidate.reader.read(candidate.source).calibrated_image.masked_image[...]
    except UnusableInputError as error:
        refused.append(Refusal.of(candidate.source, error))
        return True
    return False


def _candidate(
    checker: ObservationChecker, path: Path, reader: Reader, registered: DatasetType | None
) -> Candidate:
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
    return Candidate(header=header, reader=reader, region=region, storage_class=storage_class)


def _fits(butler: Butler, registered: DatasetType, storage_class: str) -> bool:
    ours = butler.storageClasses.getStorageClass(storage_class)
    return registered.storageClass.can_convert(ours)


def _check_same_visit(candidate: Candidate, first: Candidate) -> None:
    ours, theirs = candidate.header.observation, first.header.observation
    for field in ("physical_filter", "band", "day_obs"):
        if getattr(ours, field) != getattr(theirs, field):
            raise UnusableInputError(
                str(candidate.source),
                f"it has {field} {getattr(ours, field)}, but {first.source} of the same visit has "
                f"{getattr(theirs, field)}.",
            )
