"""One simulated image: its sources, noise, mask and statistics against what was put in."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import astropy.units as u
import numpy as np
import numpy.typing as npt
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from lsst.images import XY, Box, VisitImage

from cellcoadd.conventions import FWHM_PER_SIGMA
from cellcoadd.simulate import (
    ArtifactSettings,
    Camera,
    SkySettings,
    SurveyPlan,
    VisitPlan,
    draw_sources,
    simulate_visit_detector,
)

SMALL = Camera(columns=1, rows=1, width=140, height=121, first_x=3, first_y=-8)
ONE_VISIT = (VisitPlan(visit=5, seeing=0.7, sky_sigma=20.0),)


def one_source(plan: SurveyPlan, *, x: float, y: float, **values: object) -> Table:
    """Return a truth table with one source at a pixel position of the first visit."""
    ra, dec = plan.pointing(plan.visits[0].visit, 0).to_sky(x=x, y=y)
    row = {
        "id": 1, "type": "star", "ra": float(ra), "dec": float(dec), "flux_njy": 1e5,
        "sersic_index": 0.0, "half_light_radius": 0.0, "g1": 0.0, "g2": 0.0,
    } | values  # fmt: skip
    table = Table(rows=[row])
    for name, unit in (("ra", u.deg), ("dec", u.deg), ("flux_njy", u.nJy)):
        table[name].unit = unit
    return table


def moments(image: npt.NDArray[np.float64]) -> tuple[float, float, float, float, float, float]:
    """Return flux, centroid (x, y) and central second moments (xx, yy, xy) of an image."""
    flux = image.sum()
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    x_mean, y_mean = (image * x).sum() / flux, (image * y).sum() / flux
    dx, dy = x - x_mean, y - y_mean
    return (
        float(flux), float(x_mean), float(y_mean), float((image * dx * dx).sum() / flux),
        float((image * dy * dy).sum() / flux), float((image * dx * dy).sum() / flux),
    )  # fmt: skip


def test_a_star_has_its_flux_place_and_shape() -> None:
    """Analytic truth of a Gaussian, in a rotated camera whose pixels do not start at (0, 0)."""
    visit = VisitPlan(visit=5, seeing=0.7, rotation=33.0, dither_east=4.0)
    plan = SurveyPlan(visits=(visit,), camera=SMALL)
    truth = one_source(plan, x=61.3, y=40.8)
    image = draw_sources(truth, plan.pointing(5, 0), plan.point_spread(5, 0))
    flux, x, y, xx, yy, xy = moments(image)
    variance = (0.7 / 0.168 / FWHM_PER_SIGMA) ** 2
    assert flux == pytest.approx(1e5, rel=1e-9)
    assert (x + 3, y - 8) == pytest.approx((61.3, 40.8), abs=1e-6)
    assert (xx, yy, xy) == pytest.approx((variance, variance, 0.0), abs=1e-6)


def test_a_star_at_the_edge_is_cut_not_moved() -> None:
    """What falls off the detector is lost; the rest equals the whole star's."""
    plan = SurveyPlan(visits=ONE_VISIT, camera=SMALL)
    image = draw_sources(
        one_source(plan, x=4.2, y=111.9), plan.pointing(5, 0), plan.point_spread(5, 0)
    )
    stamp, box = plan.point_spread(5, 0).draw(x=4.2, y=111.9)
    inside = stamp[: 113 - box.y.start, 3 - box.x.start :]
    assert image[-inside.shape[0] :, : inside.shape[1]] == pytest.approx(1e5 * inside, abs=1e-4)
    assert image.sum() == pytest.approx(1e5 * inside.sum())


@pytest.mark.parametrize("rotation", [0.0, 90.0, 30.0])
@pytest.mark.parametrize(("g1", "g2"), [(0.2, 0.0), (0.0, 0.2)])
def test_galaxies_are_sheared_on_the_sky(rotation: float, g1: float, g2: float) -> None:
    """Shears stay with the sky when the camera turns: e1 and e2 turn by twice the angle.

    The moments of the galaxy are those of the image less those of the point spread. Of a round
    profile sheared by g the distortion (xx - yy, 2 xy) / (xx + yy) is 2 g / (1 + g^2).
    """
    camera = Camera(columns=1, rows=1, width=141, height=141)
    visit = VisitPlan(visit=5, seeing=0.6, rotation=rotation)
    plan = SurveyPlan(visits=(visit,), camera=camera)
    truth = one_source(
        plan, x=70.0, y=70.0, type="galaxy", sersic_index=1.0, half_light_radius=0.8, g1=g1, g2=g2
    )
    image = draw_sources(truth, plan.pointing(5, 0), plan.point_spread(5, 0))
    flux, x, y, xx, yy, xy = moments(image)
    assert flux == pytest.approx(1e5, rel=2e-3)
    assert (x, y) == pytest.approx((70.0, 70.0), abs=1e-3)
    sigma2 = (0.6 / 0.168 / FWHM_PER_SIGMA) ** 2
    e1, e2 = (xx - yy) / (xx + yy - 2 * sigma2), 2 * xy / (xx + yy - 2 * sigma2)
    # The pixels' x axis is turned from west to north by the rotation.
    turned = (g1 + 1j * g2) * np.exp(-2j * np.radians(rotation)) * 2.0 / (1.0 + 0.04)
    assert (e1, e2) == pytest.approx((turned.real, turned.imag), abs=6e-3)


@pytest.fixture(scope="module")
def busy_plan() -> SurveyPlan:
    """Many sources, all noise, no artifacts; 600 x 500 pixels."""
    visit = VisitPlan(visit=5, seeing=0.8, sky_sigma=25.0, psf="moffat", psf_slope=0.05)
    return SurveyPlan(
        visits=(visit,),
        camera=Camera(columns=1, rows=1, width=600, height=500),
        sky=SkySettings(
            stars_per_arcmin2=20.0, star_magnitudes=(15.0, 21.0), galaxies_per_arcmin2=3.0
        ),
        artifacts=None,
        seed=4,
    )


def test_variance_plane_is_the_variance_of_the_noise(busy_plan: SurveyPlan) -> None:
    """The scatter of 300 000 pixels about the truth is known to 0.3 per cent; 1 is asked for.

    Sources add photon noise, so it must also hold where the variance is twice that of the sky.
    """
    noisy = simulate_visit_detector(busy_plan, visit=5, detector=0)
    quiet = simulate_visit_detector(
        dataclasses.replace(busy_plan, noise=False), visit=5, detector=0
    )
    np.testing.assert_array_equal(noisy.variance.array, quiet.variance.array)
    deviation = noisy.image.array.astype(float) - quiet.image.array
    variance = noisy.variance.array.astype(float)
    assert np.mean(deviation**2 / variance) == pytest.approx(1.0, abs=0.01)
    assert np.mean(deviation) == pytest.approx(
        0.0, abs=5 * np.sqrt(variance.mean() / deviation.size)
    )
    bright = variance > 2.0 * 25.0**2
    assert bright.sum() > 500
    expected = 5.0 * np.sqrt(2.0 / bright.sum())
    assert np.mean(deviation[bright] ** 2 / variance[bright]) == pytest.approx(1.0, abs=expected)
    # One electron is a source of magnitude 33.3; a signal in electrons is its own variance.
    electron = 10.0 ** (0.4 * (31.4 - 33.3))
    np.testing.assert_allclose(
        variance - 625.0, electron * quiet.image.array.astype(float), rtol=1e-5, atol=1e-3
    )
    assert noisy.summary_stats.meanVar == pytest.approx(float(variance.mean()), rel=1e-9)


def test_psf_of_the_image_times_flux_is_the_star() -> None:
    """The whole chain: sky position, WCS of the image, its PSF, and the pixels."""
    visit = VisitPlan(visit=5, seeing=0.7, psf="moffat", psf_g1=0.03, psf_slope=0.05, rotation=20.0)
    plan = SurveyPlan(
        visits=(visit,),
        camera=Camera(columns=2, rows=1, width=200, height=160, distortion=1e3),
        sky=SkySettings(stars_per_arcmin2=12.0, galaxies_per_arcmin2=0.0),
        artifacts=None,
        noise=False,
        seed=9,
    )
    image = simulate_visit_detector(plan, visit=5, detector=1)
    assert image.sky_projection is not None
    model = np.zeros((160, 200))
    n_inside = 0
    for source in plan.truth:
        pixel = image.sky_projection.sky_to_pixel(
            SkyCoord(source["ra"] * u.deg, source["dec"] * u.deg)
        )
        star = image.psf.compute_stellar_image(x=float(pixel.x), y=float(pixel.y))
        both = star.bbox.intersection(image.bbox) if _overlap(star.bbox, image.bbox) else None
        if both is not None:
            model[both.slice_within(image.bbox)] += source["flux_njy"] * star[both].array
            n_inside += 1
    assert n_inside >= 3
    assert image.image.array.max() > 1e3
    np.testing.assert_allclose(image.image.array, model, rtol=2e-6, atol=1e-6 * float(model.max()))


def test_a_flat_sky_is_flat_in_surface_brightness() -> None:
    """A distorted camera's outer pixels see less or more sky; in one without, all see the same."""
    flat = SurveyPlan(
        visits=ONE_VISIT, camera=SMALL, sky=None, artifacts=None, noise=False, sky_level=250.0
    )
    image = simulate_visit_detector(flat, visit=5, detector=0).image.array
    np.testing.assert_allclose(image, 250.0, rtol=1e-6)
    distorted = dataclasses.replace(flat, camera=dataclasses.replace(SMALL, distortion=1e5))
    image = simulate_visit_detector(distorted, visit=5, detector=0).image.array
    pointing = distorted.pointing(5, 0)
    area = np.linalg.det(pointing.jacobian(x=3.0, y=-8.0)) / 0.168**2
    assert area > 1.001
    assert image[0, 0] == pytest.approx(250.0 * area, rel=1e-6)


@pytest.fixture(scope="module")
def spoiled() -> tuple[SurveyPlan, list[VisitImage]]:
    """Two visits with artifacts, and a sky with bright stars."""
    plan = SurveyPlan(
        visits=(VisitPlan(visit=5, seeing=0.6), VisitPlan(visit=6, seeing=0.8, dither_east=3.0)),
        camera=Camera(columns=1, rows=1, width=300, height=260),
        sky=SkySettings(
            stars_per_arcmin2=25.0, star_magnitudes=(15.0, 18.0), galaxies_per_arcmin2=0.0
        ),
        artifacts=ArtifactSettings(saturation=8000.0, cosmic_rays_per_megapixel=500.0),
        noise=False,
        photon_noise=False,
        seed=2,
    )
    images = [simulate_visit_detector(plan, visit=visit, detector=0) for visit in (5, 6)]
    return plan, images


def test_masks_say_where_the_artifacts_are(spoiled: tuple[SurveyPlan, list[VisitImage]]) -> None:
    """Without noise a pixel differs from the clean image where, and only where, a plane says so."""
    plan, images = spoiled
    for visit, image in zip((5, 6), images, strict=True):
        clean = simulate_visit_detector(
            dataclasses.replace(plan, artifacts=None), visit=visit, detector=0
        )
        planes = {n: image.mask.get(n) for n in ("SATURATED", "COSMIC_RAY", "BAD")}
        assert all(plane.any() for plane in planes.values())
        marked = np.logical_or.reduce(list(planes.values()))
        changed = ~np.isclose(image.image.array, clean.image.array, rtol=1e-6, atol=1e-2)
        # The last pixel of a trail holds a part of a full well: it is changed, but not full.
        ends = np.zeros_like(changed)
        full = planes["SATURATED"]
        ends[1:] |= full[:-1]
        ends[:-1] |= full[1:]
        assert not np.any(changed & ~marked & ~ends)
        assert np.mean(changed[planes["COSMIC_RAY"]]) == pytest.approx(1.0, abs=0.01)
        assert np.all(changed[planes["BAD"]])
        assert np.all(image.image.array[full & ~planes["COSMIC_RAY"] & ~planes["BAD"]] == 8000.0)
        assert not np.any(clean.mask.get("SATURATED"))


def test_bleed_trails_run_along_columns(spoiled: tuple[SurveyPlan, list[VisitImage]]) -> None:
    """The bright cores are round; what is full is longer along y than along x."""
    _, images = spoiled
    full = images[0].mask.get("SATURATED")
    longest_y = max(_longest_run(column) for column in full.T)
    longest_x = max(_longest_run(row) for row in full)
    assert longest_y > longest_x + 4


def test_bad_columns_are_the_same_in_every_visit(
    spoiled: tuple[SurveyPlan, list[VisitImage]],
) -> None:
    """A defect of the silicon does not know what is observed; cosmic rays do change."""
    _, (first, second) = spoiled
    bad = first.mask.get("BAD")
    np.testing.assert_array_equal(bad, second.mask.get("BAD"))
    np.testing.assert_array_equal(bad, np.broadcast_to(bad[0], bad.shape))
    assert np.array_equal(np.diff(np.flatnonzero(bad[0])), [1, 1, 1])
    assert not np.array_equal(first.mask.get("COSMIC_RAY"), second.mask.get("COSMIC_RAY"))


def test_statistics_are_those_of_the_image() -> None:
    """Selection and weights read them: Gaussian moments are known, corners are the WCS's."""
    visit = VisitPlan(visit=5, seeing=0.7, stated_statistics={"nPsfStar": 3, "starEMedian": 0.5})
    plan = SurveyPlan(visits=(visit,), camera=SMALL, sky=None)
    image = simulate_visit_detector(plan, visit=5, detector=0)
    stats = image.summary_stats
    sigma = 0.7 / 0.168 / FWHM_PER_SIGMA
    assert stats.psfSigma == pytest.approx(sigma, rel=1e-4)
    assert stats.psfArea == pytest.approx(4.0 * np.pi * sigma**2, rel=1e-6)
    assert stats.pixelScale == pytest.approx(0.168, rel=1e-5)
    assert (stats.psfTraceRadiusDelta, stats.psfApFluxDelta) == (0.0, 0.0)
    assert (stats.nPsfStar, stats.starEMedian) == (3, 0.5)
    assert image.sky_projection is not None
    corner = image.sky_projection.pixel_to_sky(x=142.5, y=-8.5)
    assert stats.raCorners[1] == pytest.approx(corner.ra.deg, abs=1e-9)
    assert stats.decCorners[1] == pytest.approx(corner.dec.deg, abs=1e-9)
    unknown = dataclasses.replace(visit, stated_statistics={"nPsfStars": 3})
    with pytest.raises(ValueError, match=r"nPsfStars.*ObservationSummaryStats"):
        simulate_visit_detector(dataclasses.replace(plan, visits=(unknown,)), visit=5, detector=0)


def test_corrections_and_backgrounds_are_stated_and_change_no_pixel() -> None:
    """T_1 is the position in halves of the box; the models are in the unit of the pixels."""
    plain = VisitPlan(visit=5)
    visit = dataclasses.replace(
        plain,
        stated_aperture_corrections={"a": [[0.9, 0.02], [-0.01, 0.0]]},
        stated_backgrounds={"sky": [[700.0]], "other": [[1.0, 2.0]]},
        subtracted_background="sky",
    )
    plans = [SurveyPlan(visits=(each,), camera=SMALL, sky=None) for each in (plain, visit)]
    bare, image = (simulate_visit_detector(plan, visit=5, detector=0) for plan in plans)
    np.testing.assert_array_equal(image.image.array, bare.image.array)
    box = image.bbox
    corner = XY(x=box.x.max + 0.5, y=box.y.min - 0.5)
    assert image.aperture_corrections["a"](corner) == pytest.approx(0.9 + 0.02 + 0.01)
    assert image.backgrounds["other"].field(corner) == pytest.approx(3.0)
    assert {model.field.unit for model in image.backgrounds.values()} == {image.unit}
    subtracted = image.backgrounds.subtracted
    assert subtracted is not None
    assert subtracted.name == "sky"
    assert not bare.aperture_corrections
    assert not bare.backgrounds


def test_the_subtracted_background_is_one_of_the_stated() -> None:
    """A plan that says otherwise is refused with the names that there are."""
    with pytest.raises(ValueError, match=r"Visit 5.*one of \['sky', None\], got 'skY'"):
        VisitPlan(visit=5, stated_backgrounds={"sky": [[1.0]]}, subtracted_background="skY")


def test_a_varying_psf_is_seen_in_the_statistics(busy_plan: SurveyPlan) -> None:
    """5 per cent more width from the axis to the edge is 10 from edge to edge."""
    stats = simulate_visit_detector(busy_plan, visit=5, detector=0).summary_stats
    assert stats.psfTraceRadiusDelta == pytest.approx(0.10 * stats.psfSigma, rel=0.15)
    assert stats.psfApFluxDelta > 0.005


def test_simulation_reaches_neither_numba_nor_the_kernels() -> None:
    """A witness that shares numerics with the accused could share the mistake."""
    program = """
import sys
import cellcoadd.simulate as s
lazy = {"galsim", "piff"} & set(sys.modules)
visit = s.VisitPlan(visit=1, psf="moffat")
camera = s.Camera(columns=1, rows=1, width=60, height=60)
s.simulate_visit_detector(s.SurveyPlan(visits=(visit,), camera=camera), visit=1, detector=0)
print(*lazy, "|", *sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lazy, _, loaded = done.stdout.partition("|")
    modules = loaded.split()
    assert not lazy.strip()
    assert "galsim" in modules
    ours = {name for name in modules if name.startswith("cellcoadd.")}
    stages = ("kernels", "_jit", "skymap", "warping", "coaddition", "butler", "tasks", "surveys")
    assert not [n for n in ours if n.split(".")[1] in stages]
    assert "numba" not in modules


def _overlap(a: Box, b: Box) -> bool:
    return (
        a.x.start < b.x.stop and b.x.start < a.x.stop
        and a.y.start < b.y.stop and b.y.start < a.y.stop
    )  # fmt: skip


def _longest_run(flags: npt.NDArray[np.bool_]) -> int:
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return int((stops - starts).max(initial=0))
