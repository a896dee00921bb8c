"""Stacks of different cells of a patch become one: strips of an assembly, cells built anew."""

from __future__ import annotations

__all__ = ["join_pair", "join_stacks"]

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import YX, MaskSchema

from ..files.packed_planes import PackedPlanes
from ..masks.planes import mask_schema, translated_bits
from ..products.cell_coadd.stack import CellStack
from .cell_room import CellRoom, StackPlanes


def join_pair(one: CellStack, other: CellStack) -> CellStack:
    """Return a stack of the cells of both, sorted.

    Raises
    ------
    ValueError
        If a cell is in both, or they differ in their planes or in the size of anything.
    """
    mine, theirs = one.named_arrays(), other.named_arrays()
    if list(mine) != list(theirs):
        raise ValueError(f"One stack has {list(mine)}, the other {list(theirs)}.")
    for name in mine:
        # The cells come first in all arrays but that of the noise.
        first, second = (
            arrays[name].swapaxes(0, 1) if name == "noise" else arrays[name]
            for arrays in (mine, theirs)
        )
        if first.shape[1:] != second.shape[1:]:
            raise ValueError(
                f"{name} of a cell has the shape {first.shape[1:]} in one stack and "
                f"{second.shape[1:]} in the other."
            )
    return join_stacks([one, other])


def join_stacks(stacks: Sequence[CellStack], *, pixels: StackPlanes | None = None) -> CellStack:
    """Return a stack of the cells of all, sorted.

    Parameters
    ----------
    stacks
        They have different cells and the same planes, but that aperture corrections which some lack
        are NaN in their cells.
    pixels
        The planes of all but masked fractions, if those of the stacks are parts of them, in the
        order of the cells: they become the new stack's. None: planes are copied.
    """
    indices = [index for stack in stacks for index in stack.indices]
    order = sorted(range(len(indices)), key=lambda row: indices[row])
    rows = np.split(np.argsort(order), np.cumsum([len(stack.indices) for stack in stacks])[:-1])
    schema = mask_schema(
        {name: text for stack in stacks for name, text in stack.schema.descriptions.items()}
    )
    fractions: Mapping[str, npt.NDArray[np.float32]]
    if pixels is None:
        pixels = _copied_pixels(stacks, rows, schema)
        fractions = dict(zip(stacks[0].mask_fractions, pixels.fractions, strict=True))
    else:
        assert order == list(range(len(indices))), "the stacks come in the order of the cells"
        for stack in stacks:
            if stack.schema != schema:
                stack.mask[...] = translated_bits(stack.mask, stack.schema, schema)
        fractions = PackedPlanes.joined([stack.packed_fractions() for stack in stacks])
    corrections = sorted({name for stack in stacks for name in stack.aperture_corrections})

    def join(pieces: Sequence[npt.NDArray[Any] | None]) -> npt.NDArray[Any]:
        example = next(piece for piece in pieces if piece is not None)
        result = np.empty((len(indices), *example.shape[1:]), example.dtype)
        for where, piece in zip(rows, pieces, strict=True):
            # Only aperture corrections can be missing: some inputs may have those that others lack.
            result[where] = np.nan if piece is None else piece
        return result

    return CellStack(
        indices=tuple(indices[row] for row in order),
        image=pixels.image,
        variance=pixels.variance,
        mask=pixels.mask,
        schema=schema,
        mask_fractions=fractions,
        noise=pixels.noise,
        psf=join([stack.psf for stack in stacks]),
        noise_covariance=join([stack.noise_covariance for stack in stacks]),
        aperture_corrections={
            name: join([stack.aperture_corrections.get(name) for stack in stacks])
            for name in corrections
        },
    )


def _copied_pixels(
    stacks: Sequence[CellStack], rows: Sequence[npt.NDArray[np.intp]], schema: MaskSchema
) -> StackPlanes:
    """Return the planes of some stacks in one, each at its rows."""
    first, count = stacks[0], sum(len(stack.indices) for stack in stacks)
    pixels = CellRoom(
        count,
        shape=YX(*first.image.shape[1:]),
        n_noise=len(first.noise),
        n_fractions=len(first.mask_fractions),
    ).take(count)
    for where, stack in zip(rows, stacks, strict=True):
        pixels.image[where] = stack.image
        pixels.variance[where] = stack.variance
        pixels.mask[where] = translated_bits(stack.mask, stack.schema, schema)
        pixels.noise[:, where] = stack.noise
        for plane, name in zip(pixels.fractions, first.mask_fractions, strict=True):
            plane[where] = stack.mask_fractions[name]
    return pixels
