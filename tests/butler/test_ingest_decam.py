"""Images of another survey: written anew as one file with all that belongs to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lsst.daf.butler import Butler
from lsst.images import Box

from cellcoadd.butler.ingest import ingest_images
from cellcoadd.surveys import reader_for
from cellcoadd.testing.decam_exposure import DecamExposure
from cellcoadd.testing.repositories import copy_repository, files_of, records_of


@pytest.fixture(scope="module")
def decam_file(shared: Path) -> Path:
    """A DECam image with all that belongs to it."""
    folder = shared / "data/decam_decals/testcase4/images/decam/CP/V4.8.2/CP20170521"
    return folder / "c4d_170522_005829_ooi_r_ls9.N2.fits"


def test_a_decam_image_comes_back_as_it_was(butler: Butler, root: Path, decam_file: Path) -> None:
    """Image, weights, mask, PSF and calibration are one dataset, whatever becomes of the files."""
    report = ingest_images(butler, [decam_file], run="images", check=False)
    assert report.ingested == (decam_file,)
    before = records_of(butler), files_of(root)
    again = ingest_images(butler, [decam_file], run="images")
    assert again.already_there == (decam_file,)
    assert (records_of(butler), files_of(root)) == before
    expected = reader_for(decam_file).read(decam_file).calibrated_image
    with Butler.from_config(root) as fresh:
        (ref,) = fresh.query_datasets("calexp", "images")
        got = fresh.get(ref)
        assert fresh.get("calexp.bbox", ref.dataId, collections="images") == got.masked_image.bbox
    assert got.observation == expected.observation
    assert got.nanojansky_per_count == expected.nanojansky_per_count
    np.testing.assert_array_equal(got.masked_image.image.array, expected.masked_image.image.array)
    np.testing.assert_allclose(
        got.psf.compute_kernel_image(x=500, y=600).array,
        expected.psf.compute_kernel_image(x=500, y=600).array,
        atol=1e-7,
    )


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


def test_a_missing_companion_is_reported_by_its_own_name(butler: Butler, tmp_path: Path) -> None:
    """The image exists; it is its weight map or its data quality that does not."""
    for number, letter in enumerate("wd"):
        image = DecamExposure().write(tmp_path / str(number))
        missing = image.with_name(image.name.replace("_ooi_", f"_oo{letter}_"))
        missing.unlink()
        report = ingest_images(butler, [image], run="images", check=False)
        (refusal,) = report.refused
        assert refusal.source == image
        assert refusal.reason == f"{missing}: there is no such file."
