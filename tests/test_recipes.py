"""The stages joined in plain Python."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from lsst.images import Box, VisitImage
from lsst.images.fields import ChebyshevField

from cellcoadd.cell_grid import Index2D, shared_box
from cellcoadd.coaddition import strips
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.files.packed_planes import PackedPlanes
from cellcoadd.masks.algebra import any_of
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.recipes import coadd_files, coadd_images
from cellcoadd.simulate import (
    ArtifactSettings,
    Camera,
    SkySettings,
    SurveyPlan,
    VisitPlan,
    simulate_survey,
    survey_plan,
    write_survey,
)
from cellcoadd.skymap import named_sky_map
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image, read_visit_image
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.testing.same_cells import assert_same_cell
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import PIPELINE_WARPING, InterpolationSettings, WarpSettings

PATCH = small_patch()


def images() -> list[CalibratedImage]:
    rng = np.random.default_rng(2)
    return [
        make_detector(
            PATCH, pixels=rng.normal(size=(150, 150)), rotation=10 * visit, visit=visit,
            detector=detector, x=None if detector == 0 else 5000.0,
        )
        for visit in (1, 2)
        for detector in (0, 1)
    ]  # fmt: skip


def test_a_recipe_is_the_stages_one_after_the_other() -> None:
    """Nothing is added, nothing left out."""
    warp_settings = WarpSettings(number_of_noise_realizations=2)
    coadd_settings = CoaddSettings(num_noise_realizations=1)
    coadd = coadd_images(
        reversed(images()), PATCH, warp_settings=warp_settings, coadd_settings=coadd_settings
    )
    visits = []
    for visit in (1, 2):
        group = [image for image in images() if image.observation.visit == visit]
        made = make_direct_warp(group, PATCH, settings=warp_settings)
        assert made is not None
        visits.append(VisitOnPatch(warp=made.warp, noise=made.noise[:1]))
    expected = assemble_cell_coadd(visits, PATCH, settings=coadd_settings)
    assert coadd is not None
    assert expected is not None
    assert coadd.stack.indices == expected.stack.indices
    for name in ("image", "variance", "mask", "noise", "psf"):
        np.testing.assert_array_equal(getattr(coadd.stack, name), getattr(expected.stack, name))
    assert {entry.observation.visit for entry in coadd.inputs} == {1, 2}


def test_defaults_are_those_of_the_pipelines() -> None:
    """Who gives no settings gets those of the pipelines that come with the package."""
    ours = coadd_images(images(), PATCH)
    theirs = coadd_images(
        images(), PATCH, warp_settings=PIPELINE_WARPING, coadd_settings=CoaddSettings()
    )
    assert ours is not None
    assert theirs is not None
    np.testing.assert_array_equal(ours.stack.image, theirs.stack.image)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three visits with gaps and defects, two detectors wide and high, onto the patch."""
    middle = PATCH.sky_projection.pixel_to_sky(
        x=PATCH.outer_bbox.x.center, y=PATCH.outer_bbox.y.center
    )
    plan = SurveyPlan(
        visits=tuple(
            VisitPlan(visit=visit, rotation=turn, dither_east=3.0 * visit, sky_sigma=20.0 + visit)
            for visit, turn in ((1, 0.0), (2, 35.0), (3, 90.0))
        ),
        camera=Camera(columns=2, rows=2, width=80, height=90, gap_x=4, gap_y=4),
        ra=float(middle.ra.deg),
        dec=float(middle.dec.deg),
        sky=SkySettings(galaxies_per_arcmin2=0.0),
    )
    return list(write_survey(plan, tmp_path_factory.mktemp("survey")).images)


def test_in_strips_the_coadd_is_the_same(
    files: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To the bit, with its inputs, its record and its file; each file is read once a strip."""
    whole = coadd_files(files, PATCH).coadd
    in_strips(monkeypatch)
    progress: list[tuple[int, int]] = []
    parts = coadd_files(files, PATCH, progress=lambda *count: progress.append(count))
    assert whole is not None
    assert parts.coadd == whole
    for coadd, name in ((whole, "whole.fits"), (parts.coadd, "parts.fits")):
        coadd.write(tmp_path / name)
    stored = [MultipleCellCoadd.read(tmp_path / name) for name in ("whole.fits", "parts.fits")]
    assert stored[0] == stored[1]
    fractions = parts.coadd.stack.mask_fractions
    assert isinstance(fractions, PackedPlanes)
    assert (fractions[ALL_PLANES] > 0.0).any()
    done, total = progress[-1]
    assert done == total == len(progress)
    assert total % len(files) == 0
    assert total // len(files) > 2


def in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "_MEMORY", 150_000)


def test_strips_may_be_empty_and_have_different_corrections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in the whole: NaN for a correction that some inputs lack, a record of what was refused."""
    corrections = {"psf_flux": ChebyshevField(Box.factory[0:150, 0:150], np.array([[1.1]]))}
    low, high = PATCH.outer_bbox.y.start, PATCH.outer_bbox.y.stop
    group = [
        make_detector(PATCH, visit=1, height=20, y=low + 5.0),
        make_detector(PATCH, visit=2, height=90, y=0.5 * (low + high)),
        make_detector(PATCH, visit=3, height=80, y=high - 20.0, aperture_corrections=corrections),
    ]
    visits = []
    for image in group:
        made = make_direct_warp([image], PATCH, settings=WarpSettings(border=0))
        assert made is not None
        visits.append(VisitOnPatch(warp=made.warp))
    whole = assemble_cell_coadd(visits, PATCH, settings=CoaddSettings())
    in_strips(monkeypatch)
    cut = strips.strips_of(PATCH, settings=CoaddSettings(), n_visits=3)
    assert len(cut) > 2
    parts = strips.assemble_in_strips(lambda _: visits, PATCH, cut, settings=CoaddSettings())
    assert whole is not None
    assert parts == whole
    assert np.isnan(whole.stack.aperture_corrections["psf_flux"]).any()


def test_strips_of_different_masked_fractions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the whole, though no strip sees both."""
    low, high = PATCH.outer_bbox.y.start, PATCH.outer_bbox.y.stop
    visits = []
    for visit, y, planes in ((1, low + 5.0, ("SAT",)), (2, high - 5.0, ("CR",))):
        made = make_direct_warp(
            [make_detector(PATCH, visit=visit, height=30, y=y)],
            PATCH,
            settings=WarpSettings(
                border=0,
                do_pre_warp_interpolation=True,
                interpolation=InterpolationSettings(bad_mask_planes=planes),
            ),
        )
        assert made is not None
        visits.append(VisitOnPatch(warp=made.warp))

    def visits_in(box: Box | None) -> list[VisitOnPatch]:
        assert box is not None
        return [visit for visit in visits if shared_box(visit.warp.bbox, box) is not None]

    in_strips(monkeypatch)
    cut = strips.strips_of(PATCH, settings=CoaddSettings(), n_visits=2)
    assert max(len(visits_in(strip.bbox)) for strip in cut) == 1
    with pytest.raises(ValueError, match=r"different masked fractions, .*'CR'.* and .*'SAT'"):
        strips.assemble_in_strips(visits_in, PATCH, cut, settings=CoaddSettings())


def test_what_there_is_to_say_is_said_once(
    files: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not once a strip: planes that are missing, PSF images that do not sum to 1."""
    in_strips(monkeypatch)
    settings = CoaddSettings(psf_dimensions=3, bad_mask_planes=("BAD", "NO_DATA", "ODD"))
    assert coadd_files(files, PATCH, coadd_settings=settings).coadd is not None
    texts = [record.getMessage() for record in caplog.records]
    assert len([text for text in texts if "ODD" in text]) == 1
    assert len([text for text in texts if "do not sum to 1" in text]) == 1


def test_a_file_that_spoils_in_a_later_strip_takes_no_part_in_any(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, and the coadd is that of the others."""
    copies = [Path(shutil.copy(path, tmp_path)) for path in files]
    planes = VisitImage.read(str(copies[0]))
    planes.write(str(tmp_path / "compressed.fits"))
    (tmp_path / "compressed.fits").replace(copies[0])
    with fits.open(copies[0], disable_image_compression=True) as hdus:
        heap = hdus["VARIANCE"].fileinfo()["datLoc"] + 8 * len(hdus["VARIANCE"].data)
        lengths = [len(tile) for tile in hdus["VARIANCE"].data["COMPRESSED_DATA"]]
    # The rows at the upper edge of the lower left detector, which the first strip does not need.
    content = bytearray(copies[0].read_bytes())
    first, last = heap + sum(lengths[:-6]), heap + sum(lengths)
    content[first:last] = bytes(last - first)
    copies[0].write_bytes(content)
    expected = coadd_files(copies[1:], PATCH).coadd
    for cut in (False, True):
        if cut:
            in_strips(monkeypatch)
        result = coadd_files(copies, PATCH)
        assert [Path(error.source) for error in result.refused] == copies[:1]
        assert result.coadd == expected


def test_settings_that_need_whole_detectors_or_warps_are_not_cut_into_strips(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they give depends on pixels outside of a strip."""
    cases: list[tuple[WarpSettings, CoaddSettings]] = [
        (
            WarpSettings(
                do_pre_warp_interpolation=True,
                interpolation=InterpolationSettings(triangulation="detector"),
            ),
            CoaddSettings(),
        ),
        (WarpSettings(), CoaddSettings(do_calculate_weight_from_warp=True)),
    ]
    expected = [
        coadd_files(files, PATCH, warp_settings=warp, coadd_settings=coadd).coadd
        for warp, coadd in cases
    ]
    in_strips(monkeypatch)
    for (warp, coadd), same in zip(cases, expected, strict=True):
        assert same is not None
        found = coadd_files(files, PATCH, warp_settings=warp, coadd_settings=coadd).coadd
        assert found == same


def test_noise_and_interpolation_are_the_same_in_strips(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit: each strip prepares its own blocks of a detector."""
    warp = WarpSettings(do_pre_warp_interpolation=True, number_of_noise_realizations=1)
    settings = CoaddSettings(num_noise_realizations=1)
    whole = coadd_files(files, PATCH, warp_settings=warp, coadd_settings=settings).coadd
    in_strips(monkeypatch)
    assert whole is not None
    assert coadd_files(files, PATCH, warp_settings=warp, coadd_settings=settings).coadd == whole


def test_some_cells_may_be_asked_for() -> None:
    """Each of them as in the whole; one outside of the patch is an error, not an empty coadd."""
    wanted = [Index2D(x=2, y=2), Index2D(x=1, y=3)]
    coadd = coadd_images(images(), PATCH, cells=wanted)
    whole = coadd_images(images(), PATCH)
    assert coadd is not None
    assert whole is not None
    assert list(coadd.cells) == wanted
    for index in wanted:
        assert_same_cell(coadd, index, whole, index)
    with pytest.raises(ValueError, match="none of them"):
        coadd_images(images(), PATCH, cells=[Index2D(x=9, y=9)])


def test_nothing_to_coadd_is_no_coadd() -> None:
    """No image; none that lands on the patch."""
    assert coadd_images([], PATCH) is None
    assert coadd_images([make_detector(PATCH, x=5000.0)], PATCH) is None


def test_images_of_two_bands_are_refused() -> None:
    """Their mean would have no meaning; the message names the bands."""
    one, two = images()[:2]
    red = dataclasses.replace(two, observation=dataclasses.replace(two.observation, band="r"))
    with pytest.raises(ValueError, match=r"visit \d+ detector \d+ \(i\) of i, .* of r\."):
        coadd_images([one, red], PATCH)


def test_more_noise_than_is_made_is_refused() -> None:
    """Before any work is done."""
    with pytest.raises(ValueError, match=r"num_noise_realizations = 2.*= 1 that are warped"):
        coadd_images(
            images(), PATCH,
            warp_settings=WarpSettings(number_of_noise_realizations=1),
            coadd_settings=CoaddSettings(num_noise_realizations=2),
        )  # fmt: skip


def test_files_make_the_coadd_of_their_images(tmp_path: Path) -> None:
    """Bit for bit, in any order; a file that is none and a second copy are named and left out."""
    plan = survey_plan(
        "tests",
        camera=Camera(columns=2, rows=1, width=420, height=420),
        visits=(
            VisitPlan(visit=1228, sequence=1),
            VisitPlan(visit=1230, sequence=2, dither_east=3000.0),  # lands nowhere near
            VisitPlan(visit=1232, sequence=3, rotation=90.0),
        ),
    )
    files = list(write_survey(plan, tmp_path / "images").images)
    copied, text = tmp_path / "zzz.fits", tmp_path / "text.fits"
    copied.write_bytes(files[0].read_bytes())
    text.write_text("no image")
    patch = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
    settings = WarpSettings(do_pre_warp_interpolation=True)
    counts: list[tuple[int, int]] = []
    made = coadd_files(
        [text, copied, *reversed(files)], patch, warp_settings=settings,
        progress=lambda done, total: counts.append((done, total)),
    )  # fmt: skip
    expected = coadd_images(
        [read_visit_image(path).calibrated_image for path in files], patch, warp_settings=settings
    )
    assert expected is not None
    assert made.coadd == expected
    assert [Path(error.source).name for error in made.refused] == ["text.fits", "zzz.fits"]
    assert "which" in made.refused[1].reason
    done, total = counts[-1]
    assert done == total
    assert (total - len(made.refused)) % len(files) == 0


def test_files_of_several_bands_are_refused(tmp_path: Path) -> None:
    """Before any pixel is read."""
    camera = Camera(columns=1, rows=1, width=60, height=60)
    visits = (VisitPlan(visit=1228, sequence=1),)
    files = [
        path
        for number, band in enumerate("ri")
        for path in write_survey(
            survey_plan(
                "tests", camera=camera, band=band, physical_filter=f"HSC-{band.upper()}",
                visits=(dataclasses.replace(visits[0], visit=1228 + 2 * number),), sky=None,
            ),
            tmp_path / band,
        ).images
    ]  # fmt: skip
    with pytest.raises(
        ValueError, match=r"the files are of several: \S+\.fits of i, \S+\.fits of r\."
    ):
        coadd_files(files, PATCH)


def test_hits_of_cosmic_rays_do_not_reach_a_coadd_by_default() -> None:
    """As in the pipeline that comes with the package: they are interpolated.

    Where somebody does without, what they reach is left out. A coadd of the same sky without hits
    differs then where stars are sums of fewer visits, each with a PSF of its own, and nowhere else.
    """
    patch = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
    hits, none = (
        [
            calibrated_image_from_visit_image(image)
            for image in simulate_survey(survey_plan("tests", artifacts=artifacts))
        ]
        for artifacts in (
            ArtifactSettings(bad_column_bands=0, saturation=1e9),
            ArtifactSettings(bad_column_bands=0, saturation=1e9, cosmic_rays_per_megapixel=0.0),
        )
    )

    def far_off(**settings: Any) -> npt.NDArray[np.bool_]:
        """Pixels of the coadd that hits move by more than five standard deviations."""
        with_hits, without = (coadd_images(images, patch, **settings) for images in (hits, none))
        assert with_hits is not None
        assert without is not None
        moved = with_hits.image.array - without.image.array
        known = ~any_of(with_hits.mask, "NO_DATA") & ~any_of(without.mask, "NO_DATA")
        far: npt.NDArray[np.bool_] = np.abs(moved) > 5.0 * np.sqrt(without.variance.array)
        return known & far

    kept = CoaddSettings(bad_mask_planes=("NO_DATA", "BAD", "SAT", "CLIPPED"))
    reached = far_off(warp_settings=WarpSettings(), coadd_settings=kept)
    assert reached.sum() > 2000
    assert not far_off().any()
    left_out = far_off(warp_settings=WarpSettings())
    assert left_out.sum() < 0.01 * reached.sum()
