"""What ``cellcoadd coadd`` writes beside coadds: plain FITS, tables, pages, pixels of an image."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from lsst.images import Box

from cellcoadd import MultipleCellCoadd, read, verify_file
from cellcoadd.errors import UnusableInputError
from cellcoadd.field_targets import target_like
from cellcoadd.files.fits_wcs import icrs_wcs
from cellcoadd.image_files import expand, read_headers
from cellcoadd.skymap.fields import sky_map_like
from cellcoadd.surveys import camera_reader
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.plain_files import write_camera, write_plain_image

WEIGHTS = {"inverse_variance": {"file": {"suffix": ".weight.fits"}}}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images of a star, and the definition of their camera. Do not change it."""
    folder: Path = tmp_path_factory.mktemp("night")
    for number in (1, 2, 3):
        cards = {"EXPNUM": number, "FILTER": "r" if number < 3 else "i"}
        write_plain_image(
            folder / f"images/{number}.fits", side=120, flux=5000.0, seed=number, cards=cards
        )
    write_camera(folder / "camera.yaml", noise=WEIGHTS, visit={"keyword": "EXPNUM"})
    return folder


def coadd(night: Path, *arguments: str | Path, images: str = "*") -> str:
    names = f"{night}/images/{images}.fits"
    done = run_command(
        *("cellcoadd", "coadd", names, "--camera", night / "camera.yaml"), *arguments
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_plain_fits_are_the_stitched_coadd(night: Path, tmp_path: Path) -> None:
    """Image, inverse variance and mask on the same pixels, with the sky where it is."""
    coadd(night, "-o", tmp_path / "plain", "--format", "plain")
    coadd(night, "-o", tmp_path / "cells")
    whole = read(tmp_path / "cells" / "r_0.fits")
    assert isinstance(whole, MultipleCellCoadd)
    stitched = whole.stitch()
    pixels = {}
    for kind, name in (("image", "r_0"), ("weight", "r_0.weight"), ("mask", "r_0.mask")):
        path = tmp_path / "plain" / f"{name}.fits"
        assert verify_file(path).damage == ()
        pixels[kind], header = fits.getdata(path, header=True)
        wcs = WCS(header)
        box = stitched.bbox
        sky = wcs.pixel_to_world(7.0, 11.0)
        x, y = stitched.sky_projection.sky_to_pixel(sky)
        assert (x, y) == pytest.approx((box.x.min + 7.0, box.y.min + 11.0), abs=1e-4)
        if kind == "image":
            assert (header["BUNIT"], header["MAGZERO"], header["FILTER"]) == ("nJy", 31.4, "r")
        if kind == "mask":
            bit = header["MP_NO_DATA"]
    # Files of cells are rounded to a small part of the noise of 40 nJy, plain ones are not.
    np.testing.assert_allclose(pixels["image"], stitched.image.array, atol=0.05)
    known = pixels["weight"] > 0
    assert known.any()
    np.testing.assert_allclose(1.0 / pixels["weight"][known], stitched.variance.array[known], 1e-3)
    no_data = (pixels["mask"] & (1 << bit)) != 0
    np.testing.assert_array_equal(no_data, stitched.mask.get("NO_DATA"))
    assert not (no_data & known).any()


def test_tables_and_pages_lie_beside_coadds(night: Path, tmp_path: Path) -> None:
    """A row a cell, a row an input of it, and a page."""
    said = coadd(night, "-o", tmp_path / "out", "--report", images="[12]")
    whole = read(tmp_path / "out" / "r_0.fits")
    cells = read(tmp_path / "out" / "r_0_cells.parquet")
    inputs = read(tmp_path / "out" / "r_0_inputs.parquet")
    assert len(cells) == len(whole.cells)
    assert str(cells["variance_median"].unit) == "nJy2"
    assert set(inputs["visit"][inputs["accepted"]]) == {1, 2}
    page = (tmp_path / "out" / "report" / "field_0_r.html").read_text(encoding="utf-8")
    assert "band r" in page
    assert "cellcoadd.read(" in page
    assert page.count("<figure") >= 8
    assert "field_0_r.html" in said
    done = run_command(
        *("cellcoadd", "coadd", night / "images", "--camera", night / "camera.yaml"),
        *("-o", tmp_path / "out", "--tables"),
    )
    assert done.exit_code == 2
    assert "--overwrite replaces it" in done.output


def reference(path: Path, *, angle: float = 30.0, shift: float = 0.5, **cards: Any) -> Path:
    """An image whose pixels coadds are to have."""
    cosine, sine = (f(math.radians(angle)) for f in (math.cos, math.sin))
    scale = 0.25 / 3600.0
    header = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.001, "CRVAL2": 1.999,
        "CRPIX1": 60.0 + shift, "CRPIX2": 55.0, "CD1_1": -scale * cosine, "CD1_2": scale * sine,
        "CD2_1": scale * sine, "CD2_2": scale * cosine,
    } | cards  # fmt: skip
    hdu = fits.PrimaryHDU(np.zeros((110, 120), np.float32))
    hdu.header.update(header)
    hdu.writeto(path)
    return path


@pytest.mark.parametrize("shift", [0.0, 0.5, 0.25])
def test_coadds_have_the_pixels_of_an_image(night: Path, tmp_path: Path, shift: float) -> None:
    """At any angle and phase: the same place on the sky is a whole number of pixels away."""
    image = reference(tmp_path / "ref.fits", shift=shift)
    coadd(night, "-o", tmp_path / "out", "--format", "plain", "--like", image)
    wcs = WCS(fits.getheader(tmp_path / "out" / "r_0.fits"))
    theirs = WCS(fits.getheader(image))
    x, y = np.array([3.0, 100.0, 50.0]), np.array([8.0, 20.0, 90.0])
    ours = wcs.world_to_pixel(theirs.pixel_to_world(x, y))
    for here, there in zip(ours, (x, y), strict=True):
        away = here - there
        assert np.abs(away - np.round(away[0])).max() < 1e-4
    star = fits.getdata(tmp_path / "out" / "r_0.fits")
    place = np.unravel_index(int(star.argmax()), star.shape)
    sky = wcs.pixel_to_world(place[1], place[0])
    assert abs(sky.ra.deg - 150.0) * 3600 < 0.3
    assert abs(sky.dec.deg - 2.0) * 3600 < 0.3


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"CD1_1": 0.25 / 3600 * math.cos(math.radians(30))}, "mirrored"),
        ({"CD2_2": 0.3 / 3600}, "not square"),
        ({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRPIX1": 90000.0}, "off a tangent plane"),
    ],
)
def test_pixels_that_coadds_cannot_have_are_refused(
    night: Path, tmp_path: Path, cards: dict[str, Any], said: str
) -> None:
    """By the name of the file, with the way out."""
    image = reference(tmp_path / "ref.fits", **cards)
    done = run_command(
        *("cellcoadd", "coadd", night / "images", "--camera", night / "camera.yaml"),
        *("-o", tmp_path / "out", "--like", image),
    )
    assert done.exit_code == 2
    assert said in done.output
    assert "ref.fits: coadds cannot have its pixels" in done.output
    assert "--center" in done.output
    assert not (tmp_path / "out").exists()


def test_an_image_of_another_frame_has_its_own_angle() -> None:
    """The plane of a Galactic image is turned; its pixels are met all the same."""
    header = fits.Header(
        {
            "CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN", "CRVAL1": 240.0, "CRVAL2": 41.0,
            "CRPIX1": 51.0, "CRPIX2": 41.0, "CDELT1": -1e-4, "CDELT2": 1e-4,
        }
    )  # fmt: skip
    wcs = icrs_wcs(header, bbox=Box.from_shape((80, 100)), source="galactic.fits")
    tract = sky_map_like(wcs, (80, 100), cell_inner_size=10, cell_border=2)[0]
    assert abs(tract.settings.rotation) > 10.0
    sky = WCS(header).pixel_to_world([10.0, 80.0], [70.0, 5.0]).icrs
    x, y = tract.plane.sky_to_pixel(ra=sky.ra.deg, dec=sky.dec.deg)
    assert x[1] - x[0] == pytest.approx(70.0, abs=1e-4)
    assert y[1] - y[0] == pytest.approx(-65.0, abs=1e-4)


def test_a_file_that_is_no_image_is_refused(night: Path, tmp_path: Path) -> None:
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    camera = camera_reader(night / "camera.yaml")
    images, _ = read_headers(expand([str(night / "images")], camera=camera), camera=camera)
    with pytest.raises(UnusableInputError, match="no image of two axes"):
        target_like(tmp_path / "empty.fits", images)
