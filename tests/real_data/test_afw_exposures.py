"""Files that the Rubin pipelines wrote with lsst.afw, beside what they say of themselves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
import yaml
from astropy.io import fits
from lsst.images import Box, DetectorFrame, SkyProjection

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.simulate import Camera, VisitPlan, simulate_survey, survey_plan
from cellcoadd.surveys import reader_for
from cellcoadd.surveys.afw import AfwReader, VisitSummary, read_afw_exposure
from cellcoadd.surveys.afw.archive import Archive
from cellcoadd.surveys.afw.exposure_file import open_exposure
from cellcoadd.surveys.afw.photo_calib import read_calibration
from cellcoadd.surveys.afw.piff_psf import piff_psf
from cellcoadd.surveys.afw.psf import read_psf
from cellcoadd.surveys.afw.recalibration import recalibrated
from cellcoadd.surveys.afw.sky_wcs import projection_of_text
from cellcoadd.surveys.afw.visit_summary import open_visit_summary
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image


@pytest.fixture(scope="module")
def afw(shared: Path) -> Path:
    folder = shared / "data" / "afw_exposures"
    if not folder.is_dir():
        pytest.skip(f"the afw exposures are not here: {folder} does not exist")
    return folder


@pytest.fixture(scope="module")
def calexp(afw: Path) -> Path:
    """CFHT, r, one CCD: header and archive are real, pixels are zeroed."""
    return afw / "cfht_calexp_psfex_849375" / "calexp-849375-12.fits.fz"


@pytest.fixture(scope="module")
def stated(calexp: Path) -> dict[str, Any]:
    """What the stack says of the CCD."""
    with open_exposure(calexp) as exposure:
        stored = exposure.own("SUMMARY_STATS")
        assert stored is not None
        statistics: dict[str, Any] = yaml.safe_load(stored.table().data("bytes"))
    return statistics


def corner_miss_arcsec(
    projection: SkyProjection[Any], box: Box, ra: npt.ArrayLike, dec: npt.ArrayLike
) -> float:
    """How far outer corners of a box are from where they are said to be."""
    left, right = box.x.min - 0.5, box.x.max + 0.5
    bottom, top = box.y.min - 0.5, box.y.max + 0.5
    sky = projection.pixel_to_sky(
        x=np.array([left, right, right, left]), y=np.array([bottom, bottom, top, top])
    )
    ra, dec = np.asarray(ra), np.asarray(dec)
    along = ((sky.ra.deg - ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians(dec))
    return float(np.hypot(along, sky.dec.deg - dec).max()) * 3600.0


def round_trip_px(projection: SkyProjection[Any], box: Box) -> float:
    """How far pixels come back from where they were, at most."""
    y, x = np.mgrid[box.y.start : box.y.stop : 97, box.x.start : box.x.stop : 89].astype(float)
    back = projection.sky_to_pixel(projection.pixel_to_sky(x=x, y=y))
    return float(np.hypot(back.x - x, back.y - y).max())


def test_the_corners_are_where_the_stack_says(calexp: Path, stated: dict[str, Any]) -> None:
    """A millionth of an arcsecond is the project's rule; 1e-10 was measured."""
    header = AfwReader().read_header(calexp)
    miss = corner_miss_arcsec(
        header.sky_projection, header.bbox, stated["raCorners"], stated["decCorners"]
    )
    assert miss < 1e-6


def test_the_way_back_from_the_sky_is_exact(calexp: Path) -> None:
    """The inverse that the file holds is a fit, and misses by up to 0.012 pixel."""
    header = AfwReader().read_header(calexp)
    assert round_trip_px(header.sky_projection, header.bbox) < 1e-5
    with open_exposure(calexp) as exposure:
        stored = exposure.own("SKYWCS")
        assert stored is not None
        text = stored.table().data("wcs")
    from lsst.images._transforms import _ast

    frame = DetectorFrame(instrument="Cam", visit=1, detector=1, bbox=header.bbox)
    dump = text.decode().removeprefix("1 SkyWcs 0 ")
    as_stored = SkyProjection.from_ast_frame_set(_ast.FrameSet.fromString(dump), frame)
    assert 0.01 < round_trip_px(as_stored, header.bbox) < 0.02


def test_the_psf_has_the_area_that_the_stack_says(calexp: Path, stated: dict[str, Any]) -> None:
    """To a millionth: positions counted from 1 would be off by more."""
    with open_exposure(calexp) as exposure:
        part = exposure.part("PSF")
        assert part is not None
        psf = read_psf(*part, bounds=exposure.bbox)
        box = exposure.bbox
    kernel = psf.compute_kernel_image(
        x=0.5 * (box.x.min + box.x.max), y=0.5 * (box.y.min + box.y.max)
    ).array
    area = kernel.sum() ** 2 / (kernel**2).sum()
    assert area == pytest.approx(stated["psfArea"], rel=2e-6)


def test_the_zero_point_is_that_of_the_stack(calexp: Path, stated: dict[str, Any]) -> None:
    """31.4 less the magnitude of a count, to the last bits."""
    with open_exposure(calexp) as exposure:
        calibration = read_calibration(exposure)
    assert calibration.field is None
    zero_point = 31.4 - 2.5 * np.log10(calibration.nanojansky_per_count)
    assert zero_point == pytest.approx(stated["zeroPoint"], abs=1e-12)


def test_who_when_and_where_of_a_calexp(calexp: Path) -> None:
    """All by cards and tables of the file."""
    header = AfwReader().read_header(calexp)
    details, who = header.details, header.observation
    assert (who.instrument, who.visit, who.detector) == ("MegaPrime", 849375, 12)
    assert (who.physical_filter, who.band, who.day_obs) == ("r.MP9601", "r", 20060520)
    assert header.detector_name == "ccd12"
    assert details.airmass == 1.548
    assert details.exposure_time_s == 300.202
    assert details.observation_type == "science"
    assert details.begin is not None
    assert details.end is not None
    assert (details.begin + 0.5 * (details.end - details.begin)).isot == "2006-05-20T12:08:13.050"


def test_pixels_without_variance_are_refused(calexp: Path) -> None:
    """Those of this file are zero on purpose; the message says what is the matter."""
    with pytest.raises(UnusableInputError, match="no pixel has a variance"):
        reader_for(calexp).read(calexp)


def test_the_visit_summary_beside_an_image_is_found(calexp: Path) -> None:
    """Its WCS is the image's own here, found under another number in another archive."""
    assert reader_for(calexp).name == "afw"
    summary = calexp.with_name("visitSummary-849375.fits")
    with open_visit_summary(summary, visit=849375, detector=12) as row:
        assert row.numbers == {"SKYWCS": 1, "PHOTOCALIB": 2}
        assert row.statistics["zeroPoint"] > 32
    with pytest.raises(UnusableInputError, match="belongs to one and is found from there"):
        reader_for(summary)


def test_an_hsc_calexp_is_read(afw: Path) -> None:
    """A cut-out of one: mask, polygon, calibration and corrections are those of the file."""
    path = afw / "hsc_calexp_obs_base" / "calexp.fits"
    found = read_afw_exposure(path)
    image, header = found.calibrated_image, found.header
    who = header.observation
    assert (who.instrument, who.visit, who.detector) == ("HSC", 904010, 4)
    assert header.detector_name == "1_42"
    assert header.detector_bbox.shape == (4176, 2048)
    assert image.bbox == Box.factory[0:32, 0:64]
    assert image.nanojansky_per_count == pytest.approx(1.99408751, abs=1e-8)
    assert len(image.aperture_corrections) == 46
    with fits.open(path) as hdus:
        pixels, bits = hdus[1].data, hdus[2].data
        names = {
            key.removeprefix("MP_"): bit
            for key, bit in hdus[2].header.items()
            if key.startswith("MP_")
        }
        polygon = hdus["Polygon"].data
    assert (image.masked_image.image.array == pixels).all()
    mask = image.masked_image.mask
    set_in_file = [name for name, bit in names.items() if (bits >> bit & 1).any()]
    assert set_in_file == ["BAD", "EDGE", "INTRP"]
    for name, bit in names.items():
        ours = (plane_array(mask) & bits_of(mask.schema, [name])) != 0
        theirs = (bits >> bit & 1) != 0
        assert (ours[theirs]).all(), name
        if name != "NO_DATA":
            assert (ours == theirs).all(), name
    y, x = np.mgrid[0:32, 0:64]
    region = shapely.Polygon(np.stack([polygon["vertices_x"], polygon["vertices_y"]], axis=1))
    outside = ~shapely.contains_xy(region, x, y)
    no_data = (plane_array(mask) & bits_of(mask.schema, ["NO_DATA"])) != 0
    assert not region.contains(shapely.Point(100.0, 3000.0))  # which this cut-out does not have
    assert (no_data == outside).all()
    assert round_trip_px(image.sky_projection, image.bbox) < 1e-5


@pytest.mark.parametrize(("x", "y"), [(0, 0), (10, 100), (-200, 30)])
def test_piff_draws_what_the_stack_drew(afw: Path, x: int, y: int) -> None:
    """Out of a pickle that was never run, to 1e-12 of the peak; 3e-16 was measured."""
    folder = afw / "piff_exposure"
    with open_exposure(folder / "exp.fits") as exposure:
        stored = exposure.own("PSF")
        assert stored is not None
        data = stored.table().data("bytes")
        psf = piff_psf(data, bounds=exposure.bbox, source="exp.fits")
    with fits.open(folder / f"psfIm_{x}_{y}.fits") as hdus:
        expected = next(hdu.data for hdu in hdus if hdu.data is not None)
    drawn = psf.compute_kernel_image(x=x, y=y).array
    assert np.abs(drawn - expected).max() < 1e-12 * expected.max()


def test_all_detectors_of_a_visit_summary_are_where_it_says(afw: Path) -> None:
    """103 WCS of HSC, each against the corners in its row; and the way back."""
    path = afw / "hsc_visitSummary_drp_tasks" / "visitSummary_1176.fits"
    misses, trips = [], []
    with fits.open(path) as hdus:
        archive = Archive(hdus, 2, str(path))
        for row in hdus[1].data:
            box = Box.factory[
                row["bbox_min_y"] : row["bbox_max_y"] + 1, row["bbox_min_x"] : row["bbox_max_x"] + 1
            ]
            frame = DetectorFrame(instrument="HSC", visit=1176, detector=int(row["id"]), bbox=box)
            text = archive.get(int(row["wcs"])).table().data("wcs")
            projection = projection_of_text(text, frame, bbox=box, source=str(path))
            misses.append(corner_miss_arcsec(projection, box, row["raCorners"], row["decCorners"]))
            trips.append(round_trip_px(projection, box))
    assert len(misses) == 103
    assert max(misses) < 1e-6
    assert max(trips) < 1e-5


def test_calibrations_of_all_versions_are_read(afw: Path) -> None:
    """Counts of magnitude 0 in a card; then nJy a count, with a field of no pixels beside it."""
    folder = afw / "afw_exposure_versions"
    factors = []
    for version in range(3):
        with open_exposure(folder / f"exposure-version-{version}.fits") as exposure:
            assert exposure.version == version
            factors.append(read_calibration(exposure).nanojansky_per_count)
    assert factors[1:] == [1e6, 1e6]
    assert factors[0] == pytest.approx(3.6307805477e12 / 1e6, rel=1e-9)


def test_a_visit_summary_takes_the_place_of_what_an_image_says(afw: Path) -> None:
    """That of a real visit of HSC, on an image of it that was made here.

    It is one of before the final ones, without PSFs: the image's own stays.
    """
    path = afw / "hsc_visitSummary_drp_tasks" / "visitSummary_1176.fits"
    summary = VisitSummary.read(path)
    assert (summary.instrument, summary.visit, len(summary.detectors)) == ("HSC", 1176, 103)
    plan = survey_plan(
        "tests",
        visits=(VisitPlan(visit=1176, sequence=1),),
        camera=Camera(columns=1, rows=1, width=2048, height=64),
        sky=None,
        artifacts=None,
    )
    (visit_image,) = simulate_survey(plan)
    first = calibrated_image_from_visit_image(visit_image)
    image = dataclasses.replace(first, nanojansky_per_count=3.0)
    assert image.observation.detector == 0
    found = recalibrated(image, summary, psf=True, wcs=True, photo_calib=True)
    with fits.open(path) as hdus:
        row = hdus[1].data[hdus[1].data["id"] == 0][0]
        corners, stated = (row["raCorners"], row["decCorners"]), float(row["zeroPoint"])
    whole = Box.factory[0:4176, 0:2048]
    assert corner_miss_arcsec(found.sky_projection, whole, *corners) < 1e-6
    zero_point = 31.4 - 2.5 * np.log10(found.nanojansky_per_count)
    assert zero_point == pytest.approx(stated, abs=2e-6)  # single precision
    assert found.psf == image.psf


def test_a_warp_of_the_pipelines_is_refused_as_what_it_is(shared: Path) -> None:
    """It has the parts that DP1's ``deep_coadd`` has; the message says what to give."""
    path = shared / "reference" / "rubin" / "E_interop" / "direct_warp_B6.fits.gz"
    if not path.is_file():
        pytest.skip(f"the reference values are not here: {path} does not exist")
    with pytest.raises(UnusableInputError, match="it has a table COADD_INPUTS, a CoaddPsf") as e:
        read_afw_exposure(path)
    assert "give the images that it was made of (visit_image, calexp)" in str(e.value)
