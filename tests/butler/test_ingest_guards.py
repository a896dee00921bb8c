"""What a repository cannot hold is refused before anything is registered, and the others go in."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from astropy.io import fits
from lsst.daf.butler import Butler

from cellcoadd.butler.ingest import ingest_images
from cellcoadd.testing.damaged_files import damaged
from cellcoadd.testing.plain_files import write_camera, write_plain_image

KEYWORDS = {"visit": {"keyword": "EXPNUM"}, "detector": {"keyword": "CCDNUM"}}


def named_image(path: Path, *, visit: int, detector: int, name: str = "N4") -> Path:
    """Write an image whose extension has a name, which is that of its detector."""
    write_plain_image(path, cards={"EXPNUM": visit, "CCDNUM": detector}, seed=visit)
    with fits.open(path) as hdus:
        image = fits.ImageHDU(hdus[0].data.copy(), hdus[0].header.copy(), name=name)
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path, overwrite=True)
    return path


def test_two_detectors_of_one_name_are_refused_by_name(butler: Butler, tmp_path: Path) -> None:
    """The table of detectors has each name once: without this, nothing at all went in."""
    camera = write_camera(tmp_path / "camera.yaml", **KEYWORDS)
    first = named_image(tmp_path / "a.fits", visit=1, detector=3)
    other = named_image(tmp_path / "b.fits", visit=2, detector=4)
    report = ingest_images(butler, [first, other], run="images", camera=camera)
    assert report.ingested == (first,)
    (refusal,) = report.refused
    assert refusal.source == other
    assert "detector 4 of TestCam under the name 'N4', which is that of detector 3" in (
        refusal.reason
    )
    later = named_image(tmp_path / "c.fits", visit=3, detector=5)
    report = ingest_images(butler, [later], run="images", camera=camera)
    assert not report.ingested
    assert "which is that of detector 3" in report.refused[0].reason


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", [True, False])
def test_a_good_file_goes_in_beside_damaged_ones(
    butler: Butler, tmp_path: Path, check: bool, mistakes: list[str]
) -> None:
    """Copies of another visit, damaged at seeded places, are ingested or refused by name."""
    camera = write_camera(tmp_path / "camera.yaml", **KEYWORDS)
    good = named_image(tmp_path / "good.fits", visit=1, detector=3)
    content = named_image(tmp_path / "other.fits", visit=2, detector=3).read_bytes()
    bad = []
    for seed in range(20):
        path = tmp_path / f"bad{seed}.fits"
        path.write_bytes(damaged(content, random.Random(seed))[1])
        bad.append(path)
    report = ingest_images(butler, [*bad, good], run="images", camera=camera, check=check)
    assert good in report.ingested
    assert {*report.ingested, *(one.source for one in report.refused)} == {*bad, good}
    assert all(len(one.reason) > 20 for one in report.refused)
    mistakes.clear()


def test_of_two_copies_the_sound_one_goes_in(butler: Butler, tmp_path: Path) -> None:
    """Also where only headers are looked at, which are the same."""
    camera = write_camera(
        tmp_path / "camera.yaml",
        noise={"inverse_variance": {"file": {"suffix": ".weight.fits"}}},
        **KEYWORDS,
    )
    broken, sound = (
        write_plain_image(tmp_path / name / "image.fits", cards={"CCDNUM": 3}) for name in "ab"
    )
    (tmp_path / "a" / "image.weight.fits").write_bytes(b"no weights")
    report = ingest_images(butler, [broken, sound], run="images", camera=camera, check=False)
    assert report.ingested == (sound,)
    (refusal,) = report.refused
    assert refusal.source == broken
