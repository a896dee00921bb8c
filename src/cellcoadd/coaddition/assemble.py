"""assemble_cell_coadd: the stage that turns the warps of a patch into its cell-based coadd."""

from __future__ import annotations

__all__ = ["CellAssembly", "VisitOnPatch", "assemble_cell_coadd", "make_coadd", "noise_image"]

import dataclasses
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import YX, Image, Mask, MaskedImage, MaskSchema
from lsst.images.cells import CellIJ
from numpy.lib.stride_tricks import as_strided

from ..cell_grid import Index2D, shared_box, to_index2d
from ..kernels.accumulate import InputPlanes
from ..kernels.cell_pixels import find_rejected
from ..masks.planes import (
    ALL_PLANES,
    bit_changes,
    bits_of,
    mask_schema,
    plane_array,
    translated_bits,
)
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.inputs import CoaddInput, RefusalReason, contribution_dtype, sorted_rows
from ..products.cell_coadd.stack import CellStack
from ..products.flux_units import common_flux_unit
from ..products.identifiers import PatchIdentifiers
from ..products.warp import Warp
from ..skymap import Patch
from .cell_inputs import inputs_in_cells
from .cell_room import CellRoom
from .cell_selection import CellChoice, choose_cells
from .choice_records import describe_choices
from .empty_patch import explain_empty_patch
from .matched_psf import match_psfs
from .odd_weights import warn_of_odd_weights
from .settings import CoaddSettings
from .stack import CellStackBuilder, StackLayout, warn_of_psf_sums
from .weights import compute_weight

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class VisitOnPatch:
    """A warp and what was warped with it.

    Parameters
    ----------
    warp
        Image, mask, variance, masked fractions, inputs, PSF.
    noise
        Noise realizations on the same pixels; of masked images, the images count.
    artifact_mask
        A mask whose CLIPPED plane marks artifacts; None if there is none. It counts only where the
        settings say ``do_use_artifact_mask``.
    """

    warp: Warp
    noise: Sequence[MaskedImage | Image] = ()
    artifact_mask: Mask | None = None


def assemble_cell_coadd(
    visits: Iterable[VisitOnPatch],
    patch: Patch,
    *,
    settings: CoaddSettings,
    cells: Collection[Index2D | CellIJ] | None = None,
    tell: Callable[[str], None] = _LOG.warning,
) -> MultipleCellCoadd | None:
    """Add up the warps of a patch cell by cell; None if no cell has an input.

    Parameters
    ----------
    visits
        Warps of one band, sorted by instrument and visit: sums are taken in this order. They are
        used one at a time and not kept.
    patch
        The patch that they are on.
    settings
        All choices.
    cells
        The cells to build, each as it is with all the others; None: all of the patch.
    tell
        Is told why, if no cell has an input.

    Raises
    ------
    ValueError
        If the warps are not sorted, not of one band and unit, not on this patch, or do not carry
        the same masked fractions and the number of noise realizations that is asked for; if a cell
        is not in the patch's grid.
    """
    assembly = CellAssembly(patch, settings, cells=cells)
    for visit in visits:
        assembly.add(visit)
        del visit  # before the next one comes, and before the coadd is made
    return assembly.finish(tell)


class CellAssembly:
    """The state of an assembly: sums of the cells and the record of what went in.

    Parameters
    ----------
    patch, settings, cells
        As for `assemble_cell_coadd`.
    quiet
        Whether what there is to log about the warps has been logged.
    """

    def __init__(
        self,
        patch: Patch,
        settings: CoaddSettings,
        *,
        cells: Collection[Index2D | CellIJ] | None,
        quiet: bool = False,
    ) -> None:
        self._quiet = quiet
        self._patch = patch
        self._settings = settings
        self._cells = None if cells is None else _checked_cells(cells, patch)
        self._builder: CellStackBuilder | None = None
        self._inputs: list[CoaddInput] = []
        self._rows: list[dict[str, object]] = []
        # Rows of cells that have no good input yet, only heavily masked ones.
        self._fallbacks: dict[object, list[int]] = {}
        self._filled: set[object] = set()
        self._band: str | None = None
        self._last: tuple[str, int] | None = None
        self._unit: tuple[str, u.UnitBase] | None = None

    @property
    def band(self) -> str | None:
        """The band of the warps, None before there is one."""
        return self._band

    @property
    def unit(self) -> u.UnitBase:
        """The unit of the warps; nJy before there is one."""
        return u.nJy if self._unit is None else self._unit[1]

    @property
    def fraction_names(self) -> tuple[str, ...] | None:
        """Names of the masked fractions of the warps, None before there is one."""
        return None if self._builder is None else self._builder.layout.fraction_names

    @property
    def inputs(self) -> Sequence[CoaddInput]:
        """All detectors of the warps."""
        return self._inputs

    def add(self, visit: VisitOnPatch) -> None:
        """Add a warp to the cells that it covers.

        Raises
        ------
        ValueError
            If it does not fit the others, the patch or the settings.
        """
        warp, settings = visit.warp, self._settings
        self._check(visit)
        if settings.require_artifact_mask and visit.artifact_mask is None:
            if not self._quiet:
                _LOG.warning(
                    "Left out: %s visit %d has no artifact mask and require_artifact_mask is set.",
                    warp.instrument,
                    warp.visit,
                )
            return
        if self._builder is None:
            self._builder = CellStackBuilder(
                StackLayout(
                    grid=self._patch.grid,
                    schema=_coadd_schema(warp, settings, quiet=self._quiet),
                    fraction_names=tuple(warp.mask_fractions),
                    settings=settings,
                )
            )
        layout = self._builder.layout
        if tuple(warp.mask_fractions) != layout.fraction_names:
            raise ValueError(
                f"Visit {warp.visit} carries the masked fractions {list(warp.mask_fractions)}, "
                f"the others {list(layout.fraction_names)}: warp all with the same settings."
            )
        planes, kept_bits = _planes_of(visit, layout)
        bad_bits = bits_of(layout.schema, (*settings.bad_mask_planes, "REJECTED"))
        rejected = np.empty(planes.mask.shape, np.bool_)
        find_rejected(planes.image, planes.variance, planes.mask, bad_bits & kept_bits, rejected)
        choices = choose_cells(
            warp,
            rejected=rejected,
            weights=self._weights(warp),
            settings=settings,
            cells=self._cells,
        )
        first_row = len(self._rows)
        self._rows += describe_choices(warp, choices, first_input=len(self._inputs))
        self._inputs += [
            CoaddInput(
                observation=entry.observation,
                footprint=entry.footprint,
                mean_variance_njy2=entry.mean_variance_njy2,
                conditions=entry.conditions,
            )
            for entry in warp.inputs
        ]
        for number, chosen in self._taken(choices, first_row).items():
            self._builder.add(
                planes,
                inputs_in_cells(warp, chosen, rejected=rejected, layout=layout),
                start=YX(y=warp.bbox.y.start, x=warp.bbox.x.start),
                kept_bits=kept_bits,
                number=number,
                weight=chosen[0].weight,
            )

    def finish(self, tell: Callable[[str], None] = _LOG.warning) -> MultipleCellCoadd | None:
        """Return the coadd, None if no cell has an input. Nothing can be added after it.

        Parameters
        ----------
        tell
            Is told why, if no cell has an input.
        """
        stack = self.finish_stack()
        if stack is None or self._band is None:
            tell(explain_empty_patch(self._patch, self.contributions(), self._settings))
            return None
        return make_coadd(
            self._patch,
            band=self._band,
            stack=stack,
            inputs=self._inputs,
            contributions=self.contributions(),
            unit=self.unit,
        )

    def finish_stack(self, room: CellRoom | None = None) -> CellStack | None:
        """Return the cells, None if none has an input. Nothing can be added after it.

        Parameters
        ----------
        room
            Where their pixels come to lie; see `new_room`.
        """
        stack = self._builder.finish(room) if self._builder is not None else None
        fwhm = self._settings.matched_psf_fwhm
        if stack is None or fwhm is None:
            return stack
        return match_psfs(
            stack,
            fwhm=fwhm / (3600.0 * math.degrees(self._patch.plane.pixel_scale)),
            border=self._patch.grid.border,
            source=f"patch {self._patch.id}",
        )

    def new_room(self) -> CellRoom | None:
        """Return room for the pixels of all cells of the patch, None if nothing was added."""
        return self._builder.new_room(len(self._patch.grid)) if self._builder is not None else None

    def contributions(self) -> npt.NDArray[np.void]:
        """Return what every detector gave to every cell that it touches, or why not."""
        fallbacks = {row for rows in self._fallbacks.values() for row in rows}
        names = self._builder.layout.fraction_names if self._builder is not None else ()
        table = np.zeros(
            len(self._rows), contribution_dtype([name for name in names if name != ALL_PLANES])
        )
        for name in table.dtype.names or ():
            table[name] = [row[name] for row in self._rows]
        table["reason"][sorted(fallbacks)] = RefusalReason.ACCEPTED
        return sorted_rows(table)

    def _check(self, given: VisitOnPatch) -> None:
        warp, patch = given.warp, self._patch
        visit = (warp.instrument, warp.visit)
        here = PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id)
        if warp.identifiers != here:
            raise ValueError(f"Visit {warp.visit} is on {warp.identifiers}, not on {here}.")
        if self._last is not None and visit <= self._last:
            raise ValueError(f"Warps must be sorted and different: {visit} after {self._last}.")
        wanted = self._settings.num_noise_realizations
        if len(given.noise) != wanted:
            raise ValueError(
                f"Visit {warp.visit} comes with {len(given.noise)} noise realizations, "
                f"num_noise_realizations is {wanted}."
            )
        for noise in given.noise:
            if noise.bbox != warp.bbox:
                raise ValueError(
                    f"Visit {warp.visit}: its noise covers {noise.bbox}, its image {warp.bbox}."
                )
        if self._band is not None and warp.band != self._band:
            raise ValueError(
                f"One coadd is of one band: visit {warp.visit} is {warp.band}, not {self._band}."
            )
        stated = f"visit {warp.visit} of {warp.instrument}", warp.unit
        common_flux_unit([stated] if self._unit is None else [self._unit, stated])
        self._last, self._band, self._unit = visit, warp.band, stated

    def _weights(self, warp: Warp) -> list[float]:
        if self._settings.do_calculate_weight_from_warp:
            return [compute_weight(warp.masked_image)] * len(warp.inputs)
        return [entry.weight for entry in warp.inputs]

    def _taken(self, choices: Sequence[CellChoice], first_row: int) -> dict[int, list[CellChoice]]:
        """Return the choices that are to be added up, by detector.

        A cell that has only heavily masked inputs loses them when a good one comes.
        """
        assert self._builder is not None, "made before"
        taken: dict[int, dict[Index2D, CellChoice]] = defaultdict(dict)
        for row, choice in enumerate(choices, first_row):
            index = choice.index
            if not choice.usable:
                continue
            if choice.reason is RefusalReason.MASKED:
                if index in self._filled:
                    continue
                self._fallbacks.setdefault(index, []).append(row)
            elif index not in self._filled:
                self._filled.add(index)
                if self._fallbacks.pop(index, None):
                    self._builder.drop(index)
                    for others in taken.values():
                        others.pop(index, None)
            taken[choice.input_row][index] = choice
        return {number: list(cells.values()) for number, cells in sorted(taken.items()) if cells}


def make_coadd(
    patch: Patch,
    *,
    band: str,
    stack: CellStack,
    inputs: Sequence[CoaddInput],
    contributions: npt.NDArray[np.void],
    unit: u.UnitBase,
) -> MultipleCellCoadd:
    """Return the coadd of a patch that has these cells, inputs and record, in a unit."""
    warn_of_psf_sums(stack)
    warn_of_odd_weights(patch.id, inputs, contributions)
    return MultipleCellCoadd(
        identifiers=PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id),
        band=band,
        patch=patch.definition,
        cell_border=patch.grid.border,
        sky_projection=patch.sky_projection,
        stack=stack,
        inputs=inputs,
        contributions=contributions,
        unit=unit,
    )


def _checked_cells(cells: Iterable[Index2D | CellIJ], patch: Patch) -> frozenset[Index2D]:
    checked = set()
    for index in cells:
        ours = to_index2d(index)
        if ours is None or ours not in patch.grid:
            shape = f"{patch.grid.shape.x} x {patch.grid.shape.y}"
            raise ValueError(f"Patch {patch.id} has {shape} cells, and {index} is none of them.")
        checked.add(ours)
    return frozenset(checked)


def _coadd_schema(warp: Warp, settings: CoaddSettings, *, quiet: bool) -> MaskSchema:
    """The standard planes, and those of a survey's own that the settings or the warps speak of."""
    meanings = {plane.name: plane.description for plane in warp.mask.schema if plane is not None}
    named = {*settings.bad_mask_planes, *warp.mask_fractions} - {ALL_PLANES}
    unknown = sorted(plane for plane in named if plane not in meanings)
    if unknown and not quiet:
        _LOG.warning("No pixel is left out for %s: the warps have no such planes.", unknown)
    return mask_schema({plane: meanings.get(plane, "A survey's own plane.") for plane in named})


def _planes_of(visit: VisitOnPatch, layout: StackLayout) -> tuple[InputPlanes, int]:
    """The planes of a warp, the mask in the planes of the coadd, and its bits that count."""
    warp, settings = visit.warp, layout.settings
    mask, own = plane_array(warp.mask), warp.mask.schema
    kept, changed, _ = bit_changes(own, layout.schema)
    artifacts = visit.artifact_mask if settings.do_use_artifact_mask else None
    shared = None if artifacts is None else shared_box(artifacts.bbox, warp.bbox)
    if len(changed) or shared is not None:
        mask, kept = translated_bits(mask, own, layout.schema), -1
    if artifacts is not None and shared is not None:
        place = shared.slice_within(warp.bbox)
        clipped = artifacts[shared].get("CLIPPED")
        mask[place.y, place.x][clipped] |= bits_of(layout.schema, ["CLIPPED"])
    kept &= ~bits_of(layout.schema, settings.remove_mask_planes, ignore_missing=True)
    planes = InputPlanes(
        image=warp.image.array,
        variance=warp.variance.array,
        mask=mask,
        owner=warp.owner,
        noise=_stacked([noise_image(noise).array for noise in visit.noise], mask.shape),
        fractions=_stacked([image.array for image in warp.mask_fractions.values()], mask.shape),
    )
    return planes, kept


def noise_image(noise: MaskedImage | Image) -> Image:
    """Return the image of a noise realization."""
    return noise if isinstance(noise, Image) else noise.image


def _stacked(
    planes: Sequence[npt.NDArray[np.float32]], shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Return planes in one array, which is theirs where they lie in memory one after the other."""
    if not planes:
        return np.empty((0, *shape), np.float32)
    first = planes[0]
    in_order = all(
        plane.flags.c_contiguous
        and plane.base is first.base
        and plane.ctypes.data == first.ctypes.data + number * first.nbytes
        for number, plane in enumerate(planes)
    )
    if len(planes) > 1 and (first.base is None or not in_order):
        return np.stack(planes)
    return as_strided(first, (len(planes), *shape), (first.nbytes, *first.strides))
