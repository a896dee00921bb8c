"""Files of lsst.afw as datasets: what they are read as, and what is refused by the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.daf.butler import Butler, DatasetRef, DatasetType, FileDataset
from lsst.images import Box, Mask

from cellcoadd.butler.afw_formatters import ArtifactMaskFormatter, VisitSummaryFormatter
from cellcoadd.testing.afw_files import (
    AfwArchive,
    add_photo_calib,
    write_afw_mask,
    write_visit_summary,
)
from cellcoadd.testing.repositories import copy_repository

BOX = Box.factory[17900:17960, 11800:11880]


@pytest.fixture
def filled(ingested: Path, root: Path) -> Iterator[Butler]:
    """A repository that knows the visits and the patch."""
    with copy_repository(ingested, root) as opened:
        yield opened


def ingest(butler: Butler, file: Path, kind: str, formatter: type[Any], *names: str) -> DatasetRef:
    values: dict[str, Any] = {
        "instrument": "HSC", "visit": 1228, "skymap": "hsc_rings_cells_v1", "tract": 9813,
        "patch": 61,
    }  # fmt: skip
    dataset_type = DatasetType("of_afw", names, kind, universe=butler.dimensions)
    butler.registry.registerDatasetType(dataset_type)
    data_id = butler.registry.expandDataId({name: values[name] for name in names})
    ref = DatasetRef(dataset_type, data_id, run="images")
    butler.ingest(FileDataset(str(file), [ref], formatter=formatter), transfer="copy")
    return ref


def test_a_mask_of_artifacts_is_read_in_parts(filled: Butler, tmp_path: Path) -> None:
    """Whole, or of it the pixels that are asked for, all of which must be there."""
    bits = np.zeros(BOX.shape, np.int32)
    bits[30:40, 50:70] = 1 << 4
    path = write_afw_mask(
        tmp_path / "m.fits", bits, bits={"CLIPPED": 4}, origin=(BOX.x.start, BOX.y.start)
    )
    names = ("tract", "patch", "skymap", "instrument", "visit")
    ref = ingest(filled, path, "MaskV2", ArtifactMaskFormatter, *names)
    mask = filled.get(ref)
    assert isinstance(mask, Mask)
    assert np.count_nonzero(mask.get("CLIPPED")) == 200
    assert filled.get(ref.makeComponentRef("bbox")) == BOX
    part = Box.factory[17925:17935, 11845:11855]
    assert np.count_nonzero(filled.get(ref, parameters={"bbox": part}).get("CLIPPED")) == 25
    with pytest.raises(ValueError, match=r"\.fits: a mask of artifacts must cover all") as caught:
        filled.get(ref, parameters={"bbox": BOX.dilated_by(1)})
    assert filled.getURI(ref).ospath in str(caught.value)


def test_a_summary_of_another_visit_is_refused(filled: Butler, tmp_path: Path) -> None:
    """Somebody who ingests files by hand may name the wrong one."""
    archive = AfwArchive()
    rows = [{"id": 0, "photoCalib": add_photo_calib(archive, 2.0)}]
    path = write_visit_summary(tmp_path / "s.fits", rows, archive, visit=1230)
    ref = ingest(filled, path, "CellVisitSummary", VisitSummaryFormatter, "instrument", "visit")
    with pytest.raises(ValueError, match="it is of visit 1230, the dataset is of visit 1228"):
        filled.get(ref)
