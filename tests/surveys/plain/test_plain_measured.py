"""PSFs and skies that are measured by the definition of a camera, and by the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellcoadd import MissingCellError, MultipleCellCoadd, coadd_files, read
from cellcoadd.conventions import FWHM_PER_SIGMA, nanojansky_per_count
from cellcoadd.errors import UnusableInputError
from cellcoadd.psfs.models import ImagePointSpreadFunction, PsfexPointSpreadFunction
from cellcoadd.skymap.fields import field_sky_map
from cellcoadd.surveys import camera_reader
from cellcoadd.surveys.measured_psf import PsfMeasurement
from cellcoadd.surveys.measured_sky import SkyMesh
from cellcoadd.surveys.plain.definition_files import load_camera
from cellcoadd.surveys.plain.draft import draft_camera
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.plain_files import (
    write_camera,
    write_plain_image,
    write_planes,
    write_star_image,
)
from cellcoadd.testing.star_fields import StarField

NOISE = 3.0
CAMERA: dict[str, Any] = {"noise": {"constant": {"rms": NOISE}}, "visit": {"keyword": "EXPNUM"}}


def write_stars(path: Path, *, visit: int = 7, sky: float = 0.0, fwhm: float = 4.0) -> StarField:
    """Write an image of 36 stars, at the same places in all visits."""
    return write_star_image(path, fwhm=fwhm, sky=sky, noise=NOISE, cards={"EXPNUM": visit})


@pytest.mark.parametrize(
    ("psf", "expected"),
    [
        ("measured", PsfMeasurement()),
        ({"measured": {}}, PsfMeasurement()),
        ({"measured": {"degree": 2}}, PsfMeasurement(degree=2)),
        (
            {"measured": {"signal_to_noise": 25, "degree": 0}},
            PsfMeasurement(signal_to_noise=25.0, degree=0),
        ),
    ],
)
def test_definitions_ask_for_measured_psfs(
    tmp_path: Path, psf: Any, expected: PsfMeasurement
) -> None:
    found = load_camera(write_camera(tmp_path / "camera.yaml", psf=psf)).psf
    assert (found.kind, found.measurement) == ("measured", expected)


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [({}, SkyMesh()), ({"size": 64}, SkyMesh(size=64)), ({"filter": 5}, SkyMesh(filter=5))],
)
def test_definitions_ask_for_measured_skies(
    tmp_path: Path, mesh: dict[str, int], expected: SkyMesh
) -> None:
    assert load_camera(write_camera(tmp_path / "c.yaml", sky={"mesh": mesh})).sky == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"psf": None}, "measured from the stars of each image (psf: measured, or --measure-psf)"),
        ({"psf": "stars"}, "psf must be a mapping of keys to values, got 'stars'"),
        ({"psf": {"measured": {"degree": 3}}}, "psf.measured: degree must be in 0..2, got 3"),
        ({"psf": {"measured": {"degree": 1.5}}}, "psf.measured.degree must be a whole number"),
        ({"psf": {"measured": {"signal_to_noise": 2}}}, "signal_to_noise must be 10 or more"),
        ({"psf": {"measured": {"stars": 2}}}, "psf.measured.stars is not a key"),
        ({"sky": {"mesh": {"size": 3}}}, "sky.mesh.size must be 16 pixels or more, got 3"),
        ({"sky": {"mesh": {"size": "big"}}}, "sky.mesh.size must be a whole number"),
        ({"sky": {"mesh": {"filter": 4}}}, "sky.mesh.filter must be odd"),
        ({"sky": {"mesh": {"width": 4}}}, "sky.mesh.width is not a key"),
        ({"sky": {"mesh": {}, "keyword": "SKY"}}, "sky.keyword is not a key"),
        ({"sky": {"mash": {}}}, "sky must be a value, or have the key 'keyword'"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UnusableInputError) as caught:
        load_camera(write_camera(tmp_path / "camera.yaml", **changes))
    assert said in str(caught.value)


def test_an_image_has_the_psf_of_its_stars_and_no_sky(tmp_path: Path) -> None:
    """Sky: a thousand counts and a slope, of which two per cent of the noise is left."""
    path = tmp_path / "image.fits"
    field = write_stars(path, sky=1000.0)
    camera = write_camera(
        tmp_path / "camera.yaml", psf="measured", sky={"mesh": {"size": 96}}, **CAMERA
    )
    image = camera_reader(camera).read(path)
    made = image.calibrated_image
    assert isinstance(made.psf, PsfexPointSpreadFunction)
    assert image.psf_quality is not None
    assert image.psf_quality.stars == made.quality.n_psf_star == 36
    assert made.quality.psf_sigma == pytest.approx(4.0 / FWHM_PER_SIGMA, rel=0.01)
    assert image.sky_quality is not None
    assert image.sky_quality.lowest == pytest.approx(1000.0, abs=2.0)
    assert image.sky_quality.highest == pytest.approx(1200.0, abs=2.0)
    off = made.masked_image.image.array - field.planes.image.array
    assert abs(float(off.mean())) < 0.02 * NOISE + 0.02 * NOISE
    assert float(off.std()) < 0.1 * NOISE
    plain = camera_reader(write_camera(tmp_path / "other.yaml", sky=1000.0, **CAMERA)).read(path)
    assert isinstance(plain.calibrated_image.psf, ImagePointSpreadFunction)
    assert (plain.psf_quality, plain.sky_quality) == (None, None)


def test_too_few_stars_or_too_small_an_image_name_the_file(tmp_path: Path) -> None:
    path = write_plain_image(tmp_path / "image.fits", side=100, flux=5000.0)
    camera = write_camera(tmp_path / "camera.yaml", psf="measured")
    with pytest.raises(UnusableInputError, match=r"image.fits: its PSF cannot be measured: 1 of 1"):
        camera_reader(camera).read(path)
    with pytest.raises(
        UnusableInputError, match=r"image.fits: its sky cannot be measured on cells"
    ):
        camera_reader(camera, sky_mesh=128).read(path)
    with pytest.raises(ValueError, match="16 pixels or more, got 5"):
        camera_reader(camera, sky_mesh=5)


def test_measuring_takes_the_place_of_what_a_definition_says(tmp_path: Path) -> None:
    """Of any kind of PSF, or none; and a PSF's file that lies beside an image is still no image."""
    path = tmp_path / "image.fits"
    write_stars(path)
    stamp = np.zeros((5, 5))
    stamp[2, 2] = 1.0
    write_planes(tmp_path / "image.psf.fits", stamp)
    for psf in (None, {"gaussian": {"fwhm": 9.0, "unit": "pixel"}}, "measured",
                {"image": {"file": {"suffix": ".psf.fits"}}}):  # fmt: skip
        reader = camera_reader(
            write_camera(tmp_path / "camera.yaml", psf=psf, **CAMERA), measure_psf=True
        )
        found = reader.read(path).calibrated_image.quality
        assert found.n_psf_star == 36
    assert reader.is_companion(tmp_path / "image.psf.fits")
    meshes = [
        camera_reader(write_camera(tmp_path / "c.yaml", sky=sky), sky_mesh=64).camera.sky
        for sky in (None, 12.0, {"mesh": {"filter": 1}})
    ]
    assert meshes == [SkyMesh(size=64)] * 3


def test_stars_of_a_coadd_have_the_flux_that_they_were_drawn_with(tmp_path: Path) -> None:
    """Files in, coadd out: fitted with the cells' PSFs, all together to 0.5 %."""
    paths = [tmp_path / f"image{visit}.fits" for visit in (1, 2)]
    fields = [
        write_stars(path, visit=visit, sky=300.0, fwhm=width)
        for path, visit, width in zip(paths, (1, 2), (4.0, 4.6), strict=True)
    ]
    camera = write_camera(tmp_path / "camera.yaml", psf=None, **CAMERA)
    output = tmp_path / "coadd.fits"
    done = run_command(
        "cellcoadd", "coadd", *paths, "--camera", camera, "--measure-psf", "--subtract-sky", "96",
        "--cell-size", "50", "--cell-border", "25", "-o", output,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Left out" not in done.output
    coadd: MultipleCellCoadd = read(output)
    stitched = coadd.stitch()
    frame = camera_reader(camera, measure_psf=True).read(paths[0]).header.sky_projection
    sky = frame.pixel_to_sky(x=fields[0].x, y=fields[0].y)
    there = stitched.sky_projection.sky_to_pixel(sky)
    fitted, drawn = 0.0, 0.0
    for x, y, counts in zip(there.x, there.y, fields[0].flux, strict=True):
        try:
            star = coadd.psf.compute_stellar_image(x=float(x), y=float(y))
        except MissingCellError:  # at the edge, where no cell is covered
            continue
        if not stitched.bbox.contains(star.bbox):
            continue
        pixels = stitched.image[star.bbox].array.astype(np.float64)
        fitted += float((pixels * star.array).sum() / (star.array**2).sum())
        drawn += counts * nanojansky_per_count(27.0)
    assert drawn > 20 * fields[0].flux.min() * nanojansky_per_count(27.0)
    # The two images have the same noise, but fluxes that go with the width of the PSF at one S/N.
    wider = float(np.mean(fields[1].flux / fields[0].flux))
    assert fitted / (drawn * 0.5 * (1.0 + wider)) == pytest.approx(1.0, abs=5e-3)


def test_the_commands_measure_and_say_how_well(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    write_stars(path, sky=500.0)
    camera = write_camera(tmp_path / "camera.yaml", **CAMERA)
    done = run_command(
        "cellcoadd", "info", path, "--camera", camera, "--measure-psf", "--subtract-sky", "64"
    )
    assert done.exit_code == 0, done.output
    assert "measured from 36 stars of 36 sources, linear in x and y: FWHM " in done.output
    assert 'FWHM 0.80" in the middle' in done.output
    assert "measured on 6 x 6 cells by" in done.output
    plain = run_command("cellcoadd", "info", path, "--camera", camera)
    assert plain.exit_code == 0, plain.output
    assert "measured" not in plain.output
    for command in (("info", path), ("coadd", path, "-o", tmp_path / "out.fits")):
        for option in (("--measure-psf",), ("--subtract-sky", "64")):
            done = run_command("cellcoadd", *command, *option)
            assert done.exit_code == 2
            assert "--measure-psf and --subtract-sky need --camera" in done.output
            done = run_command("cellcoadd", *command, *option, "--camera", "decam")
            assert done.exit_code == 2
            assert "decam: its files say what PSF and sky are" in done.output


def test_recipes_take_a_reader_that_measures(tmp_path: Path) -> None:
    """And an image with too few stars is left out by name."""
    write_stars(tmp_path / "image.fits", visit=1)
    write_plain_image(tmp_path / "empty.fits", side=200, weight_suffix=None, cards={"EXPNUM": 2})
    camera = camera_reader(
        write_camera(tmp_path / "camera.yaml", psf=None, **CAMERA), measure_psf=True
    )
    sky_map = field_sky_map(
        ra=np.array([150.0]), dec=np.array([2.0]), pixel_scale_arcsec=0.2, cell_inner_size=40,
        cell_border=10,
    )  # fmt: skip
    patch = sky_map[0].find_patch(ra=150.0, dec=2.0)
    result = coadd_files(sorted(tmp_path.glob("*.fits")), patch, camera=camera)
    assert result.coadd is not None
    assert [error.source for error in result.refused] == [str(tmp_path / "empty.fits")]


def test_drafts_name_both(tmp_path: Path) -> None:
    text = draft_camera(write_plain_image(tmp_path / "image.fits"))
    assert "# measured: {}" in text
    assert "# sky: {mesh: {size: 128}}" in text
