"""The main job, word for word: calibrated images in a repository become warps and a coadd."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from lsst.daf.butler import Butler, DatasetRef
from lsst.images.cells import CellCoadd

from cellcoadd.analysis.cell_table import tabulate_cells
from cellcoadd.analysis.input_table import tabulate_inputs
from cellcoadd.files.checksums import verify_file
from cellcoadd.files.fits_units import units_of
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.products.warp import Warp
from cellcoadd.testing.commands import Outcome, run_command, run_program
from cellcoadd.testing.run_products import arrays_in, assert_same_bits

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"
ON_PATCH: dict[str, Any] = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "patch": 61}
COADD = {**ON_PATCH, "band": "i"}
VISIT = {**ON_PATCH, "instrument": "HSC", "visit": 1228}

type Runner = Callable[..., Outcome]


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
    """The survey, run in a process of its own by the command that the documentation shows."""
    root = Path(shutil.copytree(survey_repository, tmp_path_factory.mktemp("coadded") / "repo"))
    outcome = run_program(
        "pipetask", "run", "--register-dataset-types",
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
        warp = butler.get("deepCoadd_directWarp", VISIT)
        assert isinstance(warp, Warp)
        assert [entry.observation.detector for entry in warp.inputs] == [0, 1, 2, 3]
        coadd = butler.get("deepCoaddCell", COADD)
        assert isinstance(coadd, MultipleCellCoadd)
        cell = next(iter(coadd.cells.values()))
        cut_out = warp[cell.outer.bbox]
        assert np.nanmax(cut_out.image.array) > 0


def test_a_run_without_trouble_prints_no_warning(coadded: Coadded) -> None:
    """Nor does it complain of parts of Rubin's software that it does not need."""
    assert "WARNING" not in coadded.outcome.output
    assert "ERROR" not in coadded.outcome.output
    assert "Executed 4 quanta successfully, 0 failed" in coadded.outcome.output


def test_noise_is_kept_in_warps_and_rounded_in_coadds(coadded: Coadded, output: str) -> None:
    """It hardly shrinks without loss; what is made of a warp must not depend on its file."""
    with coadded.open(output) as butler:
        warp, coadd = (
            butler.getURI(butler.query_datasets(name)[0]).ospath
            for name in ("deepCoadd_directWarp", "deepCoaddCell")
        )
    with fits.open(warp) as hdus:
        for plane in ("IMAGE", "VARIANCE"):
            assert not isinstance(hdus[plane], fits.CompImageHDU)
        assert isinstance(hdus["MASK"], fits.CompImageHDU)
    with fits.open(coadd, disable_image_compression=True) as hdus:
        assert hdus["IMAGE"].header["ZCMPTYPE"] == "RICE_1"
        assert "ZSCALE" in hdus["IMAGE"].columns.names
        assert "ZSCALE" not in hdus["MASK"].columns.names


def test_cells_have_the_inputs_that_the_geometry_says(coadded: Coadded, output: str) -> None:
    """A visit is in a cell if one of its detectors covers the cell's outer region entirely.

    Covered: the corners of the region, taken through the sky to the detector, lie inside of it. The
    Lanczos kernel must fit too, so within three pixels of the detector's edge either is right.
    """
    with coadded.open(output) as butler:
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", COADD)
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


def test_the_same_bits_come_again_and_the_variance_can_be_chosen(
    coadded: Coadded, repository: Path, pipetask_run: Runner, output: str
) -> None:
    """`-c` changes the variance as it says, and nothing else; another process changes nothing."""
    done = pipetask_run(
        repository, output, "-c", "assembleCellCoadd:calc_error_from_input_variance=False"
    )
    assert done.exit_code == 0, done.output
    first = arrays_in(coadded.root, output)
    again = arrays_in(repository, output)
    (coadd,) = (name for name in first if name.startswith("deepCoaddCell"))
    from_inputs, from_scatter = first[coadd].pop("variance"), again[coadd].pop("variance")
    assert_same_bits(first, again)
    # The scatter of two inputs about their mean has a median of 0.45 of its mean, of three 0.69.
    both = np.isfinite(from_inputs) & np.isfinite(from_scatter) & (from_scatter > 0)
    assert 0.4 < np.median(from_scatter[both]) / np.median(from_inputs[both]) < 0.75


def test_what_is_made_of_a_coadd_is_of_public_types(
    copied: Path, output: str, tmp_path: Path
) -> None:
    """`lsst.images` alone reads the stitched coadd; its pixels are the inner regions of the cells.

    It has checksums, of which none stays behind when somebody writes it anew. The tables of cells
    and inputs come back from their Parquet files with units and meanings.
    """
    done = run_command(
        "pipetask", "run", "-b", copied, "-i", output, "-o", "u/made",
        "--register-dataset-types",
        "-p", "resource://cellcoadd/pipelines/cell_coadds.yaml#stitchCellCoadd,tabulateCells",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    with Butler.from_config(copied, collections="u/made") as butler:
        stitched = butler.get("deepCoaddCell_stitched", COADD)
        table = butler.get("deepCoaddCell_table", COADD)
        inputs = butler.get("deepCoaddCell_inputTable", COADD)
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", COADD, collections=output)
    assert isinstance(stitched, CellCoadd)
    (file,) = (copied / "u" / "made").rglob("deepCoaddCell_stitched*.fits")
    assert verify_file(file).sealed > 10
    stitched.write(str(tmp_path / "again.fits"))
    assert verify_file(tmp_path / "again.fits").sealed == 0
    for cell in coadd.cells.values():
        place = cell.inner.bbox.slice_within(stitched.bbox)
        np.testing.assert_array_equal(
            stitched.image.array[place.y, place.x], cell.inner.image.array
        )
    for found, expected in ((table, tabulate_cells(coadd)), (inputs, tabulate_inputs(coadd))):
        assert found.colnames == expected.colnames
        for name in expected.colnames:
            np.testing.assert_array_equal(found[name], expected[name])
            assert found[name].unit == expected[name].unit
            assert found[name].description == expected[name].description
    assert 1.2 < np.median(table["noise_factor"]) < 1.7


def test_the_usual_commands_work_on_what_was_made(copied: Path, output: str) -> None:
    """Looking at collections and datasets, and taking them away again, leaves the inputs alone."""
    listed = run_command("butler", "query-collections", copied, "u/*")
    assert output in listed.output
    datasets = run_command(
        "butler", "query-datasets", copied, "deepCoadd_directWarp", "--collections", output,
        "--where", "instrument='HSC' AND visit > 1228",
    )  # fmt: skip
    assert datasets.exit_code == 0, datasets.output
    # As a column: the names of runs hold the time of day.
    assert " 19658 " in datasets.output
    assert " 1228 " not in datasets.output
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
    assert_same_bits(arrays_in(coadded.root, output), arrays_in(copied, output))

    # An interrupted task leaves its product but not the record of its success.
    _remove(copied, output, "assembleCellCoadd_metadata", "assembleCellCoadd_log")
    refused = pipetask_run(copied, output, *again)
    assert refused.exit_code != 0
    assert "clobbering outputs" in refused.output
    done = pipetask_run(copied, output, *again, "--clobber-outputs")
    assert done.exit_code == 0, done.output
    assert_same_bits(arrays_in(coadded.root, output), arrays_in(copied, output))


def _remove(root: Path, collection: str, *names: str) -> None:
    with Butler.from_config(root, writeable=True) as butler:
        refs = [ref for name in names for ref in butler.query_datasets(name, collection)]
        assert refs
        butler.pruneDatasets(refs, disassociate=True, unstore=True, purge=True)


def test_every_refused_detector_has_a_reason(coadded: Coadded, output: str) -> None:
    """Whoever asks why a visit is not in a cell finds an answer in the coadd."""
    with coadded.open(output) as butler:
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", COADD)
    reasons = {RefusalReason(int(value)) for value in np.unique(coadd.contributions["reason"])}
    assert {RefusalReason.ACCEPTED, RefusalReason.OVERLAP} <= reasons


def test_every_file_of_a_run_has_checksums(coadded: Coadded, output: str) -> None:
    """Whichever formatter wrote it."""
    done = run_command("cellcoadd", "verify", coadded.root / output)
    assert done.exit_code == 0, done.output
    assert "Without checksums" not in done.output
    written = [path for path in (coadded.root / output).rglob("*.fits") if path.is_file()]
    assert len(written) == 7  # three visits, each with its masked fraction, and the coadd
    assert f"As written: {len(written)} files" in done.output


def test_a_damaged_warp_is_not_added_up(copied: Path, pipeline_file: Path, output: str) -> None:
    """Its pixels are not compressed: without the checksum nobody would notice."""
    warp = next(path for path in sorted((copied / output).rglob("*directWarp_*_1230_*.fits")))
    content = bytearray(warp.read_bytes())
    with open(warp, "rb") as stream:
        image = next(unit for unit in units_of(stream) if unit.name[0] == "IMAGE")
    content[(image.address + image.end) // 2] ^= 1
    warp.write_bytes(content)
    done = run_command(
        "pipetask", "run", "--register-dataset-types",
        "-b", copied, "-i", output, "-o", "u/someone/again",
        "-p", f"{pipeline_file}#assembleCellCoadd",
    )  # fmt: skip
    assert done.exit_code != 0
    assert f"{warp.name}: it cannot be read, it is damaged: HDU 1 (IMAGE)" in done.output
