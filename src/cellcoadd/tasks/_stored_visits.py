"""The visits on a patch as a repository holds them: a warp each, and what was warped with it."""

from __future__ import annotations

__all__ = [
    "StoredVisit",
    "VisitKey",
    "damaged_visits",
    "gone_visits",
    "key_of",
    "load_visits",
    "load_warp",
    "stored_visits",
]

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from lsst.daf.butler import Butler, DataCoordinate, DeferredDatasetHandle
from lsst.images import Box, Mask
from lsst.pipe.base import InputQuantizedConnection, QuantumContext

from ..cell_grid import shared_box
from ..coaddition.assemble import VisitOnPatch
from ..errors import UnusableInputError
from ..products.warp import Warp
from ..products.warp.soundness import check_sound
from ..skymap import Patch
from ._dataset_loading import name_of, named

type VisitKey = tuple[str, int]
"""Instrument and visit."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredVisit:
    """References to the warp of a visit and to what was warped with it.

    Parameters
    ----------
    warp
        The warp.
    noise
        Its noise realizations.
    artifact_mask, rubin_artifact_mask
        Masks whose CLIPPED plane marks its artifacts, ours and that of the Rubin pipelines.
    """

    warp: Any
    noise: Sequence[Any] = ()
    artifact_mask: Any | None = None
    rubin_artifact_mask: Any | None = None

    @property
    def key(self) -> VisitKey:
        """Instrument and visit."""
        return key_of(self.warp.datasetRef.dataId)


def stored_visits(
    refs: InputQuantizedConnection, *, n_noise: int, with_artifacts: bool, warn: Callable[..., None]
) -> list[StoredVisit]:
    """Return what there is of the visits that lack nothing, in order; name the others.

    Parameters
    ----------
    refs
        Inputs of the quantum.
    n_noise
        How many noise realizations a visit needs.
    with_artifacts
        Whether masks of artifacts are among the inputs.
    warn
        Is told of visits that lack any, as loggers are.
    """
    noise = [_by_visit(getattr(refs, f"noise{number}_warps")) for number in range(n_noise)]
    artifacts, rubins = (
        (_by_visit(refs.artifact_masks), _by_visit(refs.rubin_artifact_masks))
        if with_artifacts
        else ({}, {})
    )
    usable = []
    for visit, warp in sorted(_by_visit(refs.input_warps).items()):
        if missing := [number for number, each in enumerate(noise) if visit not in each]:
            warn("Left out: %s visit %d lacks noise realizations %s.", *visit, missing)
            continue
        usable.append(
            StoredVisit(
                warp=warp,
                noise=[each[visit] for each in noise],
                artifact_mask=artifacts.get(visit),
                rubin_artifact_mask=rubins.get(visit),
            )
        )
    return usable


def load_visits(
    context: QuantumContext, patch: Patch, visits: Iterable[StoredVisit], bbox: Box | None
) -> Iterator[VisitOnPatch]:
    """Read the pixels in a box of the visits that have any, one at a time.

    Parameters
    ----------
    context
        The repository.
    patch
        The patch that they are on.
    visits
        Which ones.
    bbox
        Only these pixels; None: all.

    Raises
    ------
    UnusableInputError
        If a file is missing or damaged.
    """
    for visit in visits:
        loaded = _load(context, patch, visit, bbox)
        if loaded is not None:
            yield loaded


def damaged_visits(
    context: QuantumContext,
    patch: Patch,
    visits: Iterable[StoredVisit],
    boxes: Sequence[Box | None],
) -> list[tuple[VisitKey, UnusableInputError]]:
    """Return the visits that cannot be read, with the reasons: for when one has failed.

    Parameters
    ----------
    context, patch, visits
        As for `load_visits`.
    boxes
        The parts in which they are read.
    """
    found = []
    for visit in visits:
        try:
            for bbox in boxes:
                _load(context, patch, visit, bbox)
        except UnusableInputError as error:
            found.append((visit.key, error))
    return found


def gone_visits(
    context: QuantumContext, refs: InputQuantizedConnection
) -> list[tuple[VisitKey, UnusableInputError]]:
    """Return the visits of which a file is gone that the repository knows, with the reasons.

    The middleware takes what is not there out of a quantum, with a line in the log: the same for a
    warp of which a task found that there is none, and for one that somebody has deleted. Only the
    registry can tell; a quantum that runs without one, on a batch system, has nobody to ask.

    Parameters
    ----------
    context
        The quantum and its repository.
    refs
        Its inputs.
    """
    butler = context.get(refs.input_warps[0]).butler
    if not isinstance(butler, Butler):
        return []
    data_id = context.quantum.dataId
    assert data_id is not None, "a quantum of a patch has a data ID"
    here = {name: data_id[name] for name in ("skymap", "tract", "patch", "band")}
    found = []
    for kind, given in context.quantum.inputs.items():
        if "visit" not in kind.dimensions:
            continue
        known = butler.query_datasets(kind, data_id=here, limit=None, explain=False)
        missing = sorted(set(known) - set(given))
        found += [
            (
                key_of(ref.dataId),
                UnusableInputError(name_of(ref), f"its file is missing ({butler.getURI(ref)})."),
            )
            for ref, is_stored in butler.stored_many(missing).items()
            if not is_stored
        ]
    return found


def load_warp(handle: DeferredDatasetHandle, bbox: Box | None) -> Warp | None:
    """Read the pixels of a warp in a box; None if it has none there.

    Parameters
    ----------
    handle
        The warp.
    bbox
        Only these pixels; None: all.

    Raises
    ------
    UnusableInputError
        If its file is missing or damaged, or holds numbers that no warp has.
    """
    with named(handle.ref) as source:
        if bbox is not None and shared_box(handle.get(component="bbox"), bbox) is None:
            return None
        warp: Warp = handle.get(parameters=None if bbox is None else {"bbox": bbox})
        check_sound(warp, source)
    return warp


def _load(
    context: QuantumContext, patch: Patch, visit: StoredVisit, bbox: Box | None
) -> VisitOnPatch | None:
    warp = load_warp(context.get(visit.warp), bbox)
    if warp is None:
        return None
    noise = []
    for ref in visit.noise:
        with named(ref.datasetRef):
            noise.append(context.get(ref).get(component="image", parameters={"bbox": warp.bbox}))
    return VisitOnPatch(
        warp=warp,
        noise=noise,
        artifact_mask=_artifacts(context, visit, shared_box(warp.bbox, patch.outer_bbox)),
    )


def _artifacts(context: QuantumContext, visit: StoredVisit, bbox: Box | None) -> Mask | None:
    """Read the mask of a visit's artifacts: that of the Rubin pipelines, else ours.

    Theirs, made for another warp, must have all that lies on the patch; ours may cover a part.
    """
    mask: Mask
    if visit.rubin_artifact_mask is not None and bbox is not None:
        with named(visit.rubin_artifact_mask.datasetRef):
            mask = context.get(visit.rubin_artifact_mask).get(parameters={"bbox": bbox})
    elif visit.artifact_mask is not None:
        with named(visit.artifact_mask.datasetRef):
            handle = context.get(visit.artifact_mask)
            shared = None if bbox is None else shared_box(handle.get(component="bbox"), bbox)
            mask = handle.get(parameters=shared and {"bbox": shared})
    else:
        return None
    return mask


def _by_visit(refs: Iterable[Any]) -> Mapping[VisitKey, Any]:
    return {key_of(ref.datasetRef.dataId): ref for ref in refs}


def key_of(data_id: DataCoordinate) -> VisitKey:
    """Return the instrument and visit of a dataset."""
    return str(data_id["instrument"]), int(data_id["visit"])
