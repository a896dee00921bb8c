"""Temporary repositories for tests: made once, copied for each test, and compared.

A repository takes half a second to make and a few milliseconds to copy.
"""

from __future__ import annotations

__all__ = ["copy_repository", "files_of", "records_of", "template_repository"]

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lsst.daf.butler import Butler

from ..butler.register_skymap import register_skymap
from ..butler.repository import make_repository
from ..skymap import named_sky_map

DESCRIBING_ELEMENTS = (
    "instrument",
    "physical_filter",
    "detector",
    "day_obs",
    "visit",
    "visit_system",
    "visit_system_membership",
    "visit_detector_region",
    "skymap",
    "tract",
    "patch",
)
"""The dimension elements that this package writes."""


def template_repository(
    root: Path, *, skymap: str = "hsc_rings_cells_v1", tracts: Iterable[int] = ()
) -> Path:
    """Make a repository, with tracts of a sky map if any are given, and close it.

    Parameters
    ----------
    root
        Where; must not exist.
    skymap
        Name of a sky map that `named_sky_map` knows.
    tracts
        Tracts to register.
    """
    with make_repository(root) as butler:
        if tracts := list(tracts):
            register_skymap(butler, named_sky_map(skymap), tracts=tracts)
    return root


def copy_repository(template: Path, root: Path) -> Butler:
    """Copy a repository that nobody has open. The copy is writeable; close it.

    Parameters
    ----------
    template
        The repository to copy; it must have been made without absolute paths, as ours are.
    root
        Where; must not exist.
    """
    shutil.copytree(template, root)
    return Butler.from_config(root, writeable=True)


def records_of(butler: Butler) -> dict[str, list[dict[str, Any]]]:
    """Return all that a repository has registered: dimension records, datasets and collections.

    Equal results mean that nothing has changed.
    """
    found: dict[str, list[dict[str, Any]]] = {
        element: [
            {key: str(value) for key, value in record.toDict().items()}
            for record in butler.query_dimension_records(element, limit=None, explain=False)
        ]
        for element in DESCRIBING_ELEMENTS
    }
    names = sorted(info.name for info in butler.collections.query_info("*"))
    found["collections"] = [{"name": name} for name in names]
    found["datasets"] = [
        {
            "id": str(ref.id),
            "run": ref.run,
            "type": ref.datasetType.name,
            "data_id": str(ref.dataId),
        }
        for kind in sorted(butler.registry.queryDatasetTypes(), key=lambda kind: kind.name)
        for ref in butler.query_datasets(kind, "*", find_first=False, limit=None, explain=False)
    ]
    return found


def files_of(root: Path) -> dict[str, bytes]:
    """Return the contents of all files of a repository but its database, by relative path."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".sqlite3" not in path.name
    }
