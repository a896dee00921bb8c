"""Files as an earlier version of a product's stored form had them, made from those of today."""

from __future__ import annotations

__all__ = ["write_older_version"]

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits


def write_older_version(
    new: Path, old: Path, *, lacks: Sequence[str], new_version: str, old_version: str
) -> None:
    """Write a copy of a file that lacks some fields and states an older version.

    Parameters
    ----------
    new, old
        The file, and where to write the copy.
    lacks
        Fields of the stored form that the older version did not have.
    new_version, old_version
        Versions of the stored form, of the same length.

    Raises
    ------
    ValueError
        If the file does not state the new version, or lacks one of the fields already.
    """
    with fits.open(new) as hdus:
        table = hdus["JSON"]
        row = table.data[0][0]
        tree = json.loads(row.tobytes())
        for field in lacks:
            if tree.pop(field, None) is None:
                raise ValueError(f"{new} has no {field}.")
        if tree["schema_version"] != new_version:
            raise ValueError(f"{new} is of version {tree['schema_version']}, not {new_version}.")
        tree["schema_version"] = old_version
        tree["schema_url"] = tree["schema_url"].replace(new_version, old_version)
        hdus[0].header["DATAMODL"] = tree["schema_url"]
        # Of the same length, so that the index of the file holds.
        text = json.dumps(tree, separators=(",", ":")).encode()
        row[:] = np.frombuffer(text + b" " * (len(row) - len(text)), np.uint8)
        hdus.writeto(old)
