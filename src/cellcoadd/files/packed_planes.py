"""Planes of cells kept compressed in memory, as they will be in a file.

Masked fractions are 0 in most pixels. Of a patch with many inputs they would take as much memory as
image, variance, mask and noise together; compressed it is a tenth. What they are compressed to is
what `products.cell_coadd.compression` writes, so it costs no time if they are written.
"""

from __future__ import annotations

__all__ = ["PackedPlanes", "planes_of_entry", "shapes_of_planes"]

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from .deflated_planes import deflated_tiles
from .gzip_tiles import decompress

type _Plane = npt.NDArray[np.float32]
type _Tiles = Sequence[npt.NDArray[np.uint8]]


class PackedPlanes(Mapping[str, npt.NDArray[np.float32]]):
    """Planes by their names, unpacked each time that they are asked for.

    The arrays are read-only: what is written to one would be lost.

    Parameters
    ----------
    tiles
        Compressed entries of each plane, see `deflated_planes.deflated_tiles`.
    shape
        Of a plane: entries, height, width.
    """

    def __init__(self, tiles: Mapping[str, _Tiles], *, shape: tuple[int, int, int]) -> None:
        self._tiles = dict(tiles)
        self.shape = shape
        for name, entries in self._tiles.items():
            if len(entries) != shape[0]:
                raise ValueError(f"{len(entries)} tiles of {name} for {shape[0]} entries.")

    @classmethod
    def pack(cls, planes: Mapping[str, _Plane], *, shape: tuple[int, int, int]) -> Self:
        """Compress planes, all of one shape."""
        return cls(
            {name: deflated_tiles(plane, shuffled=False) for name, plane in planes.items()},
            shape=shape,
        )

    @classmethod
    def joined(cls, parts: Sequence[PackedPlanes]) -> Self:
        """Put the entries of some behind one another; all have the planes of the first one."""
        count = sum(part.shape[0] for part in parts)
        return cls(
            {name: [tile for part in parts for tile in part.tiles(name)] for name in parts[0]},
            shape=(count, *parts[0].shape[1:]),
        )

    def tiles(self, name: str) -> _Tiles:
        """Return the compressed entries of a plane."""
        return self._tiles[name]

    def entry(self, row: int) -> dict[str, _Plane]:
        """Unpack one entry of all planes (height, width)."""
        return {name: self._unpacked(tiles[row]) for name, tiles in self._tiles.items()}

    def __getitem__(self, name: str) -> _Plane:
        """Unpack a plane (entries, height, width)."""
        tiles = self._tiles[name]
        plane = np.empty(self.shape, np.float32)
        for entry, tile in zip(plane, tiles, strict=True):
            entry[...] = self._stored(tile)
        plane.flags.writeable = False
        return plane

    def __iter__(self) -> Iterator[str]:
        return iter(self._tiles)

    def __len__(self) -> int:
        return len(self._tiles)

    def _unpacked(self, tile: npt.NDArray[np.uint8]) -> _Plane:
        entry = self._stored(tile).astype(np.float32)
        entry.flags.writeable = False
        return entry

    def _stored(self, tile: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating]:
        size = 4 * math.prod(self.shape[1:])
        return np.frombuffer(decompress(memoryview(tile), size), ">f4").reshape(self.shape[1:])


def shapes_of_planes(planes: Mapping[str, _Plane]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of planes, which may be packed, without unpacking them."""
    if isinstance(planes, PackedPlanes):
        return dict.fromkeys(planes, planes.shape)
    return {name: plane.shape for name, plane in planes.items()}


def planes_of_entry(planes: Mapping[str, _Plane], row: int) -> dict[str, _Plane]:
    """Return one entry of planes, which may be packed: views of those that are not."""
    if isinstance(planes, PackedPlanes):
        return planes.entry(row)
    return {name: plane[row] for name, plane in planes.items()}
