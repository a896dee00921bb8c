"""What a cell-based coadd is stitched to: Rubin's public type."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from lsst.images import Box
from lsst.images.cells import CellCoadd, CellIJ

from cellcoadd.cell_grid import Index2D
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.products.cell_coadd import MultipleCellCoadd


def test_stitched_pixels_are_the_inner_regions(cell_coadd: MultipleCellCoadd) -> None:
    """Cells without input have no data; every plane is put together the same way."""
    stitched = cell_coadd.stitch()
    assert stitched.bbox == cell_coadd.bbox
    for index in cell_coadd.grid:
        box = cell_coadd.grid.inner_bbox_of(index)
        if not stitched.bbox.contains(box):
            assert index not in cell_coadd.cells
            continue
        part = stitched[box]
        if index not in cell_coadd.cells:
            assert np.all(part.image.array == 0)
            assert np.all(part.variance.array == np.inf)
            assert np.all(part.mask.get("NO_DATA"))
            assert np.isnan(part.mask_fractions[ALL_PLANES].array).all()
            continue
        inner = cell_coadd.cells[index].inner
        np.testing.assert_array_equal(part.image.array, inner.image.array)
        np.testing.assert_array_equal(part.variance.array, inner.variance.array)
        for ours, theirs in (("BAD", "BAD"), ("CR", "COSMIC_RAY"), ("INTRP", "INTERPOLATED")):
            np.testing.assert_array_equal(part.mask.get(theirs), inner.mask.get(ours))
        for name, plane in inner.mask_fractions.items():
            np.testing.assert_array_equal(part.mask_fractions[name].array, plane.array)
        for n, noise in enumerate(inner.noise_realizations):
            np.testing.assert_array_equal(part.noise_realizations[n].array, noise.array)


def test_stitched_coadd_is_read_back_by_lsst_images(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """It is Rubin's public type: nothing of ours is needed to open it."""
    stitched = cell_coadd.stitch()
    path = tmp_path / "stitched.fits"
    stitched.write(str(path))
    again = CellCoadd.read(str(path))
    assert again.bbox == stitched.bbox
    assert again.band == "i"
    assert again.patch == cell_coadd.patch
    np.testing.assert_array_equal(again.image.array, stitched.image.array)
    np.testing.assert_array_equal(again.variance.array, stitched.variance.array)
    np.testing.assert_array_equal(again.mask.array, stitched.mask.array)
    np.testing.assert_array_equal(
        again.noise_realizations[1].array, stitched.noise_realizations[1].array
    )
    np.testing.assert_array_equal(
        again.mask_fractions[ALL_PLANES].array, stitched.mask_fractions[ALL_PLANES].array
    )
    for index in cell_coadd.cells:
        centre = cell_coadd.grid.centre_of(index)
        kernel = again.psf.compute_kernel_image(x=centre.x, y=centre.y)
        np.testing.assert_allclose(kernel.array, cell_coadd.psf[index].array, rtol=1e-6)
    missing = {Index2D.from_cell_ij(cell) for cell in again.bounds.missing}
    inside = {
        index for index in cell_coadd.grid
        if stitched.bbox.contains(cell_coadd.grid.inner_bbox_of(index))
    }  # fmt: skip
    assert missing == inside - set(cell_coadd.cells)
    assert len(again.provenance.inputs) == len(cell_coadd.provenance.inputs)


def test_stitched_coadd_keeps_the_aperture_corrections(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """One field an algorithm; cells whose inputs had none are missing from it, like empty ones."""
    values = np.linspace(1.0, 1.1, len(cell_coadd.cells))
    lacking = np.where(np.arange(len(values)) == 3, np.nan, 0.5 * values)
    stack = dataclasses.replace(
        cell_coadd.stack, aperture_corrections={"full_flux": values, "other_flux": lacking}
    )
    path = tmp_path / "stitched.fits"
    cell_coadd.replaced(stack=stack).stitch().write(str(path))
    fields = CellCoadd.read(str(path)).aperture_corrections
    assert set(fields) == {"full_flux", "other_flux"}
    for row, index in enumerate(stack.indices):
        cell = index.to_cell_ij()
        assert fields["full_flux"].value_in_cell(cell) == values[row]
        if row == 3:
            assert cell in fields["other_flux"].bounds.missing
        else:
            assert fields["other_flux"].value_in_cell(cell) == lacking[row]
    assert len(list(fields["full_flux"].bounds.cell_indices())) == len(values)


def test_stitching_one_column_of_cells_works(cell_coadd: MultipleCellCoadd) -> None:
    """A known fault of others: their stitched coadds had to have two columns."""
    box = cell_coadd.bbox
    index = Index2D(x=1, y=2)
    x = cell_coadd.grid.inner_bbox_of(index).x
    stitched = cell_coadd[Box.factory[box.y.start : box.y.stop, x.start : x.stop]].stitch()
    assert stitched.bbox.x == x
    kernel = stitched.psf.compute_kernel_image(
        x=x.start, y=cell_coadd.grid.inner_bbox_of(index).y.start
    )
    np.testing.assert_allclose(kernel.array, cell_coadd.psf[index].array)
    assert CellIJ(i=2, j=1) not in stitched.bounds.missing
