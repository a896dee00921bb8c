"""A sky map for a pile of images."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellcoadd.errors import SkyMapError
from cellcoadd.skymap import load_sky_map
from cellcoadd.skymap.discrete import Circle, DiscreteSkyMap
from cellcoadd.skymap.fields import cell_sizes_for, field_sky_map
from cellcoadd.skymap.tract_settings import TractSettings


@given(
    ra=st.floats(0, 360, exclude_max=True),
    dec=st.floats(-89.9, 89.9),
    size=st.floats(1e-4, 3.0),
    scale=st.floats(0.05, 3.0),
)
def test_a_field_is_one_tract_that_holds_all_positions(
    ra: float, dec: float, size: float, scale: float
) -> None:
    """Anywhere on the sky, also across right ascension 0 and beside a pole."""
    angle = np.linspace(0, 2 * np.pi, 9)
    decs = np.clip(dec + size * np.sin(angle), -90, 90)
    ras = ra + size * np.cos(angle) / np.cos(np.radians(dec))
    sky_map = field_sky_map(ra=ras, dec=decs, pixel_scale_arcsec=max(scale, size * 3600 / 40000))
    assert len(sky_map) == 1
    tract = sky_map[0]
    x, y = tract.plane.sky_to_pixel(ra=ras, dec=decs)
    assert tract.bbox.contains(x=np.round(x), y=np.round(y)).all()


def test_cells_are_those_of_the_rubin_maps_where_images_are_large() -> None:
    """And small enough for several of them in small ones."""
    assert cell_sizes_for(2048) == (150, 50)
    assert cell_sizes_for(500) == (150, 50)
    inner, border = cell_sizes_for(103)
    assert inner + 2 * border <= 103 / 2
    assert inner >= 8
    assert border >= 1
    assert cell_sizes_for(5)[0] == 8


def test_what_is_no_field_is_refused() -> None:
    """No position, and positions all around the sky."""
    with pytest.raises(ValueError, match="at least one position"):
        field_sky_map(ra=[], dec=[], pixel_scale_arcsec=0.2)
    with pytest.raises(ValueError, match="all around the sky"):
        field_sky_map(ra=[0, 180], dec=[0, 0], pixel_scale_arcsec=0.2)
    with pytest.raises(ValueError, match=r"45 degrees at most from its middle, got 50\.0"):
        field_sky_map(ra=[0, 100], dec=[0, 0], pixel_scale_arcsec=10.0)


def test_pixels_beside_the_centre_of_a_tract(tmp_path: Path) -> None:
    """A part of a pixel is in the definition: in files, in other processes, and in the digest."""
    circle = Circle(ra=150.0, dec=2.0, radius=0.01)
    settings = TractSettings(pixel_scale_arcsec=0.2, cell_inner_size=10, cell_border=2)
    plain, shifted = (
        DiscreteSkyMap(name="field", tracts=[circle], settings=settings, pixel_shift=shift)
        for shift in ((0.0, 0.0), (0.5, -0.25))
    )
    again = pickle.loads(pickle.dumps(shifted))
    x, y = again[0].plane.sky_to_pixel(ra=150.0, dec=2.0)
    there = plain[0].plane.sky_to_pixel(ra=150.0, dec=2.0)
    assert (x - there[0], y - there[1]) == pytest.approx((0.5, -0.25), abs=1e-6)
    assert again == shifted != plain
    assert "pixel_shift" not in plain.to_definition()
    assert again.to_definition()["pixel_shift"] == [0.5, -0.25]
    with pytest.raises(ValueError, match="pixel_shift must be less than a pixel"):
        DiscreteSkyMap(name="field", tracts=[circle], settings=settings, pixel_shift=(1.5, 0.0))
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "kind: discrete\npixel_scale_arcsec: 0.2\npixel_shift: 3\n"
        "tracts: [{ra: 1, dec: 1, radius: 1}]\n"
    )
    with pytest.raises(SkyMapError, match="pixel_shift must be two numbers"):
        load_sky_map(bad)
