"""A simulated survey on disk: whole, readable by lsst.images, and the same every time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from lsst.images import VisitImage

from cellcoadd.simulate import (
    SURVEY_PLANS,
    Camera,
    SkySettings,
    SurveyFiles,
    SurveyPlan,
    VisitPlan,
    simulate_survey,
    simulate_visit_detector,
    survey_plan,
    write_survey,
)
from cellcoadd.testing.input_counts import count_inputs

PLAN = SurveyPlan(
    visits=(
        VisitPlan(visit=8, sequence=3),
        VisitPlan(visit=4, day_obs=20240901, psf="moffat", psf_slope=0.02, rotation=45.0),
    ),
    camera=Camera(columns=2, rows=1, width=90, height=70, first_x=4, first_y=9, distortion=1e3),
    sky=SkySettings(stars_per_arcmin2=30.0, galaxies_per_arcmin2=10.0),
    seed=6,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SurveyFiles:
    return write_survey(PLAN, tmp_path_factory.mktemp("survey"))


def test_files_read_back_as_they_were(written: SurveyFiles) -> None:
    """All that a warp or a repository is made from must survive the file."""
    images = [VisitImage.read(str(path)) for path in written.images]
    assert [(i.obs_info.visit_id, i.detector.id) for i in images] == [
        (8, 0),
        (8, 1),
        (4, 0),
        (4, 1),
    ]
    for read, made in zip(images, simulate_survey(PLAN), strict=True):
        assert read.bbox == made.bbox == PLAN.camera.bbox
        np.testing.assert_array_equal(read.image.array, made.image.array)
        np.testing.assert_array_equal(read.variance.array, made.variance.array)
        np.testing.assert_array_equal(read.mask.array, made.mask.array)
        assert read.mask.schema == made.mask.schema
        assert (read.unit, read.band) == (made.unit, "i")
        assert read.obs_info == made.obs_info
        assert read.summary_stats == made.summary_stats
        assert read.detector == made.detector
        drawn = [image.psf.compute_stellar_image(x=40.3, y=33.8).array for image in (read, made)]
        np.testing.assert_allclose(drawn[0], drawn[1], rtol=0, atol=1e-15)
        sky = [image.sky_projection.pixel_to_sky(x=4.0, y=78.0) for image in (read, made)]
        assert sky[0].separation(sky[1]).arcsec < 1e-9


def test_observation_says_what_a_repository_needs(written: SurveyFiles) -> None:
    """Instrument, filter, day, visit, detector and time span are registered from it alone."""
    image = VisitImage.read(str(written.images[2]))
    info = image.obs_info
    assert (info.instrument, info.physical_filter, info.visit_id) == ("HSC", "HSC-I", 4)
    assert (info.observing_day, info.exposure_id, info.detector_num) == (20240901, 4, 0)
    assert info.detector_name == image.detector.name == "0_00"
    assert info.exposure_time is not None
    assert info.datetime_begin is not None
    assert info.datetime_end is not None
    assert (info.datetime_end - info.datetime_begin).sec == pytest.approx(200.0)
    assert info.datetime_begin.isot.startswith("2024-09-01T06:10")
    assert info.boresight_rotation_angle is not None
    assert info.boresight_rotation_angle.deg == pytest.approx(45.0)
    assert info.tracking_radec is not None
    assert info.tracking_radec.ra.deg == pytest.approx(150.0)


def test_truth_is_written_beside_the_images(written: SurveyFiles) -> None:
    """Units and meanings travel with it."""
    truth = Table.read(written.truth, format="ascii.ecsv")
    assert truth["ra"].unit == "deg"
    assert "east-west" in truth["g1"].description
    np.testing.assert_array_equal(truth["flux_njy"], PLAN.truth["flux_njy"])


def test_an_image_does_not_depend_on_the_others() -> None:
    """Alone, in another order, or in a survey of fewer visits: the same bits."""
    alone = dataclasses.replace(PLAN, visits=PLAN.visits[1:])
    # An equal field of view keeps the truth the same: neither visit is dithered.
    last_first = simulate_visit_detector(alone, visit=4, detector=1)
    together = list(simulate_survey(PLAN))[3]
    np.testing.assert_array_equal(last_first.image.array, together.image.array)
    np.testing.assert_array_equal(last_first.mask.array, together.mask.array)


def test_the_seed_changes_everything() -> None:
    """Sky, noise and defects all follow from it."""
    first, second = (
        simulate_visit_detector(dataclasses.replace(PLAN, seed=seed), visit=8, detector=0)
        for seed in (6, 7)
    )
    assert not np.array_equal(first.mask.get("BAD"), second.mask.get("BAD"))
    difference = (
        first.image.array[~first.mask.get("BAD")] - second.image.array[~first.mask.get("BAD")]
    )
    assert np.std(difference) > 25.0


def test_a_failed_write_leaves_only_whole_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that has its name is complete, also when the disk is full in the middle of another."""
    write = VisitImage.write

    def fail(self: VisitImage, path: str, **kwargs: object) -> None:
        if self.obs_info.visit_id == 4:
            Path(path).write_bytes(b"half of it")
            raise OSError("no space left")
        write(self, path, **kwargs)

    monkeypatch.setattr(VisitImage, "write", fail)
    with pytest.raises(OSError, match="no space left"):
        write_survey(PLAN, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "truth.ecsv", "visit_image_HSC_000008_000.fits", "visit_image_HSC_000008_001.fits",
    ]  # fmt: skip


def test_writing_again_replaces_and_reports(tmp_path: Path) -> None:
    """The same survey twice is the same survey; progress counts its images."""
    plan = dataclasses.replace(PLAN, visits=PLAN.visits[:1], sky=None)
    counts: list[tuple[int, int]] = []
    write_survey(plan, tmp_path)
    files = write_survey(plan, tmp_path, lambda done, total: counts.append((done, total)))
    assert counts == [(1, 2), (2, 2)]
    assert sorted(tmp_path.iterdir()) == sorted([files.truth, *files.images])


@pytest.mark.parametrize(
    ("name", "n_cells", "most"), [("tests", 17, 3), ("demo", 75, 5), ("hsc-tests", 94, 6)]
)
def test_presets_fill_cells_of_one_patch(name: str, n_cells: int, most: int) -> None:
    """Cells of 250 pixels of patch 61 of tract 9813, counted with this package's formulas only.

    An input covers a cell that it contains entirely. Columns and rows 0 and 1 of the cells are
    shared with the neighbouring patches: they must be empty, or these would have coadds as well.
    """
    plan = survey_plan(name)
    counts = count_inputs(plan)
    assert int(np.count_nonzero(counts)) == n_cells
    assert int(counts.max()) == most
    assert not counts[:2].any()
    assert not counts[:, :2].any()
    assert not counts[-2:].any()
    assert not counts[:, -2:].any()


def test_presets_can_be_changed() -> None:
    """Centre, noise and artifacts are parameters."""
    plan = survey_plan("tests", ra=12.0, noise=False, artifacts=None)
    assert (plan.ra, plan.noise, plan.artifacts) == (12.0, False, None)
    assert sorted(SURVEY_PLANS) == ["demo", "hsc-patch", "hsc-tests", "hsc-tract", "tests"]
    with pytest.raises(ValueError, match=r"'big'; there are \['demo', 'hsc-patch', "):
        survey_plan("big")


@pytest.mark.parametrize(
    ("visits", "message"),
    [
        ((), "at least one visit"),
        ((VisitPlan(visit=3), VisitPlan(visit=3)), r"got \[3, 3\]"),
    ],
)
def test_a_plan_needs_distinct_visits(visits: tuple[VisitPlan, ...], message: str) -> None:
    """A visit's id names its files."""
    with pytest.raises(ValueError, match=message):
        SurveyPlan(visits=visits)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"visit": 0}, "positive"),
        ({"visit": 1, "day_obs": 20241301}, "YYYYMMDD"),
        ({"visit": 1, "sequence": 72}, r"0\.\.71"),
        ({"visit": 1, "exposure_time_s": 0.0}, "exposure time"),
        ({"visit": 1, "sky_sigma": 0.0}, "sky noise"),
    ],
)
def test_an_impossible_visit_is_refused(values: dict[str, float], message: str) -> None:
    """Named with the rule that it breaks."""
    with pytest.raises(ValueError, match=message):
        VisitPlan(**values)  # type: ignore[arg-type]


def test_sources_may_be_given() -> None:
    """Whoever wants to know what becomes of one source puts just that one there."""
    at = PLAN.pointing(8, 0).to_pixels(ra=PLAN.truth["ra"], dec=PLAN.truth["dec"])
    given = PLAN.truth[np.argsort(np.hypot(at.x - 49.0, at.y - 44.0))[:1]]
    plan = dataclasses.replace(PLAN, sources=given)
    assert plan.truth is given
    perfect = dataclasses.replace(plan, noise=False, artifacts=None)
    bright = dataclasses.replace(perfect, sources=_brighter(given, 10.0))
    images = [next(iter(simulate_survey(each))).image.array for each in (perfect, bright)]
    lit = images[0] > 1e-3
    assert lit.any()
    np.testing.assert_allclose(images[1][lit] / images[0][lit], 10.0, rtol=1e-4)


def test_given_sources_need_all_columns() -> None:
    """Else the first galaxy would stop the simulation half-way."""
    given = PLAN.truth.copy()
    given.remove_columns(["g1", "g2"])
    with pytest.raises(ValueError, match=r"missing: \['g1', 'g2'\]"):
        dataclasses.replace(PLAN, sources=given)


def _brighter(sources: Table, factor: float) -> Table:
    result = sources.copy()
    result["flux_njy"] *= factor
    return result


def test_asking_for_a_visit_that_is_not_planned() -> None:
    """The message lists those that are."""
    with pytest.raises(ValueError, match=r"no visit 5, only \[8, 4\]"):
        simulate_visit_detector(PLAN, visit=5, detector=0)
