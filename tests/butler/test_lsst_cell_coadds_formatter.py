"""Files of lsst.cell_coadds as datasets of a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.daf.butler import Butler, DatasetType

from cellcoadd.exchange.lsst_cell_coadds import write_lsst_cell_coadds
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.skymap import named_sky_map
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.one_cell import make_one_cell_coadd

FORMATTER = "cellcoadd.butler.lsst_cell_coadds_formatter.LsstCellCoaddsFormatter"
NAME = "deepCoaddCell"
WHERE: dict[str, Any] = {
    "skymap": "hsc_rings_cells_v1", "tract": 9813, "patch": 61, "band": "i",
}  # fmt: skip


@pytest.fixture
def coadd() -> MultipleCellCoadd:
    """One cell of patch 61 of tract 9813, which the repository knows."""
    return make_one_cell_coadd(named_sky_map("hsc_rings_cells_v1")[9813].patch(61))


def ingest(butler: Butler, root: Path, coadd: MultipleCellCoadd, **changes: Any) -> None:
    """Ingest the file of a coadd with the command that users have."""
    kind = DatasetType(NAME, WHERE, "BorderedCellCoadd", universe=butler.dimensions)
    butler.registry.registerDatasetType(kind)
    write_lsst_cell_coadds(coadd, root.parent / "coadd.fits")
    data_id = WHERE | changes
    table = root.parent / "files.csv"
    columns = ",".join(["file", *data_id])
    values = ",".join(map(str, [root.parent / "coadd.fits", *data_id.values()]))
    table.write_text(f"{columns}\n{values}\n")
    outcome = run_command(
        "butler", "ingest-files", root, NAME, "rubin", table, "--formatter", FORMATTER
    )
    assert outcome.exit_code == 0, outcome.output


def test_an_ingested_file_is_read_as_a_coadd(
    butler: Butler, root: Path, coadd: MultipleCellCoadd
) -> None:
    """Coadds of the Rubin pipelines serve where ours do, without being written anew."""
    ingest(butler, root, coadd)
    got = butler.get(NAME, WHERE, collections="rubin")
    assert isinstance(got, MultipleCellCoadd)
    assert got.identifiers == coadd.identifiers
    assert got.stack.image.tobytes() == coadd.stack.image.tobytes()


def test_a_box_of_an_ingested_file_is_read(
    butler: Butler, root: Path, coadd: MultipleCellCoadd
) -> None:
    """The read parameter of the storage class."""
    ingest(butler, root, coadd)
    got = butler.get(NAME, WHERE, collections="rubin", parameters={"bbox": coadd.bbox})
    assert list(got.cells) == list(coadd.cells)
    named = butler.get(NAME, WHERE, collections="rubin", parameters={"cells": list(coadd.cells)})
    assert named == got
    empty = coadd.grid.inner_bbox_of(next(iter(coadd.grid)))
    with pytest.raises(Exception, match="No filled cell has a pixel"):
        butler.get(NAME, WHERE, collections="rubin", parameters={"bbox": empty})


def test_every_component_of_an_ingested_file_is_read(
    butler: Butler, root: Path, coadd: MultipleCellCoadd
) -> None:
    """What the storage class offers must be there, whatever the format of the file."""
    ingest(butler, root, coadd)
    declared = butler.storageClasses.getStorageClass("BorderedCellCoadd").derivedComponents
    got = {name: butler.get(f"{NAME}.{name}", WHERE, collections="rubin") for name in declared}
    assert set(got) >= {"grid", "patch", "bbox", "wcs", "psf", "inputs", "provenance"}
    for name in ("grid", "patch", "bbox", "image", "variance", "mask"):
        assert got[name] == getattr(coadd, name)
    part = coadd.bbox.dilated_by(-2)
    for name in ("image", "mask"):
        cut = butler.get(f"{NAME}.{name}", WHERE, collections="rubin", parameters={"bbox": part})
        assert cut == getattr(coadd, name)[part]
    for name in ("wcs", "sky_projection"):
        sky = got[name].pixel_to_sky(x=1.0, y=2.0)
        assert sky.separation(coadd.wcs.pixel_to_sky(x=1.0, y=2.0)).arcsec < 1e-6
    assert [e.observation for e in got["inputs"]] == [e.observation for e in coadd.inputs]
    (index,) = coadd.cells
    np.testing.assert_array_equal(got["psf"][index].array, coadd.psf[index].array)
    assert len(got["contributions"]) == len(got["provenance"].contributions) == 1
    with pytest.raises(Exception, match="read whole"):
        butler.get(f"{NAME}.grid", WHERE, collections="rubin", parameters={"bbox": coadd.bbox})


def test_a_file_under_a_wrong_data_id_is_refused(
    butler: Butler, root: Path, coadd: MultipleCellCoadd
) -> None:
    """A mistake in the table of files must not hand out another patch of the sky."""
    ingest(butler, root, coadd, patch=62)
    with pytest.raises(Exception, match=r"it holds .*'patch': 61.* the dataset is .*'patch': 62"):
        butler.get(NAME, WHERE | {"patch": 62}, collections="rubin")
