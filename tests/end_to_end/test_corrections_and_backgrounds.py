"""What visit images say of aperture corrections and backgrounds, followed into the coadd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.daf.butler import Butler

from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.recipes import coadd_images
from cellcoadd.simulate import Camera, SurveyPlan, VisitPlan, simulate_survey
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image
from cellcoadd.testing.commands import Outcome
from cellcoadd.testing.images import small_patch
from cellcoadd.warping.settings import WarpSettings

NAME = "base_PsfFlux_instFlux"
PATCH = small_patch()
PLAN = SurveyPlan(
    ra=150.0,
    dec=2.0,
    camera=Camera(columns=1, rows=1, width=240, height=220, first_x=5, first_y=8),
    visits=(
        VisitPlan(
            visit=1, sequence=1, sky_sigma=20.0, rotation=20.0,
            stated_aperture_corrections={
                NAME: [[0.95, 0.02], [-0.01, 0.0]], f"{NAME}Err": [[0.01]], "half": [[1.1]],
            },
            stated_backgrounds={"sky": [[700.0]], "better": [[690.0]]},
            subtracted_background="sky",
        ),
        VisitPlan(
            visit=2, sequence=2, sky_sigma=30.0, rotation=-65.0,
            stated_aperture_corrections={
                NAME: [[0.85, 0.03], [0.02, 0.0]], f"{NAME}Err": [[0.02]],
            },
            stated_backgrounds={"sky": [[500.0]], "better": [[520.0]]},
            subtracted_background="sky",
        ),
    ),
    sky=None,
    artifacts=None,
    noise=False,
)  # fmt: skip
WEIGHTS = np.array([1.0 / 20.0**2, 1.0 / 30.0**2])


def coadd_of(
    *, inverse: bool = False, plan: SurveyPlan = PLAN, **warping: Any
) -> MultipleCellCoadd:
    coadd = coadd_images(
        [calibrated_image_from_visit_image(image) for image in simulate_survey(plan)],
        PATCH,
        warp_settings=WarpSettings(**warping),
        coadd_settings=CoaddSettings(do_coadd_inverse_aperture_corrections=inverse),
    )
    assert coadd is not None
    assert len(coadd.cells) == 25
    return coadd


def stated_at(visit: VisitPlan, *, ra: float, dec: float) -> float:
    """A visit's correction at a position of the sky, by the simulation's own formulas."""
    camera = PLAN.camera
    (middle, along_x), (along_y, _) = visit.stated_aperture_corrections[NAME]
    at = PLAN.pointing(visit.visit, 0).to_pixels(ra=np.array([ra]), dec=np.array([dec]))
    # From the middle of the box in halves of its width and height.
    x = (float(at.x[0]) - (5 + 119.5)) / (0.5 * camera.width)
    y = (float(at.y[0]) - (8 + 109.5)) / (0.5 * camera.height)
    return middle + along_x * x + along_y * y


@pytest.mark.parametrize("inverse", [False, True])
def test_a_cell_has_the_weighted_mean_at_its_centre(inverse: bool) -> None:
    """Of what the visits state there: positions, weights and means are worked out here anew."""
    coadd = coadd_of(inverse=inverse)
    for index, cell in coadd.cells.items():
        centre = coadd.grid.centre_of(index)
        sky = PATCH.sky_projection.pixel_to_sky(x=float(centre.x), y=float(centre.y))
        stated = np.array(
            [stated_at(visit, ra=sky.ra.deg, dec=sky.dec.deg) for visit in PLAN.visits]
        )
        errors = np.array([0.01, 0.02])
        if inverse:
            expected = WEIGHTS.sum() / np.sum(WEIGHTS / stated)
            error = expected**2 * np.hypot(*(WEIGHTS * errors / stated**2)) / WEIGHTS.sum()
        else:
            expected = np.sum(WEIGHTS * stated) / WEIGHTS.sum()
            error = np.hypot(*(WEIGHTS * errors)) / WEIGHTS.sum()
        # Positions agree to 1e-3 pixel, of which the steepest plane makes 3e-7. "half", which one
        # visit alone states, is not there.
        assert cell.aperture_corrections == pytest.approx(
            {NAME: expected, f"{NAME}Err": error}, abs=5e-7
        )


def surface_brightness(coadd: MultipleCellCoadd) -> Any:
    """Of all pixels, in nJy per pixel of the camera."""
    # The middle of the tract is that of the camera: pixels of 0.2 arcsec in place of 0.168.
    return coadd.stack.image * (PLAN.camera.pixel_scale / 0.2) ** 2


def test_reverting_brings_back_the_sky_of_every_visit() -> None:
    """An empty sky without noise becomes the weighted mean of what was subtracted."""
    np.testing.assert_array_equal(coadd_of().stack.image, 0.0)
    coadd = coadd_of(do_revert_old_background=True)
    expected = np.sum(WEIGHTS * [700.0, 500.0]) / WEIGHTS.sum()
    # Over 20 arcsec the plane departs from the sphere by (1e-4 rad)^2 = 1e-8: float32 rules.
    np.testing.assert_allclose(surface_brightness(coadd), expected, rtol=2e-6)


def test_exchanging_leaves_the_difference_of_the_models() -> None:
    """700 - 690 in one visit, 500 - 520 in the other."""
    coadd = coadd_of(
        do_revert_old_background=True, do_apply_new_background=True, new_background="better"
    )
    expected = np.sum(WEIGHTS * [10.0, -20.0]) / WEIGHTS.sum()
    # The terms nearly cancel: float32 of 20 nJy rules.
    np.testing.assert_allclose(surface_brightness(coadd), expected, atol=2e-6 * 20.0)


def test_the_pipeline_takes_corrections_along_and_leaves_out_what_cannot_be_reverted(
    single: Path, pipetask_run: Callable[..., Outcome]
) -> None:
    """Visit 1230 carries no background: the log says so, and the coadd is of visit 1228."""
    where = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "patch": 61, "band": "i"}
    plain = pipetask_run(single, "u/plain")
    assert plain.exit_code == 0, plain.output
    done = pipetask_run(single, "u/reverted", "-c", "makeDirectWarp:doRevertOldBackground=True")
    assert done.exit_code == 0, done.output
    assert "visit 1230 detector 0 (i): do_revert_old_background asks to add" in done.output
    with Butler.from_config(single) as butler:
        before: MultipleCellCoadd = butler.get("deepCoaddCell", where, collections="u/plain")
        after: MultipleCellCoadd = butler.get("deepCoaddCell", where, collections="u/reverted")
        image: CalibratedImage = butler.get(
            "calexp", instrument="HSC", visit=1228, detector=0, collections="u/plain"
        )
    assert {entry.observation.visit for entry in before.inputs} == {1228, 1230}
    assert {entry.observation.visit for entry in after.inputs} == {1228}
    assert set(image.backgrounds) == {"sky"}
    # Only visit 1228 states one, so it is known where it is the only input.
    counts = np.array([cell.visit_count for cell in before.cells.values()])
    np.testing.assert_array_equal(np.isnan(before.stack.aperture_corrections[NAME]), counts == 2)
    np.testing.assert_array_equal(after.stack.aperture_corrections[NAME], 0.93)
    # 400 nJy a pixel of 0.168 arcsec, as the tract's are; noise and sources are as before.
    shared = [index for index in after.cells if before.cells[index].visit_count == 1]
    for index in shared:
        step = after.cells[index].outer.image.array - before.cells[index].outer.image.array
        assert np.nanmedian(step) == pytest.approx(400.0, rel=1e-4)
    sky = [float(np.nanmedian(cell.outer.image.array)) for cell in after.cells.values()]
    assert sky == pytest.approx([400.0] * len(sky), rel=0.02)
