"""Add up the chosen inputs of every cell: one weight for image, noise, masked fraction and PSF.

Only adds; what goes in was decided by `cell_selection`. Inputs come one at a time, so that the
memory needed does not grow with their number.
"""

from __future__ import annotations

__all__ = ["CellStackBuilder", "InputInCell", "StackLayout", "warn_of_psf_sums"]

import dataclasses
import functools
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import YX, MaskSchema

from ..cell_grid import BorderedCellGrid, Index2D
from ..kernels.accumulate import (
    CellSums,
    InputPlanes,
    StackRules,
    Zeros,
    add_input,
    empty_sums,
    finish_sums,
)
from ..kernels.fill import fill_no_data
from ..kernels.sparse_rows import copy_rows
from ..masks.planes import ALL_PLANES, bits_of
from ..products.cell_coadd.stack import CellStack
from .aperture_corrections import CorrectionSums
from .cell_room import CellRoom, StackPlanes
from .settings import CoaddSettings
from .shared_sums import SharedSums

_LOG = logging.getLogger(__name__)

_NEVER = 1.0  # no part of the weight is more than all of it
_HELP_ABOVE = (
    "PSFs of inputs are not normalized, or vary strongly near there: look at their models."
)
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
    def bad_bits(self) -> int:
        """Bits of the planes whose pixels are left out."""
        return bits_of(self.schema, self.settings.bad_mask_planes)

    @functools.cached_property
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

    @property
    def rules(self) -> StackRules:
        """What the bits of masks in the coadd's planes mean for the sums."""
        weighed, thresholds = self.thresholds
        left_out_from, left_out_to = self.left_out_marks
        return StackRules(
            kept_bits=-1,
            bad_bits=self.bad_bits,
            no_data_bit=bits_of(self.schema, ["NO_DATA"]),
            inexact_psf_bit=bits_of(self.schema, ["INEXACT_PSF"]),
            weighed=weighed,
            thresholds=thresholds,
            left_out_from=left_out_from,
            left_out_to=left_out_to,
            fraction_bits=self.fraction_bits,
        )

    def new_sums(self, height: int, width: int, zeros: Zeros) -> CellSums:
        """Return the sums over no input."""
        return empty_sums(
            height=height,
            width=width,
            n_noise=self.settings.num_noise_realizations,
            n_fractions=len(self.fraction_names),
            n_weighed=len(self.thresholds[0]),
            error_from_scatter=not self.settings.calc_error_from_input_variance,
            zeros=zeros,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class InputInCell:
    """What an input has for a cell as a whole.

    Parameters
    ----------
    psf : float32 (size, size)
        Point-spread function, of the size of the coadd's.
    noise_covariance : float32 (size, size)
        Covariance in nJy^2 of two pixels by their offset.
    aperture_corrections
        Aperture corrections and, under names that end in ``Err``, their standard errors.
    """

    psf: npt.NDArray[np.float32]
    noise_covariance: npt.NDArray[np.float32]
    aperture_corrections: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class _Cell:
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
        self._rules = layout.rules
        self._cells: dict[Index2D, _Cell] = {}
        self._sums = SharedSums(layout.grid, layout.new_sums)

    @property
    def layout(self) -> StackLayout:
        """What is common to all cells."""
        return self._layout

    def add(
        self,
        planes: InputPlanes,
        cells: Mapping[Index2D, InputInCell],
        *,
        start: YX[int],
        kept_bits: int,
        number: int,
        weight: float,
    ) -> None:
        """Add an input to the cells that take it in.

        Parameters
        ----------
        planes
            Of its visit, the mask in the coadd's planes.
        cells
            The cells, and what the input has for them.
        start
            Tract pixel at which the planes begin.
        kept_bits
            Bits of the mask that are to be propagated.
        number
            The input's number among the owners of pixels.
        weight
            Its weight, nJy^-2.
        """
        rules = self._rules._replace(kept_bits=kept_bits)
        corner = self._layout.grid.outer_bbox.start
        up, right = corner.y - start.y, corner.x - start.x

        def add(sums: CellSums, y: int, x: int) -> None:
            add_input(sums, planes, rules, y + up, x + right, number, weight)

        self._sums.add(cells.keys(), add)
        for index, entry in cells.items():
            self._add_to_cell(index, entry, weight)

    def _add_to_cell(self, index: Index2D, entry: InputInCell, weight: float) -> None:
        if index not in self._cells:
            size = self._layout.settings.psf_dimensions
            self._cells[index] = _Cell(
                psf=np.zeros((size, size)),
                noise_covariance=np.zeros((size, size)),
                corrections=CorrectionSums(
                    inverse=self._layout.settings.do_coadd_inverse_aperture_corrections
                ),
            )
        cell = self._cells[index]
        cell.psf += weight * entry.psf.astype(np.float64)
        cell.noise_covariance += weight**2 * entry.noise_covariance.astype(np.float64)
        cell.corrections.add(entry.aperture_corrections, weight=weight)
        cell.weight += weight

    def drop(self, index: Index2D) -> None:
        """Forget all inputs of a cell."""
        self._cells.pop(index, None)
        self._sums.drop(index)

    def finish(self, room: CellRoom | None = None) -> CellStack | None:
        """Return the coadded cells, None if there are none.

        Parameters
        ----------
        room
            Where their pixels come to lie; see `new_room`.
        """
        if not self._cells:
            return None
        layout, size = self._layout, self._layout.settings.psf_dimensions
        indices = tuple(sorted(self._cells))
        planes = (self.new_room(len(indices)) if room is None else room).take(len(indices))
        psf = np.empty((len(indices), size, size), np.float32)
        covariance = np.empty_like(psf)
        corrections: list[Mapping[str, float]] = []
        for row, index in enumerate(indices):
            cell = self._cells[index]
            psf[row] = cell.psf / cell.weight
            covariance[row] = cell.noise_covariance / cell.weight**2
            corrections.append(cell.corrections.finish())
        self._cells.clear()
        self._finish_pixels(indices, planes)
        return CellStack(
            indices=indices,
            image=planes.image,
            variance=planes.variance,
            mask=planes.mask,
            schema=layout.schema,
            mask_fractions=dict(zip(layout.fraction_names, planes.fractions, strict=True)),
            noise=planes.noise,
            psf=psf,
            noise_covariance=covariance,
            aperture_corrections=_columns(corrections),
        )

    def new_room(self, n_cells: int) -> CellRoom:
        """Return room for the pixels of cells."""
        layout = self._layout
        return CellRoom(
            n_cells,
            shape=layout.grid.outer_cell_shape,
            n_noise=layout.settings.num_noise_realizations,
            n_fractions=len(layout.fraction_names),
        )

    def _finish_pixels(self, indices: Sequence[Index2D], planes: StackPlanes) -> None:
        """Write the planes of all cells."""
        rows = {index: row for row, index in enumerate(indices)}
        for sums, cells in self._sums.finish():
            (first, window), *others = ((rows[index], place) for index, place in cells.items())
            part = planes.part(first, window)
            finish_sums(sums, self._rules, *part)
            for row, place in others:
                target = planes.part(row, place)
                for plane, finished in zip(target[:-1], part[:-1], strict=True):
                    plane[...] = finished
                copy_rows(part.fractions, target.fractions)
        if self._layout.settings.do_interpolate_coadd:
            for row in range(len(indices)):
                self._fill(planes.image[row], planes.mask[row], planes.noise[:, row])

    def _fill(
        self,
        image: npt.NDArray[np.float32],
        mask: npt.NDArray[np.int32],
        noise: npt.NDArray[np.float32],
    ) -> None:
        """Fill the pixels of a cell that have no data."""
        empty = (mask & self._rules.no_data_bit) != 0
        if empty.any():
            planes = np.concatenate([image[np.newaxis], noise])
            fill_no_data(planes, empty)
            image[...] = planes[0]
            noise[...] = planes[1:]
            mask[empty] |= bits_of(self._layout.schema, ["INTRP"])


def warn_of_psf_sums(stack: CellStack) -> None:
    """Log how many PSF images of a stack do not sum to 1, and the worst."""
    sums: Mapping[Index2D, float] = dict(
        zip(stack.indices, stack.psf.sum(axis=(1, 2), dtype=np.float64).tolist(), strict=True)
    )
    low, high = _PSF_SUM_RANGE
    odd = {index: total for index, total in sums.items() if not low <= total <= high}
    if odd:
        worst = max(odd, key=lambda index: abs(odd[index] - 1.0))
        _LOG.warning(
            "The PSF images of %d of %d cells do not sum to 1 within %.3f; the worst is %.4f "
            "in %s. %s",
            len(odd), len(sums), high - 1.0, odd[worst], worst,
            _HELP_ABOVE if odd[worst] > 1.0 else _help_below(stack.psf.shape[-1]),
        )  # fmt: skip


def _help_below(size: int) -> str:
    """Return what helps where an image cuts off the wings of a PSF."""
    larger = size + 28  # 63 for the default of 35: twice the reach, nearly
    return (
        f"A larger psf_dimensions (now {size}) holds more of their wings: "
        f"-c assembleCellCoadd:psf_dimensions={larger}, or --psf-size {larger} of cellcoadd coadd"
    )


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, npt.NDArray[np.float64]]:
    """One array a name, NaN where a row has none."""
    names = sorted({name for row in rows for name in row})
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
