"""Forty broken inputs and definitions: each is told in one line, with the way out, once.

All broken images lie in one folder with two good ones, and one command is given the folder.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from cellcoadd import read
from cellcoadd.testing.commands import Outcome, run_command
from cellcoadd.testing.plain_files import write_camera, write_plain_image, write_planes

SIDE = 120
WEIGHTS = {"inverse_variance": {"file": {"suffix": ".weight.fits"}}}

HEADERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "zero_point_of_0": ({"MAGZERO": 0.0}, "which stands for none", "give the magnitude itself"),
    "zero_point_of_99": ({"MAGZERO": 99.0}, "which stands for none", "give the magnitude itself"),
    "no_zero_point": ({"MAGZERO": None}, "no value of MAGZERO", "a value can be given there"),
    "zero_point_in_words": ({"MAGZERO": "unknown"}, "it is 'unknown'", "must be a finite number"),
    "seeing_in_pixels": ({"SEEING": 80.0}, "SEEING says 400", "look at psf.gaussian.unit"),
    "no_seeing": ({"SEEING": None}, "no value of SEEING", "a value can be given there"),
    "no_date": ({"DATE-OBS": "yesterday"}, "it is 'yesterday'", "must be a date such as"),
    "no_filter": ({"FILTER": ""}, "no value of FILTER", "a value can be given there"),
    "half_a_visit": ({"EXPNUM": 1.5}, "it is 1.5", "must be a whole number"),
    "equinox_of_1950": ({"RADESYS": "FK4", "EQUINOX": 1950.0}, "its frame is FK4", "rewrite its"),
    "no_wcs": ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "no WCS", "solve its astrometry"),
    "scale_in_arcsec": ({"CD1_1": -0.2, "CD2_2": 0.2}, "720 arcsec", "is its matrix in degrees?"),
    "matrix_of_zeros": ({"CD1_1": 0.0, "CD2_2": 0.0}, "arcsec", "is its matrix in degrees?"),
    "beyond_the_sky": ({"CRVAL1": 9e99}, "CRVAL1 = 9e+99", "solve the astrometry again"),
    "beyond_the_pole": ({"CRVAL2": 95.0}, "its WCS cannot be read", "look at CTYPE, CRVAL and CD"),
}
"""Cards, what is said of them, and the way out."""


def weights_of(values: Any) -> Callable[[Path], object]:
    def break_it(path: Path) -> None:
        write_planes(path.with_name(f"{path.stem}.weight.fits"), values)

    return break_it


def pixels_of(value: float) -> Callable[[Path], object]:
    def break_it(path: Path) -> None:
        with fits.open(path, mode="update") as hdus:
            hdus[0].data.fill(value)

    return break_it


def cut(length: int, name: str = "{}.fits") -> Callable[[Path], object]:
    def break_it(path: Path) -> None:
        file = path.with_name(name.format(path.stem))
        file.write_bytes(file.read_bytes()[:length])

    return break_it


def half_a_gzip(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data)[:2000])


def other_hdus(*hdus: Any) -> Callable[[Path], object]:
    return lambda path: fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)


PIXELS = np.ones((SIDE, SIDE), np.float32)
FILES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "text": (lambda path: path.write_text("no image"), "cannot be read as FITS", "get it again"),
    "empty": (lambda path: path.write_bytes(b""), "cannot be read as FITS", "get it again"),
    "cut": (cut(20_000), "truncated", "get it again"),
    "cut_header": (cut(1000), "cannot be read as FITS", "get it again"),
    "half_a_gzip": (half_a_gzip, "cannot be unpacked", "get it again"),
    "no_weights": (
        lambda path: path.with_name(f"{path.stem}.weight.fits").unlink(),
        "no_weights.weight.fits must lie beside it",
        "the camera's definition says so in noise.inverse_variance",
    ),
    "small_weights": (weights_of(PIXELS[:5, :5]), "5 rows and 5 columns", "must be the same"),
    "no_weight": (weights_of(0 * PIXELS), "no pixel has a weight", "map of inverse variances?"),
    "minus_weights": (weights_of(-PIXELS), "no pixel has a weight", "map of inverse variances?"),
    "nan_weights": (weights_of(np.nan * PIXELS), "no pixel has a weight", "inverse variances?"),
    "cut_weights": (cut(9000, "{}.weight.fits"), "truncated", "get it again"),
    "weights_of_another_unit": (
        weights_of(1e4 * PIXELS), "times what its variance plane says", "unit of its pixels?"
    ),
    "nothing_finite": (pixels_of(np.nan), "no pixel has a variance", "nothing to coadd in it"),
    "dead": (pixels_of(3.0), "its pixels are all the same", "`check_noise: false`"),
    "cube": (
        other_hdus(fits.ImageHDU(np.zeros((2, 30, 30), np.float32))),
        "none of its extensions is an image of two axes", "of a cube, write one plane",
    ),
    "table": (
        other_hdus(fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])])),
        "none of its extensions is an image of two axes", "of a cube, write one plane",
    ),
    "mosaic": (
        other_hdus(fits.ImageHDU(PIXELS), fits.ImageHDU(PIXELS)),
        "there are 2 (1, 2)", "`image: {detectors: all}`",
    ),
    "twin": (
        lambda path: shutil.copy(path.with_name("good_1.fits"), path),
        "which ", "is already: give one",
    ),
}  # fmt: skip
"""What is done to a file, what is said of it, and the way out."""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """What the command says of all of them at once, and the coadd of the good ones."""
    folder: Path = tmp_path_factory.mktemp("broken")
    camera = write_camera(
        folder / "camera.yaml", noise=WEIGHTS, visit={"keyword": "EXPNUM"}, check_noise=True
    )
    images = folder / "images"
    names = ["good_1", "good_2", *HEADERS, *FILES]
    for number, name in enumerate(names, 1):
        cards = {"EXPNUM": number} | (HEADERS[name][0] if name in HEADERS else {})
        path = write_plain_image(
            images / f"{name}.fits", side=SIDE, seed=number, flux=5000.0, cards=cards
        )
        if name in FILES:
            FILES[name][0](path)
    target = folder / "coadd.fits"
    done = run_command("cellcoadd", "coadd", images, "--camera", camera, "-o", target)
    return done, target


def test_the_others_go_on(outcome: tuple[Outcome, Path]) -> None:
    """Exit status 3, and a coadd of the two that are whole."""
    done, target = outcome
    assert done.exit_code == 3, done.output
    assert not done.has_traceback
    cells = read(target).cells.values()
    assert {entry.visit for cell in cells for entry in cell.inputs} == {1, 2}
    told = [line for line in done.output.splitlines() if line.startswith("Left out: ")]
    assert len(told) == len(HEADERS) + len(FILES) >= 30


@pytest.mark.parametrize("name", [*HEADERS, *FILES])
def test_a_broken_input_is_one_line(outcome: tuple[Outcome, Path], name: str) -> None:
    """File, rule and way out, told once."""
    _, rule, way_out = HEADERS[name] if name in HEADERS else FILES[name]
    lines = [line for line in outcome[0].output.splitlines() if f"/{name}." in line]
    (line,) = (line for line in lines if line.startswith("Left out: "))
    assert rule in line
    assert way_out in line


@pytest.mark.parametrize(
    ("text", "rule", "way_out"),
    [
        ("a: [1", "it is not YAML", "expected ',' or ']'"),
        ("- 1", "must be a mapping of keys to values", "got [1]"),
        ("colour: blue", "colour is not a key", "known: ["),
        ("psf: {psfex: {}, image: {hdu: 1}}", "psf must have exactly one of the keys", "it has"),
        ("psf: null", "psf is missing", "Give its width"),
        ("unit: counts", "unit must be one of", "count, count/s"),
        ("noise: {sigma: 1}", "noise must have exactly one of the keys", "inverse_variance"),
        ("zero_point: {magnitude: 27, system: AB, per: night}", "zero_point.per", "exposure"),
        ("mask: {hdu: 1, bits: {3: BAD}}", "mask.bits.3", "1, 2, 4, 8"),
        ("mask: {hdu: 1, bits: {4: UGLY}}", "mask.bits.4", "must be of the planes BAD"),
        ("visit: {file_name: '('}", "visit.file_name", "must be a regular expression"),
        ("band: {N: true}", "band must be a mapping", "YAML needs quotes"),
    ],
)
def test_a_broken_definition_is_one_line(
    tmp_path: Path, text: str, rule: str, way_out: str
) -> None:
    """The file, the key, the rule; nothing is made."""
    image = write_plain_image(tmp_path / "image.fits")
    camera = write_camera(tmp_path / "camera.yaml")
    if ":" in text:
        key = text.split(":")[0]
        lines = [line for line in camera.read_text().splitlines() if line[:1] not in (" ", "-")]
        whole = camera.read_text()
        if key in {line.split(":")[0] for line in lines}:
            camera = write_camera(camera, **{key: None})
            whole = camera.read_text()
        camera.write_text(f"{whole}\n{'' if text == 'psf: null' else text}\n")
    else:
        camera.write_text(text)
    done = run_command("cellcoadd", "coadd", image, "--camera", camera, "-o", tmp_path / "out")
    assert done.exit_code == 2
    (line,) = (line for line in done.output.splitlines() if line.startswith("Error: "))
    assert f"{camera}: " in line
    assert rule in line
    assert way_out in line
    assert not done.has_traceback
    assert not (tmp_path / "out").exists()
