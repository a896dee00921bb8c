"""Everything that a configuration can switch on or off, and what of it is the same in every run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from healsparse import HealSparseMap
from lsst.daf.butler import Butler, DatasetType
from lsst.images import Box, Mask

from cellcoadd.masks.planes import mask_schema
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.testing.afw_files import write_afw_mask
from cellcoadd.testing.commands import Outcome, run_command, run_program
from cellcoadd.testing.run_products import arrays_in, assert_same_bits, dataset_types_in

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"
ON_PATCH: dict[str, Any] = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "patch": 61}
COADD = {**ON_PATCH, "band": "i"}
VISIT = {**ON_PATCH, "instrument": "HSC", "visit": 1228}
WITH_NOISE = (
    "-c",
    "makeDirectWarp:numberOfNoiseRealizations=3",
    "-c",
    "assembleCellCoadd:num_noise_realizations=3",
)

type Runner = Callable[..., Outcome]


def test_noise_realizations_are_the_same_in_every_run(
    single: Path, pipetask_run: Runner, pipeline_file: Path, where: str
) -> None:
    """The random numbers belong to the visit, the detector and the realization, to nothing else.

    Two processes, which pass on what they make to others anew for each quantum, give all the bits
    of one. No other test runs them: they take four seconds to start, each time.
    """
    done = pipetask_run(single, "u/one", *WITH_NOISE)
    assert done.exit_code == 0, done.output
    done = run_program(
        "pipetask", "run", "-j", "2", "-b", single, "-i", INPUT, "-o", "u/two",
        "-p", pipeline_file, "-d", where, *WITH_NOISE,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    one = arrays_in(single, "u/one")
    assert_same_bits(one, arrays_in(single, "u/two"))
    noise = [arrays["image"] for name, arrays in one.items() if "_noise" in name]
    assert len(noise) == 6
    assert len({array.tobytes() for array in noise}) == 6
    (coadd,) = (arrays for name, arrays in one.items() if name.startswith("deepCoaddCell"))
    realizations = coadd["noise"]
    assert realizations.shape == (3, *coadd["image"].shape)
    # White noise resampled by a normalized kernel: the variance plane knows of the kernel too.
    ratio = realizations.var() / np.median(coadd["variance"])
    assert 0.8 < ratio < 1.2


def test_what_is_switched_off_is_neither_made_nor_needed(
    single: Path, pipetask_run: Runner
) -> None:
    """Without masked fractions a coadd has none; the map of inputs comes when it is asked for."""
    done = pipetask_run(
        single, "u/plain", "-c", "makeDirectWarp:doWarpMaskedFraction=False",
        "-c", "assembleCellCoadd:do_input_map=True",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    with Butler.from_config(single, collections="u/plain") as butler:
        assert dataset_types_in(butler, "u/plain") == {
            "deepCoadd_directWarp", "deepCoaddCell", "deepCoaddCell_inputMap",
        }  # fmt: skip
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", COADD)
        input_map = butler.get("deepCoaddCell_inputMap", COADD)
    assert not coadd.stack.mask_fractions
    assert isinstance(input_map, HealSparseMap)
    assert input_map.n_valid > 0


@pytest.fixture(scope="module")
def coadded(
    single_repository: Path, pipetask_run: Runner, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The repository of one detector with a coadd in the collection u/before. Do not change it."""
    root = Path(shutil.copytree(single_repository, tmp_path_factory.mktemp("before") / "repo"))
    done = pipetask_run(root, "u/before")
    assert done.exit_code == 0, done.output
    return root


@pytest.fixture
def assembly_run(pipeline_file: Path, where: str) -> Runner:
    """Assemble the warps of the collection u/before anew, with further arguments."""

    def run(root: Path, output: str, *arguments: str, inputs: str = "u/before") -> Outcome:
        return run_command(
            "pipetask", "run", "-b", root, "-i", inputs, "-o", output,
            "-p", f"{pipeline_file}#assembleCellCoadd", "-d", where, *arguments,
        )  # fmt: skip

    return run


def test_only_some_cells_are_built(coadded: Path, assembly_run: Runner, tmp_path: Path) -> None:
    """Each is that of the whole coadd; ids that no cell has are refused, with those there are."""
    root = Path(shutil.copytree(coadded, tmp_path / "repo"))

    def run(output: str, cells: list[int]) -> str:
        done = assembly_run(root, output, "-c", f"assembleCellCoadd:cells={cells}")
        assert done.exit_code == 0, done.output
        return done.output

    with Butler.from_config(root, collections="u/before") as butler:
        whole: MultipleCellCoadd = butler.get("deepCoaddCell", COADD)
    [number] = [whole.grid.sequential_id(index) for index in whole.cells]
    run("u/some", [number - 1, number])
    with Butler.from_config(root, collections="u/some") as butler:
        some: MultipleCellCoadd = butler.get("deepCoaddCell", COADD)
    assert some.stack == whole.stack
    assert len(some.contributions) < len(whole.contributions)
    assert "No input covers any of the 1 cells asked for" in run("u/none", [number - 1])
    failed = assembly_run(root, "u/failed", "-c", "assembleCellCoadd:cells=[484]")
    assert failed.exit_code != 0
    assert "22 x 22 cells, with ids from 0 to 483" in failed.output


def test_artifacts_are_left_out_of_the_coadd(
    coadded: Path, assembly_run: Runner, tmp_path: Path
) -> None:
    """One visit has a mask of ours, one a file of the Rubin pipelines, which ours gives way to.

    With require_artifact_mask a visit that has neither stays away.
    """
    root = Path(shutil.copytree(coadded, tmp_path / "repo"))
    with Butler.from_config(root, collections="u/before", writeable=True) as butler:
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", COADD)
        both = [cell for cell in coadd.cells.values() if cell.visit_count == 2]
        artifact = _part(both[0].inner.bbox)
        other = _part(artifact)
        kind = DatasetType(
            "deepCoadd_directWarp_artifactMask",
            ("tract", "patch", "skymap", "instrument", "visit"),
            "MaskV2",
            universe=butler.dimensions,
        )
        butler.registry.registerDatasetType(kind)
        for run, box, visit in (("u/ours", artifact, 1228), ("u/theirs", artifact, 1230)):
            mask = Mask(0, schema=mask_schema(), bbox=box.dilated_by(10))
            mask.set("CLIPPED", np.pad(np.ones(box.shape, bool), 10))
            butler.collections.register(run)
            butler.put(mask, kind, {**VISIT, "visit": visit}, run=run)
        held = butler.get("deepCoadd_directWarp", {**VISIT, "visit": 1230}).bbox
        bits = np.zeros(held.shape, np.int32)
        place = other.slice_within(held)
        bits[place.y, place.x] = 1 << 11
        bits[place.y, : place.x.start] = 1 << 2
        write_afw_mask(
            tmp_path / "mask.fits",
            bits,
            bits={"DETECTED": 2, "CLIPPED": 11},
            origin=(held.x.start, held.y.start),
        )
    (tmp_path / "files.csv").write_text(
        "file,tract,patch,skymap,instrument,visit\nmask.fits,9813,61,hsc_rings_cells_v1,HSC,1230\n"
    )
    theirs = "compare_warp_artifact_mask"
    for arguments in (
        ("register-dataset-type", root, theirs, "MaskV2",
         "tract", "patch", "skymap", "instrument", "visit"),
        ("ingest-files", root, theirs, "u/theirs", tmp_path / "files.csv",
         "--prefix", tmp_path, "--transfer", "copy",
         "--formatter", "cellcoadd.butler.afw_formatters.ArtifactMaskFormatter"),
    ):  # fmt: skip
        done = run_command("butler", *arguments)
        assert done.exit_code == 0, done.output
    masked = ("-c", "assembleCellCoadd:do_use_artifact_mask=True")
    done = assembly_run(root, "u/clipped", *masked, inputs="u/before,u/ours,u/theirs")
    assert done.exit_code == 0, done.output
    required = (*masked, "-c", "assembleCellCoadd:require_artifact_mask=True")
    done = assembly_run(root, "u/only", *required, inputs="u/before,u/ours")
    assert done.exit_code == 0, done.output
    assert "HSC visit 1230 has no artifact mask and require_artifact_mask is set" in done.output
    with Butler.from_config(root) as butler:
        clipped: MultipleCellCoadd = butler.get("deepCoaddCell", COADD, collections="u/clipped")
        only: MultipleCellCoadd = butler.get("deepCoaddCell", COADD, collections="u/only")
    assert {entry.observation.visit for entry in only.inputs} == {1228}
    before, after = coadd.stitch(), clipped.stitch()
    expected = np.zeros(tuple(after.bbox.shape), bool)
    for box in (artifact, other):
        place = box.slice_within(after.bbox)
        expected[place.y, place.x] = True
    np.testing.assert_array_equal(after.mask.get("CLIPPED"), expected)
    assert after.mask.get("INEXACT_PSF")[expected].all()
    # Nothing is left where both visits are clipped, as they would be by both masks of ours.
    assert not after.mask.get("NO_DATA")[expected].any()
    # Both are rounded in their files to 1/2048 of their noise at most.
    changed = np.abs(before.image.array - after.image.array) > before.variance.array**0.5 / 500.0
    assert not changed[~expected].any()
    assert changed[expected].mean() > 0.98


def _part(box: Box) -> Box:
    y, x = box.y.start, box.x.start
    return Box.factory[y + 50 : y + 80, x + 40 : x + 100]


def test_the_graph_alone_can_be_asked_for(
    single: Path, pipeline_file: Path, where: str, tmp_path: Path
) -> None:
    """`pipetask qgraph` says what would be run, and the graph it saves can be run later."""
    graph = tmp_path / "coadds.qg"
    done = run_command(
        "pipetask", "qgraph", "-b", single, "-i", INPUT, "-o", "u/later", "-p", pipeline_file,
        "-d", where, "--save-qgraph", graph,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "QuantumGraph contains 3 quanta for 2 tasks" in done.output
    assert graph.is_file()
    with Butler.from_config(single) as butler:
        assert not butler.collections.query("u/*")
        assert not list(butler.registry.queryDatasetTypes("deepCoadd*"))
