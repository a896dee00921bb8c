"""`cellcoadd info`: what a file is, and how it would be read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cellcoadd import MultipleCellCoadd, tabulate_cells
from cellcoadd.simulate import Camera, VisitPlan, survey_plan, write_survey
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.plain_files import write_camera, write_plain_image
from cellcoadd.testing.sdss_frames import MadeFrame, write_sdss_frame
from cellcoadd.warping.direct import DirectWarp


def lines_of(output: str) -> dict[str, str]:
    """Labels and texts of one file."""
    found = re.findall(r"^  (\w[\w ]*?)  +(\S.*)$", output, re.MULTILINE)
    return dict(found)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated visit image with an empty sky."""
    plan = survey_plan(
        "tests",
        camera=Camera(columns=1, rows=1, width=300, height=200),
        visits=(VisitPlan(visit=1228, sequence=1),),
        sky=None,
        artifacts=None,
    )
    return write_survey(plan, tmp_path_factory.mktemp("info")).images[0]


def test_an_image_is_described_as_it_would_be_read(image: Path) -> None:
    """Numbers are those of the plan: pixels of 0.168 arcsec, its seeing, an honest noise."""
    done = run_command("cellcoadd", "info", image)
    assert done.exit_code == 0, done.output
    found = lines_of(done.output)
    assert found["kind"] == "an image of a survey"
    assert found["read by"] == "rubin"
    assert found["camera"].startswith("HSC, detector 0")
    assert found["visit"].startswith("1228, ")
    assert found["filter"] == "HSC-I, band i"
    assert found["pixels"].startswith("300 x 200 of 0.168")
    assert "as they were written" in found["checksums"]
    assert found["zero point"].startswith("31.4000 mag AB for one count, 1 nJy")
    width = float(found["PSF"].partition("FWHM ")[2].partition('"')[0])
    assert 0.4 < width < 1.2
    ratio = float(found["sky"].partition("variance is ")[2].partition(" times")[0])
    assert ratio == pytest.approx(1.0, abs=0.05)


def test_a_frame_of_another_survey_has_its_own_zero_point(tmp_path: Path) -> None:
    """And what belongs to it is said to belong to it."""
    write_sdss_frame(tmp_path, MadeFrame())
    frame = next(path for path in tmp_path.rglob("fpC*"))
    found = lines_of(run_command("cellcoadd", "info", frame).output)
    assert found["read by"] == "sdss"
    expected = 2.5 * np.log10(53.907456) - (MadeFrame().aa + MadeFrame().kk * MadeFrame().airmass)
    assert float(found["zero point"].split()[0]) == pytest.approx(expected, abs=1e-4)
    mask = next(path for path in tmp_path.rglob("fpM*"))
    found = lines_of(run_command("cellcoadd", "info", mask).output)
    assert found == {"kind": "belongs to an image of a survey, which finds it by itself"}


def test_plain_fits_is_described_by_the_definition_of_its_camera(tmp_path: Path) -> None:
    """Which is named as the way out where there is none; without a zero point that is said."""
    path = write_plain_image(tmp_path / "image.fits")
    alone = run_command("cellcoadd", "info", path)
    assert alone.exit_code == 1
    assert "--camera" in alone.output
    camera = write_camera(tmp_path / "camera.yaml")
    done = run_command("cellcoadd", "info", "--camera", camera, path)
    assert done.exit_code == 0, done.output
    found = lines_of(done.output)
    assert found["camera"].startswith("TestCam, detector 0")
    assert float(found["zero point"].split()[0]) == pytest.approx(27.0, abs=1e-4)
    counts = write_camera(tmp_path / "counts.yaml", zero_point=None)
    found = lines_of(run_command("cellcoadd", "info", "--camera", counts, path).output)
    assert found["zero point"] == "none: pixels stay in counts"
    wrong = run_command("cellcoadd", "info", "--camera", tmp_path / "none.yaml", path)
    assert wrong.exit_code == 2
    assert "there is no such camera" in wrong.output


def test_products_are_described(
    cell_coadd: MultipleCellCoadd, direct_warps: list[DirectWarp], tmp_path: Path
) -> None:
    """By what they say of themselves."""
    cell_coadd.write(tmp_path / "coadd.fits")
    direct_warps[0].warp.write(tmp_path / "warp.fits")
    tabulate_cells(cell_coadd).write(tmp_path / "table.ecsv")
    done = run_command(
        "cellcoadd", "info", *(tmp_path / n for n in ("coadd.fits", "warp.fits", "table.ecsv"))
    )
    assert done.exit_code == 0, done.output
    coadd, warp, table = re.split(r"^(?=\S)", done.output, flags=re.MULTILINE)[1:]
    assert lines_of(coadd)["kind"] == "a MultipleCellCoadd"
    assert lines_of(coadd)["cells"] == "10 of 25 filled"
    assert lines_of(warp)["visit"] == "1"
    assert lines_of(table)["kind"] == "a table (ECSV)"


def test_what_is_nothing_is_said_to_be(tmp_path: Path) -> None:
    """With the reason, and the other files all the same; so is damage."""
    (tmp_path / "words.txt").write_text("no image")
    done = run_command("cellcoadd", "info", tmp_path / "words.txt", tmp_path / "none.fits")
    assert done.exit_code == 1
    assert "words.txt: it is none of the kinds of file that are known" in done.output
    assert "none.fits" in done.output
    assert not done.has_traceback
