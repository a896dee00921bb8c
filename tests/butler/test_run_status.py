"""Coadds that are made of less than there is are found, and nothing else is.

The repositories hold what ``pipetask`` would have put there, with the records that it keeps.
"""

from __future__ import annotations

import datetime
import itertools
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.daf.butler import Butler, DatasetProvenance, DatasetRef, DatasetType
from lsst.images import Image
from lsst.pipe.base import TaskMetadata

from cellcoadd.butler.image_collections import chain_images
from cellcoadd.butler.renewal import records_to_forget
from cellcoadd.butler.run_contents import Place, VisitPlace
from cellcoadd.butler.run_status import RunStatus, Trouble, examine_run
from cellcoadd.butler.unfinished_files import AT_REST_SECONDS, find_unfinished
from cellcoadd.tasks import MapCellsConfig, TabulateCellsConfig
from cellcoadd.testing.commands import Outcome, run_command
from cellcoadd.testing.repositories import copy_repository, files_of, records_of

CHAIN, RUN = "u/me/coadds", "u/me/coadds/run"
PATCH: dict[str, Any] = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "patch": 61}
COADD = {**PATCH, "band": "i"}
PLACE = Place(**COADD)
VISITS = (1228, 1230, 19658)
PER_VISIT = ("instrument", "visit", "tract", "patch")
PER_PATCH = ("tract", "patch", "band")
PIXELS = Image(np.zeros((2, 2), np.float32))  # products that are read by their headers alone
TYPES = {
    "deepCoadd_directWarp": (PER_VISIT, "ImageV2"),
    "makeDirectWarp_metadata": (PER_VISIT, "TaskMetadata"),
    "deepCoaddCell": (PER_PATCH, "ImageV2"),
    "assembleCellCoadd_metadata": (PER_PATCH, "TaskMetadata"),
    "tabulateCells_metadata": (PER_PATCH, "TaskMetadata"),
    "mapCells_metadata": (("tract", "band"), "TaskMetadata"),
}


class Run:
    """A run that is filled step by step, as ``pipetask`` fills it."""

    def __init__(self, butler: Butler) -> None:
        self.butler = butler
        # Each step is an hour after the one before it, and after the images came.
        start = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        self.hours = (start + datetime.timedelta(hours=number) for number in itertools.count())

    def put(self, name: str, value: Any, inputs: Sequence[DatasetRef] = (), **where: Any) -> None:
        """Write a dataset with an identifier of now and the record of what it was made of."""
        moment = next(self.hours)
        data_id = self.butler.registry.expandDataId(**where)
        ref = DatasetRef(self.butler.get_dataset_type(name), data_id, run=RUN, id=_id_of(moment))
        provenance = DatasetProvenance(quantum_id=uuid.UUID(int=1))
        for each in inputs:
            provenance.add_input(each)
        if value is None:
            value = TaskMetadata()
            value["quantum"] = TaskMetadata()
            for key in ("startUtc", "endUtc"):
                value["quantum"].add(key, moment.isoformat())
        self.butler.put(value, ref, provenance=provenance)

    def make_warp(
        self, visit: int, detectors: Sequence[int] = (0, 1), *, usable: bool = True
    ) -> None:
        where = {**PATCH, "instrument": "HSC", "visit": visit}
        images = [
            ref
            for ref in self._find("calexp", f"visit = {visit}")
            if ref.dataId["detector"] in detectors
        ]
        if usable:
            self.put("deepCoadd_directWarp", PIXELS, images, **where)
        self.put("makeDirectWarp_metadata", None, **where)

    def make_coadd(self, *, filled: bool = True) -> None:
        if filled:
            self.put("deepCoaddCell", PIXELS, self._find("deepCoadd_directWarp"), **COADD)
        for task in ("assembleCellCoadd", "tabulateCells"):
            self.put(f"{task}_metadata", None, **COADD)
        tract = {name: value for name, value in COADD.items() if name != "patch"}
        self.put("mapCells_metadata", None, **tract)

    def remove(self, name: str, where: str = "") -> None:
        """Remove datasets of the run."""
        self.butler.pruneDatasets(
            self._find(name, where), disassociate=True, unstore=True, purge=True
        )

    def _find(self, name: str, where: str = "") -> list[DatasetRef]:
        where = f"instrument = 'HSC' AND {where}" if where else ""
        return self.butler.query_datasets(name, where=where, explain=False)


def _id_of(moment: datetime.datetime) -> uuid.UUID:
    """Return an identifier of version 7 of a moment, as the middleware makes them."""
    milliseconds = int(moment.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | milliseconds)


@pytest.fixture(scope="module")
def planned(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty run over six images of three visits. Do not change it."""
    root: Path = tmp_path_factory.mktemp("planned") / "repo"
    with copy_repository(ingested, root) as butler:
        chain_images(butler, CHAIN, "images")
        butler.collections.register(RUN)
        butler.collections.prepend_chain(CHAIN, RUN)
        for name, (dimensions, storage_class) in TYPES.items():
            kind = DatasetType(name, dimensions, storage_class, universe=butler.dimensions)
            butler.registry.registerDatasetType(kind)
    return root


@pytest.fixture
def run(planned: Path, tmp_path: Path) -> Iterator[Run]:
    """A copy of it, to be filled."""
    with copy_repository(planned, tmp_path / "repo") as butler:
        yield Run(butler.clone(collections=CHAIN))


def troubles(status: RunStatus) -> list[tuple[str, object]]:
    return [(str(finding.trouble), finding.place) for finding in status.findings]


def on_patch(visit: int) -> VisitPlace:
    return VisitPlace(place=PLACE, instrument="HSC", visit=visit)


def command(run: Run, *arguments: str) -> Outcome:
    root = next(iter(run.butler.get_datastore_roots().values()))
    assert root is not None
    return run_command("cellcoadd", "status", root.ospath, *arguments)


def test_a_finished_run_is_in_order(run: Run) -> None:
    """Nobody reads a command that complains without a reason; looking changes nothing."""
    for visit in VISITS:
        run.make_warp(visit)
    run.make_coadd()
    before = records_of(run.butler)
    status = examine_run(run.butler)
    assert (status.coadds, status.warps, status.findings, status.empty) == (1, 3, (), ())
    outcome = command(run, CHAIN)
    assert (outcome.exit_code, outcome.output) == (
        0,
        "Of 1 coadds and 3 warps, 4 are made of all that there is.\n",
    )
    assert records_of(run.butler) == before


def test_a_coadd_of_fewer_warps_than_there_are_is_stale_until_it_is_made_anew(run: Run) -> None:
    """The documented command leaves it as it is; this is what says so, with the way out."""
    for visit in VISITS[:2]:
        run.make_warp(visit)
    run.make_coadd()
    missing = examine_run(run.butler)
    assert troubles(missing) == [("missing warp", on_patch(19658)), ("stale coadd", PLACE)]
    run.make_warp(19658)
    outcome = command(run, CHAIN)
    assert outcome.exit_code == 1
    assert (
        "stale coadd: hsc_rings_cells_v1 tract 9813 patch 61 i: it was made of 2 of the 3 warps"
        in outcome.output
    )
    assert "those of HSC 19658 are missing or newer" in outcome.output
    assert "--extend-run --skip-existing --clobber-outputs" in outcome.output
    # What is asked for by -d is all that is looked at.
    assert command(run, CHAIN, "-d", "instrument='HSC' AND visit < 1300").exit_code == 0

    asked = command(run, CHAIN, "--renew")
    assert "Aborted" in asked.output
    assert len(run.butler.query_datasets("assembleCellCoadd_metadata")) == 1
    renewed = command(run, CHAIN, "--renew", "--yes")
    assert "Forgotten: 3 records." in renewed.output
    for name in TYPES:
        found = run.butler.query_datasets(name, explain=False)
        per_patch = name.endswith("_metadata") and name != "makeDirectWarp_metadata"
        assert bool(found) != per_patch, name
    run.remove("deepCoaddCell")
    run.make_coadd()
    assert command(run, CHAIN).exit_code == 0


def test_what_was_not_made_of_a_coadd_is_missing(run: Run) -> None:
    """Of the tasks whose configurations the run keeps; a tract has a line of its own."""
    for label, config in (("tabulateCells", TabulateCellsConfig), ("mapCells", MapCellsConfig)):
        kind = DatasetType(f"{label}_config", (), "Config", universe=run.butler.dimensions)
        run.butler.registry.registerDatasetType(kind)
        make: Any = config
        run.butler.put(make(), kind, run=RUN)
    for visit in VISITS:
        run.make_warp(visit)
    run.make_coadd()
    assert examine_run(run.butler).findings == ()
    run.remove("tabulateCells_metadata")
    run.remove("mapCells_metadata")
    outcome = command(run, CHAIN)
    assert outcome.exit_code == 1
    place = "missing product: hsc_rings_cells_v1 tract 9813"
    assert (
        f"{place} patch 61 i: there is a coadd, and no record that tabulateCells" in outcome.output
    )
    assert f"{place} i: there is a coadd, and no record that mapCells has ended" in outcome.output
    assert "--renew" not in outcome.output


def test_a_warp_that_was_made_again_makes_its_coadd_stale(run: Run) -> None:
    """It has another identifier, or the same one and a later record of its work."""
    for visit in VISITS:
        run.make_warp(visit)
    run.make_coadd()
    (before,) = run.butler.query_datasets(
        "deepCoadd_directWarp", where="instrument='HSC' AND visit=1230"
    )
    run.remove("deepCoadd_directWarp", "visit = 1230")
    run.remove("makeDirectWarp_metadata", "visit = 1230")
    run.make_warp(1230)
    assert troubles(examine_run(run.butler)) == [("stale coadd", PLACE)]

    run.remove("deepCoadd_directWarp", "visit = 1230")
    (image, other) = run.butler.query_datasets("calexp", where="instrument='HSC' AND visit=1230")
    provenance = DatasetProvenance()
    for each in (image, other):
        provenance.add_input(each)
    run.butler.put(PIXELS, before, provenance=provenance)
    (finding,) = examine_run(run.butler).findings
    assert finding.trouble is Trouble.STALE_COADD
    assert finding.reason == "HSC 1230 was warped again after it was made."


def test_a_visit_that_was_taken_away_makes_its_coadd_stale(run: Run) -> None:
    """The sums still hold it. Where no warp is left, they were removed to save room."""
    for visit in VISITS:
        run.make_warp(visit)
    run.make_coadd()
    run.remove("deepCoadd_directWarp", "visit = 1228")
    assert troubles(examine_run(run.butler)) == [("stale coadd", PLACE)]
    run.remove("deepCoadd_directWarp")
    assert troubles(examine_run(run.butler)) == []


def test_a_warp_of_fewer_detectors_than_there_are_is_stale_with_its_coadd(run: Run) -> None:
    """A detector that was ingested late is skipped like a visit that was."""
    run.make_warp(1228, detectors=[0])
    run.make_warp(1230)
    run.make_warp(19658)
    run.make_coadd()
    status = examine_run(run.butler)
    assert troubles(status) == [("stale warp", on_patch(1228)), ("stale coadd", PLACE)]
    assert status.findings[0].reason == (
        "it was made without the image of detector 1 that is there now."
    )
    names = [ref.datasetType.name for ref in records_to_forget(run.butler, status.stale)]
    assert names == [
        "assembleCellCoadd_metadata", "makeDirectWarp_metadata", "mapCells_metadata",
        "tabulateCells_metadata",
    ]  # fmt: skip


def test_an_empty_patch_is_in_order_until_a_warp_comes(run: Run) -> None:
    """It has a record of success and no coadd; without the record the coadd is missing."""
    run.make_warp(1228)
    run.make_warp(1230)
    run.make_warp(19658, usable=False)
    run.make_coadd(filled=False)
    status = examine_run(run.butler)
    assert (troubles(status), status.empty) == ([], (PLACE,))
    run.remove("makeDirectWarp_metadata", "visit = 19658")
    run.make_warp(19658)
    (finding,) = examine_run(run.butler).findings
    assert finding.reason == "no cell was filled, but HSC 19658 came later."
    run.remove("assembleCellCoadd_metadata")
    assert troubles(examine_run(run.butler)) == [("missing coadd", PLACE)]


def test_a_coadd_that_cannot_be_read_is_named(run: Run) -> None:
    """Nobody can tell whether it is stale."""
    for visit in VISITS:
        run.make_warp(visit)
    run.make_coadd()
    Path(run.butler.getURI("deepCoaddCell", COADD).ospath).write_bytes(b"")
    assert troubles(examine_run(run.butler)) == [("unreadable", PLACE)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["u/nobody"], "No collection with name 'u/nobody' found. 'butler query-collections"),
        (["skymaps"], "No coadd (deepCoaddCell) and no warp in skymaps of"),
        ([CHAIN, "-d", "nonsense ="], "nonsense"),
    ],
)
def test_where_nobody_can_tell_the_exit_status_is_2(
    run: Run, arguments: list[str], message: str
) -> None:
    """It must not pass for "all right", nor for "stale"."""
    outcome = command(run, *arguments)
    assert outcome.exit_code == 2
    assert message in outcome.output
    assert not outcome.has_traceback


def test_half_written_files_are_named_and_swept_when_they_are_at_rest(run: Run) -> None:
    """A process that is at work writes such files, too: the young ones stay."""
    run.make_warp(1228)
    warp = Path(
        run.butler.getURI("deepCoadd_directWarp", PATCH, instrument="HSC", visit=1228).ospath
    )
    old, young = (warp.with_name(f"{start}{warp.stem}.tmp.fits") for start in ("a" * 16, "b" * 16))
    for path in (old, young):
        path.write_bytes(b"SIMPLE")
    hours_ago = time.time() - 2 * AT_REST_SECONDS
    os.utime(old, (hours_ago, hours_ago))
    assert [file.path for file in find_unfinished(run.butler)] == [old, young]
    root = warp.parents[9]
    kept = {name for name in files_of(root) if not name.endswith(old.name)}
    named = command(run, CHAIN)
    assert f"half-written, 2 h ago: {old}" in named.output
    assert f"half-written, 0 min ago: {young}" in named.output
    assert old.exists()
    swept = command(run, CHAIN, "--sweep")
    assert "Removed: 1 of 2 half-written files." in swept.output
    assert set(files_of(root)) == kept
