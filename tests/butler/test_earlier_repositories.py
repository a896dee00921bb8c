"""Repositories that earlier versions made: their configuration is a copy that never changes."""

from __future__ import annotations

from pathlib import Path

import yaml
from lsst.daf.butler import Butler, DatasetType
from lsst.resources import ResourcePath
from lsst.utils.introspection import get_full_type_name

from cellcoadd import CalibratedImage, CellPsf, MultipleCellCoadd, Warp
from cellcoadd.butler.repository import REPOSITORY_CONFIG, make_repository

TYPES_OF_FIRST_REPOSITORIES = {
    "CalibratedImage": "cellcoadd.products.calibrated_image.CalibratedImage",
    "CellPsf": "cellcoadd.products.cell_psf.CellPsf",
    "CellCoaddWarp": "cellcoadd.products.warp.Warp",
    "BorderedCellCoadd": "cellcoadd.products.cell_coadd.MultipleCellCoadd",
}
FORMATTERS_OF_FIRST_REPOSITORIES = {
    "SkyMapFormatter", "HealSparseMapFormatter", "WarpFormatter", "WarpPlanesFormatter",
    "CellCoaddFormatter", "ReportFormatter", "VisitImageFileFormatter",
}  # fmt: skip


def test_storage_classes_name_types_as_ever() -> None:
    """The Butler compares the names when a process opens two repositories, an old and a new one."""
    config = yaml.safe_load(ResourcePath(REPOSITORY_CONFIG).read())
    named = {name: found["pytype"] for name, found in config["storageClasses"].items()}
    assert {name: named[name] for name in TYPES_OF_FIRST_REPOSITORIES} == (
        TYPES_OF_FIRST_REPOSITORIES
    )


def test_formatters_have_the_names_that_repositories_keep() -> None:
    """A repository writes down for each file who wrote it, and asks the same to read it."""
    from cellcoadd.butler import formatters

    assert set(formatters.__all__) >= FORMATTERS_OF_FIRST_REPOSITORIES


def test_the_names_of_types_lead_to_the_types(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """Wherever their files are now; without a warning, which would be an error here."""
    root = tmp_path / "repo"
    make_repository(root).close()
    with Butler.from_config(root, writeable=True) as butler:
        for kind, name in (
            (CalibratedImage, "CalibratedImage"),
            (CellPsf, "CellPsf"),
            (Warp, "CellCoaddWarp"),
            (MultipleCellCoadd, "BorderedCellCoadd"),
        ):
            assert butler.storageClasses.getStorageClass(name).pytype is kind, get_full_type_name(
                kind
            )
        dataset_type = DatasetType("coadd", (), "BorderedCellCoadd", universe=butler.dimensions)
        butler.registry.registerDatasetType(dataset_type)
        butler.collections.register("run")
        butler.put(cell_coadd, dataset_type, run="run")
        assert butler.get("coadd.psf", collections="run") == cell_coadd.psf
