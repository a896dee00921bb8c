"""The warps that the Rubin pipelines coadded, as our products, and the coadds that they made."""

from __future__ import annotations

__all__ = ["CellInput", "CoaddCase", "ExpectedCell", "VisitInputs", "read_coadd_case"]

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from lsst.images import YX, Box, Image, Mask, MaskedImage, Polygon

from ...cell_grid import Index2D
from ...coaddition.assemble import VisitOnPatch
from ...coaddition.settings import CoaddSettings
from ...masks.planes import ALL_PLANES, mask_schema
from ...products.identifiers import ObservationIdentifiers, PatchIdentifiers
from ...products.warp import CELL_INPUT_DTYPE, NO_OWNER, Warp, WarpInput
from ...skymap import Patch
from ...warping.positions import TractToDetector
from ...warping.settings import ResamplingSettings
from ...warping.warped_psf import warp_psf
from .reference_cases import (
    Arrays,
    read_arrays,
    read_json,
    read_patch,
    read_projection,
    read_psf,
    to_our_bits,
)

_NO_DETECTOR = -1  # in their maps of detectors


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class VisitInputs:
    """One visit as the coaddition received it.

    Parameters
    ----------
    warp
        Its owners are theirs: all pixels that the detector's outline touches.
    noise
        The noise realization.
    noise_mask : int32 (rows, columns)
        Theirs, which need not be the mask of the image.
    """

    warp: Warp
    noise: MaskedImage
    noise_mask: npt.NDArray[np.int32]

    @property
    def detectors(self) -> list[int]:
        """The detectors, in the order of their processing."""
        return [entry.observation.detector for entry in self.warp.inputs]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellInput:
    """One input of a cell of theirs."""

    visit: int
    detector: int
    weight: float
    overlaps_center: bool
    overlap_fraction: float
    unmasked_fraction: float
    moments: tuple[float, float, float]
    moments_flag: bool


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedCell:
    """A cell of theirs: its inputs, and those of its planes that are stored."""

    inputs: tuple[CellInput, ...]
    planes: Arrays


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CoaddCase:
    """Visits, settings, and the coadd that the Rubin pipelines make of them.

    Parameters
    ----------
    name
        Of the file.
    patch
        The patch.
    visits
        In the order of their processing, which is ours.
    settings
        Theirs, as ours; overlap counts in the inner region.
    cells
        Their filled cells.
    psf_points, psf
        Positions and the PSF of the stitched coadd there; empty if not stored.
    """

    name: str
    patch: Patch
    visits: tuple[VisitInputs, ...]
    settings: CoaddSettings
    cells: Mapping[Index2D, ExpectedCell]
    psf_points: Sequence[Mapping[str, Any]]
    psf: Arrays

    def on_patch(self) -> list[VisitOnPatch]:
        """Return what `assemble_cell_coadd` takes."""
        return [VisitOnPatch(warp=visit.warp, noise=[visit.noise]) for visit in self.visits]

    def in_our_order(self, inputs: Sequence[CellInput]) -> tuple[CellInput, ...]:
        """Return inputs of a cell in the order of their processing, however theirs lists them."""
        numbers = [
            (visit.warp.visit, detector) for visit in self.visits for detector in visit.detectors
        ]
        return tuple(sorted(inputs, key=lambda entry: numbers.index((entry.visit, entry.detector))))


def read_coadd_case(folder: Path, name: str) -> CoaddCase:
    """Read a case from a folder of coadds; C7 takes its warps from the folders beside it."""
    description = read_json(folder / f"{name}.json")
    if "inputs_in_processing_order" in description:
        patch = read_patch(description["sky"])
        entries = description["inputs_in_processing_order"]
        visits = [
            _read_real_visit(folder.parent / entry["case"], entry, patch) for entry in entries
        ]
    else:
        inputs = read_json(folder / "inputs.json")
        patch = read_patch(inputs["sky"])
        variances = _mean_variances(description)
        visits = [
            _read_visit(folder, entry, patch, planes=inputs["mask_planes"], variances=variances)
            for entry in inputs["warps_in_processing_order"]
        ]
    stitched = description.get("stitched", {})
    return CoaddCase(
        name=name,
        patch=patch,
        visits=tuple(visits),
        settings=_settings(description["config"]),
        cells=_read_cells(folder, description),
        psf_points=stitched.get("psf_points", ()),
        psf=read_arrays(folder / stitched["psf_file"]) if "psf_file" in stitched else {},
    )


def _settings(config: Mapping[str, Any]) -> CoaddSettings:
    names = {field.name for field in dataclasses.fields(CoaddSettings)}
    given: dict[str, Any] = {name: value for name, value in config.items() if name in names}
    for name in ("bad_mask_planes", "remove_mask_planes"):
        given[name] = tuple(given[name])
    return CoaddSettings(**given, overlap_region="inner")


def _mean_variances(description: Mapping[str, Any]) -> dict[tuple[int, int], float]:
    """Mean variances in nJy^2 from the visit summaries, where weights come from them."""
    return {
        (entry["visit"], row["detector"]): row["meanVar_float32"]
        * row["photocalib_nJy_per_count"] ** 2
        for entry in description.get("visit_summaries", ())
        for row in entry["rows"]
    }


def _read_visit(
    folder: Path,
    entry: Mapping[str, Any],
    patch: Patch,
    *,
    planes: Mapping[str, int],
    variances: Mapping[tuple[int, int], float],
) -> VisitInputs:
    arrays = read_arrays(folder / entry["file"])
    inputs = [
        _warp_input(
            detector, {}, visit=entry["visit"], detector=detector["detector"], band=entry["band"],
            polygon=detector["polygon_tract_pixels"],
            variance=variances.get((entry["visit"], detector["detector"]), 1.0),
        )
        for detector in entry["detectors"]
    ]  # fmt: skip
    return _build_visit(arrays, inputs, patch, planes=planes, owned_by=arrays["detector_map"])


def _read_real_visit(folder: Path, entry: Mapping[str, Any], patch: Patch) -> VisitInputs:
    """A visit of one detector, whose warp is the output of a case of its own."""
    case = read_json(folder / "case.json")
    (source,) = case["inputs"]
    polygon = entry["polygon_tract_pixels"][str(source["detector"])]
    one = _warp_input(
        source, read_arrays(folder / source["file"]), visit=source["visit"],
        detector=source["detector"], band=source["band"], polygon=polygon, variance=1.0,
    )  # fmt: skip
    box = patch.outer_bbox
    x, y = np.meshgrid(np.arange(box.x.start, box.x.stop), np.arange(box.y.start, box.y.stop))
    pixels = shapely.box(x - 0.5, y - 0.5, x + 0.5, y + 0.5)
    touched = shapely.intersects(shapely.Polygon(polygon), pixels)
    return _build_visit(
        read_arrays(folder / "warp.npz"), [one], patch, planes=case["output"]["mask_planes"],
        owned_by=np.where(touched, source["detector"], _NO_DETECTOR),
    )  # fmt: skip


def _warp_input(
    entry: Mapping[str, Any],
    arrays: Arrays,
    *,
    visit: int,
    detector: int,
    band: str,
    polygon: list[list[float]],
    variance: float,
) -> WarpInput:
    box, projection = read_projection(entry, visit=visit, detector=detector)
    vertices = np.array(polygon[:-1])
    return WarpInput(
        observation=ObservationIdentifiers(
            instrument="Reference",
            visit=visit,
            detector=detector,
            physical_filter=band,
            band=band,
            day_obs=20250101,
        ),
        bbox=box,
        sky_projection=projection,
        footprint=Polygon(x_vertices=vertices[:, 0], y_vertices=vertices[:, 1]),
        mean_variance_njy2=variance,
        psf=read_psf(entry["psf"], arrays, bounds=box),
    )


def _build_visit(
    arrays: Arrays,
    inputs: Sequence[WarpInput],
    patch: Patch,
    *,
    planes: Mapping[str, int],
    owned_by: npt.NDArray[np.integer],
) -> VisitInputs:
    """A warp as it was handed over, with the counts and PSFs that ours carries."""
    box = patch.outer_bbox
    owner = np.full(owned_by.shape, NO_OWNER, np.uint8)
    for row, entry in enumerate(inputs):
        owner[owned_by == entry.observation.detector] = row
    cell_inputs, stamps = _cell_inputs(owner, inputs, patch)
    variance = Image(arrays["variance"], bbox=box)
    warp = Warp(
        MaskedImage(
            Image(arrays["image"], bbox=box),
            mask=_mask(to_our_bits(arrays["mask"], planes), box),
            variance=variance,
            sky_projection=patch.sky_projection,
        ),
        identifiers=PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id),
        patch=patch.definition,
        cell_border=patch.grid.border,
        inputs=inputs,
        owner=owner,
        cell_inputs=cell_inputs,
        stamps=stamps,
        mask_fractions={ALL_PLANES: Image(arrays["masked_fraction"], bbox=box)},
    )
    noise_mask = to_our_bits(arrays["noise0_mask"], planes)
    # The variance of the noise is not stored, nor is it used.
    noise = MaskedImage(
        Image(arrays["noise0_image"], bbox=box),
        mask=_mask(noise_mask, box),
        variance=variance,
        sky_projection=patch.sky_projection,
    )
    return VisitInputs(warp=warp, noise=noise, noise_mask=noise_mask)


def _mask(bits: npt.NDArray[np.int32], box: Box) -> Mask:
    return Mask(bits[:, :, np.newaxis], schema=mask_schema(), bbox=box)


def _cell_inputs(
    owner: npt.NDArray[np.uint8], inputs: Sequence[WarpInput], patch: Patch
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.float32]]:
    """Count the pixels of each detector in each cell; draw its PSF at the centres that it owns."""
    grid, box = patch.grid, patch.outer_bbox
    rows, parts, n_stamps = [], [], 0
    for number, entry in enumerate(inputs):
        mine, centres = owner == number, []
        for index in grid:
            outer = grid.outer_bbox_of(index).slice_within(box)
            inner = grid.inner_bbox_of(index).slice_within(box)
            count = int(mine[outer.y, outer.x].sum())
            if not count:
                continue
            centre = grid.centre_of(index)
            central = bool(mine[centre.y - box.y.start, centre.x - box.x.start])
            stamp = n_stamps if central else -1
            n_inner = int(mine[inner.y, inner.x].sum())
            rows.append((number, index.x, index.y, count, n_inner, central, stamp))
            if central:
                centres.append(YX(y=centre.y, x=centre.x))
                n_stamps += 1
        transform = TractToDetector(
            tract=patch.sky_projection,
            detector=entry.sky_projection,
            source=str(entry.observation),
        )
        parts.append(
            warp_psf(
                entry.psf,
                transform=transform,
                centres=centres,
                settings=ResamplingSettings(),
                name=str(entry.observation),
            ).stamps
        )
    size = max(part.shape[1] for part in parts)
    stamps = [np.pad(part, ((0, 0), *[((size - part.shape[1]) // 2,) * 2] * 2)) for part in parts]
    return np.array(rows, CELL_INPUT_DTYPE), np.concatenate(stamps)


def _read_cells(folder: Path, description: Mapping[str, Any]) -> dict[Index2D, ExpectedCell]:
    """Their cells. What is the same as in the first case is stored there only."""
    own = read_arrays(folder / f"{description['name']}.npz")
    refers = "identical_to_C1" in description
    first = read_arrays(folder / "C1_default.npz") if refers else {}
    cells = {}
    for entry in description["cells"]:
        x, y = entry["cell"]
        planes: Arrays = {}
        for name in ("image", "mask", "variance", "mask_fractions", "noise0", "psf"):
            key = f"{x}_{y}_{name}"
            if key in own:
                planes[name] = own[key]
            elif f"{key}_diffindex" in own:
                planes[name] = first[key].copy()
                planes[name].flat[own[f"{key}_diffindex"]] = own[f"{key}_diffvalue"]
            elif refers and [x, y] in description["identical_to_C1"][name]:
                planes[name] = first[key]
        if "mask" in planes:
            planes["mask"] = to_our_bits(planes["mask"], description["mask_planes"])
        cells[Index2D(x=x, y=y)] = ExpectedCell(
            inputs=tuple(_cell_input(row) for row in entry["inputs"]), planes=planes
        )
    return cells


def _cell_input(row: Mapping[str, Any]) -> CellInput:
    xx, yy, xy = row["psf_shape_ixx_iyy_ixy"]
    return CellInput(
        visit=row["visit"],
        detector=row["detector"],
        weight=row["weight"],
        overlaps_center=row["overlaps_center"],
        overlap_fraction=row["overlap_fraction"],
        unmasked_fraction=row["unmasked_overlap_fraction"],
        moments=(xx, yy, xy),
        moments_flag=row["psf_shape_flag"],
    )
