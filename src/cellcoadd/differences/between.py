"""What differs between two products: facts, arrays, masks, inputs, each in a sentence."""

from __future__ import annotations

__all__ = ["Difference", "differences_between"]

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.table import Table
from healsparse import HealSparseMap
from lsst.images import Box, Image, Mask, MaskedImage, MaskSchema
from lsst.images.cells import CellCoadd

from ..cell_grid import shared_box
from ..masks.planes import bits_of, plane_array, to_standard_planes
from ..products.calibrated_image import CalibratedImage
from ..products.cell_coadd import MultipleCellCoadd
from ..products.warp import Warp
from .arrays import difference_of_arrays, difference_of_bits

type _Array = npt.NDArray[Any]
_MOST_NAMED = 8  # cells or inputs that a sentence lists


@dataclasses.dataclass(frozen=True)
class Difference:
    """One part of a product that differs.

    Parameters
    ----------
    part
        Its name.
    sentence
        How it differs.
    """

    part: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.part}: {self.sentence}"


def differences_between(one: Any, other: Any) -> list[Difference]:
    """Return what differs between two products, bit by bit; nothing if they are the same.

    Parameters
    ----------
    one, other
        Two coadds, warps, calibrated images, images, masks, tables, HealSparse maps or texts. Of
        coadds the cells that both have are compared, of warps the pixels that both have, of their
        inputs those that are in both. What a file says of the run that wrote it is no part of a
        product.

    Raises
    ------
    TypeError
        If nothing is known of their type.
    """
    if type(one) is not type(other):
        kinds = f"{type(one).__name__} and {type(other).__name__}"
        return [Difference("type", f"they are {kinds}.")]
    return list(_differences(one, other))


def _differences(one: Any, other: Any) -> Iterator[Difference]:
    match one:
        case MultipleCellCoadd():
            yield from _of_coadds(one, other)
        case Warp():
            yield from _of_warps(one, other)
        case CalibratedImage():
            yield from _of_facts(one, other, ("observation", "flux_unit", "nanojansky_per_count"))
            yield from _of_facts(one, other, ("mean_variance", "quality", "conditions"))
            yield from _of_masked_images(one.masked_image, other.masked_image)
        case CellCoadd():
            yield from _of_masked_images(one, other)
            yield from _of_named(
                {name: image.array for name, image in one.mask_fractions.items()},
                {name: image.array for name, image in other.mask_fractions.items()},
                "mask_fractions",
            )
            yield from _of_named(_noise_of(one), _noise_of(other), "noise")
        case MaskedImage():
            yield from _of_masked_images(one, other)
        case Image():
            yield from _of_facts(one, other, ("bbox", "unit"))
            yield from _said("image", difference_of_arrays(one.array, other.array))
        case Mask():
            yield from _of_facts(one, other, ("bbox",))
            yield from _of_masks(one, other)
        case Table():
            yield from _of_tables(one, other)
        case HealSparseMap():
            yield from _of_maps(one, other)
        case str():
            if one != other:
                yield Difference("text", "it differs.")
        case _:
            kind: Any = type(one)
            if kind.__eq__ is object.__eq__:
                raise TypeError(f"Two objects of the type {kind.__name__} cannot be compared.")
            if one != other:
                yield Difference(kind.__name__, "they differ.")


def _noise_of(coadd: CellCoadd) -> dict[str, _Array]:
    return {str(n): image.array for n, image in enumerate(coadd.noise_realizations)}


def _of_coadds(one: MultipleCellCoadd, other: MultipleCellCoadd) -> Iterator[Difference]:
    yield from _of_facts(one, other, ("identifiers", "band", "unit", "patch", "sky_projection"))
    if one.grid != other.grid:
        yield Difference("cells", "the grids differ; no pixel is compared.")
        return
    yield from _of_inputs(
        [e.observation for e in one.inputs], [e.observation for e in other.inputs]
    )
    cells, others_cells = one.stack.indices, other.stack.indices
    yield from _of_sets(
        "cells", [str(cell) for cell in cells], [str(cell) for cell in others_cells]
    )
    shared = sorted(set(cells) & set(others_cells))
    stacks = [
        coadd.stack.subset([coadd.stack.indices.index(index) for index in shared])
        if len(shared) < len(coadd.stack.indices)
        else coadd.stack
        for coadd in (one, other)
    ]
    arrays, others = (stack.named_arrays() for stack in stacks)
    yield from _said(
        "mask",
        difference_of_bits(
            arrays.pop("mask"),
            others.pop("mask"),
            bits=_bits(stacks[0].schema),
            other_bits=_bits(stacks[1].schema),
        ),
    )
    yield from _of_named(arrays, others, variance=stacks[0].variance)
    tables = [_keyed_rows(coadd) for coadd in (one, other)]
    common = sorted(set(tables[0]) & set(tables[1]))
    if lost := len(tables[0]) + len(tables[1]) - 2 * len(common):
        yield Difference("contributions", f"{lost:,} rows are in one of the two alone.")
    rows = [
        coadd.contributions[[table[key] for key in common]]
        for coadd, table in zip((one, other), tables, strict=True)
    ]
    ours, theirs = (_columns(each, but=("input",)) for each in rows)
    yield from _of_named(ours, theirs, "contributions")


def _keyed_rows(coadd: MultipleCellCoadd) -> dict[tuple[Any, ...], int]:
    """Return the numbers of the rows of contributions by cell and observation."""
    rows = coadd.contributions
    keys = zip(
        rows["cell_y"].tolist(), rows["cell_x"].tolist(), rows["input"].tolist(), strict=True
    )
    return {(y, x, coadd.inputs[n].observation): row for row, (y, x, n) in enumerate(keys)}


def _of_warps(one: Warp, other: Warp) -> Iterator[Difference]:
    yield from _of_facts(one, other, ("identifiers", "patch", "unit", "bbox", "kernel"))
    yield from _of_inputs(
        [e.observation for e in one.inputs], [e.observation for e in other.inputs]
    )
    arrays, others = (dict(warp.named_arrays()) for warp in (one, other))
    planes = [name for name, array in arrays.items() if array.shape == one.image.array.shape]
    shared = shared_box(one.bbox, other.bbox)
    if shared is None:
        return
    for warp, named in ((one, arrays), (other, others)):
        rows, columns = _place(shared, warp.bbox)
        for name in planes:
            if name in named:
                named[name] = named[name][rows, columns]
    yield from _of_masks(one.mask[shared], other.mask[shared])
    del arrays["mask"], others["mask"]
    table, others_table = arrays.pop("cell_inputs"), others.pop("cell_inputs")
    yield from _of_named(arrays, others, variance=arrays["variance"])
    yield from _of_named(_columns(table), _columns(others_table), "cell_inputs")


def _place(part: Box, whole: Box) -> tuple[slice, slice]:
    place = part.slice_within(whole)
    return place.y, place.x


def _of_masked_images(one: Any, other: Any) -> Iterator[Difference]:
    yield from _of_facts(one, other, ("bbox", "sky_projection"))
    yield from _of_facts(one.image, other.image, ("unit",))
    if one.bbox != other.bbox:
        return
    yield from _of_masks(one.mask, other.mask)
    ours, theirs = (
        {"image": each.image.array, "variance": each.variance.array} for each in (one, other)
    )
    yield from _of_named(ours, theirs, variance=ours["variance"])


def _of_masks(one: Mask, other: Mask) -> Iterator[Difference]:
    if any(mask.array.dtype != np.int32 or mask.array.shape[2] != 1 for mask in (one, other)):
        one, other = to_standard_planes(one), to_standard_planes(other)
    bits, other_bits = _bits(one.schema), _bits(other.schema)
    ours, theirs = plane_array(one), plane_array(other)
    yield from _said("mask", difference_of_bits(ours, theirs, bits=bits, other_bits=other_bits))


def _bits(schema: MaskSchema) -> dict[str, int]:
    return {plane.name: bits_of(schema, [plane.name]) for plane in schema if plane is not None}


def _of_tables(one: Table, other: Table) -> Iterator[Difference]:
    yield from _of_sets("columns", one.colnames, other.colnames)
    if len(one) != len(other):
        yield Difference("rows", f"there are {len(one):,} and {len(other):,}.")
        return
    for name in one.colnames:
        if name not in other.colnames:
            continue
        if one[name].unit != other[name].unit:
            yield Difference(name, f"the units are {one[name].unit} and {other[name].unit}.")
        values = (np.asarray(np.ma.getdata(table[name])) for table in (one, other))
        yield from _said(name, difference_of_arrays(*values))
        absent = (np.ma.getmaskarray(table[name]) for table in (one, other))
        yield from _said(f"{name} (where it is known)", difference_of_arrays(*absent))


def _of_maps(one: HealSparseMap, other: HealSparseMap) -> Iterator[Difference]:
    facts = ("nside_sparse", "nside_coverage", "dtype", "wide_mask_maxbits")
    if found := list(_of_facts(one, other, facts)):
        yield from found
        return
    pixels, others = one.valid_pixels, other.valid_pixels
    common = np.intersect1d(pixels, others, assume_unique=True)
    if lost := len(pixels) + len(others) - 2 * len(common):
        yield Difference("pixels", f"{lost:,} have a value in one of the two alone.")
    yield from _said("values", difference_of_arrays(one[common], other[common]))


def _of_facts(one: Any, other: Any, names: Sequence[str]) -> Iterator[Difference]:
    for name in names:
        ours, theirs = getattr(one, name, None), getattr(other, name, None)
        if ours is theirs or ours == theirs:
            continue
        shown = f"{ours} and {theirs}"
        yield Difference(name, "they differ." if "\n" in shown or len(shown) > 300 else f"{shown}.")


def _of_inputs(one: Sequence[Any], other: Sequence[Any]) -> Iterator[Difference]:
    yield from _of_sets("inputs", [str(each) for each in one], [str(each) for each in other])


def _of_sets(part: str, one: Sequence[str], other: Sequence[str]) -> Iterator[Difference]:
    for which, mine, its in (("first", one, other), ("second", other, one)):
        if alone := [name for name in mine if name not in set(its)]:
            shown = ", ".join(alone[:_MOST_NAMED])
            more = f" and {len(alone) - _MOST_NAMED} more" if len(alone) > _MOST_NAMED else ""
            yield Difference(part, f"{len(alone)} in the {which} alone: {shown}{more}.")


def _of_named(
    one: Mapping[str, _Array],
    other: Mapping[str, _Array],
    group: str = "",
    *,
    variance: _Array | None = None,
) -> Iterator[Difference]:
    """Compare arrays of the same name; those of the variance's shape in units of its root."""
    yield from _of_sets(group or "arrays", [*one], [*other])
    for name, array in one.items():
        if name not in other:
            continue
        in_noise = variance if name == "image" and variance is not None else None
        part = f"{group}[{name}]" if group else name
        yield from _said(part, difference_of_arrays(array, other[name], variance=in_noise))


def _columns(table: npt.NDArray[np.void], but: Sequence[str] = ()) -> dict[str, _Array]:
    return {name: table[name] for name in table.dtype.names or () if name not in but}


def _said(part: str, sentence: str | None) -> Iterator[Difference]:
    if sentence is not None:
        yield Difference(part, f"{sentence}.")
