"""How the tracts of a sky map are divided: pixels, cells and patches.

Every sky map, whatever places its tracts, holds one `TractSettings`. In go a few numbers, out come
the sizes that tracts and patches are built with.
"""

from __future__ import annotations

__all__ = ["TractSettings"]

import dataclasses
import math
import struct


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TractSettings:
    """Pixel scale of the tracts of a sky map, and the sizes of their patches and cells.

    Parameters
    ----------
    pixel_scale_arcsec
        Size of a pixel at the tract's centre in arcseconds.
    tract_overlap
        Degrees by which the circle that a tract must hold is wider than the tract's own radius.
    rotation
        Position angle of the y axis in degrees, from north to east: the CD matrix is
        ``scale * [[-cos r, sin r], [sin r, cos r]]``.
    cell_inner_size
        Width and height of a cell's inner region in pixels.
    cell_border
        Pixels by which a cell's outer region exceeds its inner region on every side.
    patch_inner_cells
        Number of cells along a side of a patch's inner region; patches tile the tract with these.
    patch_border_cells
        Number of further cells on every side of a patch, which it shares with its neighbours.

    Raises
    ------
    ValueError
        If a value is out of its range.

    Notes
    -----
    The defaults are those of the Rubin maps ``lsst_cells_v1`` and ``hsc_rings_cells_v1``, except
    for the overlap. Tracts are always gnomonic (TAN), so that great circles are straight lines.
    """

    pixel_scale_arcsec: float
    tract_overlap: float = 0.0
    rotation: float = 0.0
    cell_inner_size: int = 150
    cell_border: int = 50
    patch_inner_cells: int = 20
    patch_border_cells: int = 1

    def __post_init__(self) -> None:
        for name, smallest in (
            ("cell_inner_size", 1),
            ("cell_border", 0),
            ("patch_inner_cells", 1),
            ("patch_border_cells", 0),
        ):
            value = getattr(self, name)
            if not smallest <= value < 2**31:
                raise ValueError(f"{name} must be at least {smallest}, got {value}.")
        if not (math.isfinite(self.pixel_scale_arcsec) and self.pixel_scale_arcsec > 0):
            raise ValueError(
                f"pixel_scale_arcsec must be positive and finite, got {self.pixel_scale_arcsec}."
            )
        if not 0 <= self.tract_overlap < 90:
            raise ValueError(f"tract_overlap must be in 0..90 degrees, got {self.tract_overlap}.")
        if not math.isfinite(self.rotation):
            raise ValueError(f"rotation must be finite, got {self.rotation}.")

    @property
    def patch_inner_size(self) -> int:
        """Width and height of a patch's inner region in pixels."""
        return self.cell_inner_size * self.patch_inner_cells

    @property
    def patch_border(self) -> int:
        """Pixels by which a patch's outer region exceeds its inner region on every side."""
        return self.cell_inner_size * self.patch_border_cells + self.cell_border

    @property
    def pixel_scale_radians(self) -> float:
        """Size of a pixel at the tract's centre in radians."""
        return math.radians(self.pixel_scale_arcsec / 3600.0)

    def to_bytes(self) -> bytes:
        """Return what goes into a sky map's SHA-1, in the order of the Rubin pipelines."""
        return struct.pack(
            "<iiiiidd3sd",
            self.cell_inner_size,
            self.cell_inner_size,
            self.cell_border,
            self.patch_inner_cells,
            self.patch_border_cells,
            self.tract_overlap,
            self.pixel_scale_arcsec,
            b"TAN",
            self.rotation,
        )
