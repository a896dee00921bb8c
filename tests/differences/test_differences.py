"""What differs between two products: everything that does, nothing that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import astropy.units as u
import healsparse
import numpy as np
import pytest
from astropy.table import Table
from lsst.images import Box, Image, Mask

from cellcoadd import MultipleCellCoadd, tabulate_cells
from cellcoadd.differences import differences_between
from cellcoadd.differences.arrays import difference_of_arrays, difference_of_bits
from cellcoadd.masks.planes import mask_schema
from cellcoadd.products.cell_coadd.stack import CellStack
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import DirectWarp


def said(one: Any, other: Any) -> list[str]:
    return [str(difference) for difference in differences_between(one, other)]


@pytest.mark.parametrize(
    ("one", "other", "sentence"),
    [
        ([1.0, np.nan], [1.0, np.nan], None),
        ([1, 2], [1, 2], None),
        ([1.0, 2.0], [1.0, 5.0], "1 of 2 values differ, the first at [1]; by 3 at most"),
        ([1.0, -0.0], [1.0, 0.0], "1 of 2 values differ, the first at [1]; by 0 at most"),
        ([1.0, 2.0], [np.nan, 2.0],
         "1 of 2 values differ, the first at [0]; 1 are not finite in one of the two"),
        ([1.0], [1.0, 2.0], "the shapes are (1,) and (2,)"),
        ([1.0], [1], "the types are float64 and int64"),
        (["a", "b"], ["a", "c"], "1 of 2 values differ, the first at [1]"),
    ],
)  # fmt: skip
def test_arrays_are_compared_to_the_bit(
    one: list[Any], other: list[Any], sentence: str | None
) -> None:
    """NaN is like NaN, and 0 is not like -0: the sign of a zero is a bit, too."""
    assert difference_of_arrays(np.array(one), np.array(other)) == sentence


def test_differences_of_images_are_in_units_of_their_noise() -> None:
    """Whether 3 nJy are much depends on it; pixels without noise do not count."""
    one, other = np.array([1.0, 2.0, 3.0]), np.array([1.0, 5.0, 4.0])
    words = difference_of_arrays(one, other, variance=np.array([1.0, 9.0, 0.0]))
    assert words == "2 of 3 values differ, the first at [1]; by 3 at most; 1 of the noise at most"


def test_planes_are_compared_whatever_their_bits() -> None:
    """A plane that one mask does not have is a plane without pixels."""
    one, other = np.array([1, 2, 3]), np.array([2, 1, 6])
    assert (
        difference_of_bits(
            one, np.array([2, 1, 3]), bits={"BAD": 1, "SAT": 2}, other_bits={"SAT": 1, "BAD": 2}
        )
        is None
    )
    words = difference_of_bits(
        one, other, bits={"BAD": 1, "SAT": 2}, other_bits={"SAT": 1, "BAD": 2, "CR": 4}
    )
    assert words == (
        "planes SAT (in 1 pixels of the first alone, 0 of the second), "
        "CR (in 0 pixels of the first alone, 1 of the second)"
    )


def with_stack(coadd: MultipleCellCoadd, stack: CellStack, **changes: Any) -> MultipleCellCoadd:
    return MultipleCellCoadd(
        **{
            "identifiers": coadd.identifiers,
            "band": coadd.band,
            "patch": coadd.patch,
            "cell_border": coadd.grid.border,
            "sky_projection": coadd.sky_projection,
            "stack": stack,
            "inputs": coadd.inputs,
            "contributions": coadd.contributions,
            "unit": coadd.unit,
            **changes,
        }
    )


def test_a_product_is_the_same_as_itself(
    cell_coadd: MultipleCellCoadd, direct_warps: list[DirectWarp]
) -> None:
    """Copies too, pixels without data included."""
    warp = direct_warps[0].warp
    rows = range(len(cell_coadd.stack.indices))
    copies = [
        (cell_coadd, with_stack(cell_coadd, cell_coadd.stack.subset(rows))),
        (cell_coadd.stitch(), cell_coadd.stitch()),
        (warp, warp),
        (warp.masked_image, warp.masked_image.copy()),
        (direct_warps[0].noise[0], direct_warps[0].noise[0].copy()),
        (tabulate_cells(cell_coadd), tabulate_cells(cell_coadd)),
        (make_detector(small_patch()), make_detector(small_patch())),
        ("a page", "a page"),
    ]
    for one, other in copies:
        assert said(one, other) == [], type(one)


def test_what_differs_between_coadds_is_named(cell_coadd: MultipleCellCoadd) -> None:
    """Pixels, masks, records, cells and inputs, each in a sentence."""
    rows = [*range(1, len(cell_coadd.stack.indices))]
    part = cell_coadd.stack.subset(rows)
    part.image[0, 3, 4] += 5.0
    part.mask[1] |= 1 << 20
    part.noise[0, 2] = 0.0
    part.psf[3, 1, 1] = np.nan
    contributions = cell_coadd.contributions.copy()
    contributions["weight"][4] *= 1.5
    others = with_stack(cell_coadd, part, contributions=contributions, band="z", unit=u.count)
    found = {text.partition(":")[0]: text for text in said(cell_coadd, others)}
    first = cell_coadd.stack.indices[0]
    assert found["cells"] == f"cells: 1 in the first alone: {first}."
    assert found["band"] == f"band: {cell_coadd.band} and z."
    assert found["unit"] == "unit: nJy and ct."
    area = cell_coadd.stack.mask[0].size
    assert found["mask"] == f"mask: bits of no plane (in {area:,} pixels)."
    assert "1 of" in found["image"]
    assert "by 5 at most" in found["image"]
    assert "of the noise at most" in found["image"]
    assert found["noise"].startswith("noise: ")
    assert "1 are not finite" in found["psf"]
    assert found["contributions[weight]"].startswith("contributions[weight]: 1 of")
    assert set(found) == {
        "cells", "band", "unit", "image", "mask", "noise", "psf", "contributions[weight]",
    }  # fmt: skip


def test_a_visit_more_is_named_and_its_rows_counted(cell_coadd: MultipleCellCoadd) -> None:
    """Inputs have other numbers then, which is no difference."""
    kept = [
        entry
        for entry in cell_coadd.inputs
        if entry.observation.visit != cell_coadd.inputs[0].observation.visit
    ]
    first = len(cell_coadd.inputs) - len(kept)
    rows = cell_coadd.contributions[cell_coadd.contributions["input"] >= first].copy()
    rows["input"] -= first
    fewer = with_stack(cell_coadd, cell_coadd.stack, inputs=kept, contributions=rows)
    lost = len(cell_coadd.contributions) - len(rows)
    found = said(cell_coadd, fewer)
    assert found[0].startswith(f"inputs: {first} in the first alone: ")
    assert found[1:] == [f"contributions: {lost:,} rows are in one of the two alone."]


def test_what_differs_between_warps_is_named(direct_warps: list[DirectWarp]) -> None:
    """Two visits: other inputs, other pixels; of masks the planes are named."""
    one, other = (made.warp for made in direct_warps[:2])
    found = {text.partition(":")[0] for text in said(one, other)}
    assert {"inputs", "image", "variance", "stamps"} <= found


def changed_table(table: Table) -> Table:
    other = table.copy()
    other["depth"][0] = 3.0
    other["ra"].unit = "rad"
    other.remove_column("dec")
    return other


def changed_image(image: Image) -> Image:
    other = image.copy()
    other.array[0, 0] += 1
    return other


def test_tables_maps_images_and_masks(cell_coadd: MultipleCellCoadd) -> None:
    """Each by its own parts."""
    table = tabulate_cells(cell_coadd)
    found = said(table, changed_table(table))
    assert found[0] == "columns: 1 in the first alone: dec."
    assert {text.partition(":")[0] for text in found[1:]} == {"depth", "ra"}
    sky, other = (healsparse.HealSparseMap.make_empty(32, 512, np.float32) for _ in range(2))
    sky[np.arange(5)] = np.float32(1.0)
    other[np.arange(4)] = np.array([1.0, 1.0, 2.0, 1.0], np.float32)
    assert said(sky, other) == [
        "pixels: 1 have a value in one of the two alone.",
        "values: 1 of 4 values differ, the first at [2]; by 1 at most.",
    ]
    image = Image(np.zeros((2, 2), np.float32))
    assert said(image, changed_image(image)) == [
        "image: 1 of 4 values differ, the first at [0, 0]; by 1 at most."
    ]
    schema = mask_schema()
    masks = [Mask(0, schema=schema, bbox=Box.factory[0:2, 0:3]) for _ in range(2)]
    masks[1].set("SAT", np.ones((2, 3), bool))
    assert said(*masks) == ["mask: planes SAT (in 0 pixels of the first alone, 6 of the second)."]
    assert said(image, table) == ["type: they are Image and Table."]
    with pytest.raises(TypeError, match="type object cannot be compared"):
        differences_between(object(), object())


def test_the_command_compares_files(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """By exit status, as diff does."""
    paths = [tmp_path / f"{name}.fits" for name in ("a", "b", "c")]
    noisy = cell_coadd.stack.subset(range(len(cell_coadd.stack.indices)))
    noisy.variance[0] *= 2.0
    for path, coadd in zip(
        paths, (cell_coadd, cell_coadd, with_stack(cell_coadd, noisy)), strict=True
    ):
        coadd.write(path)

    def compare(one: Path, other: Path) -> tuple[int, str]:
        done = run_command("cellcoadd", "compare", one, other)
        return done.exit_code, done.output

    assert compare(paths[0], paths[1]) == (0, "They are the same to the bit.\n")
    status, text = compare(paths[0], paths[2])
    assert status == 1
    assert "variance: " in text
    status, text = compare(paths[0], tmp_path / "none.fits")
    assert status == 2
    assert "none.fits" in text
    assert run_command("cellcoadd", "compare", paths[0], paths[1], "-t", "x").exit_code == 2
