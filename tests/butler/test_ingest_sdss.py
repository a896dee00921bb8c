"""Frames of SDSS: one visit a run, field and band, with the columns of the camera as detectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.daf.butler import Butler

from cellcoadd.butler.candidates import find_images
from cellcoadd.butler.ingest import ingest_images
from cellcoadd.surveys import READERS, reader_for
from cellcoadd.testing.commands import run_program
from cellcoadd.testing.repositories import files_of, records_of
from cellcoadd.testing.sdss_frames import MadeFrame, write_sdss_frame


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bands of two columns of the camera, and another run in one of them. Do not change it."""
    folder = tmp_path_factory.mktemp("sdss")
    for band in "ri":
        for camcol in (4, 5):
            ra, dec = 351.65, 0.1 + 0.42 * (camcol - 4)
            frame = MadeFrame(band=band, camcol=camcol, ra_deg=ra, dec_deg=dec)
            write_sdss_frame(folder, frame, spans={"SATUR": [(5, 6, 7)]})
    write_sdss_frame(folder, MadeFrame(run=6377, field=399, tai=4_665_448_596.13))
    return folder


def test_folders_are_searched_for_frames_alone(archive: Path) -> None:
    """Companions lie between them, and are no images."""
    found = find_images([archive])
    assert [path.name for path in found] == [
        "fpC-004192-i4-0300.fit.gz",
        "fpC-004192-r4-0300.fit.gz",
        "fpC-004192-i5-0300.fit.gz",
        "fpC-004192-r5-0300.fit.gz",
        "fpC-006377-r4-0399.fit.gz",
    ]
    assert find_images([archive], camera=READERS["sdss"]) == found
    assert find_images([archive], camera=READERS["decam"]) == []


def test_frames_come_back_as_they_were(butler: Butler, root: Path, archive: Path) -> None:
    """Pixels, mask, PSF and calibration are one dataset; a second ingest changes nothing."""
    paths = find_images([archive])
    report = ingest_images(butler, paths, run="images")
    assert (len(report.ingested), report.refused) == (5, ())
    before = records_of(butler), files_of(root)
    again = ingest_images(butler, paths, run="images")
    assert len(again.already_there) == 5
    assert (records_of(butler), files_of(root)) == before
    expected = reader_for(paths[1]).read(paths[1]).calibrated_image
    with Butler.from_config(root) as fresh:
        got = fresh.get(
            "calexp", instrument="SDSS", visit=419203001, detector=14, collections="images"
        )
    assert got.observation == expected.observation
    assert got.nanojansky_per_count == expected.nanojansky_per_count
    assert got.mean_variance == expected.mean_variance
    assert got.quality == expected.quality
    for plane in ("image", "variance", "mask"):
        np.testing.assert_array_equal(
            getattr(got.masked_image, plane).array,
            getattr(expected.masked_image, plane).array,
            err_msg=plane,
        )
    np.testing.assert_array_equal(
        got.psf.compute_kernel_image(x=50, y=60).array,
        expected.psf.compute_kernel_image(x=50, y=60).array,
    )


def test_camera_filters_nights_and_visits_are_registered(butler: Butler, archive: Path) -> None:
    """A visit has one filter, and its region holds all columns of the camera that are there."""
    ingest_images(butler, find_images([archive]), run="images", check=False)

    def rows(element: str) -> list[Any]:
        return list(butler.query_dimension_records(element, instrument="SDSS"))

    assert {row.name: row.band for row in rows("physical_filter")} == {"r": "r", "i": "i"}
    detectors = {row.id: row.full_name for row in rows("detector")}
    assert detectors == {14: "r4", 15: "r5", 24: "i4", 25: "i5"}
    visits = {row.id: row for row in rows("visit")}
    assert {id_: (v.physical_filter, v.day_obs, v.name) for id_, v in visits.items()} == {
        419203001: ("r", 20031018, "004192-0300-r"),
        419203002: ("i", 20031018, "004192-0300-i"),
        637703991: ("r", 20060919, "006377-0399-r"),
    }
    regions = rows("visit_detector_region")
    assert len(regions) == 5
    for region in regions:
        assert visits[region.visit].region.contains(region.region)
    assert visits[419203001].exposure_time == 53.907456


def test_companions_on_the_command_line_are_named_and_frames_go_in(
    butler: Butler, root: Path, archive: Path
) -> None:
    """Somebody gives all files of a folder."""
    (frame,) = archive.rglob("fpC-006377-*")
    companions = [path for path in archive.rglob("*6377*") if path.is_file() and path != frame]
    assert len(companions) == 3
    report = ingest_images(butler, [frame, *companions], run="images", check=False)
    assert report.ingested == (frame,)
    assert len(report.refused) == 3
    assert all("belongs to one" in refusal.reason for refusal in report.refused)
    done = run_program("butler", "ingest-calibrated", str(root), str(frame), *map(str, companions))
    assert done.exit_code == 0, done.output
    assert "it is no image, but belongs to one" in done.output
