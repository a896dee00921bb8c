"""What reading a coadd, or a part of it, takes: ``python benchmarks/bench_reads.py [--small]``.

A coadd of a full patch, 22 x 22 cells of 250 x 250 pixels with one noise realization and one masked
fraction, is written and read, in our format and in the Rubin pipelines' older one, which their code
reads whole whatever is wanted. Prints processor time, the best of a few runs in one process, and
the bytes that are read from the file.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from lsst.images.serialization import open_archive

from cellcoadd.cell_grid import Index2D
from cellcoadd.exchange.lsst_cell_coadds import read_lsst_cell_coadds, write_lsst_cell_coadds
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.testing.counting_file import CountingFile
from cellcoadd.testing.full_patch import full_patch_coadd
from cellcoadd.testing.images import small_patch

type Read = Callable[[IO[bytes]], object]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredCoadd:
    """The coadd in one format: a column of the table."""

    name: str
    path: Path
    reads: Mapping[str, Read]
    """What can be read of it, by the name of the row; rows that it lacks stay empty."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a smoke run, of no meaning")
    small = parser.parse_args().small
    coadd = full_patch_coadd(patch=small_patch() if small else None)
    with tempfile.TemporaryDirectory() as folder:
        report([write_ours(coadd, Path(folder)), write_theirs(coadd, Path(folder))])


def write_ours(coadd: MultipleCellCoadd, folder: Path) -> StoredCoadd:
    path = folder / "coadd.fits"
    coadd.write(path)
    index = Index2D(x=1, y=2)
    return StoredCoadd(
        name="cellcoadd",
        path=path,
        reads={
            "whole": MultipleCellCoadd.read,
            "one cell": lambda stream: MultipleCellCoadd.read(stream, cells=[index]),
            "PSF": lambda stream: component(stream, "psf"),
            "WCS": lambda stream: component(stream, "wcs"),
            "mask": lambda stream: component(stream, "mask"),
        },
    )


def write_theirs(coadd: MultipleCellCoadd, folder: Path) -> StoredCoadd:
    path = folder / "lsst_cell_coadds.fits"
    write_lsst_cell_coadds(coadd, path)
    # The file is mapped into memory, past the counter of bytes: all of it is read.
    return StoredCoadd(
        name="lsst.cell_coadds", path=path, reads={"whole": lambda _: read_lsst_cell_coadds(path)}
    )


def component(stream: IO[bytes], name: str) -> object:
    with open_archive(stream, MultipleCellCoadd) as reader:
        return reader.get_component(name)


def report(formats: list[StoredCoadd]) -> None:
    print(" " * 12 + "".join(f"{stored.name:>24}" for stored in formats))
    sizes = [f"{stored.path.stat().st_size / 1e6:.2f} MB" for stored in formats]
    print(f"{'file':12}" + "".join(f"{size:>24}" for size in sizes))
    rows = dict.fromkeys(name for stored in formats for name in stored.reads)
    for row in rows:
        print(f"{row:12}" + "".join(f"{measured(stored, row):>24}" for stored in formats))


def measured(stored: StoredCoadd, row: str) -> str:
    read = stored.reads.get(row)
    if read is None:
        return ""
    best, count = math.inf, 0
    for _ in range(5):
        with CountingFile(stored.path) as stream:
            start = time.process_time()
            read(stream)
            best, count = min(best, time.process_time() - start), stream.count
    count = count or stored.path.stat().st_size
    return f"{best * 1e3:.1f} ms {count / 1e6:8.2f} MB"


if __name__ == "__main__":
    main()
