"""Plain FITS into a repository by a definition of their camera, mosaics detector by detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lsst.daf.butler import Butler

from cellcoadd.butler.repository import make_repository
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.surveys import camera_reader, images_in
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.mosaics import write_mosaic
from cellcoadd.testing.plain_files import write_camera, write_plain_image

WEIGHTS = {"inverse_variance": {"file": {"suffix": ".weight.fits"}}}


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    """Two visits of two detectors each, a file a visit, and the definition of the camera."""
    for visit in (1, 2):
        parts = {}
        for detector in (4, 7):
            path = write_plain_image(
                tmp_path / f"parts/{visit}_{detector}.fits",
                seed=10 * visit + detector,
                cards={"EXPNUM": visit, "CCDNUM": detector, "CRVAL1": 150.0 + 0.01 * detector},
            )
            parts[f"CCD{detector}"] = path
        write_mosaic(tmp_path / f"visits/v{visit}.fits", parts)
        weights = {n: p.with_name(f"{p.stem}.weight.fits") for n, p in parts.items()}
        write_mosaic(tmp_path / f"visits/v{visit}.weight.fits", weights)
    write_camera(
        tmp_path / "camera.yaml",
        image={"detectors": "all"},
        noise=WEIGHTS,
        visit={"keyword": "EXPNUM"},
        detector={"keyword": "CCDNUM"},
        band={"r.01": "r"},
    )
    return tmp_path


def test_a_folder_of_mosaics_is_ingested_by_a_definition(visits: Path) -> None:
    """Each detector is a dataset with the pixels that the reader gives; weights are no images."""
    repo, camera = visits / "repo", visits / "camera.yaml"
    make_repository(repo).close()
    command = ("butler", "ingest-calibrated", repo, visits / "visits", "--camera", camera)
    done = run_command(*command)
    assert done.exit_code == 0, done.output
    assert "4 files ingested into calibrated/images, 0 there already, 0 refused." in done.output
    reader = camera_reader(camera)
    with Butler.from_config(repo, collections="calibrated") as butler:
        for visit in (1, 2):
            for address in images_in(reader, visits / f"visits/v{visit}.fits"):
                expected = reader.read(address).calibrated_image
                found: CalibratedImage = butler.get(
                    "calexp",
                    instrument="TestCam",
                    visit=visit,
                    detector=expected.observation.detector,
                )
                assert found.observation == expected.observation
                for plane in ("image", "variance", "mask"):
                    np.testing.assert_array_equal(
                        getattr(found.masked_image, plane).array,
                        getattr(expected.masked_image, plane).array,
                    )
    again = run_command(*command)
    assert "0 files ingested into calibrated/images, 4 there already" in again.output


def test_what_is_wrong_with_a_definition_is_told(visits: Path) -> None:
    """Nothing is changed; a reader's name and a definition are given by the same option."""
    repo = visits / "repo"
    make_repository(repo).close()
    for camera, said in (("hubble", "there is no such camera"), ("sdss", "the reader sdss")):
        done = run_command(
            "butler", "ingest-calibrated", repo, visits / "visits", "--camera", camera
        )
        assert done.exit_code == 1
        assert said in done.output
        assert not done.has_traceback
