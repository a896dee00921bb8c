"""`cellcoadd coadd`: files of images in, coadds out, and a word on each that was left out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from lsst.images.cells import CellCoadd

from cellcoadd import MultipleCellCoadd, coadd_files, named_sky_map, read, verify_file
from cellcoadd.field_targets import field_target
from cellcoadd.image_files import expand, read_headers
from cellcoadd.simulate import Camera, VisitPlan, survey_plan, write_survey
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.plain_files import write_plain_image
from cellcoadd.testing.sdss_frames import MadeFrame, write_sdss_frame

SKYMAP = ("--skymap", "hsc_rings_cells_v1", "--tract", "9813")


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three visits of one detector each, the last one in another band. Do not change it."""
    folder = Path(tmp_path_factory.mktemp("survey"))
    visit = VisitPlan(visit=1228, sequence=1)
    plan = survey_plan(
        "tests",
        camera=Camera(columns=1, rows=1, width=560, height=520),
        visits=(
            visit,
            VisitPlan(visit=1230, sequence=2, dither_east=8.0),
            VisitPlan(visit=1232, sequence=3, dither_east=-8.0),
        ),
    )
    write_survey(plan, folder)
    return folder


def test_a_folder_becomes_a_coadd(survey: Path, tmp_path: Path) -> None:
    """The target is found: a tangent plane with the images' own pixels that holds all of them."""
    done = run_command("cellcoadd", "coadd", survey, "-o", tmp_path / "coadd.fits")
    assert done.exit_code == 0, done.output
    assert "3 images, band i: 1 coadd in nJy, with pixels of 0.168" in done.output
    coadd = read(tmp_path / "coadd.fits")
    assert isinstance(coadd, MultipleCellCoadd)
    assert f"{len(coadd.cells)} cells of 3 visits, 3 of 3 images in one of them" in done.output
    assert max(cell.visit_count for cell in coadd.cells.values()) == 3
    assert verify_file(tmp_path / "coadd.fits").damage == ()
    headers, _ = read_headers(expand([str(survey)]))
    target = field_target(headers)
    for image in headers:
        box = image.header.bbox
        sky = image.header.sky_projection.pixel_to_sky(
            x=np.array([box.x.min, box.x.max]), y=np.array([box.y.min, box.y.max])
        )
        tract = target[0]
        x, y = tract.plane.sky_to_pixel(ra=sky.ra.deg, dec=sky.dec.deg)
        assert tract.bbox.contains(x=np.round(x), y=np.round(y)).all()


def test_the_command_is_the_recipe(survey: Path, tmp_path: Path) -> None:
    """On a sky map of Rubin: to the bit, and so that of the two tasks on a repository."""
    done = run_command(
        "cellcoadd", "coadd", survey, "-o", tmp_path / "coadd.fits", *SKYMAP, "--patch", "61"
    )
    assert done.exit_code == 0, done.output
    patch = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
    expected = coadd_files(sorted(survey.glob("*.fits")), patch).coadd
    assert expected is not None
    expected.write(tmp_path / "expected.fits")
    assert read(tmp_path / "coadd.fits") == read(tmp_path / "expected.fits")


def test_names_patterns_and_lists_are_the_same(survey: Path, tmp_path: Path) -> None:
    """A list is of files beside it, with comments; none is taken twice."""
    names = [path.name for path in sorted(survey.glob("*.fits"))]
    written = survey / "night.txt"
    written.write_text("# a night\n" + "\n\n".join(names) + "\n")
    try:
        wanted = [survey / name for name in names]
        assert expand([str(survey)]) == wanted
        assert expand([str(survey / "*.fits"), str(survey)]) == wanted
        assert expand([f"@{written}"]) == wanted
        done = run_command(
            "cellcoadd",
            "coadd",
            f"@{written}",
            "-o",
            tmp_path / "coadd.fits",
            "--format",
            "stitched",
        )
    finally:
        written.unlink()
    assert done.exit_code == 0, done.output
    assert isinstance(CellCoadd.read(str(tmp_path / "coadd.fits")), CellCoadd)
    assert verify_file(tmp_path / "coadd.fits").sealed > 10


def test_several_bands_are_several_coadds_and_companions_are_passed_over(tmp_path: Path) -> None:
    """A folder of SDSS frames has masks and calibrations in it, which are no images."""
    for band in "ri":
        write_sdss_frame(tmp_path / "frames", MadeFrame(band=band))
    done = run_command(
        "cellcoadd", "coadd", tmp_path / "frames", "-o", tmp_path / "out", "-j", "2",
        "--cell-size", "20", "--cell-border", "5",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "2 images, band i, r: 2 coadds" in done.output
    assert "Left out" not in done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"i_0.fits", "r_0.fits"}
    assert read(tmp_path / "out" / "r_0.fits").band == "r"
    one = run_command("cellcoadd", "coadd", tmp_path / "frames", "-o", tmp_path / "one.fits")
    assert one.exit_code == 2
    assert "is one file, but there are 2 coadds: i of patch 0, r of patch 0" in one.output


def test_files_that_cannot_be_used_are_named_and_the_others_go_on(
    survey: Path, tmp_path: Path
) -> None:
    """Exit status 3 tells a script that the coadd is not of all that was asked for."""
    folder = tmp_path / "images"
    shutil.copytree(survey, folder)
    first, second, _ = sorted(folder.glob("*.fits"))
    first.write_bytes(first.read_bytes()[:50_000])
    (folder / "words.fits").write_text("no image")
    twin = tmp_path / "twin.fits"
    shutil.copy(second, twin)
    done = run_command(
        "cellcoadd", "coadd", folder, twin, folder / "words.fits", tmp_path / "none.fits",
        "-o", tmp_path / "coadd.fits",
    )  # fmt: skip
    assert done.exit_code == 3, done.output
    left_out = [line for line in done.output.splitlines() if line.startswith("Left out: ")]
    assert len(left_out) == 4
    for name in (first.name, "words.fits", "twin.fits", "none.fits"):
        assert sum(f"{name}: " in line for line in left_out) == 1
    assert not done.has_traceback
    assert "of 2 visits" in done.output
    assert read(tmp_path / "coadd.fits").cells


def test_nothing_made_is_said_and_nothing_is_left(survey: Path, tmp_path: Path) -> None:
    """Cells larger than the images: exit status 1, the reason, and no file."""
    target = tmp_path / "coadd.fits"
    done = run_command("cellcoadd", "coadd", survey, "-o", target, "--cell-size", "600")
    assert done.exit_code == 1
    assert "No cell of tract 0" in done.output
    assert "cell_inner_size" in done.output
    assert f"{target}: not written" in done.output
    assert not target.exists()
    assert not done.has_traceback


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--patch", "61"), "--tract and --patch need --skymap"),
        (("--skymap", "hsc_rings_cells_v1", "--scale", "0.2"), "has its own pixels"),
        (("--skymap", "hsc_rings_cells_v1", "--patch", "3"), "--patch needs --tract"),
        (("--skymap", "nonesuch"), "nonesuch"),
        ((*SKYMAP, "--patch", "999"), "999"),
        (("--center", "150", "2.2"), "A centre needs a size"),
        (("--scale", "-1"), "must be positive"),
        (("--psf-size", "34"), "odd, got 34"),
    ],
)
def test_wrong_arguments_are_told_before_any_work(
    survey: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """With the value, and exit status 2."""
    done = run_command("cellcoadd", "coadd", survey, "-o", tmp_path / "coadd.fits", *arguments)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert not done.has_traceback
    assert not (tmp_path / "coadd.fits").exists()


def test_a_file_that_is_there_is_kept_unless_it_may_be_replaced(
    survey: Path, tmp_path: Path
) -> None:
    """It is asked before the work is done, not after."""
    target = tmp_path / "coadd.fits"
    target.write_text("mine")
    done = run_command("cellcoadd", "coadd", survey, "-o", target)
    assert done.exit_code == 2
    assert "--overwrite replaces it" in done.output
    assert target.read_text() == "mine"
    assert run_command("cellcoadd", "coadd", survey, "-o", target, "--overwrite").exit_code == 0
    assert read(target).cells


def test_a_field_can_be_given(survey: Path, tmp_path: Path) -> None:
    """Its middle, its size and its pixels; what lies outside is not coadded."""
    headers, _ = read_headers(expand([str(survey)]))
    box = headers[0].header.bbox
    sky = headers[0].header.sky_projection.pixel_to_sky(
        x=float(box.x.min + 280), y=float(box.y.min + 260)
    )
    done = run_command(
        "cellcoadd", "coadd", survey, "-o", tmp_path / "coadd.fits", "--scale", "0.2",
        "--center", f"{sky.ra.deg:.6f}", f"{sky.dec.deg:.6f}", "--size", "0.5",
        "--cell-size", "40", "--cell-border", "10",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    coadd = read(tmp_path / "coadd.fits")
    middle = coadd.sky_projection.sky_to_pixel(sky)
    assert coadd.bbox.contains(x=round(float(middle.x)), y=round(float(middle.y)))
    assert coadd.grid.inner_cell_shape.x == 40
    assert "pixels of 0.2" in done.output


CAMERA = """
name: {keyword: INSTRUME}
unit: count
noise: {inverse_variance: {file: {suffix: .weight.fits}}}
psf: {gaussian: {fwhm: {keyword: SEEING}, unit: arcsec}}
visit: {keyword: EXPNUM}
filter: {keyword: FILTER}
time: {date_obs: {keyword: DATE-OBS}}
"""


def test_plain_images_are_coadded_by_a_definition(tmp_path: Path) -> None:
    """Weights are passed over, two bands are made at a time, and counts are said to be counts."""
    zero_point = "zero_point: {magnitude: {keyword: MAGZERO}, system: AB, per: exposure}"
    (tmp_path / "camera.yaml").write_text(f"{CAMERA}{zero_point}\n")
    (tmp_path / "counts.yaml").write_text(CAMERA)
    for number in range(4):
        write_plain_image(
            tmp_path / "night" / f"img{number}.fits", flux=9e3, seed=number,
            cards={"EXPNUM": number, "FILTER": "gr"[number % 2]},
        )  # fmt: skip
    command = ("cellcoadd", "coadd", tmp_path / "night", "--cell-size", "20", "--cell-border", "5")
    done = run_command(
        *command, "--camera", tmp_path / "camera.yaml", "-o", tmp_path / "out", "-j", "2"
    )
    assert done.exit_code == 0, done.output
    assert "4 images, band g, r: 2 coadds in nJy" in done.output
    assert "Warning" not in done.output
    coadd = read(tmp_path / "out" / "r_0.fits")
    flux = sum(float(cell.inner.image.array.sum()) for cell in coadd.cells.values())
    # 9000 counts of 10^(0.4 (31.4 - 27)) nJy; the noise of 1600 pixels is 40 counts or less.
    assert flux / 57.544 == pytest.approx(9000.0, abs=150.0)
    done = run_command(
        *command, "--camera", tmp_path / "counts.yaml", "-o", tmp_path / "counts", "-j", "1"
    )
    assert done.exit_code == 0, done.output
    assert "2 coadds in counts" in done.output
    counted = read(tmp_path / "counts" / "r_0.fits")
    assert counted.unit == u.count
    flux = sum(float(cell.inner.image.array.sum()) for cell in counted.cells.values())
    assert flux == pytest.approx(9000.0, abs=150.0)
    found = run_command("cellcoadd", "info", tmp_path / "counts" / "r_0.fits").output
    assert ["unit", "counts"] in [line.split() for line in found.splitlines()]
    done = run_command(
        *command, "--camera", tmp_path / "counts.yaml", "-o", tmp_path / "rubin", "--format",
        "lsst-cell-coadds",
    )  # fmt: skip
    assert done.exit_code == 2
    assert "Files of lsst.cell_coadds are in nJy, not in counts" in " ".join(done.output.split())
    (tmp_path / "camera.yaml").write_text(CAMERA.replace("unit: count", "unit: counts"))
    done = run_command(*command, "--camera", tmp_path / "camera.yaml", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "camera.yaml: unit must be one of" in done.output
    done = run_command(*command, "-o", tmp_path / "none.fits")
    assert done.exit_code == 2
    assert "plain FITS of any camera are read with --camera" in done.output
    done = run_command(*command, "-o", tmp_path / "none.fits", "--camera", "nonesuch")
    assert done.exit_code == 2
    assert "calibrated, decam, decam-cp," in done.output


def test_nothing_of_repositories_is_loaded() -> None:
    """Pipelines and what we have for them take a second of every start, and are of no use here.

    lsst.images itself loads the Butler where that is installed.
    """
    program = "import sys, cellcoadd.field_coadds, cellcoadd.cli.coadd; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert "cellcoadd.recipes" in loaded
    assert loaded.isdisjoint(
        {"cellcoadd.butler", "cellcoadd.tasks", "lsst.pipe.base", "lsst.ctrl.mpexec", "matplotlib"}
    )
