"""Real exposures: a repository in which those of DECam are coadded, and frames of SDSS."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from astropy.table import Table, vstack
from lsst.daf.butler import Butler

from cellcoadd.butler.image_collections import chain_images
from cellcoadd.butler.ingest import ingest_images
from cellcoadd.butler.register_skymap import register_skymap
from cellcoadd.butler.repository import make_repository
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.skymap import load_sky_map
from cellcoadd.surveys import SurveyImage, reader_for
from cellcoadd.surveys.decam import read_decam_image
from cellcoadd.surveys.decam.files import find_decam_images
from cellcoadd.surveys.sdss.files import looks_like_sdss
from cellcoadd.testing.commands import run_command, run_program

OUTPUT = "u/tests/coadds"
INPUT = "DECam/calibrated"


def tract(ra: float, dec: float, *, east: float, north: float, radius: float) -> dict[str, float]:
    """A tract whose centre lies some arcseconds from a position."""
    return {
        "ra": ra + east / 3600.0 / math.cos(math.radians(dec)),
        "dec": dec + north / 3600.0,
        "radius": radius,
    }


# The field has room for 4 x 4 outer regions of 60 + 2 * 20 pixels and for one of 150 + 2 * 50. The
# star is 38 pixels from its western edge. Tracts are placed so that both fit.
SKY_MAPS: dict[str, dict[str, Any]] = {
    "small_cells": {
        "kind": "discrete",
        "pixel_scale_arcsec": 0.2,
        "cell_inner_size": 60,
        "cell_border": 20,
        "patch_inner_cells": 4,
        "tracts": [
            tract(186.744, 25.462, east=-4.2, north=1.2, radius=0.006),
            tract(110.312, 23.920, east=6.0, north=6.0, radius=0.006),
        ],
    },
    "large_cells": {
        "kind": "discrete",
        "pixel_scale_arcsec": 0.2,
        "patch_inner_cells": 1,
        "tracts": [tract(186.744, 25.462, east=-6.9, north=-1.0, radius=0.003)],
    },
}


@pytest.fixture(scope="module")
def decam(shared: Path) -> Path:
    folder = shared / "data" / "decam_decals"
    if not folder.is_dir():
        pytest.skip(f"the DECam exposures are not here: {folder} does not exist")
    return folder


@pytest.fixture(scope="module")
def sky_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the definitions of both sky maps."""
    folder: Path = tmp_path_factory.mktemp("sky_maps")
    for name, definition in SKY_MAPS.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(definition), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def butler(
    decam: Path, sky_maps: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Butler]:
    """A repository with both fields, coadded in all bands on both maps by one command."""
    folder = tmp_path_factory.mktemp("decam")
    with make_repository(folder / "repo") as opened:
        for name in SKY_MAPS:
            register_skymap(opened, load_sky_map(sky_maps / f"{name}.yaml"))
        run = f"{INPUT}/images"
        report = ingest_images(opened, find_decam_images(decam), run=run, check=False)
        assert (len(report.ingested), report.refused) == (15, ())
        chain_images(opened, INPUT, run)
    done = run_program(
        "pipetask",
        *("--log-level", "WARNING", "run", "--register-dataset-types"),
        *("-b", str(folder / "repo"), "-i", INPUT, "-o", OUTPUT),
        *("-p", "resource://cellcoadd/pipelines/cell_coadds.yaml"),
        *("-c", "makeDirectWarp:numberOfNoiseRealizations=1"),
        *("-c", "assembleCellCoadd:num_noise_realizations=1"),
        *("-d", "instrument='DECam' AND skymap IN ('small_cells', 'large_cells')"),
    )
    assert done.exit_code == 0, done.output[-4000:]
    with Butler.from_config(str(folder / "repo"), collections=OUTPUT) as finished:
        yield finished


@pytest.fixture(scope="module")
def by_command(
    decam: Path, sky_maps: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int, str], MultipleCellCoadd]:
    """The coadds of small cells, by tract and band, as ``cellcoadd coadd`` makes them of files."""
    names, output = ("testcase4", "testcase6"), tmp_path_factory.mktemp("by_command")
    for tract_id, name in enumerate(names):
        done = run_command(
            *("cellcoadd", "coadd", decam / name, "-o", output / name, "--noise", "1"),
            *("--skymap", sky_maps / "small_cells.yaml", "--tract", str(tract_id)),
        )
        assert done.exit_code == 0, done.output
    return lambda tract_id, band: MultipleCellCoadd.read(
        output / names[tract_id] / f"{band}_0.fits"
    )


@pytest.fixture(scope="module")
def exposures(decam: Path) -> dict[int, SurveyImage]:
    """All exposures by visit, as the reader gives them."""
    images = [read_decam_image(path) for path in find_decam_images(decam)]
    return {image.header.observation.visit: image for image in images}


@pytest.fixture(scope="module")
def gaia(decam: Path) -> dict[float, Any]:
    """Gaia's three point sources in the first field by G magnitude; 18.69 is a quasar."""
    tables = [Table.read(path) for path in sorted((decam / "testcase4" / "gaia").glob("*.fits"))]
    rows = vstack(tables, metadata_conflicts="silent")
    near = (abs(rows["ra"] - 186.744) < 0.011) & (abs(rows["dec"] - 25.462) < 0.01)
    found = {round(float(row["phot_g_mean_mag"]), 2): row for row in rows[near]}
    assert sorted(found) == [18.0, 18.69, 19.67]
    return found


@pytest.fixture(scope="module")
def sdss(shared: Path) -> Path:
    folder = shared / "data" / "sdss_s82"
    if not folder.is_dir():
        pytest.skip(f"the SDSS frames are not here: {folder} does not exist")
    return folder


@pytest.fixture(scope="module")
def sdss_paths(sdss: Path) -> list[Path]:
    """All frames: run 4192 in i and r, then run 6377."""
    return sorted(path for path in (sdss / "input").rglob("*") if looks_like_sdss(path))


@pytest.fixture(scope="module")
def sdss_frames(sdss_paths: list[Path]) -> list[SurveyImage]:
    return [reader_for(path).read(path) for path in sdss_paths]
