"""Whether coadds are made of all that there is: every warp of the patch, every image of the visit.

Collections come in; what is stale or missing goes out. What is there is compared, dataset by
dataset, with what the files say that they were made of (`recorded_inputs`); nothing is changed, no
pixel is read. `renewal` has what is stale made anew.
"""

from __future__ import annotations

__all__ = ["Finding", "RunStatus", "Trouble", "examine_run"]

import dataclasses
import enum
import logging
import uuid
from collections.abc import Iterable, Mapping

from lsst.daf.butler import Butler, DatasetRef
from lsst.daf.butler.progress import Progress

from ..errors import UnusableInputError
from .damaged_files import damaged_files
from .recorded_inputs import newer_than, read_inputs, work_times
from .run_contents import WARP, Place, RunContents, TractPlace, VisitPlace, read_contents

_progress = Progress("cellcoadd.butler.run_status", level=logging.WARNING)


class Trouble(enum.StrEnum):
    """What is not as it should be."""

    STALE_COADD = "stale coadd"
    STALE_WARP = "stale warp"
    MISSING_COADD = "missing coadd"
    MISSING_WARP = "missing warp"
    MISSING_PRODUCT = "missing product"
    UNREADABLE = "unreadable"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Parameters
    ----------
    trouble
        Of which kind.
    place
        The patch and band, the visit on them or the tract that it is about.
    reason
        What was found, as a sentence.
    """

    trouble: Trouble
    place: Place | VisitPlace | TractPlace
    reason: str

    def __str__(self) -> str:
        return f"{self.trouble}: {self.place}: {self.reason}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunStatus:
    """What there is in collections, and what is not as it should be.

    Parameters
    ----------
    coadds, warps
        How many there are.
    sound
        How many of these are made of all that there is.
    empty
        Patches whose assembly has found no cell to fill.
    findings
        What is stale or missing.
    """

    coadds: int
    warps: int
    sound: int
    empty: tuple[Place, ...]
    findings: tuple[Finding, ...]

    @property
    def stale(self) -> list[Finding]:
        """What ``pipetask --skip-existing`` would leave as it is, though it is of no use."""
        kinds = (Trouble.STALE_COADD, Trouble.STALE_WARP, Trouble.UNREADABLE)
        return [finding for finding in self.findings if finding.trouble in kinds]

    @property
    def unreadable(self) -> list[Finding]:
        """Of these what is gone or damaged."""
        return [finding for finding in self.findings if finding.trouble is Trouble.UNREADABLE]


def examine_run(
    butler: Butler, *, where: str = "", image_type: str = "calexp", verify: bool = False
) -> RunStatus:
    """Compare coadds with the warps that there are, and these with the images.

    Parameters
    ----------
    butler
        With the collections to look into: those of the run, and of its images if these are to be
        compared as well. ``pipetask`` makes a chain of both.
    where
        Only what this data query selects, as ``pipetask -d`` takes it.
    image_type
        What calibrated images are called.
    verify
        Whether the files are read, to find those that are gone or damaged.
    """
    contents = read_contents(butler, where=where, image_type=image_type)
    empty: list[Place] = []
    damaged = damaged_files(butler, where=where) if verify else {}
    findings = [
        Finding(trouble=Trouble.UNREADABLE, place=place, reason=reason)
        for place, reason in damaged.items()
    ]
    due: dict[Place, list[VisitPlace]] = {}
    visits = sorted(set(contents.warps) | set(contents.images))
    for visit in _progress.wrap(visits, desc="Comparing warps", total=len(visits)):
        finding = None if visit in damaged else _examine_warp(butler, contents, visit)
        if finding is not None:
            findings.append(finding)
            if finding.trouble is not Trouble.UNREADABLE:
                due.setdefault(visit.place, []).append(visit)
    places = contents.places
    for place in _progress.wrap(places, desc="Comparing coadds", total=len(places)):
        if place in damaged:
            continue
        if (finding := _examine_coadd(butler, contents, place)) is not None:
            findings.append(finding)
        elif place in due:
            reason = f"the warp of {_visits(due[place])} is stale or missing."
            findings.append(Finding(trouble=Trouble.STALE_COADD, place=place, reason=reason))
        elif place not in contents.coadds:
            empty.append(place)
    for label, lacking in contents.lacking.items():
        reason = f"there is a coadd, and no record that {label} has ended well."
        findings += [
            Finding(trouble=Trouble.MISSING_PRODUCT, place=place, reason=reason)
            for place in lacking
        ]
    return RunStatus(
        coadds=len(contents.coadds),
        warps=len(contents.warps),
        sound=len(
            {*contents.coadds, *contents.warps}
            - {each.place for each in findings if each.trouble is not Trouble.MISSING_PRODUCT}
        ),
        empty=tuple(empty),
        findings=tuple(findings),
    )


def _examine_warp(butler: Butler, contents: RunContents, visit: VisitPlace) -> Finding | None:
    """Compare a warp with the images of its visit that touch the patch."""
    images = contents.images.get(visit, {})
    warp = contents.warps.get(visit)
    if warp is None:
        record = contents.warpings.get(visit)
        if record is None:
            reason = f"there are images ({_detectors(images)}), and no warp."
            return Finding(trouble=Trouble.MISSING_WARP, place=visit, reason=reason)
        late = _later(butler, record, images.values())
        reason = f"nothing was usable, but there are other images now ({len(late)})."
        return Finding(trouble=Trouble.STALE_WARP, place=visit, reason=reason) if late else None
    if not images:
        return None  # they are in other collections, or were removed to save room
    try:
        recorded = read_inputs(butler, warp)
    except UnusableInputError as error:
        return Finding(trouble=Trouble.UNREADABLE, place=visit, reason=error.reason)
    if not recorded.types:
        return None
    lacking = [number for number, image in images.items() if image not in recorded.types]
    if lacking:
        reason = f"it was made without the image of {_detectors(lacking)} that is there now."
        return Finding(trouble=Trouble.STALE_WARP, place=visit, reason=reason)
    if gone := _gone(butler, recorded.types, contents.image_type):
        reason = f"it was made of {gone} images that are not there any more."
        return Finding(trouble=Trouble.STALE_WARP, place=visit, reason=reason)
    return None


def _examine_coadd(butler: Butler, contents: RunContents, place: Place) -> Finding | None:
    """Compare a coadd with the warps of its patch and band; an empty patch is not a finding."""
    warps = contents.warps_by_place.get(place, {})
    coadd, record = contents.coadds.get(place), contents.assemblies.get(place)
    if coadd is None:
        if record is None:
            reason = f"there are warps of {len(warps)} visits, and no coadd."
            return Finding(trouble=Trouble.MISSING_COADD, place=place, reason=reason)
        late = set(_later(butler, record, (warp.id for warp in warps.values())))
        if not late:
            return None
        which = _visits(visit for visit, warp in warps.items() if warp.id in late)
        reason = f"no cell was filled, but {which} came later."
        return Finding(trouble=Trouble.STALE_COADD, place=place, reason=reason)
    if not warps:
        return None  # they were removed to save room
    try:
        recorded = read_inputs(butler, coadd)
    except UnusableInputError as error:
        return Finding(trouble=Trouble.UNREADABLE, place=place, reason=error.reason)
    if recorded.visits is not None:
        lacking = [v for v in warps if (v.instrument, v.visit) not in recorded.visits]
    else:
        lacking = [visit for visit, warp in warps.items() if warp.id not in recorded.types]
    if lacking:
        reason = (
            f"it was made of {len(warps) - len(lacking)} of the {len(warps)} warps that are there "
            f"now; those of {_visits(lacking)} are missing or newer."
        )
        return Finding(trouble=Trouble.STALE_COADD, place=place, reason=reason)
    if gone := _gone(butler, recorded.types, WARP):
        reason = f"it was made of {gone} warps that are not there any more."
        return Finding(trouble=Trouble.STALE_COADD, place=place, reason=reason)
    if replaced := [v for v in warps if _was_replaced(butler, contents, v, place)]:
        reason = f"{_visits(replaced)} was warped again after it was made."
        return Finding(trouble=Trouble.STALE_COADD, place=place, reason=reason)
    return None


def _later(butler: Butler, record: DatasetRef, inputs: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Return the inputs that came after a quantum that has left nothing but its record."""
    times = work_times(butler, record)
    return [] if times is None else [each for each in inputs if newer_than(each, times[0])]


def _gone(butler: Butler, types: Mapping[uuid.UUID, str], dataset_type: str) -> int:
    """Count the inputs of a type that are nowhere in the repository."""
    ids = {number for number, name in types.items() if name == dataset_type}
    return len(ids - {ref.id for ref in butler.get_many_datasets(ids)})


def _was_replaced(butler: Butler, contents: RunContents, visit: VisitPlace, place: Place) -> bool:
    """Whether a warp was made again, under the identifier that it had when the coadd was made.

    ``--clobber-outputs`` does this. The order of registration says so at once, unless all of a run
    is registered at its end, as batch systems do: then the times of work decide.
    """
    warp, coadd = contents.warps[visit], contents.coadds[place]
    if not contents.registered_after(warp, coadd):
        return False
    records = contents.warpings.get(visit), contents.assemblies.get(place)
    times = [None if record is None else work_times(butler, record) for record in records]
    warped, assembled = times
    return warped is not None and assembled is not None and warped[1] > assembled[0]


def _visits(visits: Iterable[VisitPlace]) -> str:
    by_instrument: dict[str, list[int]] = {}
    for visit in visits:
        by_instrument.setdefault(visit.instrument, []).append(visit.visit)
    return ", ".join(
        f"{instrument} {_some(numbers)}" for instrument, numbers in sorted(by_instrument.items())
    )


def _detectors(numbers: Iterable[int]) -> str:
    return f"detector {_some(numbers)}"


def _some(numbers: Iterable[int], at_most: int = 8) -> str:
    ordered = sorted(numbers)
    shown = ", ".join(map(str, ordered[:at_most]))
    return shown if len(ordered) <= at_most else f"{shown} and {len(ordered) - at_most} more"
