"""Reports on the tracts of a repository, written as pages with their figures beside them."""

from __future__ import annotations

__all__ = ["write_reports"]

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ..errors import RepositoryError
from ..report.index_page import TractSummary, make_index_page
from ..report.tract_page import make_tract_page
from ..tract_report.written import WrittenReport, page_stem, summarize, write_page
from .coadd_provenance import read_provenance
from .repository import open_collections
from .tract_datasets import empty_patches_of, find_tracts, read_tract


def write_reports(
    repository: str,
    collections: Sequence[str],
    folder: Path,
    *,
    tracts: Collection[int] = (),
    bands: Collection[str] = (),
) -> Iterator[WrittenReport]:
    """Write a page for each tract and band, and one that compares them if there are several.

    Parameters
    ----------
    repository
        Folder, URI or alias of the repository.
    collections
        Where to look for coadds, tables and maps, in this order.
    folder
        Where the pages go; made if it does not exist. Files of the same names are replaced.
    tracts, bands
        Only these; all if none is given.

    Yields
    ------
    written
        Each page, when it is there.

    Raises
    ------
    RepositoryError
        If there is no repository, no such collection, no coadd in the collections, or no tract or
        band of those that are asked for.
    OSError
        If the folder cannot be written.
    """
    with open_collections(repository, collections) as butler:
        names = [
            name
            for name in find_tracts(butler)
            if (not tracts or name.tract in tracts) and (not bands or name.band in bands)
        ]
        if not names:
            raise RepositoryError(
                f"No deepCoaddCell or deepCoaddCell_table{_asked(tracts, bands)} in "
                f"{', '.join(collections)} of {repository}; "
                f"'butler query-collections {repository}' lists the collections."
                + "".join(f"\n{reason}" for reason in empty_patches_of(butler))
            )
        missing = sorted({*map(str, tracts)} - {str(name.tract) for name in names}) + sorted(
            set(bands) - {name.band for name in names}
        )
        if missing:
            there = ", ".join(f"{name.tract} {name.band}" for name in find_tracts(butler))
            raise RepositoryError(
                f"{', '.join(missing)}: there is no such tract or band in "
                f"{', '.join(collections)} of {repository}; there are {there}."
            )
        folder.mkdir(parents=True, exist_ok=True)
        summaries: list[TractSummary] = []
        for name in names:
            provenance = read_provenance(butler, repository, collections, name)
            data = read_tract(butler, name, provenance)
            stem = page_stem(skymap=name.skymap, tract=name.tract, band=name.band)
            yield write_page(make_tract_page(data), folder, stem)
            summaries.append(summarize(data, f"{stem}.html"))
        if len(summaries) > 1:
            yield write_page(make_index_page(summaries), folder, "index")


def _asked(tracts: Collection[int], bands: Collection[str]) -> str:
    parts = [f"tract {number}" for number in tracts] + [f"{band} band" for band in bands]
    return f" of {', '.join(parts)}" if parts else ""
