"""Readers of other packages, found by the entry point ``cellcoadd.cameras``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cellcoadd.simulate import Camera, VisitPlan, survey_plan, write_survey

CAMERA = '''
from cellcoadd.surveys import reader_for


class Renamed:
    """Takes files whose names begin with sky: images of a survey under another name."""

    name = "renamed"

    def recognizes(self, path):
        return path.name.startswith("sky")

    def read_header(self, path):
        return self.read(path).header

    def read(self, path):
        image = path.with_name("visit_image.fits")
        return reader_for(image).read(image)


class Rival:
    """Has the name of a reader that is there."""

    name = "sdss"
'''

ENTRY_POINTS = """[cellcoadd.cameras]
renamed = some_camera:Renamed
rival = some_camera:Rival
broken = some_camera:NoSuchThing
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with an installed package that brings a camera, a rival and a broken one."""
    folder = tmp_path / "packages"
    about = folder / "some_camera-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "some_camera.py").write_text(CAMERA)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: some-camera\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def test_a_camera_of_another_package_reads_its_files(package: Path, tmp_path: Path) -> None:
    """By the command, too; one that is broken or has a name that is taken is said and left out."""
    plan = survey_plan(
        "tests",
        camera=Camera(columns=1, rows=1, width=560, height=520),
        visits=(VisitPlan(visit=1228, sequence=1),),
    )
    write_survey(plan, tmp_path / "survey")
    (image,) = (tmp_path / "survey").rglob("*.fits")
    image.rename(tmp_path / "visit_image.fits")
    (tmp_path / "sky.raw").write_text("the pixels are elsewhere")
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from cellcoadd.cli import main; main()", "coadd"),
            *(str(tmp_path / "sky.raw"), "-o", str(tmp_path / "coadd.fits")),
        ],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 image in one of them" in done.stdout
    assert (tmp_path / "coadd.fits").is_file()
    assert "The camera broken (some_camera:NoSuchThing) cannot be loaded" in done.stderr
    assert "The camera rival (some_camera:Rival) is left out: sdss exists." in done.stderr
