"""How good the one point-spread function of a cell is, for stars anywhere in the cell.

The record of a coadd's inputs comes in, with the size of each input's function in each cell;
numbers a cell go out. What is not known, of coadds of earlier versions or of other programs, is
NaN.
"""

from __future__ import annotations

__all__ = ["edge_changes", "edge_fractions", "fidelities", "size_changes", "size_spreads"]

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..masks.planes import bits_of
from ..products.cell_coadd.inputs import PHASE_POWER
from .cell_measurements import CellMeasurements

type _Floats = npt.NDArray[np.float64]


def fidelities(cells: CellMeasurements) -> _Floats:
    """Return what sub-pixel positions change in the image of a star: mean square over square.

    Parameters
    ----------
    cells
        The cells of a coadd.

    Returns
    -------
    float64 (cells,)
        The mean over sub-pixel positions of the sum of |P - P_cell|^2, over the sum of P_cell^2,
        where P is the image of a star of unit flux and P_cell the function of the cell. The
        relative error of fluxes that are fitted with P_cell has an rms of its square root at most.

    Notes
    -----
    The changes d_i of the inputs, of weights w_i of sum 1, add up: those of a star are the sum of
    w_i d_i, and those of P_cell, which is the image of a star at the middle of the cell, another
    such sum. Dithered inputs lie at independent positions, and what is expected is twice the sum of
    w_i^2 |d_i|^2. Inputs whose pixels are those of the tract, not turned, change less than that.
    """
    rows = cells.accepted
    if PHASE_POWER not in (rows.dtype.names or ()):
        return np.full(len(cells), np.nan)
    power = _sums(cells, rows["weight"] ** 2 * rows[PHASE_POWER])
    psf = np.square(cells.coadd.stack.psf, dtype=np.float64).sum(axis=(1, 2))
    return np.asarray(2.0 * power / (cells.weight_sums**2 * psf))


def size_spreads(cells: CellMeasurements) -> _Floats:
    """Return the weighted scatter of the sizes of the inputs' functions over their mean.

    Sizes are xx + yy of the adaptive second moments: the size T of weak lensing.
    """
    sizes, mean = _sizes(cells.accepted), _mean_sizes(cells)
    off = (sizes - mean[cells.accepted_cells]) ** 2
    variance = _sums(cells, cells.accepted["weight"] * off) / cells.weight_sums
    return np.asarray(np.sqrt(variance) / mean)


def edge_changes(cells: CellMeasurements) -> _Floats:
    """Return the largest step of a cell's size T, over T, where an input ends inside of the cell.

    With one input of weight w out of W, the size changes by w / (W - w) of how far that of the
    input is off. 0 where all inputs cover all of the cell.

    Notes
    -----
    For an object across the edge of an input, the statistic T_frac of arXiv:2509.06929.
    """
    rows = cells.accepted
    mean, total = _mean_sizes(cells)[cells.accepted_cells], cells.weight_sums[cells.accepted_cells]
    others = total - rows["weight"]
    alone = others <= 1e-9 * total
    steps = rows["weight"] / np.where(alone, 1.0, others) * np.abs(_sizes(rows) - mean) / mean
    steps = np.where(alone | (rows["overlap_fraction"] >= 1.0), 0.0, steps)
    result = np.zeros(len(cells))
    with np.errstate(invalid="ignore"):  # NaN stays NaN; some processors say so
        np.maximum.at(result, cells.accepted_cells, steps)
    return result


def edge_fractions(cells: CellMeasurements) -> _Floats:
    """Return the part of a cell's inner region where a star meets pixels that lack an input.

    Pixels count if one that is flagged INEXACT_PSF lies within the FWHM of the function of them, in
    x and in y.
    """
    stack, border = cells.coadd.stack, cells.coadd.grid.border
    bits = np.int32(bits_of(stack.schema, ["INEXACT_PSF"], ignore_missing=True))
    result = np.zeros(len(cells))
    widths = np.nan_to_num(cells.psf_shapes.fwhm, nan=5.0)
    inner = np.s_[border:-border, border:-border] if border else np.s_[:, :]
    for row, mask in enumerate(stack.mask):
        flagged = (mask & bits) != 0
        if flagged.any():
            near = ndimage.maximum_filter(flagged, size=2 * int(np.ceil(widths[row])) + 1)
            result[row] = near[inner].mean()
    return result


def size_changes(cells: CellMeasurements) -> _Floats:
    """Return the largest change of the function's width sigma over a cell, over sigma.

    From the middle to a corner of the inner region, as the inputs' functions change from this cell
    to the next ones. NaN where an input is in none of those.
    """
    rows = cells.coadd.contributions
    shape = cells.coadd.grid.shape
    sizes = np.full((len(cells.coadd.inputs), shape.y + 2, shape.x + 2), np.nan)
    sizes[rows["input"], rows["cell_y"] + 1, rows["cell_x"] + 1] = _sizes(rows)
    mine = cells.accepted
    number = mine["input"].astype(np.int64)
    y, x = mine["cell_y"].astype(np.int64) + 1, mine["cell_x"].astype(np.int64) + 1
    weight = mine["weight"]
    change = np.zeros(len(cells))
    for step_y, step_x in ((0, 1), (1, 0)):
        here = sizes[number, y, x]
        rise = sizes[number, y + step_y, x + step_x] - here
        fall = here - sizes[number, y - step_y, x - step_x]
        slope = np.where(np.isnan(rise), fall, np.where(np.isnan(fall), rise, 0.5 * (rise + fall)))
        change += np.abs(_sums(cells, weight * slope)) / cells.weight_sums
    # Half a cell in x and in y; sigma changes by half of what its square does.
    return np.asarray(0.25 * change / _mean_sizes(cells))


def _sizes(rows: npt.NDArray[np.void]) -> _Floats:
    return np.asarray(rows["psf_shape_xx"] + rows["psf_shape_yy"], np.float64)


def _mean_sizes(cells: CellMeasurements) -> _Floats:
    weighted = cells.accepted["weight"] * _sizes(cells.accepted)
    return _sums(cells, weighted) / cells.weight_sums


def _sums(cells: CellMeasurements, values: _Floats) -> _Floats:
    """Sums over the accepted inputs of each cell."""
    return np.bincount(cells.accepted_cells, values, minlength=len(cells))
