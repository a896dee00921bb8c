"""Images of another survey: written anew as one file, and read back by a new process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lsst.daf.butler import Butler
from lsst.images import Box

from cellcoadd.butler.ingest import ingest_images
from cellcoadd.surveys import reader_for
from cellcoadd.testing.repositories import copy_repository, files_of, records_of


@pytest.fixture(scope="module")
def decam_file(shared: Path) -> Path:
    """A DECam image with all that belongs to it."""
    folder = shared / "data/decam_decals/testcase4/images/decam/CP/V4.8.2/CP20170521"
    return folder / "c4d_170522_005829_ooi_r_ls9.N2.fits"


def test_a_decam_image_is_read_back_by_a_new_process(
    butler: Butler, root: Path, decam_file: Path
) -> None:
    """Image, weights, mask, PSF and calibration are one dataset, whatever becomes of the files."""
    report = ingest_images(butler, [decam_file], run="images", check=False)
    assert report.ingested == (decam_file,)
    before = records_of(butler), files_of(root)
    again = ingest_images(butler, [decam_file], run="images")
    assert again.already_there == (decam_file,)
    assert (records_of(butler), files_of(root)) == before
    expected = reader_for(decam_file).read(decam_file).calibrated_image
    printed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from lsst.daf.butler import Butler\n"
            "with Butler.from_config(sys.argv[1]) as butler:\n"
            "    (ref,) = butler.query_datasets('calexp', 'images')\n"
            "    image = butler.get(ref)\n"
            "    print(image.observation, image.nanojansky_per_count, sep='|')\n"
            "    print(image.masked_image.image.array[100, 200].item())\n"
            "    print(image.psf.compute_kernel_image(x=500, y=600).array.max().item())\n"
            "    print(butler.get('calexp.bbox', ref.dataId, collections='images'))\n",
            str(root),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert printed[0] == f"{expected.observation}|{expected.nanojansky_per_count}"
    pixel = expected.masked_image.image.array[100, 200].item()
    assert float(printed[1]) == pixel or (np.isnan(pixel) and printed[1] == "nan")
    assert float(printed[2]) == pytest.approx(
        expected.psf.compute_kernel_image(x=500, y=600).array.max().item(), rel=1e-6
    )
    assert printed[3] == str(expected.masked_image.bbox)


def test_surveys_can_be_mixed_in_one_repository(
    template: Path, tmp_path: Path, images: tuple[Path, ...], decam_file: Path
) -> None:
    """Visit images go into a dataset type of calibrated images, and stay what they are."""
    with copy_repository(template, tmp_path / "mixed") as butler:
        report = ingest_images(
            butler, [images[0], decam_file], run="images", transfer="copy", check=False
        )
        assert len(report.ingested) == 2
        kinds = {
            type(butler.get(ref)).__name__ for ref in butler.query_datasets("calexp", "images")
        }
        assert kinds == {"CalibratedImage"}
        (rubin,) = butler.query_datasets("calexp", "images", instrument="HSC")
        expected = reader_for(images[0]).read(images[0]).calibrated_image
        handle = butler.getDeferred(rubin)
        planes = expected.masked_image
        np.testing.assert_array_equal(handle.get().masked_image.image.array, planes.image.array)
        assert handle.get(component="bbox") == planes.bbox
        assert handle.get(component="masked_image").mask.schema == planes.mask.schema
        box = Box.factory[10:20, 5:30]
        assert handle.get(parameters={"bbox": box}).masked_image.bbox == box


def test_a_dataset_type_of_visit_images_holds_no_others(
    ingested: Path, tmp_path: Path, decam_file: Path
) -> None:
    """A calibrated image lacks what a visit image has, so the file is refused with a way out."""
    with copy_repository(ingested, tmp_path / "rubin") as butler:
        before = records_of(butler)
        report = ingest_images(butler, [decam_file], run="images", check=False)
        (refusal,) = report.refused
        assert "--dataset-type" in refusal.reason
        assert records_of(butler) == before
        other = ingest_images(
            butler, [decam_file], run="images", dataset_type="decam_calexp", check=False
        )
        assert other.ingested == (decam_file,)
