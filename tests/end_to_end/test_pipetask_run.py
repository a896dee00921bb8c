"""The main job, word for word: calibrated images in a repository become warps and a coadd."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from healsparse import HealSparseMap
from lsst.daf.butler import Butler, DatasetRef, DatasetType
from lsst.images import Box, Mask, MaskedImage
from lsst.images.cells import CellCoadd

from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_inputs import RefusalReason
from cellcoadd.products.mask_planes import mask_schema
from cellcoadd.products.warp import Warp
from cellcoadd.skymap import named_sky_map
from cellcoadd.testing.commands import Outcome, run_command, run_program

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"
PATCH = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
ON_PATCH = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "patch": 61}
COADD = {**ON_PATCH, "band": "i"}
WITH_NOISE = (
    "-c",
    "makeDirectWarp:numberOfNoiseRealizations=3",
    "-c",
    "assembleCellCoadd:num_noise_realizations=3",
)

type Runner = Callable[..., Outcome]
type Arrays = dict[str, npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coadded:
    """A repository after a run of the pipeline, and what was said meanwhile. Do not change it."""

    root: Path
    outcome: Outcome

    def open(self, collection: str) -> Butler:
        return Butler.from_config(self.root, collections=collection)


@pytest.fixture(scope="session")
def coadded(
    survey_repository: Path,
    pipeline_file: Path,
    where: str,
    output: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Coadded:
    """The survey, run in two processes by the command that the documentation shows."""
    root = Path(shutil.copytree(survey_repository, tmp_path_factory.mktemp("coadded") / "repo"))
    outcome = run_program(
        "pipetask", "run", "-j", "2", "--register-dataset-types",
        "-b", root, "-i", INPUT, "-o", output,
        "-p", pipeline_file,
        "-d", where,
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.output
    return Coadded(root=root, outcome=outcome)


@pytest.fixture
def copied(coadded: Coadded, tmp_path: Path) -> Path:
    """A copy of the coadded repository that a test may change."""
    return Path(shutil.copytree(coadded.root, tmp_path / "coadded"))


@pytest.fixture
def pipetask_run(pipeline_file: Path, where: str) -> Runner:
    """Run the pipeline in this process and one process, with further arguments."""

    def run(root: Path, output: str, *arguments: str | Path, data: str = "") -> Outcome:
        return run_command(
            "pipetask", "run", "-j", "1", "--register-dataset-types",
            "-b", root, "-i", INPUT, "-o", output, "-p", pipeline_file,
            "-d", where + data, *arguments,
        )  # fmt: skip

    return run


def arrays_of_warp(warp: Warp) -> Arrays:
    return {
        **arrays_of_masked_image(warp.masked_image),
        "owner": warp.owner,
        "cell_inputs": warp.cell_inputs,
        "stamps": warp.stamps,
        **{name: image.array for name, image in warp.mask_fractions.items()},
    }


def arrays_of_masked_image(image: MaskedImage) -> Arrays:
    return {
        "image": image.image.array,
        "mask": image.mask.array,
        "variance": image.variance.array,
    }


def arrays_of_coadd(coadd: MultipleCellCoadd) -> Arrays:
    stack = coadd.stack
    return {
        "image": stack.image,
        "mask": stack.mask,
        "variance": stack.variance,
        "noise": stack.noise,
        "psf": stack.psf,
        "contributions": coadd.contributions,
        **stack.mask_fractions,
    }


def everything_in(root: Path, collection: str) -> dict[str, Arrays]:
    """All arrays of all warps, noise realizations, masked fractions and coadds."""
    found: dict[str, Arrays] = {}
    with Butler.from_config(root, collections=collection) as butler:
        for name in sorted(_names(butler, collection)):
            for ref in butler.query_datasets(name):
                product = butler.get(ref)
                if isinstance(product, Warp):
                    arrays = arrays_of_warp(product)
                elif isinstance(product, MultipleCellCoadd):
                    arrays = arrays_of_coadd(product)
                elif isinstance(product, MaskedImage):
                    arrays = arrays_of_masked_image(product)
                else:
                    arrays = {"image": product.array}
                found[f"{name} {ref.dataId}"] = arrays
    return found


def _names(butler: Butler, collection: str) -> set[str]:
    info = butler.collections.query_info(collection, include_summary=True, flatten_chains=True)
    names = {name for each in info for name in each.dataset_types or ()}
    return {name for name in names if name.startswith("deepCoadd")}


def assert_same_bits(one: Mapping[str, Arrays], other: Mapping[str, Arrays]) -> None:
    assert list(one) == list(other)
    for dataset, arrays in one.items():
        assert list(arrays) == list(other[dataset])
        for name, array in arrays.items():
            twin = other[dataset][name]
            assert array.dtype == twin.dtype, (dataset, name)
            assert array.tobytes() == twin.tobytes(), (dataset, name)


def refs_of(root: Path, collection: str, name: str) -> list[DatasetRef]:
    with Butler.from_config(root) as butler:
        return butler.query_datasets(name, collection)


def test_the_command_makes_every_dataset_that_it_promises(coadded: Coadded, output: str) -> None:
    """Names, dimensions and types are those that users' scripts ask for."""
    with coadded.open(output) as butler:
        warps = butler.query_datasets("deepCoadd_directWarp")
        assert {ref.dataId["visit"] for ref in warps} == {1228, 1230, 19658}
        fractions = butler.query_datasets("deepCoadd_directWarp_maskedFraction")
        assert [ref.dataId for ref in fractions] == [ref.dataId for ref in warps]
        warp = butler.get("deepCoadd_directWarp", **ON_PATCH, instrument="HSC", visit=1228)
        assert isinstance(warp, Warp)
        assert [entry.observation.detector for entry in warp.inputs] == [0, 1, 2, 3]
        coadd = butler.get("deepCoaddCell", **COADD, instrument="HSC")
        assert isinstance(coadd, MultipleCellCoadd)
        cell = next(iter(coadd.cells.values()))
        cut_out = warp[cell.outer.bbox]
        assert np.nanmax(cut_out.image.array) > 0


def test_a_run_without_trouble_prints_no_warning(coadded: Coadded) -> None:
    """Nor does it complain of parts of Rubin's software that it does not need."""
    assert "WARNING" not in coadded.outcome.output
    assert "ERROR" not in coadded.outcome.output
    assert "Executed 4 quanta successfully, 0 failed" in coadded.outcome.output


def test_cells_have_the_inputs_that_the_geometry_says(coadded: Coadded, output: str) -> None:
    """A visit is in a cell if one of its detectors covers the cell's outer region entirely.

    Covered: the corners of the region, taken through the sky to the detector, lie inside of it. The
    Lanczos kernel must fit too, so within three pixels of the detector's edge either is right.
    """
    with coadded.open(output) as butler:
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", **COADD)
        calexps = {
            (int(ref.dataId["visit"]), int(ref.dataId["detector"])): (
                butler.get(ref.makeComponentRef("sky_projection")),
                butler.get(ref.makeComponentRef("bbox")),
            )
            for ref in butler.query_datasets("calexp", INPUT)
        }
    n_inputs = 0
    for index in coadd.grid:
        box = coadd.grid.outer_bbox_of(index)
        x = np.array([box.x.min, box.x.max, box.x.max, box.x.min], float)
        y = np.array([box.y.min, box.y.min, box.y.max, box.y.max], float)
        sky = coadd.sky_projection.pixel_to_sky(x=x, y=y)
        surely, perhaps = set(), set()
        for key, (projection, detector) in calexps.items():
            at = projection.sky_to_pixel(sky)
            room = min(
                (at.x - detector.x.min).min(), (detector.x.max - at.x).min(),
                (at.y - detector.y.min).min(), (detector.y.max - at.y).min(),
            )  # fmt: skip
            if room > 0:
                perhaps.add(key)
            if room > 3:
                surely.add(key)
        inputs = coadd.cells[index].inputs if index in coadd.cells else ()
        found = {(entry.visit, entry.detector) for entry in inputs}
        assert surely <= found <= perhaps, index
        n_inputs += len(surely)
    assert n_inputs > 20


def test_one_process_gives_the_bits_of_two_and_the_variance_can_be_chosen(
    coadded: Coadded, repository: Path, pipetask_run: Runner, output: str
) -> None:
    """`-c` changes the variance as it says, and nothing else; `-j` changes nothing."""
    done = pipetask_run(
        repository, output, "-c", "assembleCellCoadd:calc_error_from_input_variance=False"
    )
    assert done.exit_code == 0, done.output
    in_two = everything_in(coadded.root, output)
    in_one = everything_in(repository, output)
    (coadd,) = (name for name in in_two if name.startswith("deepCoaddCell"))
    from_inputs, from_scatter = in_two[coadd].pop("variance"), in_one[coadd].pop("variance")
    assert_same_bits(in_two, in_one)
    # The scatter of two inputs about their mean has a median of 0.45 of its mean, of three 0.69.
    both = np.isfinite(from_inputs) & np.isfinite(from_scatter) & (from_scatter > 0)
    assert 0.4 < np.median(from_scatter[both]) / np.median(from_inputs[both]) < 0.75


def test_noise_realizations_are_the_same_in_every_run(
    single: Path, pipetask_run: Runner, pipeline_file: Path, where: str
) -> None:
    """The random numbers belong to the visit, the detector and the realization, to nothing else."""
    for name in ("u/one", "u/again"):
        done = pipetask_run(single, name, *WITH_NOISE)
        assert done.exit_code == 0, done.output
    done = run_program(
        "pipetask", "run", "-j", "2", "-b", single, "-i", INPUT, "-o", "u/two",
        "-p", pipeline_file, "-d", where, *WITH_NOISE,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    one = everything_in(single, "u/one")
    assert_same_bits(one, everything_in(single, "u/again"))
    assert_same_bits(one, everything_in(single, "u/two"))
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
        assert _names(butler, "u/plain") == {
            "deepCoadd_directWarp", "deepCoaddCell", "deepCoaddCell_inputMap",
        }  # fmt: skip
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", **COADD)
        input_map = butler.get("deepCoaddCell_inputMap", **COADD)
    assert not coadd.stack.mask_fractions
    assert isinstance(input_map, HealSparseMap)
    assert input_map.n_valid > 0


def test_artifacts_are_left_out_of_the_coadd(
    single: Path, pipetask_run: Runner, pipeline_file: Path, where: str
) -> None:
    """The mask of one visit clips it there; with require_artifact_mask the other stays away."""
    assert pipetask_run(single, "u/before").exit_code == 0
    with Butler.from_config(single, collections="u/before", writeable=True) as butler:
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", **COADD)
        both = [cell for cell in coadd.cells.values() if cell.visit_count == 2]
        artifact = _part(both[0].inner.bbox)
        mask = Mask(0, schema=mask_schema(), bbox=artifact.dilated_by(10))
        selected = np.zeros(tuple(mask.bbox.shape), bool)
        selected[10:-10, 10:-10] = True
        mask.set("CLIPPED", selected)
        kind = DatasetType(
            "deepCoadd_directWarp_artifactMask",
            ("tract", "patch", "skymap", "instrument", "visit"),
            "MaskV2",
            universe=butler.dimensions,
        )
        butler.registry.registerDatasetType(kind)
        butler.collections.register("u/artifacts")
        data_id = {**ON_PATCH, "instrument": "HSC", "visit": 1228}
        butler.put(mask, kind, data_id, run="u/artifacts")
    command = (
        "run", "-b", single, "-i", "u/before,u/artifacts",
        "-p", f"{pipeline_file}#assembleCellCoadd", "-d", where,
        "-c", "assembleCellCoadd:do_use_artifact_mask=True",
    )  # fmt: skip
    done = run_command("pipetask", *command, "-o", "u/clipped")
    assert done.exit_code == 0, done.output
    done = run_command(
        "pipetask", *command, "-o", "u/only", "-c", "assembleCellCoadd:require_artifact_mask=True"
    )
    assert done.exit_code == 0, done.output
    assert "HSC visit 1230 has no artifact mask and require_artifact_mask is set" in done.output
    with Butler.from_config(single) as butler:
        clipped: MultipleCellCoadd = butler.get("deepCoaddCell", **COADD, collections="u/clipped")
        only: MultipleCellCoadd = butler.get("deepCoaddCell", **COADD, collections="u/only")
    assert {entry.observation.visit for entry in only.inputs} == {1228}
    before, after = coadd.stitch(), clipped.stitch()
    place = artifact.slice_within(after.bbox)
    expected = np.zeros(tuple(after.bbox.shape), bool)
    expected[place.y, place.x] = True
    np.testing.assert_array_equal(after.mask.get("CLIPPED"), expected)
    changed = before.image.array != after.image.array
    np.testing.assert_array_equal(changed & ~np.isnan(before.image.array), expected)


def _part(box: Box) -> Box:
    y, x = box.y.start, box.x.start
    return Box.factory[y + 50 : y + 80, x + 40 : x + 100]


def test_the_stitched_coadd_is_of_the_public_type(
    coadded: Coadded, copied: Path, output: str
) -> None:
    """`lsst.images` alone reads it; its pixels are the inner regions of the cells."""
    done = run_command(
        "pipetask", "run", "-b", copied, "-i", output, "-o", "u/stitched",
        "--register-dataset-types",
        "-p", "resource://cellcoadd/pipelines/cell_coadds.yaml#stitchCellCoadd",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    with Butler.from_config(copied, collections="u/stitched") as butler:
        stitched = butler.get("deepCoaddCell_stitched", **COADD)
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", **COADD, collections=output)
    assert isinstance(stitched, CellCoadd)
    for cell in coadd.cells.values():
        place = cell.inner.bbox.slice_within(stitched.bbox)
        np.testing.assert_array_equal(
            stitched.image.array[place.y, place.x], cell.inner.image.array
        )


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


def test_the_usual_commands_work_on_what_was_made(copied: Path, output: str) -> None:
    """Looking at collections and datasets, and taking them away again, leaves the inputs alone."""
    listed = run_command("butler", "query-collections", copied, "u/*")
    assert output in listed.output
    datasets = run_command(
        "butler", "query-datasets", copied, "deepCoadd_directWarp", "--collections", output,
        "--where", "instrument='HSC' AND visit > 1228",
    )  # fmt: skip
    assert datasets.exit_code == 0, datasets.output
    assert "19658" in datasets.output
    assert "1228" not in datasets.output
    with Butler.from_config(copied) as butler:
        found = butler.registry.queryDatasets(
            "deepCoaddCell", collections=output, where="tract=9813 AND skymap='hsc_rings_cells_v1'"
        )
        assert [ref.dataId["patch"] for ref in found] == [61]
        (run,) = {ref.run for ref in found}
        n_images = len(butler.query_datasets("calexp", INPUT))
    assert list((copied / run).rglob("*.fits"))
    for arguments in (
        ("remove-collections", copied, output, "--no-confirm"),
        ("remove-runs", copied, run, "--no-confirm", "--force"),
        ("remove-dataset-type", copied, "deepCoaddCell"),
    ):
        done = run_command("butler", *arguments)
        assert done.exit_code == 0, done.output
    with Butler.from_config(copied) as butler:
        assert not butler.collections.query("u/*")
        assert not butler.registry.queryDatasetTypes("deepCoaddCell")
        assert len(butler.query_datasets("calexp", INPUT)) == n_images
    assert not list((copied / run).rglob("*.fits"))


def test_a_run_is_taken_up_where_it_ended(
    coadded: Coadded, copied: Path, pipetask_run: Runner, output: str
) -> None:
    """`--skip-existing` makes only what is missing; `--clobber-outputs` replaces what is half done.

    What is made again has the bits of the first time.
    """
    warps = refs_of(copied, output, "deepCoadd_directWarp")
    _remove(copied, output, "deepCoaddCell", "assembleCellCoadd_metadata", "assembleCellCoadd_log")
    again = ("--extend-run", "--skip-existing")
    done = pipetask_run(copied, output, *again)
    assert done.exit_code == 0, done.output
    assert "Executed 1 quanta successfully, 0 failed" in done.output
    assert refs_of(copied, output, "deepCoadd_directWarp") == warps
    assert_same_bits(everything_in(coadded.root, output), everything_in(copied, output))

    # An interrupted task leaves its product but not the record of its success.
    _remove(copied, output, "assembleCellCoadd_metadata", "assembleCellCoadd_log")
    refused = pipetask_run(copied, output, *again)
    assert refused.exit_code != 0
    assert "clobbering outputs" in refused.output
    done = pipetask_run(copied, output, *again, "--clobber-outputs")
    assert done.exit_code == 0, done.output
    assert_same_bits(everything_in(coadded.root, output), everything_in(copied, output))


def _remove(root: Path, collection: str, *names: str) -> None:
    with Butler.from_config(root, writeable=True) as butler:
        refs = [ref for name in names for ref in butler.query_datasets(name, collection)]
        assert refs
        butler.pruneDatasets(refs, disassociate=True, unstore=True, purge=True)


def test_every_refused_detector_has_a_reason(coadded: Coadded, output: str) -> None:
    """Whoever asks why a visit is not in a cell finds an answer in the coadd."""
    with coadded.open(output) as butler:
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", **COADD)
    reasons = {RefusalReason(int(value)) for value in np.unique(coadd.contributions["reason"])}
    assert {RefusalReason.ACCEPTED, RefusalReason.OVERLAP} <= reasons
