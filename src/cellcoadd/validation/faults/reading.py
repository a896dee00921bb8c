"""Damaged files read in a process of their own, which may end in any way.

``python -m cellcoadd.validation.faults.reading LIST.json`` reads the `DamagedFile` that a
file lists, and prints a line for each: what became of it, and more.
"""

from __future__ import annotations

__all__ = ["OTHER", "REFUSED", "SAME", "DamagedFile", "read_all"]

import json
import logging
import resource
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...any_file import read
from ...differences import differences_between
from ...errors import CellCoaddError
from ...products.calibrated_image import CalibratedImage

REFUSED = "refused by name"
"""An error says which file, and why."""

SAME = "read, the same to the bit"
"""What was damaged is no part of the product."""

OTHER = "read, another product"
"""Nobody noticed."""

_UNNAMED = "an error without the file's name"
_ENDED = "the process ended"
_LATE = "no answer"
_PATIENCE = 60  # seconds a file
_MEMORY = 8 << 30  # bytes of address space, of which the libraries take two


class DamagedFile(NamedTuple):
    """What is read.

    Parameters
    ----------
    path
        The file that is opened.
    sound
        The sound one that it was made of.
    folder
        Where it is, with all that belongs to it.
    """

    path: Path
    sound: Path
    folder: Path


def read_all(files: Sequence[DamagedFile]) -> list[tuple[str, str]]:
    """Read damaged files; return for each what became of it, and what was said."""
    found: list[tuple[str, str]] = []
    while len(found) < len(files):
        found += _read_some(files[len(found) :])
    return found


def _read_some(files: Sequence[DamagedFile]) -> list[tuple[str, str]]:
    """Read files until one of them ends the process; that one is the last."""
    found: list[tuple[str, str]] = []
    with tempfile.NamedTemporaryFile("w", suffix=".json") as listed:
        json.dump([[str(path) for path in file] for file in files], listed)
        listed.flush()
        words = [sys.executable, "-m", __name__, listed.name]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        end, _, said = line.partition("\t")
        found.append((end, said))
    if len(found) < len(files):
        late = done.returncode == -signal.SIGALRM
        said = f"status {done.returncode}: {done.stderr[-300:]}"
        found.append((_LATE if late else _ENDED, said))
    return found


def _outcome(path: Path, sound: Path, folder: Path) -> tuple[str, str]:
    try:
        product = read(path)
        if isinstance(product, CalibratedImage):
            product = product.window(product.bbox)  # its pixels are read when needed
    except (CellCoaddError, OSError) as error:
        named = str(folder) in str(error)  # the file, or one that goes with it
        has_reason = len(str(error).replace(str(folder), "")) > 20
        return (REFUSED if named and has_reason else _UNNAMED), str(error)
    except Exception as error:  # whatever it is, it is not what a person can use
        return _UNNAMED, f"{type(error).__name__}: {error}"
    differences = differences_between(read(sound), product)
    return (OTHER, str(differences[0])) if differences else (SAME, "")


def main() -> None:
    """Read the files of a list."""
    logging.disable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for paths in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        signal.alarm(_PATIENCE)  # which ends the process
        end, said = _outcome(*map(Path, paths))
        print(f"{end}\t{' '.join(said.split())}", flush=True)


if __name__ == "__main__":
    main()
