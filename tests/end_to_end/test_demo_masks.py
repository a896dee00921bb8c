"""What the masks of the demonstration do to its cells."""

from __future__ import annotations

import numpy as np

from cellcoadd.analysis.input_table import tabulate_inputs
from cellcoadd.analysis.input_thresholds import remaining_input_fraction
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.recipes import coadd_images
from cellcoadd.simulate import survey_plan
from cellcoadd.validation.physics.sources import images_of, physics_patch
from cellcoadd.warping.settings import WarpSettings


def test_each_panel_of_the_demonstration_shows_something() -> None:
    """At 5 and at 10 per cent some cells lose all inputs, some a part, and most lose none.

    A panel of one colour would tell a newcomer nothing.
    """
    settings = WarpSettings(do_warp_masked_fraction=True, do_pre_warp_interpolation=True)
    coadd = coadd_images(images_of(survey_plan("demo")), physics_patch(), warp_settings=settings)
    assert coadd is not None
    found = remaining_input_fraction(tabulate_inputs(coadd), thresholds=[0.05, 0.10])
    assert found.cell_count == 75
    for fractions, fewest in zip(found.fractions.T, (20, 5), strict=True):
        lost = fractions < 1.0
        assert fewest <= np.count_nonzero(lost) < 45
        assert np.count_nonzero(fractions == 0.0) >= 2
        assert np.unique(fractions).size >= 4
    masked = [cell.inner.mask_fractions[ALL_PLANES].array.mean() for cell in coadd.cells.values()]
    assert 0.05 < max(masked) < 0.3
    assert np.median(masked) < 0.05
