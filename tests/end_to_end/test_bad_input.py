"""What cannot be used is named with the reason; the others go on; nothing is left half done."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.wcs import WCS
from lsst.daf.butler import Butler, DatasetType
from lsst.images import MaskedImage, SkyProjection

from cellcoadd.butler.tract_datasets import TractName, read_tract
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.warp import Warp
from cellcoadd.psfs.models import PsfexPointSpreadFunction
from cellcoadd.report.tract_data import Provenance
from cellcoadd.testing.commands import Outcome, run_command
from cellcoadd.testing.repositories import files_of, records_of

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"
PIPELINE = "resource://cellcoadd/pipelines/cell_coadds.yaml"

type Change = Callable[[CalibratedImage], CalibratedImage]


@pytest.fixture
def repo(small_repository: Path, tmp_path: Path) -> Path:
    """A copy of the small repository that a test may change."""
    return Path(shutil.copytree(small_repository, tmp_path / "repo"))


def run_pipeline(root: Path, where: str, *arguments: str, output: str = "u/out") -> Outcome:
    return run_command(
        "pipetask", "run", "-j", "1", "--register-dataset-types", "-b", root, "-i", INPUT,
        "-o", output, "-p", PIPELINE, "-d", where, *arguments,
    )  # fmt: skip


def detectors_of_warps(root: Path, output: str = "u/out") -> dict[int, list[int]]:
    """Which detectors went into the warp of each visit."""
    found: dict[int, list[int]] = {}
    with Butler.from_config(root, collections=output) as butler:
        for ref in butler.query_datasets("deepCoadd_directWarp", explain=False):
            warp: Warp = butler.get(ref)
            found[warp.visit] = [entry.observation.detector for entry in warp.inputs]
    return found


def stored_file(root: Path, *, visit: int, detector: int) -> Path:
    with Butler.from_config(root, collections=INPUT) as butler:
        uri = butler.getURI("calexp", instrument="HSC", visit=visit, detector=detector)
        return Path(uri.ospath)


def garble(path: Path) -> None:
    """Replace the content, not the size."""
    path.write_bytes(np.random.default_rng(1).bytes(path.stat().st_size))


def refusals(outcome: Outcome) -> list[str]:
    """The lines that name what was left out, without their beginnings."""
    lines = [line for line in outcome.output.splitlines() if "Left out: " in line]
    assert all(line.startswith("cellcoadd.makeDirectWarp WARNING: Left out: ") for line in lines)
    return sorted(line.split("Left out: ")[1] for line in lines)


@pytest.mark.filterwarnings("default::astropy.utils.exceptions.AstropyUserWarning")
def test_broken_files_are_left_out_by_name_and_the_others_go_on(repo: Path, where: str) -> None:
    """One broken disk block must not cost a night."""
    garble(stored_file(repo, visit=1228, detector=0))
    cut_off = stored_file(repo, visit=1228, detector=1)
    cut_off.write_bytes(cut_off.read_bytes()[:20000])
    unknown = stored_file(repo, visit=1228, detector=2)
    content = unknown.read_bytes()
    assert content.count(b'"sigma":') == 1
    unknown.write_bytes(content.replace(b'"sigma":', b'"omega":'))
    spoiled = stored_file(repo, visit=1230, detector=0)
    content = spoiled.read_bytes()
    noise = np.random.default_rng(1).bytes(6000)
    spoiled.write_bytes(content[:4000] + noise + content[4000 + len(noise) :])

    outcome = run_pipeline(repo, where)
    assert outcome.exit_code == 0, outcome.output
    assert not outcome.has_traceback
    garbled, cut, without_psf, headers = refusals(outcome)
    unread = "it cannot be read as a VisitImage of lsst.images ("
    assert garbled.startswith(f"calexp HSC visit 1228 detector 0: {unread}non-ASCII")
    assert cut.startswith("calexp HSC visit 1228 detector 1: its file cannot be read (")
    assert "(20000) does not match" in cut
    assert without_psf.startswith(f"calexp HSC visit 1228 detector 2: {unread}")
    assert headers.startswith(f"calexp HSC visit 1230 detector 0: {unread}The FITS file has a")
    assert " ERROR: " not in outcome.output
    assert "py.warnings" not in outcome.output
    assert detectors_of_warps(repo) == {1228: [3], 1230: [1, 2, 3]}


def test_a_patch_without_a_cell_is_explained_where_one_looks(
    repo: Path, where: str, tmp_path: Path
) -> None:
    """In the log once, and in the report: the log of the assembly is read again."""
    outcome = run_pipeline(repo, where, "-c", "assembleCellCoadd:cells=[0]")
    assert outcome.exit_code == 0, outcome.output
    assert outcome.output.count("No cell of tract 9813, patch 61") == 1
    told = run_command("cellcoadd", "report", repo, "--collection", "u/out", "-o", tmp_path / "r")
    assert told.exit_code == 1
    assert not told.has_traceback
    assert "No deepCoaddCell" in told.output
    assert "No cell of tract 9813, patch 61 of hsc_rings_cells_v1 is filled" in told.output
    name = TractName(skymap="hsc_rings_cells_v1", tract=9813, band="i")
    with Butler.from_config(repo, collections="u/out") as butler:
        (reason,) = read_tract(butler, name, Provenance()).empty_patches
        assert reason.startswith("No cell of tract 9813, patch 61 of hsc_rings_cells_v1 is filled")
        (log,) = butler.query_datasets("assembleCellCoadd_log", explain=False)
    with Butler.from_config(repo, writeable=True, collections="u/out") as butler:
        butler.pruneDatasets([log], purge=True, unstore=True, disassociate=True)
        (reason,) = read_tract(butler, name, Provenance()).empty_patches
        assert reason.startswith("Patch 61 has warps of 2 visits and no coadd")


def test_a_visit_without_a_usable_detector_makes_no_warp(repo: Path, where: str) -> None:
    """It is nothing to do, not a failure; the coadd is made of the other visits."""
    for detector in range(4):
        garble(stored_file(repo, visit=1228, detector=detector))
    outcome = run_pipeline(repo, where)
    assert outcome.exit_code == 0, outcome.output
    assert not outcome.has_traceback
    assert len(refusals(outcome)) == 4
    assert "No usable image lands on tract 9813, patch 61 of hsc_rings_cells_v1" in outcome.output
    assert detectors_of_warps(repo) == {1230: [0, 1, 2, 3]}


def test_detectors_smaller_than_a_cell_give_no_coadd_and_no_failure(repo: Path, where: str) -> None:
    """Nothing covers a cell; the reason is in the log."""
    outcome = run_pipeline(repo, where)
    assert outcome.exit_code == 0, outcome.output
    assert "No input covers a whole cell of tract 9813, patch 61" in outcome.output
    with Butler.from_config(repo, collections="u/out") as butler:
        assert not butler.query_datasets("deepCoaddCell", explain=False)
        assert not butler.query_datasets("deepCoaddCell_stitched", explain=False)


def without_variance(image: CalibratedImage) -> CalibratedImage:
    image.masked_image.variance.array[...] = 0.0
    return image


def beyond_the_sky(image: CalibratedImage) -> CalibratedImage:
    """The same image with a projection that has no position for its edges."""
    header = {
        "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 150.0, "CRVAL2": 2.0,
        "CRPIX1": 40.0, "CRPIX2": 40.0, "CDELT1": 5.0, "CDELT2": 5.0,
    }  # fmt: skip
    planes = image.masked_image
    projection = SkyProjection.from_fits_wcs(
        WCS(header), image.sky_projection.pixel_frame, pixel_bounds=image.bbox
    )
    return dataclasses.replace(
        image,
        masked_image=MaskedImage(
            planes.image, mask=planes.mask, variance=planes.variance, sky_projection=projection
        ),
    )


def with_a_hollow_psf(image: CalibratedImage) -> CalibratedImage:
    basis = np.stack([np.ones((5, 5)), -np.ones((5, 5)), np.zeros((5, 5))])
    hollow = PsfexPointSpreadFunction(
        basis, degree=1, x_zero=0.0, y_zero=0.0, x_scale=1.0, y_scale=1.0, sampling=1.0,
        bounds=image.bbox,
    )  # fmt: skip
    return dataclasses.replace(image, psf=hollow)


def put_calibrated_images(root: Path, changes: dict[int, Change]) -> None:
    """Store the images a second time as our own type, under the name ``ourcalexp``."""
    with Butler.from_config(root, collections=INPUT, writeable=True) as butler:
        kind = DatasetType(
            "ourcalexp",
            ("instrument", "visit", "detector"),
            "CalibratedImage",
            universe=butler.dimensions,
        )
        butler.registry.registerDatasetType(kind)
        butler.collections.register("ours")
        for ref in butler.query_datasets("calexp"):
            image = butler.get(ref, storageClass="CalibratedImage")
            if ref.dataId["visit"] == 1228:
                change = changes.get(int(ref.dataId["detector"]))
                image = change(image) if change else image
            butler.put(image, kind, ref.dataId, run="ours")


def test_images_that_cannot_be_warped_are_left_out_by_name(repo: Path, where: str) -> None:
    """Whoever put them there may not have used our readers, which would have refused them."""
    put_calibrated_images(repo, {0: without_variance, 1: beyond_the_sky, 2: with_a_hollow_psf})
    outcome = run_pipeline(
        repo, where, "-i", f"{INPUT},ours", "-c", "makeDirectWarp:connections.calexpType=our"
    )
    assert outcome.exit_code == 0, outcome.output
    assert not outcome.has_traceback
    no_variance, no_wcs, no_psf = refusals(outcome)
    assert no_variance.startswith(
        "ourcalexp HSC visit 1228 detector 0: no pixel has a variance that is positive and finite:"
    )
    assert no_wcs.startswith("ourcalexp HSC visit 1228 detector 1: its WCS ")
    assert no_psf.startswith("ourcalexp HSC visit 1228 detector 2: its PSF cannot be drawn (")
    assert detectors_of_warps(repo) == {1228: [3], 1230: [0, 1, 2, 3]}


def test_images_of_either_type_give_the_same_warps(repo: Path, where: str) -> None:
    """A visit image of lsst.images is converted when it is read: nothing of it may change."""
    put_calibrated_images(repo, {})
    for arguments in (
        ("u/visit_images", "-c", "makeDirectWarp:numberOfNoiseRealizations=1"),
        (
            "u/ours", "-i", f"{INPUT},ours", "-c", "makeDirectWarp:connections.calexpType=our",
            "-c", "makeDirectWarp:numberOfNoiseRealizations=1",
        ),
    ):  # fmt: skip
        output, *more = arguments
        outcome = run_pipeline(repo, where, *more, output=output)
        assert outcome.exit_code == 0, outcome.output
        assert not refusals(outcome)
    with Butler.from_config(repo) as butler:
        for name in ("deepCoadd_directWarp", "deepCoadd_directWarp_noise0"):
            for ref in butler.query_datasets(name, "u/visit_images"):
                one, other = butler.get(ref), butler.get(name, ref.dataId, collections="u/ours")
                for plane in ("image", "mask", "variance"):
                    a: np.ndarray[Any, Any] = getattr(one, plane).array
                    assert a.tobytes() == getattr(other, plane).array.tobytes(), plane


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("instrument='HSC' AND skymap='hsc_rings_cells_v1' AND tract=9813 AND patch=0", ""),
        ("instrument='HSC' AND skymap='hsc_rings_cells_v1' AND tract=9813 AND band='z'", ""),
        (
            "instrument='HSC' AND skymap='nonesuch' AND tract=9813",
            "No datasets with skymap='nonesuch' in collection 'skymaps'",
        ),
    ],
    ids=["patch without images", "band without images", "unknown sky map"],
)
def test_where_there_is_nothing_to_do_the_command_says_so(
    repo: Path, data: str, message: str
) -> None:
    """The middleware's words; what they mean is in the how-to. The repository stays as it was."""
    before = state(repo)
    outcome = run_pipeline(repo, data)
    assert outcome.exit_code == 1
    assert not outcome.has_traceback
    assert "Initial data ID query returned no rows" in outcome.output
    assert "QuantumGraph was empty" in outcome.output
    assert message in outcome.output
    assert state(repo) == before


def test_a_repository_without_images_is_told_from_one_without_overlap(
    repo: Path, where: str
) -> None:
    """Here the message names the dataset type and the collection that was searched."""
    before = state(repo)
    outcome = run_command(
        "pipetask", "run", "-b", repo, "-i", "skymaps", "-o", "u/out", "-p", PIPELINE, "-d", where
    )
    assert outcome.exit_code == 1
    assert not outcome.has_traceback
    assert "No datasets of type 'calexp' in collection 'skymaps'" in outcome.output
    assert state(repo) == before


def state(root: Path) -> object:
    with Butler.from_config(root) as butler:
        return records_of(butler), files_of(root)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("makeDirectWarp:numberOfNoiseRealizations=4", "numberOfNoiseRealizations"),
        ("makeDirectWarp:border=-1", "border must not be negative, got -1"),
        ("makeDirectWarp:warper.warpingKernelName=lanczos9", "lanczos9"),
        ("assembleCellCoadd:psf_dimensions=34", "psf_dimensions must be odd, got 34"),
        ("assembleCellCoadd:max_maskfrac=1.5", "max_maskfrac"),
        ("assembleCellCoadd:mask_propagation_thresholds={'CRR': 0.1}", "'CRR'"),
        ("assembleCellCoadd:no_such_name=1", "no_such_name"),
    ],
)
def test_a_bad_configuration_is_refused_before_any_work(
    repo: Path, where: str, override: str, message: str
) -> None:
    """The value and the rule are in the output; the repository stays as it was."""
    before = state(repo)
    outcome = run_pipeline(repo, where, "-c", override)
    assert outcome.exit_code != 0
    assert message in outcome.output
    assert "Executed" not in outcome.output
    assert state(repo) == before
