"""CellStack: the pixels of a coadd's filled cells, and what is known of each cell as a whole.

Coaddition makes it; `coadd.MultipleCellCoadd` shows it to people, cell by cell.
"""

from __future__ import annotations

__all__ = ["CellStack"]

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import MaskSchema

from ...cell_grid import Index2D
from ...files.packed_planes import PackedPlanes, planes_of_entry, shapes_of_planes
from ..equality import same_arrays


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CellStack:
    """Pixels of the filled cells, outer regions, one entry a cell.

    Parameters
    ----------
    indices
        The filled cells, row by row.
    image, variance : float32 (cells, height, width)
        In the coadd's unit, nJy if nobody says otherwise, and its square.
    mask : int32 (cells, height, width)
        Bits of ``schema``.
    schema
        Meaning of the bits.
    mask_fractions
        Weighted mean of the warped fractions of bad pixels, by plane;
        `masks.planes.ALL_PLANES` for all. Those of a coadd that was assembled in strips are
        `PackedPlanes`: read-only, and unpacked each time; of a single cell, see `fractions_of`.
    noise : float32 (realizations, cells, height, width)
        Noise realizations in the unit of the image.
    psf : float32 (cells, size, size)
        Point-spread functions.
    noise_covariance : float32 (cells, n, n)
        Covariance of the sky noise of two pixels, in the unit of the variance, by their offset in y
        and x; n is odd and offset 0 in the middle: the mean variance of the inner region's good
        pixels without sources. How it falls off follows from the resampling kernel and from what is
        known of the correlation of the images' noise; noise of sources and interpolated pixels is
        not in it. NaN where it is not known.
    aperture_corrections : float64 (cells,)
        Aperture corrections by the name of the algorithm; those that end in ``Err`` are standard
        errors. NaN where an input of the cell has none.
    """

    indices: tuple[Index2D, ...]
    image: npt.NDArray[np.float32]
    variance: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]
    schema: MaskSchema
    mask_fractions: Mapping[str, npt.NDArray[np.float32]]
    noise: npt.NDArray[np.float32]
    psf: npt.NDArray[np.float32]
    noise_covariance: npt.NDArray[np.float32]
    aperture_corrections: Mapping[str, npt.NDArray[np.float64]] = dataclasses.field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        if list(self.indices) != sorted(set(self.indices)):
            raise ValueError("The cells of a stack must be sorted and different.")
        shape = (len(self.indices), *self.image.shape[1:])
        planes = {"image": self.image, "variance": self.variance, "mask": self.mask}
        planes |= {f"noise[{n}]": plane for n, plane in enumerate(self.noise)}
        shapes = {name: plane.shape for name, plane in planes.items()}
        fractions = shapes_of_planes(self.mask_fractions)
        shapes |= {f"mask_fractions[{name}]": found for name, found in fractions.items()}
        for name, found in shapes.items():
            if found != shape:
                raise ValueError(f"{name} has shape {found}, expected {shape}.")
        rows = {"PSFs": len(self.psf), "noise covariances": len(self.noise_covariance)}
        rows |= {f"corrections {name}": len(v) for name, v in self.aperture_corrections.items()}
        for name, count in rows.items():
            if count != len(self.indices):
                raise ValueError(f"{count} {name} for {len(self.indices)} cells.")

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Whether all is the same to the bit."""
        if not isinstance(other, CellStack):
            return NotImplemented
        return (
            self.indices == other.indices
            and self.schema == other.schema
            and same_arrays(self.named_arrays(), other.named_arrays())
        )

    def named_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by name; cells come first in each, but after realizations in noise."""
        return {
            "image": self.image,
            "variance": self.variance,
            "mask": self.mask,
            "noise": self.noise,
            "psf": self.psf,
            "noise_covariance": self.noise_covariance,
            **{f"mask_fractions[{name}]": plane for name, plane in self.mask_fractions.items()},
            **{f"corrections[{name}]": v for name, v in self.aperture_corrections.items()},
        }

    def fractions_of(self, row: int) -> dict[str, npt.NDArray[np.float32]]:
        """Return the masked fractions (height, width) of one entry, by plane."""
        return planes_of_entry(self.mask_fractions, row)

    def packed_fractions(self) -> PackedPlanes:
        """Return the masked fractions as they take little memory."""
        if isinstance(self.mask_fractions, PackedPlanes):
            return self.mask_fractions
        cells, height, width = self.image.shape
        return PackedPlanes.pack(self.mask_fractions, shape=(cells, height, width))

    def subset(self, rows: Sequence[int]) -> CellStack:
        """Return copies of some entries."""
        chosen = list(rows)
        return CellStack(
            indices=tuple(self.indices[row] for row in chosen),
            image=self.image[chosen],
            variance=self.variance[chosen],
            mask=self.mask[chosen],
            schema=self.schema,
            mask_fractions={name: plane[chosen] for name, plane in self.mask_fractions.items()},
            noise=self.noise[:, chosen],
            psf=self.psf[chosen],
            noise_covariance=self.noise_covariance[chosen],
            aperture_corrections={
                name: values[chosen] for name, values in self.aperture_corrections.items()
            },
        )
