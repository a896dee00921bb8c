"""Positions in the source of all target pixels, from exact ones on a coarse grid of nodes.

The nodes are anchored to absolute target pixels, and a pixel is computed from its own four nodes
alone: its position has the same bits in whatever region it is computed.
"""

from __future__ import annotations

__all__ = ["mark_blocks", "node_indices", "nodes_around", "row_positions", "source_range"]

import math

import numpy as np
import numpy.typing as npt

from .._jit import kernel


def node_indices(start: int, stop: int, spacing: int) -> npt.NDArray[np.int64]:
    """Return the target columns (or rows) at which exact positions are needed.

    Parameters
    ----------
    start, stop
        Target columns start..stop-1 are wanted, in absolute (tract) pixels; may be negative.
    spacing
        Distance of the nodes in pixels. With 1, the position of every pixel is exact.

    Returns
    -------
    int64 (n,)
        All c with ``(c + 1) % spacing == 0``, from the last one below ``start`` to the first one
        not below ``stop - 1``. With spacing 10 that is ... -1, 9, 19 ...: for a region that starts
        at a multiple of 10 these are the nodes of the Rubin pipelines.

    Raises
    ------
    ValueError
        If the spacing is not positive or the region is empty.
    """
    if spacing < 1:
        raise ValueError(f"Nodes must be at least 1 pixel apart, got a spacing of {spacing}.")
    if stop <= start:
        raise ValueError(f"The region must not be empty, got {start}..{stop}.")
    first = start // spacing * spacing - 1
    last = -(-stop // spacing) * spacing - 1
    return np.arange(first, last + 1, spacing, dtype=np.int64)


@kernel
def nodes_around(start: int, offset: int, n: int, spacing: int) -> tuple[int, int]:
    """Which nodes the pixels ``start + offset`` .. ``start + offset + n - 1`` need.

    Returns
    -------
    first, stop
        Range of indices into ``node_indices(start, ..., spacing)``.
    """
    first_node = start // spacing * spacing - 1
    first = (start + offset - 1 - first_node) // spacing
    last = (start + offset + n - 2 - first_node) // spacing + 1
    return first, last + 1


@kernel
def row_positions(
    node_x: npt.NDArray[np.float64],
    node_y: npt.NDArray[np.float64],
    row: int,
    column: int,
    n: int,
    x_start: int,
    y_start: int,
    spacing: int,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    area: npt.NDArray[np.float64],
) -> None:
    """Positions and areas of n neighbouring target pixels of one row.

    Parameters
    ----------
    node_x, node_y : float64 (node rows, node columns)
        Source positions of the nodes of the target region (see `node_indices`).
    row, column
        First pixel, counted from the lower left pixel of the region.
    n
        Number of pixels.
    x_start, y_start
        Absolute column and row of the region's lower left pixel.
    spacing
        Distance of the nodes.
    x, y, area : float64 (n or more,)
        Written: source positions; areas of the target pixels in source pixels, |a x b| with the
        steps a and b of the position to here from the pixel to the left and from the one below.

    Notes
    -----
    Pixel c belongs to the nodes k < c <= k + spacing, so both steps are inside of its own square of
    nodes, where the position is bilinear: the steps are the slopes of the bilinear form.
    """
    first_node = x_start // spacing * spacing - 1
    row_offset = (y_start + row) - (y_start // spacing * spacing - 1)
    j = (row_offset - 1) // spacing
    up = row_offset - j * spacing
    i = 0
    while i < n:
        offset = (x_start + column + i) - first_node
        k = (offset - 1) // spacing
        # Slopes per pixel: for a shift by whole pixels they are exactly 1, and positions exact.
        rise_x = (node_x[j + 1, k] - node_x[j, k]) / spacing
        rise_y = (node_y[j + 1, k] - node_y[j, k]) / spacing
        rise_right_x = (node_x[j + 1, k + 1] - node_x[j, k + 1]) / spacing
        rise_right_y = (node_y[j + 1, k + 1] - node_y[j, k + 1]) / spacing
        left_x = node_x[j, k] + up * rise_x
        left_y = node_y[j, k] + up * rise_y
        run_x = ((node_x[j, k + 1] + up * rise_right_x) - left_x) / spacing
        run_y = ((node_y[j, k + 1] + up * rise_right_y) - left_y) / spacing
        twist_x = (rise_right_x - rise_x) / spacing
        twist_y = (rise_right_y - rise_y) / spacing
        right = offset - k * spacing
        count = min(n - i, spacing - right + 1)
        for m in range(count):
            u = float(right + m)
            x[i + m] = left_x + u * run_x
            y[i + m] = left_y + u * run_y
            area[i + m] = abs(run_x * (rise_y + u * twist_y) - run_y * (rise_x + u * twist_x))
        i += count


@kernel
def source_range(nodes: npt.NDArray[np.float64], size: int, margin: int) -> tuple[int, int]:
    """Source columns (or rows) that positions between these nodes can touch.

    Parameters
    ----------
    nodes : float64 (node rows, node columns)
        Source positions along this axis; those that are not finite are passed over.
    size
        Number of source columns.
    margin
        Pixels needed on both sides of a position.

    Returns
    -------
    start, stop
        Within 0..size; equal if there are none.
    """
    low, high = math.inf, -math.inf
    for j in range(nodes.shape[0]):
        for k in range(nodes.shape[1]):
            if math.isfinite(nodes[j, k]):
                low = min(low, nodes[j, k])
                high = max(high, nodes[j, k])
    if low > size + margin or high < -margin or low > high:
        return 0, 0
    start = max(0, math.floor(max(low, -float(margin))) - margin)
    stop = min(size, math.ceil(min(high, float(size + margin))) + margin + 1)
    return start, stop


@kernel
def mark_blocks(
    node_x: npt.NDArray[np.float64],
    node_y: npt.NDArray[np.float64],
    margin: int,
    height: int,
    width: int,
    blocks: npt.NDArray[np.bool_],
) -> None:
    """Mark the blocks of source pixels that positions between nodes can touch.

    Parameters
    ----------
    node_x, node_y : float64 (node rows, node columns)
        Source positions of the nodes of the target; where one is not finite, no position is.
    margin
        Pixels needed on both sides of a position.
    height, width
        Pixels of a block in y and x.
    blocks : bool (block rows, block columns)
        Those touched become true.
    """
    rows, columns = blocks.shape
    for j in range(node_x.shape[0] - 1):
        for k in range(node_x.shape[1] - 1):
            low_x = high_x = node_x[j, k]
            low_y = high_y = node_y[j, k]
            for corner in range(4):
                up, right = j + corner // 2, k + corner % 2
                x, y = node_x[up, right], node_y[up, right]
                if not (math.isfinite(x) and math.isfinite(y)):
                    low_x, high_x = math.inf, -math.inf
                    break
                low_x, high_x = min(low_x, x), max(high_x, x)
                low_y, high_y = min(low_y, y), max(high_y, y)
            if low_x > high_x:
                continue
            left = max(_block(low_x - margin, width, columns), 0)
            last = min(_block(high_x + margin + 1.0, width, columns), columns - 1)
            low = max(_block(low_y - margin, height, rows), 0)
            high = min(_block(high_y + margin + 1.0, height, rows), rows - 1)
            for row in range(low, high + 1):
                for column in range(left, last + 1):
                    blocks[row, column] = True


@kernel
def _block(position: float, size: int, count: int) -> int:
    """Return the number of the block that a position is in; -1 or ``count`` if it is in none."""
    if position < 0.0:
        return -1
    return count if position >= size * count else int(position) // size
