"""Warp: one visit resampled onto a patch, with everything that the coaddition needs of it.

Warping makes it, coaddition consumes it. Beside image, mask and variance it says which detector
each pixel came from, how much of which cell every detector covers, and what its point-spread
function looks like there; so coaddition is selection and one linear sum.
"""

from __future__ import annotations

__all__ = ["CELL_INPUT_DTYPE", "NO_OWNER", "Warp"]

from collections.abc import Mapping, Sequence
from types import EllipsisType
from typing import IO, TYPE_CHECKING, Any, Self

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask, MaskedImage, SkyProjection, TractFrame
from lsst.images.cells import PatchDefinition
from lsst.images.describe import DescribableMixin, DescribeOptions, FieldRole, Report, ReportField
from lsst.resources import ResourcePathExpression

from ...cell_grid import BorderedCellGrid, Index2D, shared_box
from ...files.entry_archive import read_product
from ...files.reading import errors_named
from ...files.writing import write_product
from ...masks.planes import bits_of
from ...psfs.cell_psf import CellPsf
from ..equality import same_arrays
from ..flux_units import flux_unit_of, unit_label
from ..identifiers import PatchIdentifiers
from .compression import WARP_COMPRESSION
from .inputs import WarpInput, WarpKernel

if TYPE_CHECKING:
    from lsst.images.serialization import OutputArchive

    from .stored import WarpModel

NO_OWNER = 255
"""Value of `Warp.owner` where no detector has data."""

CELL_INPUT_DTYPE = np.dtype(
    [
        ("input", np.int16),
        ("cell_x", np.int16),
        ("cell_y", np.int16),
        ("n_outer", np.int32),
        ("n_inner", np.int32),
        ("overlaps_center", np.bool_),
        ("stamp", np.int32),
    ]
)
"""One row a (detector, cell): row of `Warp.inputs`, cell, number of pixels of the outer and inner
region that come from the detector, whether the cell's centre does, row of `Warp.stamps` or -1."""


class Warp(DescribableMixin):
    """One visit resampled onto a patch.

    Parameters
    ----------
    masked_image
        Image, mask and variance in nJy and nJy^2 with our mask planes and the tract's projection;
        in counts where no zero point is known, which the unit of the image says then. Where there
        are no data: NaN, NO_DATA, +inf. The box is the part of the patch (grown by the warping's
        border) that the visit can have reached; beyond it there are no data.
    identifiers
        The patch.
    patch
        Its geometry.
    cell_border
        Pixels by which cells overlap on each side.
    inputs
        The detectors, sorted.
    owner : uint8, of the shape of the image
        Row of ``inputs`` that each pixel came from; `NO_OWNER` where none.
    cell_inputs : CELL_INPUT_DTYPE (n,)
        What each detector covers of each cell.
    stamps : float32 (m, size, size)
        Point-spread functions on the tract's pixels at the centres of cells, of unit sum.
    kernel
        What the images were resampled with; None: the default one.
    phase_errors : float64 (m,)
        How much each of these functions changes with the sub-pixel position of a star: mean square
        over square, see `warping.phase_errors`. None: unknown, NaN.
    noise_covariances : float32 (m, n, n)
        What the detector's noise of unit variance, white or correlated, becomes in the same m
        cells: the mean covariance of two of their pixels by the offset in y and x; n is odd and
        offset 0 in the middle. None: 1 at offset 0, noise that was not resampled.
    aperture_corrections : float64 (m,)
        The detector's aperture corrections at the same m centres, by the name of the algorithm; NaN
        where a detector has none.
    mask_fractions
        Warped fraction of bad pixels, 0..1, NaN without data: for all planes together under
        `masks.planes.ALL_PLANES`, then for each interpolated plane on its own. Empty if it was not
        asked for.
    """

    def __init__(
        self,
        masked_image: MaskedImage,
        *,
        identifiers: PatchIdentifiers,
        patch: PatchDefinition,
        cell_border: int,
        inputs: Sequence[WarpInput],
        owner: npt.NDArray[np.uint8],
        cell_inputs: npt.NDArray[np.void],
        stamps: npt.NDArray[np.float32],
        kernel: WarpKernel | None = None,
        phase_errors: npt.NDArray[np.float64] | None = None,
        noise_covariances: npt.NDArray[np.float32] | None = None,
        aperture_corrections: Mapping[str, npt.NDArray[np.float64]] | None = None,
        mask_fractions: Mapping[str, Image] | None = None,
    ) -> None:
        if masked_image.sky_projection is None:
            raise ValueError("The pixels of a warp need the tract's projection.")
        if not inputs:
            raise ValueError("A warp needs at least one input.")
        if len(inputs) >= NO_OWNER:
            raise ValueError(f"A warp holds at most {NO_OWNER - 1} detectors, got {len(inputs)}.")
        if owner.shape != tuple(masked_image.bbox.shape):
            raise ValueError(
                f"owner has shape {owner.shape}, the image {tuple(masked_image.bbox.shape)}."
            )
        if noise_covariances is None:
            noise_covariances = np.ones((len(stamps), 1, 1), np.float32)
        if phase_errors is None:
            phase_errors = np.full(len(stamps), np.nan)
        counts = {"noise covariances": len(noise_covariances), "phase errors": len(phase_errors)}
        counts |= {name: len(values) for name, values in (aperture_corrections or {}).items()}
        for name, count in counts.items():
            if count != len(stamps):
                raise ValueError(f"{count} {name} for {len(stamps)} PSF stamps.")
        self._masked_image = masked_image
        self._unit = flux_unit_of(masked_image.image.unit)
        self._identifiers = identifiers
        self._patch = patch
        self._cell_border = cell_border
        self._inputs = tuple(inputs)
        self._owner = owner
        self._cell_inputs = cell_inputs
        self._stamps = stamps
        self._kernel = kernel or WarpKernel()
        self._phase_errors = phase_errors
        self._noise_covariances = noise_covariances
        self._aperture_corrections = dict(aperture_corrections or {})
        self._mask_fractions = dict(mask_fractions or {})

    @property
    def masked_image(self) -> MaskedImage:
        """Image, mask and variance."""
        return self._masked_image

    @property
    def image(self) -> Image:
        """The image, in `unit`."""
        return self._masked_image.image

    @property
    def unit(self) -> u.UnitBase:
        """Unit of the image: nJy, or counts where no zero point is known."""
        return self._unit

    @property
    def mask(self) -> Mask:
        """The mask."""
        return self._masked_image.mask

    @property
    def variance(self) -> Image:
        """The variance, in the square of `unit`."""
        return self._masked_image.variance

    @property
    def bbox(self) -> Box:
        """The pixels that are stored."""
        return self._masked_image.bbox

    @property
    def sky_projection(self) -> SkyProjection[TractFrame]:
        """Tract pixels to sky and back."""
        projection = self._masked_image.sky_projection
        assert projection is not None, "checked when built"
        return projection

    wcs = sky_projection

    @property
    def identifiers(self) -> PatchIdentifiers:
        """The patch that the warp is on."""
        return self._identifiers

    @property
    def patch(self) -> PatchDefinition:
        """Geometry of the patch."""
        return self._patch

    @property
    def grid(self) -> BorderedCellGrid:
        """The cells of the patch."""
        return BorderedCellGrid(inner=self._patch.cells, border=self._cell_border)

    @property
    def visit(self) -> int:
        """The visit."""
        return self._inputs[0].observation.visit

    @property
    def instrument(self) -> str:
        """The instrument's name."""
        return self._inputs[0].observation.instrument

    @property
    def band(self) -> str:
        """The band's short name."""
        return self._inputs[0].observation.band

    @property
    def inputs(self) -> tuple[WarpInput, ...]:
        """The detectors that went in, sorted."""
        return self._inputs

    @property
    def owner(self) -> npt.NDArray[np.uint8]:
        """Row of `inputs` that each pixel came from; `NO_OWNER` where none."""
        return self._owner

    @property
    def cell_inputs(self) -> npt.NDArray[np.void]:
        """What each detector covers of each cell: see `CELL_INPUT_DTYPE`."""
        return self._cell_inputs

    @property
    def stamps(self) -> npt.NDArray[np.float32]:
        """Point-spread functions at the centres of cells; rows are named by `cell_inputs`."""
        return self._stamps

    @property
    def kernel(self) -> WarpKernel:
        """What the images were resampled with."""
        return self._kernel

    @property
    def phase_errors(self) -> npt.NDArray[np.float64]:
        """How much `stamps` change with the sub-pixel position of a star, in their order."""
        return self._phase_errors

    @property
    def noise_covariances(self) -> npt.NDArray[np.float32]:
        """Mean covariances by offset of resampled noise of variance 1, in the order of `stamps`."""
        return self._noise_covariances

    @property
    def aperture_corrections(self) -> Mapping[str, npt.NDArray[np.float64]]:
        """Aperture corrections by the name of the algorithm, in the order of `stamps`."""
        return self._aperture_corrections

    @property
    def mask_fractions(self) -> Mapping[str, Image]:
        """Warped fraction of bad pixels, by plane; `masks.planes.ALL_PLANES` for all together."""
        return self._mask_fractions

    @property
    def psf(self) -> CellPsf:
        """The visit's point-spread function, cell by cell."""
        rows = self._cell_inputs[self._cell_inputs["stamp"] >= 0]
        indices = [Index2D(x=int(row["cell_x"]), y=int(row["cell_y"])) for row in rows]
        return CellPsf(self.grid, indices, self._stamps[rows["stamp"]])

    def __getitem__(self, bbox: Box | EllipsisType) -> MaskedImage:
        """Return a cut-out of the patch's plane; what lies beyond the warp's box has no data.

        A box inside of the warp's own gives views, another gives copies. ``...`` gives all that is
        stored.

        Raises
        ------
        TypeError
            If it is neither a box nor ``...``.
        """
        if bbox is not ... and not isinstance(bbox, Box):
            raise TypeError(
                f"A warp is cut out by a Box in pixels of the tract, got a {type(bbox).__name__}."
            )
        if bbox is ... or self.bbox.contains(bbox):
            return self._masked_image[bbox]
        return self._padded(bbox)

    @classmethod
    def read(cls, path: ResourcePathExpression | IO[bytes], *, bbox: Box | None = None) -> Self:
        """Read a warp that `write` or the Butler wrote, or the part of it in a box.

        Parameters
        ----------
        path
            The file, or one that is open.
        bbox
            Only these pixels, and what is known of the cells that have all theirs there.

        Raises
        ------
        MissingCellError
            If the warp has no pixel in the box.
        UnusableInputError
            If the file is broken or holds something else.
        """
        with errors_named(path, cls):
            return read_product(path, cls, bbox=bbox)

    def write(self, path: ResourcePathExpression, *, overwrite: bool = False) -> None:
        """Write the warp to a FITS file, without loss.

        Parameters
        ----------
        path
            The file, on a disk of this computer, whose name ends in ``.fits``; it appears when it
            is complete.
        overwrite
            Replace a file that is there.

        Raises
        ------
        FileExistsError
            If there is such a file and it is not to be replaced.
        """
        from .stored import CompressedWarp

        write_product(
            CompressedWarp(self), path, overwrite=overwrite, compression_options=WARP_COMPRESSION
        )

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Whether all is the same to the bit: pixels, geometry, inputs, PSFs in the cells.

        The detectors' own PSF models are not compared.
        """
        if not isinstance(other, Warp):
            return NotImplemented
        return (
            self._identifiers == other._identifiers
            and self._patch == other._patch
            and self.grid == other.grid
            and self.bbox == other.bbox
            and self.unit == other.unit
            and self.sky_projection == other.sky_projection
            and self.mask.schema == other.mask.schema
            and self._inputs == other._inputs
            and self._kernel == other._kernel
            and same_arrays(self.named_arrays(), other.named_arrays())
        )

    def named_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by name."""
        return {
            "image": self.image.array,
            "variance": self.variance.array,
            "mask": self.mask.array,
            "owner": self._owner,
            "cell_inputs": self._cell_inputs,
            "stamps": self._stamps,
            "phase_errors": self._phase_errors,
            "noise_covariances": self._noise_covariances,
            **{f"corrections[{name}]": v for name, v in self._aperture_corrections.items()},
            **{f"mask_fractions[{name}]": p.array for name, p in self._mask_fractions.items()},
        }

    def serialize(self, archive: OutputArchive[Any]) -> WarpModel[Any]:
        """Write to an lsst.images archive; the Butler and `write_archive` call this."""
        from .stored import serialize_warp

        return serialize_warp(self, archive)

    @staticmethod
    def _get_archive_tree_type(pointer_type: type[Any]) -> type[WarpModel[Any]]:
        from .stored import WarpModel

        return WarpModel[pointer_type]  # type: ignore[valid-type]

    def _padded(self, bbox: Box) -> MaskedImage:
        no_data = bits_of(self.mask.schema, ["NO_DATA"])
        result = MaskedImage(
            Image(np.nan, bbox=bbox, dtype=np.float32, unit=self.image.unit),
            mask=Mask(no_data, schema=self.mask.schema, bbox=bbox),
            variance=Image(np.inf, bbox=bbox, dtype=np.float32, unit=self.variance.unit),
            sky_projection=self.sky_projection,
        )
        shared = shared_box(bbox, self.bbox)
        if shared is not None:
            result[shared] = self._masked_image[shared]
        return result

    def _describe(self, options: DescribeOptions = DescribeOptions(), /) -> Report:  # noqa: B008
        summary = f"Warp(visit={self.visit}, {self._identifiers}, {self.bbox!s})"
        detectors = ", ".join(str(entry.observation.detector) for entry in self._inputs)
        fields = [
            ReportField(label="instrument", value=self.instrument, role=FieldRole.DERIVED),
            ReportField(label="visit", value=self.visit, role=FieldRole.DERIVED),
            ReportField(label="band", value=self.band, role=FieldRole.DERIVED),
            ReportField(label="patch", value=str(self._identifiers), role=FieldRole.DERIVED),
            ReportField(label="detectors", value=detectors, role=FieldRole.DERIVED),
            ReportField(label="bbox", value=str(self.bbox), role=FieldRole.DERIVED),
            ReportField(label="unit", value=unit_label(self.unit), role=FieldRole.DERIVED),
            ReportField(label="kernel", value=self._kernel.name, role=FieldRole.DERIVED),
        ]
        if options.brief:
            return Report(type_name="Warp", summary=summary, fields=fields)
        plane = options.for_child("sky_projection", "bbox")
        children = {
            "image": self.image._describe(plane),
            "mask": self.mask._describe(plane),
            "variance": self.variance._describe(plane),
            "psf": self.psf._describe(options.for_child()),
        }
        return Report(type_name="Warp", summary=summary, fields=fields, children=children)
