"""Whether a cell is the same in two coadds, bit for bit."""

from __future__ import annotations

__all__ = ["assert_same_cell", "shared_cells"]

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cell_grid import Index2D
from ..products.cell_coadd import MultipleCellCoadd

_PLACES = ("cell_x", "cell_y", "input")  # where something is in one coadd


def shared_cells(one: MultipleCellCoadd, other: MultipleCellCoadd) -> list[tuple[Index2D, Index2D]]:
    """Return the indices, in each coadd, of the cells of a tract that are in both coadds' grids."""
    twins = {other.grid.centre_of(index): index for index in other.grid}
    centres = [(index, one.grid.centre_of(index)) for index in one.grid]
    return [(index, twins[centre]) for index, centre in centres if centre in twins]


def assert_same_cell(
    one: MultipleCellCoadd,
    index: Index2D,
    other: MultipleCellCoadd,
    twin: Index2D,
    *,
    but: Collection[str] = (),
) -> None:
    """Assert that a cell is filled or empty in both coadds, with the same bits and the same record.

    All planes, the PSF, the noise covariance, the aperture corrections, and every input, used or
    refused, with all that is on record about it; only its place in the tables may differ.

    Parameters
    ----------
    one, index
        A coadd and a cell of its grid.
    other, twin
        Another, and the cell of its grid that must be the same.
    but
        Names of what is not compared: ``image``, ``contributions[weight]``, ``mean_variance``, ...

    Raises
    ------
    AssertionError
        Naming what differs.
    """
    mine, theirs = _arrays_of(one, index), _arrays_of(other, twin)
    assert list(mine) == list(theirs), index
    for name, array in mine.items():
        if name in but:
            continue
        pair = theirs[name]
        assert (array.dtype, array.shape) == (pair.dtype, pair.shape), (index, name)
        assert array.tobytes() == pair.tobytes(), (index, name)
    assert _inputs_of(one, index) == _inputs_of(other, twin), index


def _arrays_of(coadd: MultipleCellCoadd, index: Index2D) -> dict[str, npt.NDArray[Any]]:
    rows = _contributions_of(coadd, index)
    record = {
        f"contributions[{name}]": np.ascontiguousarray(rows[name])
        for name in rows.dtype.names or ()
        if name not in _PLACES
    }
    variances = [coadd.inputs[number].mean_variance_njy2 for number in rows["input"]]
    record["mean_variance"] = np.array(variances)
    stack = coadd.stack
    if index not in stack.indices:
        return record
    row = stack.indices.index(index)
    named: Mapping[str, npt.NDArray[Any]] = {
        "image": stack.image,
        "variance": stack.variance,
        "mask": stack.mask,
        "psf": stack.psf,
        "noise_covariance": stack.noise_covariance,
        **{f"mask_fractions[{name}]": plane for name, plane in stack.mask_fractions.items()},
        **{f"noise[{number}]": plane for number, plane in enumerate(stack.noise)},
        **{f"corrections[{name}]": values for name, values in stack.aperture_corrections.items()},
    }
    return {name: plane[row] for name, plane in named.items()} | record


def _contributions_of(coadd: MultipleCellCoadd, index: Index2D) -> npt.NDArray[np.void]:
    rows = coadd.contributions
    return np.compress((rows["cell_x"] == index.x) & (rows["cell_y"] == index.y), rows)


def _inputs_of(coadd: MultipleCellCoadd, index: Index2D) -> list[tuple[Any, ...]]:
    """Who is meant by the rows of the record."""
    entries = [coadd.inputs[number] for number in _contributions_of(coadd, index)["input"]]
    return [
        (
            entry.observation,
            entry.footprint.x_vertices.tolist(),
            entry.footprint.y_vertices.tolist(),
        )
        for entry in entries
    ]
