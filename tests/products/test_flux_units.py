"""nJy, or counts where no zero point is known: said by every product, in memory and in files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from lsst.images.cells import CellCoadd

from cellcoadd import (
    CalibratedImage,
    CoaddSettings,
    MultipleCellCoadd,
    UnusableInputError,
    Warp,
    coadd_images,
    read,
    tabulate_cells,
)
from cellcoadd.analysis.input_table import tabulate_inputs
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.rebuild import rebuild_cells
from cellcoadd.coaddition.strips import Strip, assemble_in_strips
from cellcoadd.exchange.dp2_cells import inner_cells
from cellcoadd.exchange.lsst_cell_coadds import write_lsst_cell_coadds
from cellcoadd.exchange.plain_fits import write_plain_fits
from cellcoadd.files.parquet_tables import read_parquet_table
from cellcoadd.products.flux_units import FLUX_UNITS, common_flux_unit, flux_unit_of, stored_unit
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import DirectWarp, make_direct_warp
from cellcoadd.warping.settings import WarpSettings

PATCH = small_patch()
RATE = u.count / u.s


def detector(unit: u.UnitBase, *, visit: int = 1, number: int = 0) -> CalibratedImage:
    pixels = np.random.default_rng(visit).normal(3.0, 2.0, (150, 150))
    return make_detector(
        PATCH, visit=visit, detector=number, pixels=pixels, rotation=20.0, flux_unit=unit
    )


def warped(unit: u.UnitBase, *, visit: int = 1) -> DirectWarp:
    made = make_direct_warp(
        [detector(unit, visit=visit)], PATCH, settings=WarpSettings(number_of_noise_realizations=1)
    )
    assert made is not None
    return made


def coadd_of(unit: u.UnitBase) -> MultipleCellCoadd:
    visits = [warped(unit, visit=visit) for visit in (1, 2)]
    coadd = assemble_cell_coadd(
        [VisitOnPatch(warp=one.warp, noise=one.noise) for one in visits],
        PATCH,
        settings=CoaddSettings(num_noise_realizations=1, psf_dimensions=15),
    )
    assert coadd is not None
    return coadd


@pytest.mark.parametrize("unit", FLUX_UNITS)
def test_every_product_says_its_unit(unit: u.UnitBase, tmp_path: Path) -> None:
    """Images in it, variances in its square; after a file, too, and in what it says of itself."""
    image = detector(unit)
    image.write(tmp_path / "image.fits")
    assert read(tmp_path / "image.fits").flux_unit == unit
    made = warped(unit)
    assert {made.warp.unit, made.warp.image.unit, made.noise_images[0].unit} == {unit}
    assert made.noise_variance is not None
    assert {made.warp.variance.unit, made.noise_variance.unit} == {unit**2}
    made.warp.write(tmp_path / "warp.fits")
    again = Warp.read(tmp_path / "warp.fits")
    assert again == made.warp
    assert again.unit == unit
    coadd = coadd_of(unit)
    for compression in ("rounded", "lossless"):
        path = tmp_path / f"{compression}.fits"
        coadd.write(path, compression=compression)
        stored = MultipleCellCoadd.read(path)
        assert stored.unit == unit
        assert stored.subset([min(stored.cells)]).unit == unit
    assert MultipleCellCoadd.read(tmp_path / "lossless.fits") == coadd
    cell = coadd.cells[min(coadd.cells)]
    stitched, exploded = coadd.stitch(), coadd.explode()
    for planes in (cell.outer, cell.inner, cell.inner.copy(), coadd, stitched, exploded):
        assert planes.image.unit == unit
        assert planes.variance.unit == unit**2
    noise = [*cell.outer.noise_realizations, *stitched.noise_realizations]
    assert {plane.unit for plane in noise} == {unit}
    assert cell.noise_covariance.unit == unit**2
    assert coadd.unit == stitched.unit == inner_cells(stitched).unit == unit
    said = {u.nJy: "nJy", u.count: "counts", RATE: "counts/s"}[unit]
    for product in (made.warp, coadd, cell):
        assert {field.label: field.value for field in product.describe().fields}["unit"] == said
    assert said in repr(image)


def test_the_headers_of_planes_say_counts(tmp_path: Path) -> None:
    """By the FITS standard, for who opens a file without us."""
    coadd = coadd_of(u.count)
    coadd.write(tmp_path / "coadd.fits")
    warped(u.count).warp.write(tmp_path / "warp.fits")
    coadd.stitch().write(str(tmp_path / "stitched.fits"))
    for name in ("coadd", "warp", "stitched"):
        with fits.open(tmp_path / f"{name}.fits") as hdus:
            assert hdus["IMAGE"].header["BUNIT"] == "count"
            assert hdus["VARIANCE"].header["BUNIT"] == "count2"
    with fits.open(tmp_path / "coadd.fits") as hdus:
        assert hdus["NOISE/0"].header["BUNIT"] == "count"
        assert hdus["NOISE_COVARIANCE"].header["BUNIT"] == "count2"
    write_plain_fits(coadd, tmp_path / "plain.fits")
    header = fits.getheader(tmp_path / "plain.fits")
    assert header["BUNIT"] == "count"
    assert "MAGZERO" not in header
    assert fits.getheader(tmp_path / "plain.weight.fits")["BUNIT"] == "count-2"
    stitched = CellCoadd.read(str(tmp_path / "stitched.fits"))
    assert stitched.unit == u.count


def test_tables_say_it_and_know_no_magnitudes(tmp_path: Path) -> None:
    """Weights and variances are in counts, in the Parquet file too; depths are NaN."""
    cells = tabulate_cells(coadd_of(u.count))
    cells.write(tmp_path / "cells.parquet")
    for table in (cells, read_parquet_table(tmp_path / "cells.parquet")):
        assert table["variance_median"].unit == table["variance_mean"].unit == u.count**2
        assert table["weight_sum"].unit == u.count**-2
        assert np.isnan(table["depth"]).all()
        assert table["psf_fwhm"].unit == u.arcsec
        assert np.isfinite(table["noise_factor"]).all()
    assert tabulate_inputs(coadd_of(RATE))["weight"].unit == RATE**-2
    known = tabulate_cells(coadd_of(u.nJy))
    assert known["variance_median"].unit == u.nJy**2
    assert np.isfinite(known["depth"]).all()


def test_units_are_not_mixed() -> None:
    """Wherever images or warps come together, both units are named."""
    both = r"is in nJy, .* in counts\."
    with pytest.raises(ValueError, match=both):
        coadd_images([detector(u.nJy), detector(u.count, visit=2)], PATCH)
    with pytest.raises(ValueError, match=both):
        make_direct_warp(
            [detector(u.nJy), detector(u.count, number=1)], PATCH, settings=WarpSettings()
        )
    visits = [VisitOnPatch(warp=warped(unit, visit=n).warp) for n, unit in ((1, u.nJy), (2, RATE))]
    settings = CoaddSettings(psf_dimensions=15)
    with pytest.raises(ValueError, match=r"visit 1 of Cam is in nJy, visit 2 of Cam in counts/s"):
        assemble_cell_coadd(visits, PATCH, settings=settings)
    cells = sorted(PATCH.grid)
    strips = [Strip(cells=cells[:10], bbox=None), Strip(cells=cells[10:], bbox=None)]
    given = iter(visits)
    with pytest.raises(ValueError, match=r"is in nJy, .* in counts/s"):
        assemble_in_strips(lambda _: [next(given)], PATCH, strips, settings=settings)
    coadd = assemble_cell_coadd(visits[:1], PATCH, settings=settings)
    assert coadd is not None
    with pytest.raises(ValueError, match="The coadd is in nJy, the warps are in counts/s"):
        rebuild_cells(coadd, visits[1:], PATCH, settings=settings, cells=[min(coadd.cells)])


def test_what_differs_in_its_unit_alone_is_not_equal() -> None:
    """Numbers without their unit are not the same thing."""
    coadd = coadd_of(u.count)
    other = MultipleCellCoadd(**{**_parts(coadd), "unit": u.nJy})
    assert coadd == MultipleCellCoadd(**_parts(coadd))
    assert coadd != other
    assert coadd.replaced(stack=other.stack).unit == u.count


def _parts(coadd: MultipleCellCoadd) -> dict[str, Any]:
    return {
        "identifiers": coadd.identifiers, "band": coadd.band, "patch": coadd.patch,
        "cell_border": coadd.grid.border, "sky_projection": coadd.sky_projection,
        "stack": coadd.stack, "inputs": coadd.inputs, "contributions": coadd.contributions,
        "unit": coadd.unit,
    }  # fmt: skip


def test_forms_that_cannot_say_counts_are_not_written(tmp_path: Path) -> None:
    """Readers of lsst.cell_coadds know nJy; a file that says so of counts would be a lie."""
    with pytest.raises(ValueError, match="are in nJy, not in counts"):
        write_lsst_cell_coadds(coadd_of(u.count), tmp_path / "coadd.fits")
    assert not (tmp_path / "coadd.fits").exists()


def test_other_units_are_refused() -> None:
    """Products know nJy, counts and counts a second, however they are written."""
    assert flux_unit_of(None) == u.nJy
    assert [flux_unit_of(stored_unit(unit)) for unit in FLUX_UNITS] == list(FLUX_UNITS)
    assert flux_unit_of("ct / s") == RATE
    assert common_flux_unit([]) is None
    with pytest.raises(ValueError, match="one of nJy, counts, counts/s, got mJy"):
        detector(u.mJy)
    with pytest.raises(ValueError, match=r"in counts has no flux of one count, got 2\.0 nJy"):
        dataclasses.replace(detector(u.count), nanojansky_per_count=2.0)
    stitched = coadd_of(u.nJy).stitch()
    stitched.image._unit = u.adu
    with pytest.raises(UnusableInputError, match="must be in nJy, counts or counts/s, not adu"):
        inner_cells(stitched)
