"""Frames of two epochs of SDSS's Stripe 82 in r and i, beside what the survey says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from cellcoadd.masks.planes import plane_array
from cellcoadd.surveys import READERS, SurveyImage
from cellcoadd.surveys.sdss.files import looks_like_sdss


def test_both_epochs_are_found_and_read(sdss_frames: list[SurveyImage], sdss: Path) -> None:
    """By the names of the frames alone; companions are told from images."""
    seen = [
        (one.header.observation.visit, one.header.observation.band, one.detector_name)
        for one in sdss_frames
    ]
    assert seen == [
        (419203002, "i", "i4"),
        (419203001, "r", "r4"),
        (637703992, "i", "i4"),
        (637703991, "r", "r4"),
    ]
    assert [one.header.observation.day_obs for one in sdss_frames] == [20031018] * 2 + [
        20060919
    ] * 2
    assert all(one.header.bbox.shape == (1489, 2048) for one in sdss_frames)
    others = [path for path in sdss.rglob("*.fit*") if not looks_like_sdss(path)]
    assert len(others) > 8
    assert not any(READERS["sdss"].recognizes(path) for path in others)


def test_the_wcs_is_that_of_the_survey_s_exact_astrometry(sdss_frames: list[SurveyImage]) -> None:
    """Within 0.06 arcsec up to the corners, on average within 0.01: no pixel is counted otherwise.

    Half a pixel would be 0.2 arcsec along both axes.
    """
    for frame in sdss_frames:
        observation = frame.header.observation
        folder = frame.source.parents[2] / "astrom"
        (path,) = folder.glob("asTrans-*.fit")
        with fits.open(path) as hdus:
            table = next(
                hdu.data
                for hdu in hdus[1:]
                if (hdu.header["FILTER"].strip(), hdu.header["CAMCOL"]) == (observation.band, 4)
            )
        row = table[table["field"] == int(frame.source.name.split("-")[-1][:4])][0]
        y, x = np.mgrid[0:1489:124, 0:2048:157].astype(float)
        line, column = y + 0.5, x + 0.5
        powers = np.stack([np.ones_like(column), column, column**2, column**3])
        line = line + np.tensordot([row[f"dRow{i}"] for i in range(4)], powers, axes=1)
        column = column + np.tensordot([row[f"dCol{i}"] for i in range(4)], powers, axes=1)
        expected = SkyCoord(
            row["a"] + row["b"] * line + row["c"] * column,
            row["d"] + row["e"] * line + row["f"] * column,
            unit="deg",
        )
        sky = frame.header.sky_projection.pixel_to_sky(x=x, y=y)
        assert sky.separation(expected).to_value("arcsec").max() < 0.06
        for offset in sky.spherical_offsets_to(expected):
            assert abs(offset.to_value("arcsec").mean()) < 0.01


def test_the_psf_is_the_survey_s_formula(sdss_frames: list[SurveyImage]) -> None:
    """Term by term, within 1e-10 of a sum of 1, from corner to corner of each frame."""
    for frame in sdss_frames:
        (path,) = (frame.source.parents[2] / "objcs" / "4").glob("psField-*.fit")
        with fits.open(path) as hdus:
            rows = list(hdus["ugriz".index(frame.header.observation.band) + 1].data)
        for x, y in ((0.0, 0.0), (2047.0, 0.0), (0.0, 1488.0), (2047.0, 1488.0), (700.2, 333.3)):
            total = np.zeros((51, 51))
            for row in rows:
                c = np.asarray(row["c"]).reshape(5, 5)
                weight = sum(
                    float(c[i, j]) * (0.001 * (y + 0.5)) ** i * (0.001 * (x + 0.5)) ** j
                    for i in range(row["nrow_b"])
                    for j in range(row["ncol_b"])
                )
                total += weight * np.asarray(row["RROWS"], dtype=np.float64).reshape(51, 51)
            drawn = frame.calibrated_image.psf.compute_kernel_image(x=x, y=y).array
            np.testing.assert_allclose(drawn, total / total.sum(), rtol=0, atol=1e-10)


def test_noise_of_the_sky_is_what_the_variance_says(sdss_frames: list[SurveyImage]) -> None:
    """Pixels without any flag scatter by 0.9 to 1.1 of the stated error, about the stated sky."""
    for frame in sdss_frames:
        planes = frame.calibrated_image.masked_image[...]
        pull = planes.image.array / np.sqrt(planes.variance.array)
        blank = pull[(plane_array(planes.mask) == 0) & (abs(pull) < 3.5)]
        assert blank.std() == pytest.approx(1.0, abs=0.1)
        assert abs(blank.mean()) < 0.1
        mean_variance = frame.calibrated_image.mean_variance
        assert mean_variance == pytest.approx(np.median(planes.variance.array), rel=0.01)


def test_masked_pixels_are_those_of_the_survey_s_counts(sdss_frames: list[SurveyImage]) -> None:
    """A cosmic ray is interpolated by the survey, columns at the edge are whole and are data."""
    for frame in sdss_frames:
        mask = frame.calibrated_image.masked_image.mask
        bad, cr, sat = (mask.get(name) for name in ("BAD", "CR", "SAT"))
        assert bad[cr].all()
        assert 500 < cr.sum() < 600
        assert 500 < sat.sum() < 1500
        edge = mask.get("EDGE")
        assert edge.sum() == 1489 * 2048 - (1489 - 8) * (2048 - 10)
        assert bad[edge].mean() < 0.1
        assert 0.005 < bad.mean() < 0.008
