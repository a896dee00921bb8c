"""Repositories that earlier versions made: what their own configuration names is still found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cellcoadd import MultipleCellCoadd
from cellcoadd.butler.repository import make_repository

OLD_NAMES = {
    "cellcoadd.CalibratedImage": "cellcoadd.products.calibrated_image.CalibratedImage",
    "cellcoadd.CellPsf": "cellcoadd.products.cell_psf.CellPsf",
    "cellcoadd.Warp": "cellcoadd.products.warp.Warp",
    "cellcoadd.MultipleCellCoadd": "cellcoadd.products.cell_coadd.MultipleCellCoadd",
}
"""What a ``butler.yaml`` says now, and what it said before the modules moved."""

PROGRAM = """
import sys
from lsst.daf.butler import Butler, DatasetType
from cellcoadd import CellPsf, MultipleCellCoadd

coadd = MultipleCellCoadd.read(sys.argv[2])
with Butler.from_config(sys.argv[1], writeable=True) as butler:
    kind = DatasetType("coadd", (), "BorderedCellCoadd", universe=butler.dimensions)
    butler.registry.registerDatasetType(kind)
    butler.collections.register("run")
    butler.put(coadd, kind, run="run")
    assert butler.get("coadd", collections="run") == coadd
    psf = butler.get("coadd.psf", collections="run")
    assert type(psf) is CellPsf and psf == coadd.psf
print("read")
"""


def test_a_repository_that_names_old_paths_reads_a_coadd_and_its_psf(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """The configuration is copied when a repository is made, so that it never learns of moves.

    In a process of its own: the Butler keeps the names of the first repository that it opens.
    """
    root, file = tmp_path / "repo", tmp_path / "coadd.fits"
    make_repository(root).close()
    config = root / "butler.yaml"
    text = config.read_text()
    for now, before in OLD_NAMES.items():
        assert text.count(f"pytype: {now}\n") == 1
        text = text.replace(f"pytype: {now}\n", f"pytype: {before}\n")
    config.write_text(text.replace("recipe: rounded", "recipe: lossless"))
    cell_coadd.write(file, compression="lossless")
    done = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning", "-c", PROGRAM, root, file],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "read\n", done.stderr
    assert "cellcoadd.products.cell_psf has moved to cellcoadd.psfs.cell_psf" in done.stderr
