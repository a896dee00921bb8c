"""Files of twelve CCDs made of real DECam cut-outs: the same as twelve files of one, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from lsst.daf.butler import Butler

from cellcoadd.butler.image_collections import chain_images
from cellcoadd.butler.ingest import ingest_images
from cellcoadd.butler.register_skymap import register_skymap
from cellcoadd.butler.repository import make_repository
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.skymap import load_sky_map
from cellcoadd.surveys import reader_for
from cellcoadd.surveys.decam.files import find_decam_images
from cellcoadd.surveys.mosaic_files import image_addresses
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.mosaics import write_mosaic
from cellcoadd.testing.same_cells import assert_same_cell

NAMES = [f"{side}{number}" for side in "NS" for number in range(1, 7)]
STEP_DEG = 90 * 0.2623 / 3600.0  # a little less than a cut-out of 100 pixels
EXPOSURES = {"c4d_171113_061941": "S4", "c4d_181215_051332": "S9"}
LOSSLESS = {"compression_type": "GZIP_2", "quantize_level": 0.0}


def moved(path: Path, target: Path, number: int) -> Path:
    """Copy a file of one CCD, as the CCD of another number at another place on the sky."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with fits.open(path) as hdus:
        header = hdus[1].header
        header["EXTNAME"] = header["DETPOS"] = NAMES[number]
        header["CCDNUM"] = number + 1
        header["CRVAL1"] += (number % 4) * STEP_DEG
        header["CRVAL2"] += (number // 4) * STEP_DEG
        hdus.writeto(target)
    return target


def rows_of_all(table: fits.BinTableHDU, row: int) -> fits.BinTableHDU:
    """Return a table with twelve copies of a row, a CCD each."""
    rows = table.data[[row] * len(NAMES)]
    rows["ccdname"] = NAMES
    return fits.BinTableHDU(rows, table.header)


@pytest.fixture(scope="module")
def archives(decam: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two exposures of twelve CCDs each: a file a CCD, and a compressed file an exposure."""
    source = decam / "testcase6"
    single, mosaic = (tmp_path_factory.mktemp(name) for name in ("single", "mosaic"))
    for name, ccd in EXPOSURES.items():
        (image,) = (path for path in find_decam_images(source) if path.name.startswith(name))
        folder = image.parent.relative_to(source)
        stem = image.name.removesuffix(f".{ccd}.fits")
        for part in ("ooi", "oow", "ood"):
            file = image.with_name(image.name.replace("_ooi_", f"_{part}_"))
            base = stem.replace("_ooi_", f"_{part}_")
            parts = {
                ccd_name: moved(file, single / folder / f"{base}.{ccd_name}.fits", number)
                for number, ccd_name in enumerate(NAMES)
            }
            # The order in a file says nothing: each has one of its own.
            order = sorted(parts, key=lambda name: hash_of(part + name))
            write_mosaic(
                mosaic / folder / f"{base}.fits.fz",
                {ccd_name: parts[ccd_name] for ccd_name in order},
                compress=LOSSLESS,
            )
        for kind in ("psfex", "sky-single"):
            for file in (source / "calib" / kind).rglob(f"{name}*.fits"):
                suffix = file.stem.rpartition("-")[2]
                below = image.parent.relative_to(source / "images")
                merged = Path("calib") / kind.removesuffix("-single") / below
                for root in (single, mosaic):
                    (root / merged).mkdir(parents=True, exist_ok=True)
                    with fits.open(file) as hdus:
                        made = fits.HDUList([hdus[0], rows_of_all(hdus[1], 0)])
                        made.writeto(root / merged / f"{stem}-{suffix}.fits")
    table = Table.read(source / "survey-ccds-1.fits.gz")
    files = [Path(str(name)).name for name in table["image_filename"]]
    rows = [table[n] for n, file in enumerate(files) if file.startswith(tuple(EXPOSURES))]
    ccds = Table(rows=[row for row in rows for _ in NAMES], names=table.colnames)
    ccds["ccdname"] = NAMES * len(rows)
    for root in (single, mosaic):
        ccds.write(root / "survey-ccds-1.fits.gz")
    return single, mosaic


def hash_of(text: str) -> int:
    """A number of a text that is the same in each process."""
    return int.from_bytes(text.encode()) % 1009


def test_each_detector_is_read_as_from_its_own_file(archives: tuple[Path, Path]) -> None:
    """Pixels, variance, mask, WCS, PSF and zero point, of the CCD of the name."""
    single, mosaic = archives
    singles = {path.name.split(".")[1]: path for path in find_decam_images(single)[:12]}
    file = find_decam_images(mosaic)[0]
    addresses = image_addresses(file)
    assert [address.name.split("[")[1].rstrip("]") for address in addresses] != NAMES
    assert {address.name for address in addresses} == {f"{file.name}[{name}]" for name in NAMES}
    for address in addresses:
        mine = reader_for(address).read(address)
        theirs = reader_for(singles[mine.detector_name]).read(singles[mine.detector_name])
        assert mine.header.observation == theirs.header.observation
        ours, other = mine.calibrated_image, theirs.calibrated_image
        for plane in ("image", "variance", "mask"):
            np.testing.assert_array_equal(
                getattr(ours.masked_image, plane).array, getattr(other.masked_image, plane).array
            )
        here, there = (image.sky_projection.pixel_to_sky(x=12.0, y=81.0) for image in (ours, other))
        assert (here.ra, here.dec) == (there.ra, there.dec)
        stamp, expected = (
            image.psf.compute_kernel_image(x=30.0, y=40.0).array for image in (ours, other)
        )
        np.testing.assert_array_equal(stamp, expected)
        assert ours.nanojansky_per_count == other.nanojansky_per_count


@pytest.fixture(scope="module")
def sky_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("sky_map") / "mosaic.yaml"
    path.write_text(
        "kind: discrete\npixel_scale_arcsec: 0.25\ncell_inner_size: 20\ncell_border: 8\n"
        "patch_inner_cells: 16\ntracts: [{ra: 110.324, dec: 23.93, radius: 0.009}]\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def by_tasks(
    archives: tuple[Path, Path], sky_map: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MultipleCellCoadd]:
    """The coadd of the two tasks on a repository of the mosaics."""
    repo = tmp_path_factory.mktemp("mosaic_repo") / "repo"
    with make_repository(repo) as butler:
        register_skymap(butler, load_sky_map(sky_map))
        report = ingest_images(butler, find_decam_images(archives[1]), run="images", check=False)
        assert (len(report.ingested), report.refused) == (24, ())
        chain_images(butler, "calibrated", "images")
    pipeline = "resource://cellcoadd/pipelines/cell_coadds.yaml"
    done = run_command(
        "pipetask",
        *("--log-level", "WARNING", "run", "--register-dataset-types"),
        *("-b", str(repo), "-i", "calibrated", "-o", "coadds"),
        *("-p", f"{pipeline}#makeDirectWarp,assembleCellCoadd"),
        *("-d", "instrument='DECam' AND skymap='mosaic' AND patch=0"),
    )
    assert done.exit_code == 0, done.output[-4000:]
    with Butler.from_config(str(repo), collections="coadds") as butler:
        yield butler.get("deepCoaddCell", skymap="mosaic", tract=0, patch=0, band="r")


def test_the_command_makes_what_the_tasks_make(
    archives: tuple[Path, Path],
    sky_map: Path,
    by_tasks: MultipleCellCoadd,
    tmp_path: Path,
) -> None:
    """From a folder of mosaics: the bits and the record of every cell."""
    done = run_command(
        *("cellcoadd", "coadd", archives[1], "-o", tmp_path / "r.fits"),
        *("--skymap", sky_map, "--tract", "0", "--patch", "0"),
    )
    assert done.exit_code == 0, done.output
    coadd = MultipleCellCoadd.read(tmp_path / "r.fits")
    assert len(coadd.inputs) == 24
    assert set(coadd.cells) == set(by_tasks.cells)
    assert len(coadd.cells) >= 20
    for index in coadd.cells:
        assert_same_cell(coadd, index, by_tasks, index)
