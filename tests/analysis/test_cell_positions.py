"""Where cells are on the sky, and what boxes hold them."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from lsst.images import XY

from cellcoadd.analysis.cell_positions import CellPositions, locate_cells
from cellcoadd.skymap import Circle, DiscreteSkyMap, Patch, TractSettings, named_sky_map


def positions_of(patch: Patch) -> CellPositions:
    y, x = np.divmod(np.arange(len(patch.grid)), patch.grid.shape.x)
    return locate_cells(patch.grid, patch.sky_projection, XY(x=x, y=y))


def patch_around(*, ra: float, dec: float) -> Patch:
    """A patch of 5 x 5 cells of 21 px of 3 arcsec, whose middle cell has its middle there."""
    settings = TractSettings(
        pixel_scale_arcsec=3.0, cell_inner_size=21, cell_border=6, patch_inner_cells=3,
        patch_border_cells=1,
    )  # fmt: skip
    tract = DiscreteSkyMap(
        name="any", tracts=[Circle(ra=ra, dec=dec, radius=0.001)], settings=settings
    )[0]
    assert tract.patch_shape.x == 1
    return tract.patch(0)


def test_known_cells_of_a_real_sky_map() -> None:
    """The first two cells of patch 50 in tract 9813, from the Rubin pipelines."""
    tract = named_sky_map("hsc_rings_cells_v1")[9813]
    found = positions_of(tract.patch(50))
    assert found.ra[:2] == pytest.approx([150.1813697634, 150.1743654788], abs=1e-10)
    assert found.dec[:2] == pytest.approx([2.0179279192, 2.0179276178], abs=1e-10)
    # Patch 50 is (6, 4), 20 cells a patch, one cell more on every side.
    assert (found.tract_index.x[0], found.tract_index.y[0]) == (6 * 20 - 1, 4 * 20 - 1)
    # 25.2 arcsec wide, and the sides are nearly those of the box.
    height = (found.dec_max - found.dec_min) * 3600
    width = (found.ra_max - found.ra_min) * 3600 * np.cos(np.radians(found.dec))
    assert height == pytest.approx(150 * 0.168, rel=2e-4)
    assert width == pytest.approx(150 * 0.168, rel=2e-4)
    # At the distance t from the tangent point the solid angle of a TAN pixel goes with cos(t)^3.
    distance = tract.centre.separation(SkyCoord(found.ra, found.dec, unit="deg")).rad
    assert found.pixel_scale == pytest.approx(0.168 * np.cos(distance) ** 1.5, rel=1e-7)


def test_a_cell_of_two_patches_is_one() -> None:
    """Its number in the tract is the same, and so is its position to the last bit."""
    tract = named_sky_map("hsc_rings_cells_v1")[9813]
    left, right = positions_of(tract.patch(60)), positions_of(tract.patch(61))
    numbers = [
        {(x, y): row for row, (x, y) in enumerate(zip(*found.tract_index, strict=True))}
        for found in (left, right)
    ]
    shared = set(numbers[0]) & set(numbers[1])
    assert len(shared) == 2 * 22
    for name in ("ra", "dec", "ra_min", "ra_max", "dec_min", "dec_max", "pixel_scale"):
        ours = [getattr(left, name)[numbers[0][place]] for place in shared]
        theirs = [getattr(right, name)[numbers[1][place]] for place in shared]
        assert ours == theirs


@pytest.mark.parametrize("dec", [0.0, -60.0, 85.0])
def test_a_box_holds_its_cell_and_hardly_more(dec: float) -> None:
    """Corners and middle lie in it; one pixel farther out in x or y from all corners does not.

    In the middle of a tract at ``dec`` the sides of a cell are nearly parallel to the box's.
    """
    patch = patch_around(ra=40.0, dec=dec)
    found = positions_of(patch)
    row = 12
    index = next(i for n, i in enumerate(patch.grid) if n == row)
    box = patch.grid.inner_bbox_of(index)

    def inside(*, x: float, y: float) -> bool:
        sky = patch.sky_projection.pixel_to_sky(x=x, y=y)
        return bool(
            found.ra_min[row] - 1e-9 <= sky.ra.deg <= found.ra_max[row] + 1e-9
            and found.dec_min[row] - 1e-9 <= sky.dec.deg <= found.dec_max[row] + 1e-9
        )

    for x in (box.x.start - 0.5, box.x.stop - 0.5):
        for y in (box.y.start - 0.5, box.y.stop - 0.5):
            assert inside(x=x, y=y)
    middle_x, middle_y = 0.5 * (box.x.min + box.x.max), 0.5 * (box.y.min + box.y.max)
    assert inside(x=middle_x, y=middle_y)
    assert not inside(x=box.x.start - 1.5, y=middle_y)
    assert not inside(x=middle_x, y=box.y.stop + 0.5)


def test_a_cell_across_0_h_has_its_western_side_before_360_degrees() -> None:
    """Numbers there jump; the box must not become the whole circle."""
    found = positions_of(patch_around(ra=0.0, dec=10.0))
    half = 10.5 * 3.0 / 3600 / np.cos(np.radians(10.0))
    assert found.ra_min[12] == pytest.approx(360.0 - half, rel=1e-5)
    assert found.ra_max[12] == pytest.approx(half, rel=1e-3)
    # The cells to its left and right do not lie across it.
    assert (found.ra_min < found.ra_max).sum() == 20


@pytest.mark.parametrize("pole", [-90.0, 90.0])
def test_a_cell_around_a_pole_has_all_right_ascensions(pole: float) -> None:
    """Its corners alone would leave the pole out."""
    found = positions_of(patch_around(ra=30.0, dec=pole))
    assert (found.ra_min[12], found.ra_max[12]) == (0.0, 360.0)
    assert (found.dec_max if pole > 0 else found.dec_min)[12] == pole
    corner = 90.0 - np.hypot(10.5, 10.5) * 3.0 / 3600
    other = found.dec_min[12] if pole > 0 else -found.dec_max[12]
    assert other == pytest.approx(corner, abs=1e-9)
    assert np.sum((found.ra_min == 0.0) & (found.ra_max == 360.0)) == 1


def test_the_scale_is_that_of_a_pixels_area() -> None:
    """Far from the tangent point a TAN pixel is smaller along the radius than across it."""
    patch = named_sky_map("hsc_rings_cells_v1")[9813].patch(0)
    found = positions_of(patch)
    middle = patch.grid.middles_of(x=0, y=0)
    x, y = float(middle.x), float(middle.y)
    corners = [
        patch.sky_projection.pixel_to_sky(x=x + dx, y=y + dy)
        for dx, dy in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
    ]
    # Flat enough: arcseconds about the middle.
    sky = SkyCoord(found.ra[0], found.dec[0], unit="deg")
    offsets = [sky.spherical_offsets_to(corner) for corner in corners]
    px, py = (np.array([o[k].to_value(u.arcsec) for o in offsets]) for k in (0, 1))
    area = 0.5 * abs(np.sum(px * np.roll(py, -1) - py * np.roll(px, -1)))
    assert found.pixel_scale[0] == pytest.approx(np.sqrt(area), rel=1e-6)
