"""Exposures of lsst.afw become calibrated images, or are refused by name."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from lsst.images import Box, VisitImage

from cellcoadd import coadd_images, named_sky_map
from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.products.calibrated_image import CalibratedImage, ImageQuality
from cellcoadd.simulate import Camera
from cellcoadd.surveys import READERS, reader_for
from cellcoadd.surveys.afw import read_afw_exposure
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image
from cellcoadd.testing.afw_files import (
    AfwArchive,
    add_chebyshev,
    add_photo_calib,
    write_visit_image_as_afw,
)
from cellcoadd.testing.commands import run_command

CAMERA = Camera(columns=1, rows=1, width=560, height=520, first_x=4, first_y=-2)


def read(path: Path, **options: Any) -> CalibratedImage:
    return read_afw_exposure(path, **options).calibrated_image


def test_a_survey_gives_the_same_coadd_as_visit_images(
    visit_images: list[VisitImage], tmp_path: Path
) -> None:
    """One visit in nJy like DP1's, one in compressed counts like HSC's: float32 apart, no more."""
    afw = [
        read(
            write_visit_image_as_afw(
                image, tmp_path / f"{n}.fits", nanojansky_per_count=scale, compression=compression
            )
        )
        for n, (image, scale, compression) in enumerate(
            zip(visit_images, (None, 2.5), (None, "GZIP_2"), strict=True)
        )
    ]
    theirs = [calibrated_image_from_visit_image(image) for image in visit_images]
    for mine, other in zip(afw, theirs, strict=True):
        assert mine.observation == other.observation
        assert mine.quality == other.quality
        assert mine.bbox == other.bbox
    assert afw[0].mean_variance == theirs[0].mean_variance
    assert set(afw[0].aperture_corrections) == {
        "base_PsfFlux_instFlux",
        *theirs[0].aperture_corrections,
    }
    for name, field in theirs[0].aperture_corrections.items():
        assert afw[0].aperture_corrections[name](x=100.0, y=44.0) == field(x=100.0, y=44.0)
    patch = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
    one, two = coadd_images(afw, patch), coadd_images(theirs, patch)
    assert one is not None
    assert two is not None
    assert list(one.cells) == list(two.cells)
    for index, cell in one.cells.items():
        expected = two.cells[index]
        for plane in ("image", "variance"):
            found, wanted = (getattr(c.outer, plane).array for c in (cell, expected))
            assert np.abs(found - wanted).max() <= 2e-7 * np.abs(wanted).max()
        assert (cell.outer.mask.array == expected.outer.mask.array).all()
        assert np.abs(cell.psf_image.array - expected.psf_image.array).max() < 1e-7


def test_who_when_and_where(exposure: Callable[..., Path]) -> None:
    """By cards and tables; times are in TAI, whose middle is stated; numbers may be texts."""
    header = read_afw_exposure(exposure()).header
    who, details = header.observation, header.details
    assert (who.instrument, who.visit, who.detector) == ("Cam", 77, 5)
    assert (who.physical_filter, who.band, who.day_obs) == ("HSC-I2", "i", 20240826)
    assert details.begin is not None
    assert (details.begin.scale, details.begin.isot) == ("tai", "2024-08-27T06:10:00.000")
    assert (details.zenith_angle_deg, details.airmass, details.rotation_deg) == (40.0, 1.3, 12.0)
    assert header.bbox == CAMERA.bbox
    card = {"LSST BUTLER DATAID DAY_OBS": 20240827, "LSST BUTLER DATAID VISIT": 2024082700001}
    who = reader_for(exposure(cards=card)).read_header(exposure(cards=card)).observation
    assert (who.visit, who.day_obs) == (2024082700001, 20240827)


def test_conditions_are_those_of_the_cards(exposure: Callable[..., Path]) -> None:
    """And of the statistics of the sky, which are in counts."""
    place = {"BORE-AZ": 270.0, "OBS-LAT": 0.0}

    def with_sky(archive: AfwArchive, parts: dict[str, int]) -> None:
        text = b"skyBg: 50.0\nskyNoise: 7.0\nzeroPoint: 28.9\n"
        parts["SUMMARY_STATS"] = archive.add("ExposureSummaryStats", [{"bytes": text}])

    found = read_afw_exposure(exposure(with_sky, cards=place)).calibrated_image.conditions
    assert (found.exposure_time_s, found.airmass, found.zenith_angle_deg) == (200.0, 1.3, 40.0)
    assert found.parallactic_angle_deg == pytest.approx(90.0)
    assert (found.sky_background_njy, found.sky_noise_njy) == pytest.approx((500.0, 70.0))
    assert found.epoch_mjd == pytest.approx(Time("2024-08-27T06:11:40").mjd, abs=1e-9)


def test_old_files_of_hsc_have_the_names_of_its_telescope(exposure: Callable[..., Path]) -> None:
    """Before there were tables of detectors and numbers of visits; the middle is in UTC."""
    lacking = ("LSST BUTLER DATAID DETECTOR", "IDNUM", "INSTRUMENT", "DATE-AVG", "TIMESYS")
    old = {"EXP-ID": "HSCA90401000", "DET-ID": 4, "TIME-MID": "2013-11-02T06:00:56.7885Z"}
    header = read_afw_exposure(exposure(cards=dict.fromkeys(lacking) | old)).header
    who = header.observation
    assert (who.instrument, who.visit, who.detector, who.day_obs) == ("HSC", 904010, 4, 20131101)
    assert header.details.begin is not None
    assert header.details.begin.isot == "2013-11-02T05:59:51.789"


@pytest.mark.parametrize(
    ("card", "physical", "band"),
    [
        ("HSC-R2", "HSC-R2", "r"),
        ("i2", "HSC-I2", "i"),
        ("NB0387", "NB0387", "N387"),
        ("y", "y", "y"),
        ("r_03", "r_03", "r_03"),
    ],
)
def test_bands_of_old_files_are_those_of_their_filters(
    exposure: Callable[..., Path], card: str, physical: str, band: str
) -> None:
    """Before there was a table for them; narrow bands are not broad ones."""

    def without(archive: AfwArchive, parts: dict[str, int]) -> None:
        del parts["FILTER"]

    who = read_afw_exposure(exposure(without, version=1, cards={"FILTER": card})).header.observation
    assert (who.physical_filter, who.band) == (physical, band)


def test_the_detector_may_be_larger_than_the_cut_out(exposure: Callable[..., Path]) -> None:
    """Models are valid on all of it."""

    def change(archive: AfwArchive, parts: dict[str, int]) -> None:
        row = {"name": "R22_S11", "id": 5, "type": 0, "serial": "x"}
        row |= {"bbox_min_x": 0, "bbox_min_y": -4, "bbox_max_x": 2047, "bbox_max_y": 4175}
        parts["DETECTOR"] = archive.add("Detector", [row])

    found = read_afw_exposure(exposure(change))
    assert found.header.detector_name == "R22_S11"
    assert found.header.detector_bbox == Box.factory[-4:4176, 0:2048]
    assert found.calibrated_image.psf.bounds == found.header.detector_bbox
    with pytest.raises(UnusableInputError, match=r"pixels .* must be on its detector"):
        read(exposure(change, origin=(1900, 0)))
    with pytest.raises(UnusableInputError, match=r"detector 5, its card .* of 9"):
        read(exposure(change, cards={"LSST BUTLER DATAID DETECTOR": 9}))


@pytest.mark.parametrize("dtype", [np.int32, np.uint16])
def test_mask_planes_are_those_of_the_cards(exposure: Callable[..., Path], dtype: Any) -> None:
    """Whatever bits they have; bits without a name are BAD; old masks have 16 bits."""
    mask = np.zeros(CAMERA.bbox.shape, np.int32)
    mask[10, 20], mask[10, 21], mask[10, 22], mask[10, 23] = 1 << 3, 1 << 0, 1 << 5, 1 << 12
    found = read(exposure(mask=mask, mask_dtype=dtype)).masked_image.mask
    bits = plane_array(found)
    for column, plane in ((20, "BAD"), (21, "SAT"), (22, "BRIGHT_OBJECT"), (23, "BAD")):
        assert bits[10, column] == bits_of(found.schema, [plane])
    assert np.count_nonzero(bits) == 4


def test_pixels_outside_of_the_valid_polygon_have_no_data(exposure: Callable[..., Path]) -> None:
    """Vertices are in pixels of the detector, the last one the first again."""

    def change(archive: AfwArchive, parts: dict[str, int]) -> None:
        corners = [(3.0, -3.0), (100.5, -3.0), (100.5, 600.0), (3.0, 600.0), (3.0, -3.0)]
        rows = [{"vertices_x": x, "vertices_y": y} for x, y in corners]
        parts["VALID_POLYGON"] = archive.add("Polygon", rows)

    mask = read(exposure(change)).masked_image.mask
    no_data = (plane_array(mask) & bits_of(mask.schema, ["NO_DATA"])) != 0
    assert not no_data[:, : 101 - 4].any()
    assert no_data[:, 101 - 4 :].all()


def test_a_calibration_that_varies_multiplies_pixels(
    exposure: Callable[..., Path], visit_images: list[VisitImage]
) -> None:
    """Chebyshev polynomials on the detector, products of them, and areas of pixels."""
    box = CAMERA.bbox

    def change(archive: AfwArchive, parts: dict[str, int]) -> None:
        one = add_chebyshev(archive, [[2.0, 0.1], [0.2, 0.0]], box)
        two = add_chebyshev(archive, [[1.5]], box)
        row = {"bbox_min_x": 0, "bbox_min_y": 0, "bbox_max_x": 9, "bbox_max_y": 9}
        area = (0.168 / 3600.0 * np.pi / 180.0) ** 2
        pixels = archive.add(
            "PixelAreaBoundedField", [row | {"wcs": parts["SKYWCS"], "scaling": 1.0 / area}]
        )
        both = archive.add("ProductBoundedField", [{"id": n} for n in (one, two, pixels)])
        parts["PHOTOCALIB"] = add_photo_calib(archive, 3.0, field=both, is_constant=False)

    image = read(exposure(change))
    assert image.nanojansky_per_count == 1.0
    y, x = np.mgrid[box.y.start : box.y.stop, box.x.start : box.x.stop]
    u = (x - 0.5 * (box.x.min + box.x.max)) / (0.5 * box.x.size)
    v = (y - 0.5 * (box.y.min + box.y.max)) / (0.5 * box.y.size)
    factor = 1.5 * (2.0 + 0.1 * u + 0.2 * v)
    pixels = image.masked_image
    # A tangent plane's pixels are the smaller the further out, by 1e-6 here.
    assert pixels.image.array == pytest.approx(visit_images[0].image.array * factor, rel=3e-6)
    assert pixels.variance.array == pytest.approx(
        visit_images[0].variance.array * factor**2, rel=6e-6
    )


def test_old_calibrations_are_counts_of_magnitude_0(exposure: Callable[..., Path]) -> None:
    """In cards, where there is neither a version nor a table."""

    def without(archive: AfwArchive, parts: dict[str, int]) -> None:
        del parts["PHOTOCALIB"], parts["FILTER"]

    cards = {"FILTER": "i", "FLUXMAG0": 3.6307805477e12 / 4.0}
    assert read(exposure(without, version=None, cards=cards)).nanojansky_per_count == 4.0
    for value in (0.0, -5.0):
        with pytest.raises(UnusableInputError, match="FLUXMAG0 must be positive"):
            read(exposure(without, version=0, cards=cards | {"FLUXMAG0": value}))
    with pytest.raises(UnusableInputError, match="no photometric calibration"):
        read(exposure(without, version=1, cards=cards))


def test_pixels_in_njy_are_taken_as_they_are(exposure: Callable[..., Path]) -> None:
    """If the calibration says so too; the unit may be said by either header."""

    def one(archive: AfwArchive, parts: dict[str, int]) -> None:
        parts["PHOTOCALIB"] = add_photo_calib(archive, 1.0)

    by_image = read(exposure(one, cards={"BUNIT": "nJy"}))
    assert by_image.nanojansky_per_count == 1.0
    with pytest.raises(UnusableInputError, match="a count is 2 nJy: one of the two is wrong"):
        read(exposure(cards={"BUNIT": "nJy"}))
    assert read(exposure(cards={"BUNIT": "adu"})).nanojansky_per_count == 2.0


def test_without_a_table_the_header_is_the_wcs(
    exposure: Callable[..., Path], visit_images: list[VisitImage]
) -> None:
    """It counts from the first pixel of the array, as FITS does; old files have nothing else."""
    projection = visit_images[0].sky_projection
    box = CAMERA.bbox
    wcs = projection.as_fits_wcs(box)
    assert wcs is not None
    header = wcs.to_header(relax=True)
    for key in ("PV1_3", "PV1_4"):  # where the pole is, said a second time
        del header[key]

    def without(archive: AfwArchive, parts: dict[str, int]) -> None:
        del parts["SKYWCS"]
        parts["WCS"] = 17

    # The keyword of planes is that of the image's own header.
    path = exposure(without)
    with fits.open(path, mode="update") as hdus:
        hdus[1].header.update(header)
    x, y = np.array([4.0, 300.0, 563.0]), np.array([-2.0, 200.0, 517.0])
    found = read(path).sky_projection.pixel_to_sky(x=x, y=y)
    assert found.separation(projection.pixel_to_sky(x=x, y=y)).arcsec.max() < 1e-6


def test_statistics_that_are_not_there_are_not_cut_on(exposure: Callable[..., Path]) -> None:
    """NaN beside numbers is a failure; what an older pipeline did not measure is nothing."""

    def change(archive: AfwArchive, parts: dict[str, int]) -> None:
        text = "psfSigma: 1.5\npsfArea: .nan\nstarEMedian: .nan\npsfIxx: 2.0\nmeanVar: 1e9\n"
        parts["SUMMARY_STATS"] = archive.add("ExposureSummaryStats", [{"bytes": text.encode()}])

    image = read(exposure(change))
    assert image.quality.star_e_median is not None
    assert np.isnan(image.quality.star_e_median)
    assert image.quality.psf_sigma == 1.5
    assert image.quality.psf_ap_flux_delta is None
    assert image.quality.n_psf_star is None
    assert image.mean_variance is None  # it is no variance of these pixels
    assert read(exposure()).quality == ImageQuality(
        pixel_scale_arcsec=image.quality.pixel_scale_arcsec
    )


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def spoil_card(path: Path) -> None:
    data = path.read_bytes()
    assert data.count(b"= 'VARIANCE'") == 1
    path.write_bytes(data.replace(b"= 'VARIANCE'", b"= 'VARIANCE "))


def edit(path: Path, extension: int, **cards: Any) -> None:
    with fits.open(path, mode="update") as hdus:
        for key, value in cards.items():
            hdus[extension].header[key] = value


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut_off, "get (it|the file) again"),
        (spoil_card, "cannot be read as FITS .*Unparsable card"),
        (lambda path: edit(path, 0, EXPINFO_V=3), "EXPINFO_V is 3; layouts .* up to 2 are known"),
        (lambda path: edit(path, 0, AR_HDU=3), "must begin in extension 2"),
        (lambda path: edit(path, 0, AR_HDU=99), "must begin in extension 98"),
        (lambda path: edit(path, 0, AR_HDU=6), "index of its archive is none"),
        (lambda path: edit(path, 2, EXTTYPE="OTHER"), "EXTTYPE MASK; 0 extensions"),
        (lambda path: edit(path, 0, ARCHIVE_ID_PSF=99), "object 99 of its archive is not there"),
        (lambda path: edit(path, 0, ARCHIVE_ID_PSF=0), "it has no PSF"),
        (lambda path: edit(path, 0, IDNUM="x"), "does not say of which visit it is"),
        (lambda path: edit(path, 0, TIMESYS="UTC"), "must have DATE-AVG with TIMESYS TAI"),
        (lambda path: edit(path, 0, **{"DATE-AVG": "today"}), "the date of its middle is none"),
        (lambda path: edit(path, 0, INSTRUMENT=""), "of which instrument it is"),
        (lambda path: edit(path, 1, CRVAL1A=0.5), "must be at whole numbers"),
        (lambda path: edit(path, 2, MP_BAD=0), "must have a bit of its own"),
        (lambda path: edit(path, 2, MP_BAD=40), "must have a bit of its own"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_by_name(
    exposure: Callable[..., Path], damage: Callable[[Path], None], reason: str
) -> None:
    """The file, what is wrong, and what to do."""
    path = exposure()
    damage(path)
    with pytest.raises(UnusableInputError, match=reason) as caught:
        READERS["afw"].read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_damaged_tile_is_refused_by_name(exposure: Callable[..., Path]) -> None:
    """What comes out of the decompression is an error of zlib's own."""
    path = exposure(compression="GZIP_2")
    data = bytearray(path.read_bytes())
    first = data.find(b"\x1f\x8b\x08", len(data) // 4)  # of a row in the middle
    data[first + 20 : first + 60] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(UnusableInputError, match=r"e\.fits: it cannot be read as FITS"):
        read(path)


def test_files_are_recognized_by_their_cards(
    exposure: Callable[..., Path], visit_images: list[VisitImage], tmp_path: Path
) -> None:
    """Also compressed as a whole; visit images of lsst.images are not taken for them."""
    path = exposure()
    packed = path.with_name("e.fits.gz")
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    for file in (path, packed):
        assert reader_for(file).name == "afw"
    assert (read(packed).masked_image.image.array == read(path).masked_image.image.array).all()
    visit_images[0].write(str(tmp_path / "visit.fits"))
    assert reader_for(tmp_path / "visit.fits").name == "rubin"
    for text in (b"", b"SIMPLE", b"{}"):
        (tmp_path / "other.fits").write_bytes(text)
        assert not READERS["afw"].recognizes(tmp_path / "other.fits")
    assert not READERS["afw"].recognizes(tmp_path / "absent.fits")


def test_commands_read_them(exposure: Callable[..., Path], tmp_path: Path) -> None:
    """As they read all kinds of files: one says what is in it, one makes a coadd of it."""
    path = exposure()
    done = run_command("cellcoadd", "info", path)
    assert done.exit_code == 0, done.output
    assert "afw" in done.output
    assert "77, night 20240826" in done.output
    done = run_command("cellcoadd", "coadd", path, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "i_0.fits").is_file()


def add_inputs(archive: AfwArchive, parts: dict[str, int]) -> None:
    parts["COADD_INPUTS"] = archive.add("CoaddInputs")


def make_coadd_psf(archive: AfwArchive, parts: dict[str, int]) -> None:
    parts["PSF"] = archive.add("CoaddPsf", [{"weight": 1.0}])


@pytest.mark.parametrize(
    ("change", "cards", "sign"),
    [
        (add_inputs, {"LSST BUTLER DATAID DETECTOR": None}, "a table COADD_INPUTS"),
        (make_coadd_psf, {}, "a CoaddPsf"),
        (None, {"LSST BUTLER DATAID TRACT": 5063}, "a card LSST BUTLER DATAID TRACT"),
    ],
)
def test_a_coadd_is_not_taken_for_an_image(
    exposure: Callable[..., Path],
    change: Callable[[AfwArchive, dict[str, int]], None] | None,
    cards: dict[str, Any],
    sign: str,
) -> None:
    """DP1's ``deep_coadd`` and warps: what they are, by what it is seen, and what to give."""
    path = exposure(change, cards=cards)
    with pytest.raises(UnusableInputError, match=f"it is a coadd or a warp .* it has {sign}") as e:
        read(path)
    assert str(e.value).startswith(f"{path}: ")
    assert str(e.value).endswith("give the images that it was made of (visit_image, calexp).")
