"""Masks of a simulated coadd beside HSC's: ``python benchmarks/hsc_masks.py REPO CURVES``.

REPO is the repository that ``cellcoadd demo FOLDER --plan hsc-patch`` leaves in FOLDER/repo. CURVES
is a folder of the curves of SITCOMTN-137, ``9813_bad.txt`` and so on: thresholds in the first line,
the part of the inputs that remains in the second (github.com/mirarenee/notebooks,
cell_coadds/technote/mean_input_frac_lists/w_2024_34_outer). Prints a table with a line a threshold,
the largest difference of each column, and the largest masked fraction of a cell.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack
from lsst.daf.butler import Butler

from cellcoadd.analysis.input_thresholds import remaining_input_fraction

PLANES = ("BAD", "SAT", "CR", "all")
COLLECTION = "u/demo/cell_coadds"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("curves", type=Path)
    options = parser.parse_args()
    cells = tables_of(options.repository, "deepCoaddCell_table")
    inputs = tables_of(options.repository, "deepCoaddCell_inputTable")
    columns = []
    for plane in PLANES:
        path = options.curves / f"9813_{plane.lower()}.txt"
        thresholds, theirs = np.loadtxt(path, delimiter=",")
        ours = remaining_input_fraction(inputs, thresholds=thresholds, plane=plane).mean()
        columns.append((ours, theirs))
    print("| threshold |" + "".join(f" {plane} | HSC |" for plane in PLANES))
    print("|---" * (1 + 2 * len(PLANES)) + "|")
    for row, threshold in enumerate(thresholds):
        values = "".join(f" {ours[row]:.3f} | {theirs[row]:.3f} |" for ours, theirs in columns)
        print(f"| {threshold:.3f} |{values}")
    worst = "".join(f" {np.abs(ours - theirs).max():.3f} | |" for ours, theirs in columns)
    print(f"| largest difference |{worst}")
    print(f"Largest masked fraction of a cell: {np.nanmax(cells['masked_fraction']):.3f}")


def tables_of(repository: Path, name: str) -> Table:
    """All tables of a kind, one below the other."""
    with Butler.from_config(str(repository), collections=COLLECTION) as butler:
        tables = [butler.get(ref) for ref in butler.query_datasets(name)]
    return vstack(tables, metadata_conflicts="silent")


if __name__ == "__main__":
    main()
