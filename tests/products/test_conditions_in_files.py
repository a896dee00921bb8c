"""Conditions of exposures on their way from an image to the table of inputs, through files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cellcoadd import CalibratedImage, MultipleCellCoadd, Warp, read
from cellcoadd.analysis.input_table import tabulate_inputs
from cellcoadd.products.cell_coadd.inputs import union_of_inputs
from cellcoadd.products.observing_conditions import UNKNOWN_CONDITIONS, ObservingConditions
from cellcoadd.surveys import reader_for
from cellcoadd.testing.images import make_coadd, make_detector, small_patch
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import WarpSettings

CONDITIONS = ObservingConditions(
    exposure_time_s=30.0,
    epoch_mjd=60549.123456789,
    airmass=1.25,
    zenith_angle_deg=36.9,
    parallactic_angle_deg=-12.5,
    sky_background_njy=321.0,
    sky_noise_njy=7.5,
)
PARTLY = ObservingConditions(airmass=1.5)
COLUMNS = {
    "exposure_time": 30.0,
    "epoch": 60549.123456789,
    "airmass": 1.25,
    "zenith_angle": 36.9,
    "parallactic_angle": -12.5,
    "sky_background": 321.0,
    "sky_noise": 7.5,
}


def through_files(conditions: ObservingConditions, visit: int, folder: Path) -> Warp:
    """Write and read an image, then its warp."""
    noise = np.random.default_rng(1).normal(0.0, 2.0, (150, 150))
    image = make_detector(small_patch(), visit=visit, pixels=noise, conditions=conditions)
    image.write(folder / f"image{visit}.fits")
    path = folder / f"image{visit}.fits"
    found = read(path)
    assert isinstance(found, CalibratedImage)
    assert found.conditions == conditions
    image = reader_for(path).read(path).calibrated_image
    made = make_direct_warp([image], small_patch(), settings=WarpSettings())
    assert made is not None
    made.warp.write(folder / f"warp{visit}.fits")
    warp = Warp.read(folder / f"warp{visit}.fits")
    assert [entry.conditions for entry in warp.inputs] == [conditions]
    return warp


def test_all_that_is_known_reaches_the_table_of_inputs(tmp_path: Path) -> None:
    """What is not known is NaN there, and None on the way."""
    known = (CONDITIONS, PARTLY, UNKNOWN_CONDITIONS)
    coadd = make_coadd(*(through_files(one, n, tmp_path) for n, one in enumerate(known)))
    coadd.write(tmp_path / "coadd.fits")
    stored = MultipleCellCoadd.read(tmp_path / "coadd.fits")
    assert [entry.conditions for entry in stored.inputs] == list(known)
    table = tabulate_inputs(stored)
    for name, value in COLUMNS.items():
        assert set(table[name][table["visit"] == 0]) == {value}
        assert np.isnan(table[name][table["visit"] == 2]).all()
    assert set(table["airmass"][table["visit"] == 1]) == {1.5}
    # Of a Gaussian of 1.5 px, resampled onto pixels of 0.2 arcsec.
    assert np.allclose(table["psf_fwhm"][table["accepted"]], 2.3548 * 1.5 * 0.2, rtol=0.01)
    assert {str(table[name].unit) for name in ("sky_noise", "exposure_time")} == {"nJy", "s"}


def test_inputs_of_an_older_coadd_learn_their_conditions(tmp_path: Path) -> None:
    """It was the same image; but another variance is another one."""
    new = make_coadd(through_files(CONDITIONS, 1, tmp_path)).inputs
    old = [dataclasses.replace(entry, conditions=UNKNOWN_CONDITIONS) for entry in new]
    for lists in ([old, new], [new, old]):
        assert union_of_inputs(lists)[0] == list(new)
    other = [dataclasses.replace(entry, mean_variance_njy2=9.0) for entry in old]
    with pytest.raises(ValueError, match="another outline or mean variance"):
        union_of_inputs([new, other])
