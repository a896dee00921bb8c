"""How coadds were made: collections, settings of the tasks, versions, and where the files are."""

from __future__ import annotations

__all__ = ["read_provenance"]

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lsst.daf.butler import Butler, DatasetRef
from lsst.resources import ResourcePath

from ..report.tract_data import Provenance, TaskSetting
from ..tract_report.code_to_get import NamedDataset, code_to_get
from .tract_datasets import TractName, find_datasets, read_dataset

_CONFIG = "_config"
_SHOWN = (
    "deepCoaddCell",
    "deepCoaddCell_stitched",
    "deepCoaddCell_table",
    "deepCoaddCell_inputTable",
    "deepCoaddCell_inputMap",
)


def read_provenance(
    butler: Butler, repository: str, collections: Sequence[str], name: TractName
) -> Provenance:
    """Return where the coadds of a tract in a band are and how they were made.

    Parameters
    ----------
    butler
        With the collections to look into.
    repository
        As the user named it.
    collections
        As the user named them.
    name
        Which tract and band.
    """
    infos = butler.collections.query_info(collections, flatten_chains=True, include_chains=True)
    types = sorted(kind.name for kind in butler.registry.queryDatasetTypes("deepCoaddCell_*_map"))
    refs = [ref for kind in (*_SHOWN, *types) for ref in find_datasets(butler, kind, name.data_id)]
    names = [NamedDataset.of(ref.datasetType.name, ref.dataId.mapping) for ref in refs]
    return Provenance(
        repository=repository,
        collections=[(info.name, info.type.name.lower()) for info in infos],
        settings=list(_read_settings(butler)),
        packages=_read_packages(butler, refs),
        files=[
            (dataset.kind, dataset.title, _file_of(butler, ref, repository))
            for dataset, ref in zip(names, refs, strict=True)
        ],
        code=code_to_get(
            names, repository=repository, collections=collections, data_id=name.data_id
        ),
    )


def _read_settings(butler: Butler) -> Iterator[TaskSetting]:
    """All settings of the tasks, but for the names of datasets that are the tasks' own."""
    types = butler.registry.queryDatasetTypes(f"*{_CONFIG}")
    for kind in sorted(types, key=lambda kind: kind.name):
        for ref in find_datasets(butler, kind.name):
            config = read_dataset(butler, ref)
            if config is None:
                continue
            own = dict(_flat(type(config)().toDict()))
            for setting, value in _flat(config.toDict()):
                default = own.get(setting, "")
                if value != default or not setting.startswith("connections."):
                    yield TaskSetting(
                        task=kind.name.removesuffix(_CONFIG),
                        name=setting,
                        value=value,
                        default=default,
                    )
            break  # that of the first collection, which is the newest


def _flat(values: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, str]]:
    """Settings by their full names, as ``pipetask -c`` takes them."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value if isinstance(value, str) else json.dumps(value)


def _read_packages(butler: Butler, refs: Sequence[DatasetRef]) -> dict[str, str]:
    """Versions in the run of the first dataset: the coadd, if there is one."""
    for ref in refs[:1]:
        for packages in find_datasets(butler.clone(collections=ref.run), "packages"):
            found = read_dataset(butler, packages) or {}
            return {name: str(version) for name, version in sorted(found.items())}
    return {}


def _file_of(butler: Butler, ref: DatasetRef, repository: str) -> str:
    """The path of a dataset's file in the repository, or its address elsewhere."""
    try:
        address = butler.getURI(ref)
    except (OSError, LookupError, RuntimeError):
        return "not one file"
    inside = address.relative_to(ResourcePath(repository, forceDirectory=True))
    return inside or str(address)
