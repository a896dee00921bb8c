"""The stored form of a MultipleCellCoadd: stacks with one compressed tile a cell.

Read and written by `lsst.images.serialization.read_archive` and `write_archive`, and so by the
Butler. A box or a list of cells reads the tiles of these cells alone; the components
``sky_projection``, ``grid``, ``patch``, ``inputs`` and ``bbox`` read no pixels, ``psf``,
``provenance``, ``image``, ``variance`` and ``mask`` only their own.
"""

from __future__ import annotations

__all__ = ["CellCoaddModel", "CompressedCoadd", "serialize_cell_coadd"]

import dataclasses
from collections.abc import Collection, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pydantic
from astropy.io import fits
from lsst.images import (
    Box,
    Image,
    Mask,
    MaskPlane,
    MaskSchema,
    Polygon,
    RegionSerializationModel,
    SkyProjection,
    SkyProjectionSerializationModel,
)
from lsst.images.cells import CellIJ, PatchDefinition
from lsst.images.fits import FitsOpaqueMetadata
from lsst.images.serialization import (
    InputArchive,
    InvalidParameterError,
    OutputArchive,
    TableModel,
)
from pydantic_core import CoreSchema, core_schema

from ...cell_grid import BorderedCellGrid, Index2D
from ...files.archive_schema import ProductTree
from ...files.columns import read_columns, write_columns
from ...files.entry_archive import StoredArray, read_entries, read_rows
from ...files.fits_wcs import check_round_trip
from ...files.packed_planes import shapes_of_planes
from ...masks.planes import PlaneSchema
from ...psfs.cell_psf import CellPsf
from ..flux_units import flux_unit_of, stored_unit
from ..identifiers import ObservationIdentifiers, PatchIdentifiers
from ..noise_covariance import unknown_noise_covariance
from ..observing_conditions import UNKNOWN_CONDITIONS, ObservingConditions
from .choice import choose_filled, hull_of_cells
from .coadd import MultipleCellCoadd
from .compression import PixelCompression, compressed_planes
from .inputs import CoaddInput, ranges_of_cells, rows_of_cells, to_coadd_provenance
from .stack import CellStack
from .stitching import stitch_image, stitch_mask

_StoredIndex: Any = dataclasses.make_dataclass(
    "Index2D",
    [("x", int), ("y", int)],
    kw_only=True,
    namespace={
        "__doc__": "Column (x) and row (y) of a patch in its tract or of a cell in its patch.\n\n"
        "Ordered row by row, x fastest, like the sequential ids."
    },
)
"""An object of x and y, under the name and with the words that the frozen schemas have; pydantic
would write the named tuple as a list."""


class _AsObject:
    """How pydantic reads and writes an `Index2D`."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, handler: pydantic.GetCoreSchemaHandler
    ) -> CoreSchema:
        stored = handler(_StoredIndex)
        return core_schema.no_info_after_validator_function(
            lambda index: Index2D(x=index.x, y=index.y),
            stored,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda index: _StoredIndex(x=index.x, y=index.y), return_schema=stored
            ),
        )


class CoaddInputModel(pydantic.BaseModel):
    """The stored form of a `CoaddInput`."""

    observation: ObservationIdentifiers
    footprint: RegionSerializationModel
    mean_variance_njy2: float | None
    # Files of version 1.2 lack what follows, and so do those that have nothing to say of it.
    conditions: ObservingConditions | None = pydantic.Field(
        default=None, exclude_if=lambda value: value is None
    )

    def deserialize(self) -> CoaddInput:
        """Return the input."""
        footprint = self.footprint.deserialize()
        assert isinstance(footprint, Polygon), "written from one"
        return CoaddInput(
            observation=self.observation,
            footprint=footprint,
            mean_variance_njy2=self.mean_variance_njy2,
            conditions=self.conditions or UNKNOWN_CONDITIONS,
        )


class CellCoaddModel[P: pydantic.BaseModel](ProductTree):
    """The stored form of a `MultipleCellCoadd`."""

    SCHEMA_NAME: ClassVar[str] = "cellcoadd_multiple_cell_coadd"
    SCHEMA_VERSION: ClassVar[str] = "1.3.0"
    MIN_READ_VERSION: ClassVar[int] = 1
    PUBLIC_TYPE: ClassVar[type] = MultipleCellCoadd

    identifiers: PatchIdentifiers = pydantic.Field(description="Sky map, tract, patch.")
    band: str = pydantic.Field(description="Short name of the band.")
    patch: PatchDefinition = pydantic.Field(description="Geometry of the patch.")
    cell_border: int = pydantic.Field(description="Border of a cell in pixels.")
    sky_projection: SkyProjectionSerializationModel[P] = pydantic.Field(
        description="Tract pixels to sky."
    )
    cells: list[Annotated[Index2D, _AsObject]] = pydantic.Field(
        description="The filled cells, in the order of the stacks."
    )
    planes: list[MaskPlane] = pydantic.Field(description="Mask planes in the order of their bits.")
    image: StoredArray = pydantic.Field(description="Images, one a cell.")
    variance: StoredArray = pydantic.Field(description="Variances, one a cell.")
    mask: StoredArray = pydantic.Field(description="Masks, one a cell.")
    mask_fractions: dict[str, StoredArray] = pydantic.Field(
        description="Masked fractions by plane, one a cell."
    )
    noise: list[StoredArray] = pydantic.Field(description="Noise realizations.")
    psf: StoredArray = pydantic.Field(description="Point-spread functions, one a cell.")
    inputs: list[CoaddInputModel] = pydantic.Field(description="Detectors that reach the patch.")
    contributions: TableModel = pydantic.Field(
        description="What each input gave to which cell, or why not."
    )
    # Files of version 1.0 may lack what follows.
    noise_covariance: StoredArray | None = pydantic.Field(
        default=None,
        description="Covariances of pixels by their offset, one a cell; None: unknown.",
    )
    aperture_corrections: TableModel | None = pydantic.Field(
        default=None,
        description="Aperture corrections by algorithm, a row a cell; None without any.",
    )
    contribution_ranges: list[tuple[int, int]] | None = pydantic.Field(
        default=None,
        description="Rows of contributions (first, one past the last) of each filled cell; None "
        "where they are not in the order of the cells.",
    )
    # Files of version 1.1 lack what follows, and so do those in nJy.
    unit: str | None = pydantic.Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Unit of images and noise, of which variances and covariances have the square; "
        "None: nJy.",
    )

    @property
    def grid(self) -> BorderedCellGrid:
        """All cells of the patch."""
        return BorderedCellGrid(inner=self.patch.cells, border=self.cell_border)

    @property
    def bbox(self) -> Box:
        """Hull of the inner regions of the filled cells."""
        return hull_of_cells(self.grid, self.cells)

    def deserialize(
        self,
        archive: InputArchive[Any],
        *,
        bbox: Box | None = None,
        cells: Collection[Index2D | CellIJ] | None = None,
        **kwargs: Any,
    ) -> MultipleCellCoadd:
        """Read the coadd, or some of its cells.

        Parameters
        ----------
        archive
            The open file.
        bbox
            Only cells whose inner region shares a pixel with this box.
        cells
            Only these cells.
        **kwargs
            There are no others.

        Raises
        ------
        MissingCellError
            If no cell that is asked for is filled, or one that is named is not.
        lsst.images.serialization.InvalidParameterError
            If there is any other parameter.
        """
        if kwargs:
            raise InvalidParameterError(
                f"A cell coadd is read whole, by bbox or by cells, not by {sorted(kwargs)}."
            )
        chosen = choose_filled(self.grid, self.cells, bbox=bbox, cells=cells)
        rows = self._rows_of(chosen)
        stored = {
            "image": self.image,
            "variance": self.variance,
            "mask": self.mask,
            "psf": self.psf,
            **{f"fraction {name}": model for name, model in self.mask_fractions.items()},
            **{f"noise {number}": model for number, model in enumerate(self.noise)},
        }
        if self.noise_covariance is not None:
            stored["noise_covariance"] = self.noise_covariance
        planes = read_entries(archive, stored, rows)
        outer = self.grid.outer_cell_shape
        noise = np.empty((len(self.noise), len(rows), outer.y, outer.x), np.float32)
        for number, plane in enumerate(noise):
            plane[...] = planes.pop(f"noise {number}")
        return MultipleCellCoadd(
            identifiers=self.identifiers,
            band=self.band,
            patch=self.patch,
            cell_border=self.cell_border,
            sky_projection=self._read_projection(archive),
            stack=CellStack(
                indices=tuple(self.cells[row] for row in rows),
                image=planes["image"],
                variance=planes["variance"],
                mask=planes["mask"],
                schema=self._mask_schema,
                mask_fractions={name: planes[f"fraction {name}"] for name in self.mask_fractions},
                noise=noise,
                psf=planes["psf"],
                noise_covariance=(
                    unknown_noise_covariance(len(rows))
                    if self.noise_covariance is None
                    else planes["noise_covariance"]
                ),
                aperture_corrections=read_columns(archive, self.aperture_corrections, rows),
            ),
            inputs=[model.deserialize() for model in self.inputs],
            contributions=self._read_contributions(archive, rows),
            unit=flux_unit_of(self.unit),
        )

    def deserialize_component(
        self, component: str, archive: InputArchive[Any], **kwargs: Any
    ) -> Any:
        """Read one part: ``wcs``, ``grid``, ``patch``, ``psf``, ``provenance``, ``inputs`` ...

        The parts ``image``, ``variance`` and ``mask`` are the inner regions put together, all or
        those in the parameter ``bbox``.

        Raises
        ------
        lsst.images.serialization.InvalidComponentError
            If there is no such part.
        lsst.images.serialization.InvalidParameterError
            If it is given parameters, other than ``bbox`` for what has pixels.
        """
        if component == "unit":
            return flux_unit_of(self.unit)
        if component in ("image", "variance", "mask"):
            return self._read_stitched(component, archive, **kwargs)
        if kwargs:
            raise InvalidParameterError(f"{component} is read whole, without {sorted(kwargs)}.")
        match component:
            case "wcs" | "sky_projection":
                return self._read_projection(archive)
            case "inputs":
                return tuple(model.deserialize() for model in self.inputs)
            case "psf":
                stamps = read_entries(archive, {"psf": self.psf}, range(len(self.cells)))["psf"]
                return CellPsf(self.grid, self.cells, stamps)
            case "contributions":
                return archive.get_structured_array(self.contributions)
            case "provenance":
                return to_coadd_provenance(
                    [model.deserialize() for model in self.inputs],
                    archive.get_structured_array(self.contributions),
                )
        return super().deserialize_component(component, archive)

    def _read_projection(self, archive: InputArchive[Any]) -> SkyProjection[Any]:
        projection = self.sky_projection.deserialize(archive)
        check_round_trip(projection, self.bbox)
        return projection

    def _read_stitched(
        self,
        component: str,
        archive: InputArchive[Any],
        *,
        bbox: Box | None = None,
        **kwargs: Any,
    ) -> Image | Mask:
        if kwargs:
            raise InvalidParameterError(f"{component} is read by bbox, not by {sorted(kwargs)}.")
        chosen = choose_filled(self.grid, self.cells, bbox=bbox)
        rows, box = self._rows_of(chosen), self.bbox if bbox is None else bbox
        if component == "mask":
            bits = read_entries(archive, {"mask": self.mask}, rows)["mask"]
            return stitch_mask(self.grid, chosen, bits, box, schema=self._mask_schema)
        stored = self.image if component == "image" else self.variance
        plane = read_entries(archive, {component: stored}, rows)[component]
        unit = flux_unit_of(self.unit)
        return stitch_image(self.grid, chosen, plane, box, name=component, unit=unit)

    @property
    def _mask_schema(self) -> MaskSchema:
        return PlaneSchema(self.planes, dtype=np.int32)

    def _rows_of(self, cells: Sequence[Index2D]) -> list[int]:
        numbers = {index: row for row, index in enumerate(self.cells)}
        return [numbers[index] for index in cells]

    def _read_contributions(
        self, archive: InputArchive[Any], rows: Sequence[int]
    ) -> npt.NDArray[np.void]:
        if len(rows) == len(self.cells):
            return archive.get_structured_array(self.contributions)
        if self.contribution_ranges is None:
            whole = archive.get_structured_array(self.contributions)
            return rows_of_cells(whole, [self.cells[row] for row in rows])
        ranges = [self.contribution_ranges[row] for row in rows]
        return read_rows(archive, self.contributions, [n for r in ranges for n in range(*r)])


def serialize_cell_coadd(
    coadd: MultipleCellCoadd, archive: OutputArchive[Any], *, has_fractions: bool = False
) -> CellCoaddModel[Any]:
    """Write a coadd to an archive, which may have the compressed masked fractions already."""
    stack = coadd.stack
    fractions = stack.mask_fractions
    if has_fractions:
        # It asks for no more than their shapes; then they need not be unpacked.
        shapes = shapes_of_planes(fractions)
        fractions = {name: np.broadcast_to(np.float32(0.0), s) for name, s in shapes.items()}

    said = stored_unit(coadd.unit)

    def write(name: str, plane: npt.NDArray[Any], power: int = 0) -> StoredArray:
        def say_unit(header: fits.Header) -> None:
            if said is not None and power:
                header["BUNIT"] = (coadd.unit**power).to_string(format="fits")

        return archive.add_array(
            plane, name=name, tile_shape=(1, *plane.shape[1:]), update_header=say_unit
        )

    return CellCoaddModel[Any].model_construct(
        identifiers=coadd.identifiers,
        band=coadd.band,
        patch=coadd.patch,
        cell_border=coadd.grid.border,
        sky_projection=archive.serialize_direct("sky_projection", coadd.sky_projection.serialize),
        cells=list(stack.indices),
        planes=[plane for plane in stack.schema if plane is not None],
        image=write("image", stack.image, 1),
        variance=write("variance", stack.variance, 2),
        mask=write("mask", stack.mask),
        mask_fractions={
            name: write(f"mask_fractions/{name}", plane) for name, plane in fractions.items()
        },
        noise=[write(f"noise/{number}", plane, 1) for number, plane in enumerate(stack.noise)],
        psf=write("psf", stack.psf),
        noise_covariance=write("noise_covariance", stack.noise_covariance, 2),
        aperture_corrections=write_columns(
            archive, stack.aperture_corrections, name="aperture_corrections"
        ),
        inputs=[
            CoaddInputModel(
                observation=entry.observation,
                footprint=entry.footprint.serialize(),
                mean_variance_njy2=entry.mean_variance_njy2,
                conditions=entry.conditions if entry.conditions.is_known else None,
            )
            for entry in coadd.inputs
        ],
        contributions=archive.add_structured_array(coadd.contributions, name="contributions"),
        contribution_ranges=ranges_of_cells(coadd.contributions, stack.indices),
        unit=said,
    )


class CompressedCoadd:
    """A coadd to be written, with planes that are compressed already.

    Parameters
    ----------
    coadd
        The coadd.
    choice
        What happens to images, variances and noise.
    """

    def __init__(self, coadd: MultipleCellCoadd, choice: PixelCompression) -> None:
        self._coadd = coadd
        compressed = compressed_planes(coadd.stack, choice)
        # Writers of lsst.images look for an attribute of this name.
        self._opaque_metadata = FitsOpaqueMetadata(
            precompressed={name.upper(): plane for name, plane in compressed.items()}
        )

    def serialize(self, archive: OutputArchive[Any]) -> CellCoaddModel[Any]:
        """Write to an lsst.images archive."""
        return serialize_cell_coadd(self._coadd, archive, has_fractions=True)
