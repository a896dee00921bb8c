"""What differs between the products of two collections, dataset by dataset."""

from __future__ import annotations

__all__ = ["DatasetDifference", "RunDifferences", "compare_runs"]

import dataclasses
import logging
from collections.abc import Collection

from lsst.daf.butler import Butler, DatasetRef, MissingDatasetTypeError
from lsst.daf.butler.progress import Progress

from ..differences import Difference, differences_between
from ..errors import RepositoryError
from .run_contents import dataset_types_in

_progress = Progress("cellcoadd.butler.run_differences", level=logging.WARNING)

_OF_RUNS = frozenset({"ButlerLogRecords", "TaskMetadata", "Config", "Packages", "CellReport"})
"""Storage classes of what tells of a run rather than of the sky: no two are the same."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetDifference:
    """A dataset that is not the same in two collections.

    Parameters
    ----------
    dataset
        Its name: type and data ID.
    differences
        What differs.
    """

    dataset: str
    differences: tuple[Difference, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunDifferences:
    """What two collections have, and what differs.

    Parameters
    ----------
    same
        Number of datasets that are in both, and the same to the bit.
    different
        Those that differ.
    alone
        Names of those that are in the first, and in the second, alone.
    """

    same: int
    different: tuple[DatasetDifference, ...]
    alone: tuple[tuple[str, ...], tuple[str, ...]]


def compare_runs(
    one: Butler, other: Butler, *, where: str = "", dataset_types: Collection[str] = ()
) -> RunDifferences:
    """Compare the products of two collections to the bit.

    Parameters
    ----------
    one, other
        Butlers of one repository or of two, each with the collections to look into. Datasets that
        both find at one place, as inputs that both runs share, are the same without being read.
    where
        Only what this data query selects.
    dataset_types
        Only these; all products, if there are none: what there is but logs, configurations,
        records of success and reports.

    Raises
    ------
    RepositoryError
        If a dataset type is in neither.
    """
    refs, others = (_find(butler, where, dataset_types) for butler in (one, other))
    known = {ref.datasetType.name for ref in (*refs.values(), *others.values())}
    if unknown := sorted(set(dataset_types) - known):
        raise RepositoryError(f"Neither of the two has a dataset of the type {unknown[0]}.")
    common = [name for name in refs if name in others]
    same, different = 0, []
    for name in _progress.wrap(common, desc="Comparing", total=len(common)):
        pair = refs[name], others[name]
        is_one = pair[0].id == pair[1].id and one.getURI(pair[0]) == other.getURI(pair[1])
        found = () if is_one else _compare(one, pair[0], other, pair[1])
        if found:
            different.append(DatasetDifference(dataset=name, differences=found))
        else:
            same += 1
    return RunDifferences(
        same=same,
        different=tuple(different),
        alone=(
            tuple(name for name in refs if name not in others),
            tuple(name for name in others if name not in refs),
        ),
    )


def _find(butler: Butler, where: str, dataset_types: Collection[str]) -> dict[str, DatasetRef]:
    """Return the datasets by name, sorted."""
    names = dataset_types_in(butler)
    found = {}
    for name in sorted(names & set(dataset_types) if dataset_types else names):
        kind = butler.get_dataset_type(name)
        if not dataset_types and kind.storageClass_name in _OF_RUNS:
            continue
        try:
            refs = butler.query_datasets(name, where=where, limit=None, explain=False)
        except MissingDatasetTypeError:
            continue
        for ref in sorted(refs):
            found[f"{name} {_words(ref)}".rstrip()] = ref
    return found


def _words(ref: DatasetRef) -> str:
    data_id = ref.dataId
    return " ".join(f"{name} {data_id[name]}" for name in ref.dimensions.required)


def _compare(
    one: Butler, ref: DatasetRef, other: Butler, its: DatasetRef
) -> tuple[Difference, ...]:
    try:
        return tuple(differences_between(one.get(ref), other.get(its)))
    except TypeError as error:
        return (Difference("type", str(error)),)
    except Exception as error:  # each kind of damage raises what its first broken part leads to
        return (Difference("file", f"it cannot be read: {error}"),)
