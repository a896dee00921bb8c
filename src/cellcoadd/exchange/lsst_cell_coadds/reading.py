"""Reading a file of the Rubin pipelines' cell coadds, whole, in part, or by component."""

from __future__ import annotations

__all__ = ["LsstCellCoadds", "open_lsst_cell_coadds", "read_lsst_cell_coadds"]

import contextlib
import functools
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask, MaskSchema, SkyProjection, TractFrame
from lsst.images.cells import CellIJ, CoaddProvenance, PatchDefinition

from ...cell_grid import BorderedCellGrid, Index2D
from ...files.checksums import check_file
from ...masks.planes import ALL_PLANES
from ...products.cell_coadd import MultipleCellCoadd
from ...products.cell_coadd.choice import choose_filled, hull_of_cells
from ...products.cell_coadd.inputs import CoaddInput, rows_of_cells, to_coadd_provenance
from ...products.cell_coadd.stack import CellStack
from ...products.cell_coadd.stitching import stitch_image, stitch_mask
from ...products.identifiers import PatchIdentifiers
from ...products.noise_covariance import unknown_noise_covariance
from ...psfs.cell_psf import CellPsf
from .geometry import Geometry, read_geometry
from .inputs import read_inputs
from .mask_bits import read_masks
from .names import APCORR, CELLS, UNIT, VERSIONS_READ, noise_column
from .tables import Tables, open_tables


class LsstCellCoadds:
    """An open file, of which every part is read when it is asked for.

    `open_lsst_cell_coadds` makes it. The properties are those of `MultipleCellCoadd` and raise
    UnusableInputError where the file is broken.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        patch: PatchDefinition | None,
        mask_planes: Mapping[str, int] | None,
    ) -> None:
        self._tables = tables
        self._mask_planes = mask_planes
        _check_kind(tables)
        self._geometry: Geometry = read_geometry(tables, patch=patch)

    @property
    def identifiers(self) -> PatchIdentifiers:
        """Sky map, tract and patch."""
        return self._geometry.identifiers

    @property
    def band(self) -> str:
        """Short name of the band."""
        return self._tables.card(CELLS, "FILTER", str)

    @property
    def patch(self) -> PatchDefinition:
        """Geometry of the patch."""
        return self._geometry.patch

    @property
    def grid(self) -> BorderedCellGrid:
        """All cells of the patch, the empty ones included."""
        return self._geometry.grid

    @property
    def sky_projection(self) -> SkyProjection[TractFrame]:
        """Tract pixels to sky and back."""
        return self._geometry.sky_projection

    wcs = sky_projection

    @property
    def bbox(self) -> Box:
        """Hull of the inner regions of the filled cells."""
        return hull_of_cells(self.grid, list(self._rows))

    @property
    def psf(self) -> CellPsf:
        """The point-spread functions."""
        indices = list(self._rows)
        return CellPsf(self.grid, indices, self._read_psfs(self._rows_of(indices)))

    @property
    def inputs(self) -> tuple[CoaddInput, ...]:
        """All detectors that reach the patch, sorted."""
        return tuple(self._inputs[0])

    @property
    def contributions(self) -> npt.NDArray[np.void]:
        """What each input gave to which cell."""
        return self._inputs[1]

    @property
    def provenance(self) -> CoaddProvenance:
        """What was accepted, as lsst.images' pair of tables."""
        return to_coadd_provenance(*self._inputs)

    def read(
        self, *, bbox: Box | None = None, cells: Collection[Index2D | CellIJ] | None = None
    ) -> MultipleCellCoadd:
        """Read the coadd, or some of its cells.

        Parameters
        ----------
        bbox
            Only cells whose inner region shares a pixel with this box.
        cells
            Only these cells.

        Raises
        ------
        MissingCellError
            If no cell that is asked for is filled, or one that is named is not.
        UnusableInputError
            If the file is broken.
        """
        chosen = choose_filled(self.grid, list(self._rows), bbox=bbox, cells=cells)
        return MultipleCellCoadd(
            identifiers=self.identifiers,
            band=self.band,
            patch=self.patch,
            cell_border=self.grid.border,
            sky_projection=self.sky_projection,
            stack=self._read_stack(chosen),
            inputs=self.inputs,
            contributions=rows_of_cells(self.contributions, chosen),
        )

    def read_plane(self, name: str, *, bbox: Box | None = None) -> Image | Mask:
        """Read the image, variance or mask, inner regions put together.

        Parameters
        ----------
        name
            ``image``, ``variance`` or ``mask``.
        bbox
            The pixels that are wanted; None: `bbox`.
        """
        chosen = choose_filled(self.grid, list(self._rows), bbox=bbox)
        rows, box = self._rows_of(chosen), bbox or self.bbox
        if name == "mask":
            bits, schema = self._read_masks(rows)
            return stitch_mask(self.grid, chosen, bits, box, schema=schema)
        return stitch_image(self.grid, chosen, self._read_plane(name, rows), box, name=name)

    @functools.cached_property
    def _rows(self) -> dict[Index2D, int]:
        """The filled cells, sorted, and their rows in table 1."""
        ids = self._tables.column(CELLS, "cell_id", dtype=np.int64, shape=(2,)).tolist()
        rows = {Index2D(x=x, y=y): row for row, (x, y) in enumerate(ids)}
        if not rows or len(rows) != len(ids):
            raise self._tables.refused(
                f"HDU 1 has {len(ids)} rows for {len(rows)} different cells (column 'cell_id')."
            )
        for index in rows:
            if index not in self.grid:
                raise self._tables.refused(
                    f"HDU 1: the column 'cell_id' holds {index}, which is outside of the grid of "
                    f"{self.grid.shape.x} x {self.grid.shape.y} cells (GRSHAPE)."
                )
        return dict(sorted(rows.items()))

    @functools.cached_property
    def _inputs(self) -> tuple[list[CoaddInput], npt.NDArray[np.void]]:
        return read_inputs(self._tables, grid=self.grid, filled=self._rows)

    def _rows_of(self, indices: list[Index2D]) -> npt.NDArray[np.intp]:
        return np.array([self._rows[index] for index in indices], np.intp)

    @property
    def _outer_shape(self) -> tuple[int, int]:
        shape = self.grid.outer_cell_shape
        return shape.y, shape.x

    def _read_plane(self, name: str, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        shape = self._outer_shape
        return self._tables.column(CELLS, name, dtype=np.float32, shape=shape, rows=rows)

    def _read_masks(self, rows: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.int32], MaskSchema]:
        return read_masks(
            self._tables, shape=self._outer_shape, rows=rows, mask_planes=self._mask_planes
        )

    def _read_stack(self, indices: list[Index2D]) -> CellStack:
        rows = self._rows_of(indices)
        shape = self._outer_shape

        def plane(name: str) -> npt.NDArray[np.float32]:
            return self._read_plane(name, rows)

        mask, schema = self._read_masks(rows)
        columns, header = self._tables.columns(CELLS), self._tables.header(CELLS)
        n_noise = self._tables.card(CELLS, "NNOISE", int) if "NNOISE" in header else 0
        noise = np.empty((n_noise, len(rows), *shape), np.float32)
        for number in range(n_noise):
            noise[number] = plane(noise_column(number))
        return CellStack(
            indices=tuple(indices),
            image=plane("image"),
            variance=plane("variance"),
            mask=mask,
            schema=schema,
            mask_fractions={ALL_PLANES: plane("maskfrac")} if "maskfrac" in columns else {},
            noise=noise,
            psf=self._read_psfs(rows),
            noise_covariance=unknown_noise_covariance(len(rows)),
            aperture_corrections=self._read_aperture_corrections(indices),
        )

    def _read_psfs(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        size = self._tables.card(CELLS, "PSFSIZE1", int)
        if size != self._tables.card(CELLS, "PSFSIZE2", int) or size < 1 or size % 2 == 0:
            raise self._tables.refused(
                "HDU 1: PSF images must be square with an odd side (PSFSIZE1, PSFSIZE2)."
            )
        return self._tables.column(CELLS, "psf", dtype=np.float32, shape=(size, size), rows=rows)

    def _read_aperture_corrections(
        self, indices: list[Index2D]
    ) -> dict[str, npt.NDArray[np.float64]]:
        if APCORR not in self._tables:
            return {}
        x, y = (self._tables.column(APCORR, axis, dtype=np.int64).tolist() for axis in "xy")
        places = {Index2D(x=i, y=j): row for row, (i, j) in enumerate(zip(x, y, strict=True))}
        known = [number for number, index in enumerate(indices) if index in places]
        rows = np.array([places[indices[number]] for number in known], np.intp)
        result = {}
        for name in sorted(set(self._tables.columns(APCORR)) - {"x", "y"}):
            result[name] = np.full(len(indices), np.nan)
            result[name][known] = self._tables.column(APCORR, name, dtype=np.float64, rows=rows)
        return result


def _check_kind(tables: Tables) -> None:
    """Refuse what is not a cell coadd, of a version that is known, in nJy."""
    header = tables.header(CELLS) if CELLS in tables else {}
    if "GRCELL1" not in header:
        raise tables.refused(
            "it is not a cell coadd of lsst.cell_coadds: HDU 1 with the cells is missing."
        )
    version = str(header.get("VERSION", "0.1"))  # Files of the first version do not say.
    if version not in VERSIONS_READ:
        raise tables.refused(
            f"it is of version {version} of the format of lsst.cell_coadds; versions "
            f"{', '.join(VERSIONS_READ)} can be read."
        )
    names = tables.columns(CELLS)
    number = names.index("image") + 1 if "image" in names else 2
    # The first files have the unit of the image in the card of another column.
    unit = header.get(f"TUNIT{number}", header.get("TUNIT1"))
    if unit != UNIT:
        raise tables.refused(f"HDU 1: pixels must be in {UNIT}, the file has {unit!r} (TUNIT2).")


@contextlib.contextmanager
def open_lsst_cell_coadds(
    path: str | os.PathLike[str],
    *,
    patch: PatchDefinition | None = None,
    mask_planes: Mapping[str, int] | None = None,
) -> Iterator[LsstCellCoadds]:
    """Open a file to read parts of it; what is not asked for is not read.

    Parameters
    ----------
    path, patch, mask_planes
        As for `read_lsst_cell_coadds`.

    Raises
    ------
    UnusableInputError
        If the file is no such coadd, is of an unknown version, or is broken.
    ValueError
        If the patch is not that of the file.
    """
    with open_tables(Path(path)) as tables:
        yield LsstCellCoadds(tables, patch=patch, mask_planes=mask_planes)


def read_lsst_cell_coadds(
    path: str | os.PathLike[str],
    *,
    bbox: Box | None = None,
    cells: Collection[Index2D | CellIJ] | None = None,
    patch: PatchDefinition | None = None,
    mask_planes: Mapping[str, int] | None = None,
) -> MultipleCellCoadd:
    """Read a cell coadd that the Rubin pipelines wrote with ``lsst.cell_coadds``.

    Parameters
    ----------
    path
        The file; it may be compressed as a whole (``.gz``).
    bbox
        Read only the cells whose inner region shares a pixel with this box.
    cells
        Read only these cells.
    patch
        The patch, for a sky map that is not built like those of Rubin. None: found from the file.
    mask_planes
        Bit numbers of mask planes by name, for a file before version 0.6, which does not say.

    Raises
    ------
    UnusableInputError
        If the file is no such coadd, is of an unknown version, or is broken; it names the place. A
        file that is read whole must agree with its checksums, if it has any.
    MissingCellError
        If no filled cell is in the box.
    ValueError
        If the patch is not that of the file.

    Notes
    -----
    The package's docstring says what a file lacks and what is put in its place.
    """
    if bbox is None and cells is None and Path(path).is_file():
        check_file(Path(path))
    with open_lsst_cell_coadds(path, patch=patch, mask_planes=mask_planes) as file:
        return file.read(bbox=bbox, cells=cells)
