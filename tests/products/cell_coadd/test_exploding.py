"""The outer regions of a coadd side by side."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.images import Image, Mask

from cellcoadd.cell_grid import Index2D
from cellcoadd.errors import MissingCellError
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.testing.images import make_coadd, make_warp, small_patch


def test_every_cell_is_whole_in_its_place(cell_coadd: MultipleCellCoadd) -> None:
    """5 x 5 cells of 32 pixels make 160 pixels; empty ones have no data."""
    exploded = cell_coadd.explode()
    assert exploded.bbox.shape == (160, 160)
    for index in cell_coadd.grid:
        box = exploded.bbox_of(index)
        assert (box.y.start, box.x.start) == (32 * index.y, 32 * index.x)
        if index not in cell_coadd.cells:
            assert np.isnan(exploded.image[box].array).all()
            assert np.isposinf(exploded.variance[box].array).all()
            assert exploded.mask[box].get("NO_DATA").all()
            assert np.isnan(exploded.psf_image[box].array).all()
            continue
        outer = cell_coadd.cells[index].outer
        np.testing.assert_array_equal(exploded.image[box].array, outer.image.array)
        np.testing.assert_array_equal(exploded.variance[box].array, outer.variance.array)
        np.testing.assert_array_equal(exploded.mask[box].array, outer.mask.array)
        for name, plane in outer.mask_fractions.items():
            np.testing.assert_array_equal(exploded.mask_fractions[name][box].array, plane.array)
        for number, plane in enumerate(outer.noise_realizations):
            part = exploded.noise_realizations[number][box]
            np.testing.assert_array_equal(part.array, plane.array)


def test_planes_are_made_when_they_are_asked_for_and_only_once(
    cell_coadd: MultipleCellCoadd,
) -> None:
    """All planes of a patch of Rubin's size together take a gigabyte."""
    exploded = cell_coadd.explode()
    assert not any(isinstance(part, Image | Mask) for part in vars(exploded).values())
    assert exploded.image is exploded.image
    assert exploded.bbox == exploded.image.bbox


def test_psf_images_are_in_the_middle_of_their_cells(cell_coadd: MultipleCellCoadd) -> None:
    """21 pixels in 32: 5 of zeros before, 6 behind."""
    exploded = cell_coadd.explode()
    index = next(iter(cell_coadd.cells))
    region = exploded.psf_image[exploded.bbox_of(index)].array
    np.testing.assert_array_equal(region[5:26, 5:26], cell_coadd.psf[index].array)
    assert np.count_nonzero(region) == np.count_nonzero(region[5:26, 5:26])


def test_what_does_not_fit_is_refused(cell_coadd: MultipleCellCoadd) -> None:
    """A foreign index, and PSF images that would lie over the neighbours."""
    with pytest.raises(MissingCellError, match="5 x 5"):
        cell_coadd.explode().bbox_of(Index2D(x=5, y=0))
    wide = make_coadd(make_warp(small_patch()), psf_dimensions=35).explode()
    assert wide.image.bbox == wide.bbox
    with pytest.raises(ValueError, match="35 px do not fit into cells of"):
        _ = wide.psf_image


def test_it_says_what_it_is(cell_coadd: MultipleCellCoadd) -> None:
    """Not every pixel's type."""
    assert repr(cell_coadd.explode()) == "<ExplodedCoadd(5 x 5 of 32 x 32 px)>"
    assert "rejected, BAD, SAT, CR" in cell_coadd.explode()._repr_html_()
