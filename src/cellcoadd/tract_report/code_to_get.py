"""Python for the page that gets what it shows out of a repository."""

from __future__ import annotations

__all__ = ["NamedDataset", "code_to_get"]

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self


@dataclasses.dataclass(frozen=True, kw_only=True)
class NamedDataset:
    """A dataset that a page is about.

    Parameters
    ----------
    kind
        Dataset type.
    tract, band
        Which.
    patch
        None if the dataset is of the whole tract.
    """

    kind: str
    tract: int
    band: str
    patch: int | None = None

    @classmethod
    def of(cls, kind: str, data_id: Mapping[str, Any]) -> Self:
        """Return the dataset of a type with a data ID; ``patch`` need not be in it."""
        patch = data_id.get("patch")
        return cls(
            kind=kind,
            tract=int(data_id["tract"]),
            band=str(data_id["band"]),
            patch=None if patch is None else int(patch),
        )

    @property
    def title(self) -> str:
        """Data ID for people: ``tract 9813, patch 61, band i``."""
        patch = "" if self.patch is None else f"patch {self.patch}, "
        return f"tract {self.tract}, {patch}band {self.band}"


def code_to_get(
    datasets: Iterable[NamedDataset],
    *,
    repository: str,
    collections: Sequence[str],
    data_id: Mapping[str, str | int],
    coadd_name: str = "deepCoaddCell",
) -> str:
    """Return Python that gets the first dataset of each type.

    Parameters
    ----------
    datasets
        Those that the page is about.
    repository
        Folder, address or alias.
    collections
        Where to look, in this order.
    data_id
        Sky map, tract and band.
    coadd_name
        Dataset type of the coadd; what follows it in the name of a type names the variable.
    """
    searched = repr(collections[0] if len(collections) == 1 else list(collections))
    lines = [
        "from lsst.daf.butler import Butler",
        "",
        f"butler = Butler.from_config({repository!r}, collections={searched})",
        f"where = {dict(data_id)!r}",
    ]
    first: dict[str, NamedDataset] = {}
    for dataset in datasets:
        first.setdefault(dataset.kind, dataset)
    for kind, dataset in first.items():
        patch = "" if dataset.patch is None else f", patch={dataset.patch}"
        variable = kind.removeprefix(coadd_name).strip("_") or "coadd"
        lines.append(f"{variable} = butler.get({kind!r}, where{patch})")
    return "\n".join(lines)
