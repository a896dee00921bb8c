"""Add up the chosen inputs of every cell: one weight for image, noise, masked fraction and PSF.

Only adds; what goes in was decided by `cell_selection`. Inputs come one at a time, so that the
memory needed does not grow with their number.
"""

from __future__ import annotations

__all__ = ["CellPixels", "CellStackBuilder", "StackLayout"]

import dataclasses
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import MaskSchema

from ..cell_grid import BorderedCellGrid, Index2D
from ..kernels.accumulate import CellSums, add_input, empty_sums, finish_cell
from ..kernels.fill import fill_no_data
from ..products.cell_stack import CellStack
from ..products.mask_planes import ALL_PLANES, bits_of
from .aperture_corrections import CorrectionSums
from .settings import CoaddSettings

_LOG = logging.getLogger(__name__)

_NEVER = 1.0  # no part of the weight is more than all of it
_PSF_SUM_RANGE = (0.995, 1.005)
_NOT_REJECTED = ("NO_DATA", "EDGE", "CLIPPED")  # left out, but not for what the pixel holds


@dataclasses.dataclass(frozen=True, kw_only=True)
class StackLayout:
    """What is common to all cells of a stack.

    Parameters
    ----------
    grid
        The cells of the patch.
    schema
        Mask planes of the coadd.
    fraction_names
        Masked fractions, in the order of the planes.
    settings
        The choices of the user.
    """

    grid: BorderedCellGrid
    schema: MaskSchema
    fraction_names: tuple[str, ...]
    settings: CoaddSettings

    @property
    def inner_window(self) -> tuple[slice, slice]:
        """Where the inner region lies in the array of an outer one."""
        border, inner = self.grid.border, self.grid.inner_cell_shape
        return slice(border, border + inner.y), slice(border, border + inner.x)

    @property
    def bad_bits(self) -> int:
        """Bits of the planes whose pixels are left out."""
        return bits_of(self.schema, self.settings.bad_mask_planes)

    @property
    def thresholds(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """Bits of the planes that are propagated, and the threshold of each."""
        given = self.settings.mask_propagation_thresholds
        chosen = {
            bits_of(self.schema, [plane]): given[plane]
            for plane in self.settings.bad_mask_planes
            if given.get(plane, _NEVER) < _NEVER
        }
        return np.array(list(chosen), np.int32), np.array(list(chosen.values()), np.float64)

    @property
    def fraction_bits(self) -> npt.NDArray[np.int32]:
        """What each masked fraction is about: -1 for all, else the bit of its plane."""
        bits = [
            -1 if name == ALL_PLANES else bits_of(self.schema, [name])
            for name in self.fraction_names
        ]
        return np.array(bits, np.int32)

    @property
    def left_out_marks(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Bits of inputs that were left out, and the bits that they set in the coadd."""
        planes = [plane for plane in self.settings.bad_mask_planes if plane not in _NOT_REJECTED]
        marks = [(plane, "REJECTED") for plane in planes] + [("CLIPPED", "CLIPPED")]
        pairs = [(bits_of(self.schema, [a]), bits_of(self.schema, [b])) for a, b in marks]
        origin, result = np.array(pairs, np.int32).T
        return np.ascontiguousarray(origin), np.ascontiguousarray(result)

    def new_sums(self) -> CellSums:
        """Return the sums over no input."""
        shape = self.grid.outer_cell_shape
        return empty_sums(
            height=shape.y,
            width=shape.x,
            n_noise=self.settings.num_noise_realizations,
            n_fractions=len(self.fraction_names),
            n_weighed=len(self.thresholds[0]),
            error_from_scatter=not self.settings.calc_error_from_input_variance,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CellPixels:
    """One input of one cell.

    Parameters
    ----------
    image, variance : float32 (height, width)
        Of the outer region, in nJy and nJy^2.
    mask : int32 (height, width)
        In the coadd's planes.
    noise : float32 (realizations, height, width)
        Noise realizations.
    fractions : float32 (fractions, height, width)
        Masked fractions.
    psf : float32 (size, size)
        Point-spread function, of the size of the coadd's.
    noise_covariance : float32 (size, size)
        Covariance in nJy^2 of two pixels by their offset.
    aperture_corrections
        Aperture corrections and, under names that end in ``Err``, their standard errors.
    """

    image: npt.NDArray[np.float32]
    variance: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]
    noise: npt.NDArray[np.float32]
    fractions: npt.NDArray[np.float32]
    psf: npt.NDArray[np.float32]
    noise_covariance: npt.NDArray[np.float32]
    aperture_corrections: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class _Cell:
    sums: CellSums
    psf: npt.NDArray[np.float64]
    noise_covariance: npt.NDArray[np.float64]
    corrections: CorrectionSums
    weight: float = 0.0


class CellStackBuilder:
    """Running sums of all cells that have an input.

    Parameters
    ----------
    layout
        What is common to all cells.
    """

    def __init__(self, layout: StackLayout) -> None:
        self._layout = layout
        self._cells: dict[Index2D, _Cell] = {}

    @property
    def layout(self) -> StackLayout:
        """What is common to all cells."""
        return self._layout

    def add(self, index: Index2D, pixels: CellPixels, *, weight: float) -> None:
        """Add an input to a cell."""
        if index not in self._cells:
            size = self._layout.settings.psf_dimensions
            self._cells[index] = _Cell(
                sums=self._layout.new_sums(),
                psf=np.zeros((size, size)),
                noise_covariance=np.zeros((size, size)),
                corrections=CorrectionSums(
                    inverse=self._layout.settings.do_coadd_inverse_aperture_corrections
                ),
            )
        cell = self._cells[index]
        add_input(
            cell.sums,
            pixels.image,
            pixels.variance,
            pixels.mask,
            pixels.noise,
            pixels.fractions,
            weight,
            self._layout.bad_bits,
            self._layout.thresholds[0],
            self._layout.fraction_bits,
        )
        cell.psf += weight * pixels.psf.astype(np.float64)
        cell.noise_covariance += weight**2 * pixels.noise_covariance.astype(np.float64)
        cell.corrections.add(pixels.aperture_corrections, weight=weight)
        cell.weight += weight

    def drop(self, index: Index2D) -> None:
        """Forget all inputs of a cell."""
        self._cells.pop(index, None)

    def finish(self) -> CellStack | None:
        """Return the coadded cells, None if there are none."""
        if not self._cells:
            return None
        layout, settings = self._layout, self._layout.settings
        indices = tuple(sorted(self._cells))
        cell_shape = layout.grid.outer_cell_shape
        shape = (len(indices), cell_shape.y, cell_shape.x)
        size = settings.psf_dimensions
        image, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
        mask = np.empty(shape, np.int32)
        noise = np.empty((settings.num_noise_realizations, *shape), np.float32)
        fractions = np.empty((len(layout.fraction_names), *shape), np.float32)
        psf = np.empty((len(indices), size, size), np.float32)
        covariance = np.empty_like(psf)
        corrections: list[Mapping[str, float]] = []
        for row, index in enumerate(indices):
            # Sums are let go one by one: they are larger than what comes of them.
            cell = self._cells.pop(index)
            psf[row] = cell.psf / cell.weight
            covariance[row] = cell.noise_covariance / cell.weight**2
            corrections.append(cell.corrections.finish())
            self._finish_cell(
                cell.sums, image[row], variance[row], mask[row], noise[:, row], fractions[:, row]
            )
        self._warn_of_psf_sums(indices, psf)
        return CellStack(
            indices=indices,
            image=image,
            variance=variance,
            mask=mask,
            schema=layout.schema,
            mask_fractions=dict(zip(layout.fraction_names, fractions, strict=True)),
            noise=noise,
            psf=psf,
            noise_covariance=covariance,
            aperture_corrections=_columns(corrections),
        )

    def _finish_cell(
        self,
        sums: CellSums,
        image: npt.NDArray[np.float32],
        variance: npt.NDArray[np.float32],
        mask: npt.NDArray[np.int32],
        noise: npt.NDArray[np.float32],
        fractions: npt.NDArray[np.float32],
    ) -> None:
        layout, settings = self._layout, self._layout.settings
        no_data = bits_of(layout.schema, ["NO_DATA"])
        left_out_from, left_out_to = layout.left_out_marks
        finish_cell(
            sums,
            *layout.thresholds,
            left_out_from,
            left_out_to,
            no_data,
            bits_of(layout.schema, ["INEXACT_PSF"]),
            image,
            variance,
            mask,
            noise,
            fractions,
        )
        empty = (mask & no_data) != 0
        if settings.do_interpolate_coadd and empty.any():
            planes = np.concatenate([image[np.newaxis], noise])
            fill_no_data(planes, empty)
            image[...] = planes[0]
            noise[...] = planes[1:]
            mask[empty] |= bits_of(layout.schema, ["INTRP"])

    def _warn_of_psf_sums(self, indices: Sequence[Index2D], psf: npt.NDArray[np.float32]) -> None:
        sums: Mapping[Index2D, float] = dict(
            zip(indices, psf.sum(axis=(1, 2), dtype=np.float64).tolist(), strict=True)
        )
        low, high = _PSF_SUM_RANGE
        odd = {index: total for index, total in sums.items() if not low <= total <= high}
        if odd:
            worst = max(odd, key=lambda index: abs(odd[index] - 1.0))
            _LOG.warning(
                "The PSF images of %d of %d cells do not sum to 1 within %.3f; the worst is %.4f "
                "in %s. A larger psf_dimensions (now %d) holds more of their wings.",
                len(odd), len(sums), high - 1.0, odd[worst], worst,
                self._layout.settings.psf_dimensions,
            )  # fmt: skip


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, npt.NDArray[np.float64]]:
    """One array a name, NaN where a row has none."""
    names = sorted({name for row in rows for name in row})
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
