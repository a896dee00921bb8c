"""assemble_cell_coadd: the stage that turns the warps of a patch into its cell-based coadd."""

from __future__ import annotations

__all__ = ["CellAssembly", "VisitOnPatch", "assemble_cell_coadd"]

import dataclasses
import logging
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Mask, MaskedImage, MaskSchema
from lsst.images.cells import CellIJ

from ..cell_grid import Index2D, shared_box, to_index2d
from ..kernels.moments import adaptive_moments
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_inputs import CoaddInput, RefusalReason, contribution_dtype
from ..products.cell_stack import CellStack
from ..products.identifiers import PatchIdentifiers
from ..products.mask_planes import (
    ALL_PLANES,
    bits_of,
    mask_schema,
    plane_array,
    translated_bits,
)
from ..products.warp import Warp
from ..skymap import Patch
from .cell_selection import CellChoice, choose_cells
from .noise_covariance import input_noise_covariance
from .settings import CoaddSettings
from .stack import CellPixels, CellStackBuilder, StackLayout
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
        Noise realizations on the same pixels.
    artifact_mask
        A mask whose CLIPPED plane marks artifacts; None if there is none. It counts only where the
        settings say ``do_use_artifact_mask``.
    """

    warp: Warp
    noise: Sequence[MaskedImage] = ()
    artifact_mask: Mask | None = None


def assemble_cell_coadd(
    visits: Iterable[VisitOnPatch],
    patch: Patch,
    *,
    settings: CoaddSettings,
    cells: Collection[Index2D | CellIJ] | None = None,
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

    Raises
    ------
    ValueError
        If the warps are not sorted, not of one band, not on this patch, or do not carry the same
        masked fractions and the number of noise realizations that is asked for; if a cell is not in
        the patch's grid.
    """
    assembly = CellAssembly(patch, settings, cells=cells)
    for visit in visits:
        assembly.add(visit)
    return assembly.finish()


class CellAssembly:
    """The state of an assembly: sums of the cells and the record of what went in.

    Parameters
    ----------
    patch, settings, cells
        As for `assemble_cell_coadd`.
    """

    def __init__(
        self, patch: Patch, settings: CoaddSettings, *, cells: Collection[Index2D | CellIJ] | None
    ) -> None:
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

    @property
    def band(self) -> str | None:
        """The band of the warps, None before there is one."""
        return self._band

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
                    schema=_coadd_schema(warp, settings),
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
        mask = _coadd_mask(visit, layout.schema, settings)
        image, variance = warp.image.array, warp.variance.array
        bad_bits = bits_of(layout.schema, (*settings.bad_mask_planes, "REJECTED"))
        rejected = ((mask & bad_bits) != 0) | ~(np.isfinite(image) & np.isfinite(variance))
        first = len(self._inputs)
        weights = self._weights(warp)
        choices = choose_cells(
            warp, rejected=rejected, weights=weights, settings=settings, cells=self._cells
        )
        self._inputs += [
            CoaddInput(
                observation=entry.observation,
                footprint=entry.footprint,
                mean_variance_njy2=entry.mean_variance_njy2,
            )
            for entry in warp.inputs
        ]
        for choice in choices:
            self._add_choice(visit, choice, mask=mask, first=first)

    def finish(self) -> MultipleCellCoadd | None:
        """Return the coadd, None if no cell has an input. Nothing can be added after it."""
        stack = self.finish_stack()
        if stack is None or self._band is None:
            return None
        patch = self._patch
        return MultipleCellCoadd(
            identifiers=PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id),
            band=self._band,
            patch=patch.definition,
            cell_border=patch.grid.border,
            sky_projection=patch.sky_projection,
            stack=stack,
            inputs=self._inputs,
            contributions=self.contributions(),
        )

    def finish_stack(self) -> CellStack | None:
        """Return the cells, None if none has an input. Nothing can be added after it."""
        return self._builder.finish() if self._builder is not None else None

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
        return table[np.lexsort((table["input"], table["cell_x"], table["cell_y"]))]

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
        self._last, self._band = visit, warp.band

    def _weights(self, warp: Warp) -> list[float]:
        if self._settings.do_calculate_weight_from_warp:
            return [compute_weight(warp.masked_image)] * len(warp.inputs)
        return [entry.weight for entry in warp.inputs]

    def _add_choice(
        self, visit: VisitOnPatch, choice: CellChoice, *, mask: npt.NDArray[np.int32], first: int
    ) -> None:
        assert self._builder is not None, "made by the first visit"
        warp, index = visit.warp, choice.index
        box = warp.grid.outer_bbox_of(index)
        self._rows.append(_describe_choice(warp, choice, box, number=first + choice.input_row))
        if not choice.usable:
            return
        if choice.reason is RefusalReason.MASKED:
            if index in self._filled:
                return
            self._fallbacks.setdefault(index, []).append(len(self._rows) - 1)
        elif index not in self._filled:
            self._filled.add(index)
            if self._fallbacks.pop(index, None):
                self._builder.drop(index)
        pixels = _cut_out(visit, choice, box, mask=mask, layout=self._builder.layout)
        self._builder.add(index, pixels, weight=choice.weight)


def _checked_cells(cells: Iterable[Index2D | CellIJ], patch: Patch) -> frozenset[Index2D]:
    checked = set()
    for index in cells:
        ours = to_index2d(index)
        if ours is None or ours not in patch.grid:
            shape = f"{patch.grid.shape.x} x {patch.grid.shape.y}"
            raise ValueError(f"Patch {patch.id} has {shape} cells, and {index} is none of them.")
        checked.add(ours)
    return frozenset(checked)


def _coadd_schema(warp: Warp, settings: CoaddSettings) -> MaskSchema:
    """The standard planes, and those of a survey's own that the settings or the warps speak of."""
    meanings = {plane.name: plane.description for plane in warp.mask.schema if plane is not None}
    named = {*settings.bad_mask_planes, *warp.mask_fractions} - {ALL_PLANES}
    unknown = sorted(plane for plane in named if plane not in meanings)
    if unknown:
        _LOG.warning("No pixel is left out for %s: the warps have no such planes.", unknown)
    return mask_schema({plane: meanings.get(plane, "A survey's own plane.") for plane in named})


def _coadd_mask(
    visit: VisitOnPatch, schema: MaskSchema, settings: CoaddSettings
) -> npt.NDArray[np.int32]:
    """The mask of a warp in the planes of the coadd, artifacts added, removed planes cleared."""
    own = visit.warp.mask.schema
    mask = translated_bits(plane_array(visit.warp.mask), own, schema)
    mask &= ~np.int32(bits_of(schema, settings.remove_mask_planes, ignore_missing=True))
    if settings.do_use_artifact_mask and visit.artifact_mask is not None:
        artifacts = visit.artifact_mask
        shared = shared_box(artifacts.bbox, visit.warp.bbox)
        if shared is not None:
            place = shared.slice_within(visit.warp.bbox)
            clipped = artifacts[shared].get("CLIPPED")
            mask[place.y, place.x][clipped] |= bits_of(schema, ["CLIPPED"])
    return mask


def _cut_out(
    visit: VisitOnPatch,
    choice: CellChoice,
    box: Box,
    *,
    mask: npt.NDArray[np.int32],
    layout: StackLayout,
) -> CellPixels:
    """The planes of a cell; pixels that are not this detector's have no data."""
    warp = visit.warp
    no_data = np.int32(bits_of(layout.schema, ["NO_DATA"]))
    shared = shared_box(box, warp.bbox)
    assert shared is not None, "a usable input has pixels in the cell"
    source = shared.slice_within(warp.bbox)
    window = (source.y, source.x)
    planes = [warp.image.array, warp.variance.array]
    planes += [noise.image.array for noise in visit.noise]
    planes += [image.array for image in warp.mask_fractions.values()]
    bits = mask[window]
    foreign = warp.owner[window] != choice.input_row
    if shared == box:
        cut = [plane[window] for plane in planes]
    else:
        target = shared.slice_within(box)
        cut = [np.full(tuple(box.shape), np.nan, np.float32) for _ in planes]
        for padded, plane in zip(cut, planes, strict=True):
            padded[target.y, target.x] = plane[window]
        whole = np.full(tuple(box.shape), no_data, np.int32)
        whole[target.y, target.x] = bits
        outside = np.ones(tuple(box.shape), np.bool_)
        outside[target.y, target.x] = foreign
        bits, foreign = whole, outside
    if foreign.any():
        bits = np.where(foreign, no_data, bits)
    n_noise, size = len(visit.noise), layout.settings.psf_dimensions
    inner = layout.inner_window
    return CellPixels(
        image=cut[0],
        variance=cut[1],
        mask=bits,
        noise=_stacked(cut[2 : 2 + n_noise], box),
        fractions=_stacked(cut[2 + n_noise :], box),
        psf=_fitted(warp.stamps[choice.stamp], size),
        noise_covariance=_fitted(
            input_noise_covariance(
                warp.noise_covariances[choice.stamp],
                cut[1][inner],
                (bits[inner] & layout.bad_bits) == 0,
                stated_variance=warp.inputs[choice.input_row].mean_variance_njy2,
            ),
            size,
        ),
        aperture_corrections={
            name: float(values[choice.stamp]) for name, values in warp.aperture_corrections.items()
        },
    )


def _stacked(planes: Sequence[npt.NDArray[np.float32]], box: Box) -> npt.NDArray[np.float32]:
    return np.stack(planes) if planes else np.empty((0, *box.shape), np.float32)


def _fitted(stamp: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """A stamp cut or padded with zeros to another size, about its middle pixel."""
    margin = (size - stamp.shape[0]) // 2
    if margin >= 0:
        return np.pad(stamp, margin)
    return stamp[-margin:margin, -margin:margin]


def _describe_choice(warp: Warp, choice: CellChoice, box: Box, *, number: int) -> dict[str, object]:
    """One row of the table of contributions."""
    xx = yy = xy = float("nan")
    flag = True
    if choice.stamp >= 0:
        xx, yy, xy, converged = adaptive_moments(warp.stamps[choice.stamp])
        flag = not converged
    row: dict[str, object] = {
        "cell_x": choice.index.x,
        "cell_y": choice.index.y,
        "input": number,
        "reason": choice.reason,
        "overlaps_center": choice.overlaps_center,
        "overlap_fraction": choice.overlap_fraction,
        "unmasked_fraction": choice.unmasked_fraction,
        "weight": choice.weight,
        "psf_shape_xx": xx,
        "psf_shape_yy": yy,
        "psf_shape_xy": xy,
        "psf_shape_flag": flag,
    }
    inner = warp.grid.inner_bbox_of(choice.index)
    regions = {"": box, "_inner": inner}
    # A warp without masked fractions still has the columns of all planes together.
    for name in {ALL_PLANES: None, **warp.mask_fractions}:
        suffix = "" if name == ALL_PLANES else f"_{name}"
        for region, area in regions.items():
            row[f"masked_fraction{suffix}{region}"] = _mean_fraction(warp, choice, name, area)
    return row


def _mean_fraction(warp: Warp, choice: CellChoice, name: str, box: Box) -> float:
    """Mean of a masked fraction over the pixels of a region that are this detector's."""
    shared = shared_box(box, warp.bbox)
    if shared is None or name not in warp.mask_fractions:
        return float("nan")
    place = shared.slice_within(warp.bbox)
    fraction = warp.mask_fractions[name].array[place.y, place.x]
    mine = (warp.owner[place.y, place.x] == choice.input_row) & np.isfinite(fraction)
    total = int(np.count_nonzero(mine))
    return float(fraction[mine].sum(dtype=np.float64)) / total if total else float("nan")
