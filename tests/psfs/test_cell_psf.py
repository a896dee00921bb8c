"""Point-spread functions by cell, drawn at any position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box
from lsst.images.cells import CellCoadd, CellGridBounds, CellIJ, CellPointSpreadFunction
from lsst.images.serialization import read_archive, write_archive

from cellcoadd.cell_grid import BorderedCellGrid, Index2D
from cellcoadd.errors import MissingCellError
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.psfs.cell_psf import CellPsf
from cellcoadd.psfs.stamp_shift import shift_stamp, translate_stamp
from cellcoadd.testing.images import small_patch

GRID = small_patch().grid
FILLED = [Index2D(x=1, y=0), Index2D(x=3, y=2)]
shifts = st.floats(-0.5, 0.5)


def gaussian(
    sigma: float, *, x: float = 0.0, y: float = 0.0, half: int = 17
) -> npt.NDArray[np.float64]:
    offset = np.arange(-half, half + 1)
    stamp: npt.NDArray[np.float64] = np.outer(
        np.exp(-0.5 * ((offset - y) / sigma) ** 2), np.exp(-0.5 * ((offset - x) / sigma) ** 2)
    ) / (2 * np.pi * sigma**2)
    return stamp


def make_psf() -> CellPsf:
    return CellPsf(GRID, FILLED, np.stack([gaussian(1.5), gaussian(2.5)]).astype(np.float32))


@settings(deadline=None, max_examples=40)
@given(dx=shifts, dy=shifts, sigma=st.floats(1.3, 2.5))
def test_a_moved_star_is_the_star_drawn_there(dx: float, dy: float, sigma: float) -> None:
    """A Gaussian that wide has nothing beyond the Nyquist frequency, so sinc moves it exactly.

    What remains at 1.3 px is exp(-2 pi^2 sigma^2 / 4) = 2.4e-4 of the signal at that frequency.
    """
    moved = translate_stamp(gaussian(sigma), dx=dx, dy=dy)
    expected = gaussian(sigma, x=dx, y=dy)
    assert np.abs(moved - expected).max() < 2e-4 * expected.max()
    if sigma > 1.7:
        assert np.abs(moved - expected).max() < 2e-6 * expected.max()


def test_no_move_changes_nothing() -> None:
    """A star in the middle of a pixel is the kernel itself."""
    stamp = np.random.default_rng(1).random((7, 7))
    np.testing.assert_array_equal(translate_stamp(stamp, dx=0.0, dy=0.0), stamp)


@pytest.mark.parametrize("shift", [1.0, -1.5, np.nan])
def test_a_move_of_a_pixel_or_more_is_refused(shift: float) -> None:
    """Whole pixels belong to the box."""
    with pytest.raises(ValueError, match="less than a pixel"):
        translate_stamp(np.ones((5, 5)), dx=0.0, dy=shift)


def test_a_position_is_served_by_the_cell_that_contains_it() -> None:
    """The function is constant in a cell and jumps at its edge."""
    psf = make_psf()
    for index, sigma in zip(FILLED, (1.5, 2.5), strict=True):
        box = GRID.inner_bbox_of(index)
        for x, y in ((box.x.start - 0.4, box.y.start), (box.x.max + 0.4, box.y.max + 0.4)):
            kernel = psf.compute_kernel_image(x=x, y=y)
            np.testing.assert_allclose(kernel.array, gaussian(sigma), rtol=1e-6, atol=1e-12)
            assert kernel.bbox == psf.kernel_bbox == Box.factory[-17:18, -17:18]


def test_a_star_has_its_centroid_at_its_position() -> None:
    """Box and shift together must give the position, also where it is nearer to the next pixel."""
    psf = make_psf()
    box = GRID.inner_bbox_of(FILLED[1])
    for dx, dy in ((3.2, 4.5), (7.5, 6.9), (2.0, 2.0)):
        x, y = box.x.start + dx, box.y.start + dy
        star = psf.compute_stellar_image(x=x, y=y)
        assert star.bbox == psf.compute_stellar_bbox(x=x, y=y)
        columns = np.arange(star.bbox.x.start, star.bbox.x.stop)
        rows = np.arange(star.bbox.y.start, star.bbox.y.stop)
        total = star.array.sum()
        assert total == pytest.approx(1.0, abs=1e-6)
        assert star.array.sum(axis=0) @ columns / total == pytest.approx(x, abs=1e-5)
        assert star.array.sum(axis=1) @ rows / total == pytest.approx(y, abs=1e-5)


def test_its_bounds_are_the_filled_cells() -> None:
    """What asks where a function is known must not be sent to an empty cell."""
    psf = make_psf()
    for index in GRID:
        centre = GRID.centre_of(index)
        assert psf.bounds.contains(x=centre.x, y=centre.y) == (index in FILLED)
    assert psf.cells == FILLED
    assert psf.grid == GRID


def linear_psf() -> tuple[CellPsf, BorderedCellGrid]:
    """Functions whose middle pixel is 10 a column and 1 a row of cells; two by three cells."""
    patch = small_patch()
    grid = patch.grid
    indices = [index for index in grid if index.x < 3 and index.y < 2]
    stamps = np.zeros((len(indices), 3, 3))
    stamps[:, 1, 1] = [10.0 * index.x + index.y for index in indices]
    return CellPsf(grid, indices, stamps), grid


def test_an_interpolated_function_is_continuous() -> None:
    """Bilinear between the centres of cells, constant beyond the outermost; the exact one steps."""
    exact, grid = linear_psf()
    joined = exact.interpolated()
    assert joined.is_interpolated
    assert not exact.is_interpolated
    first, size = grid.inner_bbox_of(Index2D(x=0, y=0)), grid.inner_cell_shape

    def middle(psf: CellPsf, x: float, y: float) -> float:
        """At so many cells right of and above the centre of the first one."""
        centre_x, centre_y = 0.5 * (first.x.min + first.x.max), 0.5 * (first.y.min + first.y.max)
        image = psf.compute_kernel_image(x=centre_x + x * size.x, y=centre_y + y * size.y)
        return float(image.array[1, 1])

    for x, y in ((0.0, 0.0), (0.3, 0.0), (0.49, 0.2), (1.7, 0.9), (1.0, 0.5)):
        assert middle(joined, x, y) == pytest.approx(10.0 * x + y, abs=1e-9)
    assert middle(joined, -0.4, -0.4) == pytest.approx(0.0, abs=1e-9)
    assert middle(joined, 2.4, 0.0) == pytest.approx(20.0, abs=1e-9)
    assert middle(exact, 0.3, 0.0) == 0.0
    assert middle(exact, 0.7, 0.0) == 10.0


def test_an_interpolated_function_is_that_of_a_cell_at_its_centre() -> None:
    """And another function than the exact one, by ``==``."""
    exact, _ = linear_psf()
    joined = exact.interpolated()
    for index in exact.cells:
        assert joined[index] == exact[index]
    assert joined != exact
    assert joined.cells == exact.cells


def test_a_cell_without_function_is_refused_by_name() -> None:
    """Empty cells, and positions outside of the patch."""
    psf = make_psf()
    with pytest.raises(MissingCellError, match=r"x=0, y=0.*no input"):
        psf[Index2D(x=0, y=0)]
    centre = GRID.centre_of(Index2D(x=0, y=0))
    with pytest.raises(MissingCellError, match="no input"):
        psf.compute_kernel_image(x=centre.x, y=centre.y)
    with pytest.raises(MissingCellError, match="x=0, y=5"):
        psf.compute_stellar_image(x=0.2, y=4.9)


def of_stitched_coadd(missing: frozenset[CellIJ] = frozenset()) -> CellPointSpreadFunction:
    """The same functions as `make_psf` in Rubin's type, in the cells 1..3 of x and 0..2 of y."""
    array = np.full((3, 3, 35, 35), np.nan)
    for index, sigma in zip(FILLED, (1.5, 2.5), strict=True):
        array[index.y, index.x - 1] = gaussian(sigma)
    first, last = GRID.inner_bbox_of(Index2D(x=1, y=0)), GRID.inner_bbox_of(Index2D(x=3, y=2))
    box = Box.factory[first.y.start : last.y.stop, first.x.start : last.x.stop]
    bounds = CellGridBounds(grid=GRID.inner, bbox=box, missing=missing)
    return CellPointSpreadFunction(array, bounds)


EMPTY = frozenset(
    CellIJ(i=y, j=x) for y in range(3) for x in (1, 2, 3) if Index2D(x=x, y=y) not in FILLED
)


@pytest.mark.parametrize("missing", [EMPTY, frozenset()], ids=["said", "NaN"])
def test_stars_of_a_stitched_coadd_are_drawn(missing: frozenset[CellIJ]) -> None:
    """The package that its own function needs for it can't be installed.

    Cells without input are missing by its bounds, or NaN.
    """
    psf = CellPsf.from_cell_point_spread_function(of_stitched_coadd(missing))
    assert psf.cells == FILLED
    assert psf.grid == BorderedCellGrid(inner=GRID.inner, border=0)
    for index, sigma in zip(FILLED, (1.5, 2.5), strict=True):
        box = GRID.inner_bbox_of(index)
        x, y = box.x.start + 7.3, box.y.start + 4.8
        kernel = psf.compute_kernel_image(x=x, y=y)
        np.testing.assert_array_equal(kernel.array, gaussian(sigma))
        star = psf.compute_stellar_image(x=x, y=y)
        expected = gaussian(sigma, x=0.3, y=-0.2)
        assert np.abs(star.array - expected).max() < 1e-5 * expected.max()
    for x, y in ((box.x.start - 0.6, box.y.start), (0.0, 0.0), (GRID.bbox.x.start, box.y.start)):
        with pytest.raises(MissingCellError):
            psf.compute_stellar_image(x=x, y=y)


def test_a_cut_out_of_a_stitched_coadd_knows_its_own_cells() -> None:
    """Its arrays start at another cell than the patch's."""
    box = GRID.inner_bbox_of(FILLED[1])
    psf = CellPsf.from_cell_point_spread_function(of_stitched_coadd()[box])
    assert psf.cells == FILLED[1:]
    np.testing.assert_array_equal(psf[FILLED[1]].array, gaussian(2.5))
    with pytest.raises(MissingCellError):
        psf[FILLED[0]]


def test_a_stored_stitched_coadd_draws_the_stars_of_the_coadd(
    cell_coadd: MultipleCellCoadd, tmp_path: Path
) -> None:
    """Stitched, written and read by lsst.images: the same functions in the same cells."""
    write_archive(cell_coadd.stitch(), tmp_path / "stitched.fits")
    read = read_archive(str(tmp_path / "stitched.fits"), CellCoadd)
    psf = CellPsf.from_cell_point_spread_function(read.psf)
    assert psf.cells == cell_coadd.psf.cells
    for index in psf.cells:
        centre = GRID.centre_of(index)
        drawn, expected = (
            each.compute_stellar_image(x=centre.x + 0.31, y=centre.y - 0.42)
            for each in (psf, cell_coadd.psf)
        )
        assert drawn.bbox == expected.bbox
        np.testing.assert_array_equal(drawn.array, expected.array)


def test_the_shift_is_chosen_by_name() -> None:
    """Exact by default, that of the Rubin pipelines on demand, nothing else."""
    psf = make_psf()
    centre = GRID.centre_of(FILLED[0])
    x, y = centre.x + 0.4, centre.y - 0.3
    kernel = psf[FILLED[0]].array
    exact = translate_stamp(kernel, dx=x - centre.x, dy=y - centre.y)
    theirs = shift_stamp(kernel, dx=x - centre.x, dy=y - centre.y)
    assert np.abs(theirs - exact).max() > 1e-3 * kernel.max()
    np.testing.assert_array_equal(psf.compute_stellar_image(x=x, y=y).array, exact)
    sinc = psf.compute_stellar_image(x=x, y=y, resampling="sinc")
    np.testing.assert_array_equal(sinc.array, exact)
    lanczos = psf.compute_stellar_image(x=x, y=y, resampling="lanczos5")
    np.testing.assert_array_equal(lanczos.array, theirs)
    with pytest.raises(ValueError, match=r"'sinc', 'lanczos5'.*got 'cubic'"):
        psf.compute_stellar_image(x=x, y=y, resampling="cubic")  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(3, 5, 5), (2, 5, 7), (2, 4, 4), (2, 5)])
def test_stamps_of_a_wrong_shape_are_refused(shape: tuple[int, ...]) -> None:
    """One square stamp with a middle pixel for each cell."""
    with pytest.raises(ValueError, match=r"stamps|Stamps"):
        CellPsf(GRID, FILLED, np.ones(shape))


def test_it_says_how_many_cells_it_knows() -> None:
    """A person in a notebook sees the cells and the size."""
    assert "2 of 25" in repr(make_psf())
