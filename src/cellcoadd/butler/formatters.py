"""How our types, and those whose usual formatters are not on PyPI, become files and back.

The Butler calls these with the name of a temporary file beside the final one and renames it when
the write has succeeded, so an interrupted write leaves nothing behind. Nothing is pickled: sky maps
are YAML that a person can read, HealSparse maps are the FITS files that healsparse reads anywhere,
reports are HTML for a browser.
"""

from __future__ import annotations

__all__ = [
    "CellCoaddFormatter",
    "HealSparseMapFormatter",
    "ProductFormatter",
    "ReportFormatter",
    "SkyMapFormatter",
    "TableFormatter",
    "VisitImageFileFormatter",
    "WarpFormatter",
    "WarpPlanesFormatter",
]

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from astropy.io import fits
from lsst.daf.butler import FormatterV2
from lsst.daf.butler.formatters.parquet import ParquetFormatter
from lsst.images import VisitImage
from lsst.images.fits import FitsCompressionOptions, FitsOpaqueMetadata
from lsst.images.formatters import GenericFormatter
from lsst.resources import ResourcePath

from ..files.checksums import check_file
from ..files.parquet_tables import check_parquet_pages, with_page_checksums
from ..files.plain_names import plain_name, plain_name_to_write
from ..files.reading import (
    check_before_parts,
    check_tree_of,
    errors_named,
    parts_are_to_be_sound,
)
from ..files.remote_parts import open_parts
from ..files.sealing import reserve_sums, seal_file
from ..products.calibrated_image import CalibratedImage
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.compression import PixelCompression, compression_options
from ..products.cell_coadd.stored import CompressedCoadd
from ..products.warp import Warp
from ..products.warp.compression import WARP_COMPRESSION, CompressedPlanes
from ..products.warp.stored import CompressedWarp
from ..skymap import SkyMap
from ..surveys.rubin import read_visit_image
from ..surveys.rubin.files import open_visit_image

if TYPE_CHECKING:
    from healsparse import HealSparseCoverage, HealSparseMap


class SkyMapFormatter(FormatterV2):
    """The definition of a sky map as YAML."""

    default_extension = ".yaml"
    can_read_from_local_file = True

    def write_local_file(self, in_memory_dataset: SkyMap, uri: ResourcePath) -> None:
        """Write the definition; the name is that of the data ID."""
        text = yaml.safe_dump(in_memory_dataset.to_definition(), sort_keys=False)
        uri.write(text.encode())

    def read_from_local_file(
        self, path: str, component: str | None = None, expected_size: int = -1
    ) -> SkyMap:
        """Read the definition and build the sky map from it."""
        with open(path, encoding="utf-8") as stream:
            definition = yaml.safe_load(stream)
        return SkyMap.from_definition(definition, name=str(self.data_id["skymap"]))


@contextlib.contextmanager
def _part_by_part(uri: ResourcePath) -> Iterator[Any]:
    """Give what parts of a file can be read from: its name, or a stream if it is elsewhere."""
    if uri.isLocal or uri.getExtension() != ".fits":
        yield uri
    else:
        with open_parts(uri) as stream:
            yield stream


class VisitImageFileFormatter(GenericFormatter):
    """A file of an `lsst.images.VisitImage`, also as a dataset of the type CalibratedImage.

    The type of the dataset in the repository is either of the two; repositories that hold images of
    several surveys have the second. Of a calibrated image only those pixels are read, later, that
    are needed.
    """

    can_read_from_local_file = True
    supported_extensions: ClassVar[frozenset[str]] = frozenset({".fits", ".fits.gz"})

    def read_from_uri(
        self, uri: ResourcePath, component: str | None = None, expected_size: int = -1
    ) -> Any:
        """Read visit images as the base class does, others from a file of this computer."""
        if self._wants_calibrated_image(component):
            return NotImplemented
        if component is None and not self.file_descriptor.parameters:
            return NotImplemented
        with _part_by_part(uri) as source:
            with errors_named(uri, VisitImage):
                check_tree_of(source)
            return super().read_from_uri(source, component, expected_size)

    def read_from_local_file(
        self, path: str, component: str | None = None, expected_size: int = -1
    ) -> Any:
        """Read the image or the pixels in the parameter ``bbox``, converted; or a component."""
        if not self._wants_calibrated_image(component):
            with errors_named(path, VisitImage):
                check_tree_of(path)
            return super().read_from_local_file(path, component, expected_size)
        parameters: Mapping[str, Any] = self.file_descriptor.parameters or {}
        if component in ("bbox", "psf", "sky_projection"):
            with open_visit_image(Path(path)) as reader:
                return reader.get_component(component)
        image = read_visit_image(Path(path)).calibrated_image
        # A file that was fetched from elsewhere is gone when this has been read.
        if parameters or component == "masked_image" or not self._is_here:
            image = image.window(parameters.get("bbox", image.bbox))
        return image.masked_image if component == "masked_image" else image

    def _wants_calibrated_image(self, component: str | None) -> bool:
        file = self.file_descriptor
        wanted = file.readStorageClass if component is None else file.storageClass
        return wanted.pytype is CalibratedImage

    @property
    def _is_here(self) -> bool:
        return bool(self.file_descriptor.location.uri.isLocal)


class ProductFormatter(GenericFormatter):
    """Products as FITS files with checksums, by which a file that is read whole is verified.

    Of a file that is read in parts nothing is verified, unless the parts are read in
    `files.reading.parts_of_sound_files`.
    """

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write the product and seal its file."""
        super().write_local_file(in_memory_dataset, uri)
        if uri.getExtension() == ".fits":
            seal_file(uri.ospath)

    def _update_header(self, header: fits.Header) -> None:
        super()._update_header(header)
        reserve_sums(header)  # it has a card for each dataset that went in

    def read_from_uri(
        self, uri: ResourcePath, component: str | None = None, expected_size: int = -1
    ) -> Any:
        """Read a part as the base class does, of a file that is sound if somebody asked for it."""
        if self._asks_for_all(component):
            return NotImplemented
        if parts_are_to_be_sound() and uri.getExtension() == ".fits":
            if not uri.isLocal:
                return NotImplemented  # it is fetched, and verified then
            check_before_parts(uri.ospath)
        with (
            errors_named(uri, self.file_descriptor.storageClass.pytype),
            _part_by_part(uri) as source,
        ):
            check_tree_of(source)
            return _without_checksums(super().read_from_uri(source, component, expected_size))

    def read_from_local_file(
        self, path: str, component: str | None = None, expected_size: int = -1
    ) -> Any:
        """Read the product from a file that is sound, or a part of it."""
        is_whole = self._asks_for_all(component)
        if path.endswith(".fits"):
            if is_whole:
                check_file(path)  # and its tree
            else:
                check_before_parts(path)
        with errors_named(path, self.file_descriptor.storageClass.pytype):
            if not is_whole:
                check_tree_of(path)
            return _without_checksums(super().read_from_local_file(path, component, expected_size))

    def _asks_for_all(self, component: str | None) -> bool:
        return component in (None, "components") and not self.file_descriptor.parameters


def _without_checksums(product: Any) -> Any:
    """Drop the checksums among the cards that lsst.images keeps for files written of a product."""
    for part in product.values() if isinstance(product, dict) else (product,):
        kept = getattr(part, "_opaque_metadata", None)
        if isinstance(kept, FitsOpaqueMetadata):
            for header in kept.headers.values():
                for keyword in ("CHECKSUM", "DATASUM"):
                    header.remove(keyword, ignore_missing=True)
    return product


class WarpFormatter(ProductFormatter):
    """Warps as FITS files, to the bit: see `products.warp.compression`.

    A recipe of the repository's configuration can say otherwise of planes that are named there.
    """

    def read_from_uri(
        self, uri: ResourcePath, component: str | None = None, expected_size: int = -1
    ) -> Any:
        """Read a warp in the quick way, and its components as the base class does."""
        if component is None and uri.isLocal:
            if self.file_descriptor.parameters:
                check_before_parts(uri.ospath)
            return Warp.read(uri, **(self.file_descriptor.parameters or {}))
        return super().read_from_uri(uri, component, expected_size)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write the warp."""
        if self.get_write_extension() == ".fits" and "recipe" not in self.write_parameters:
            in_memory_dataset = CompressedWarp(in_memory_dataset)
        super().write_local_file(in_memory_dataset, uri)

    def _get_compression_options(self) -> dict[str, FitsCompressionOptions | None]:  # type: ignore[override]
        return {**WARP_COMPRESSION, **super()._get_compression_options()}


class WarpPlanesFormatter(ProductFormatter):
    """What goes with warps, noise and masked fractions: written as warps are."""

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write the image or masked image."""
        if self.get_write_extension() == ".fits" and "recipe" not in self.write_parameters:
            with contextlib.suppress(ValueError):  # somebody else's are written as they are
                in_memory_dataset = CompressedPlanes(in_memory_dataset)
        super().write_local_file(in_memory_dataset, uri)

    def _get_compression_options(self) -> dict[str, FitsCompressionOptions | None]:  # type: ignore[override]
        return {**WARP_COMPRESSION, **super()._get_compression_options()}


class CellCoaddFormatter(ProductFormatter):
    """Coadds as FITS files with one compressed tile a cell.

    The write parameter ``recipe`` is a `PixelCompression`, or a recipe of the repository's
    configuration; without one, pixels are rounded far below their noise.
    """

    def read_from_uri(
        self, uri: ResourcePath, component: str | None = None, expected_size: int = -1
    ) -> Any:
        """Read some cells in the quick way, and all else as the base class does."""
        if component is None and self.file_descriptor.parameters:
            with errors_named(uri, MultipleCellCoadd), _part_by_part(uri) as source:
                return MultipleCellCoadd.read(source, **self.file_descriptor.parameters)
        return super().read_from_uri(uri, component, expected_size)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write the coadd with what has been chosen."""
        choice = self._choice()
        if choice is not None and self.get_write_extension() == ".fits":
            in_memory_dataset = CompressedCoadd(in_memory_dataset, choice)
        super().write_local_file(in_memory_dataset, uri)

    def _get_compression_options(self) -> dict[str, FitsCompressionOptions | None]:  # type: ignore[override]
        choice = self._choice()
        if choice is not None:
            return compression_options(choice)
        return {**super()._get_compression_options()}

    def _choice(self) -> PixelCompression | None:
        """Return what the recipe says; None if it is one of the repository's configuration."""
        recipe = self.write_parameters.get("recipe", PixelCompression.ROUNDED)
        if recipe in set(PixelCompression):
            return PixelCompression(recipe)
        if recipe not in self.write_recipes:
            choices = [str(choice) for choice in (*PixelCompression, *self.write_recipes)]
            raise ValueError(f"The recipe of coadds must be one of {choices}, got {recipe!r}.")
        return None


class HealSparseMapFormatter(FormatterV2):
    """A HealSparse map as the FITS file that healsparse itself writes.

    Read parameters
        ``pixels``: numbers of the coverage pixels to read; ``degrade_nside``: resolution to degrade
        to while reading.
    Component
        ``coverage``: which coverage pixels there are, without the values.
    """

    default_extension = ".hsp"
    supported_extensions: ClassVar[frozenset[str]] = frozenset({".hsp", ".fit", ".fits"})
    can_read_from_local_file = True

    def write_local_file(self, in_memory_dataset: HealSparseMap, uri: ResourcePath) -> None:
        """Write the map; integer maps are compressed without loss."""
        with plain_name_to_write(uri.ospath) as name:
            in_memory_dataset.write(name, clobber=True)
        seal_file(uri.ospath)

    def read_from_local_file(
        self, path: str, component: str | None = None, expected_size: int = -1
    ) -> HealSparseMap | HealSparseCoverage:
        """Read the map, some pixels of it, or its coverage."""
        import healsparse

        if component == "coverage":
            with plain_name(path) as name:
                return healsparse.HealSparseCoverage.read(name)
        parameters: Mapping[str, Any] = self.file_descriptor.parameters or {}
        if all(value is None for value in parameters.values()):
            check_file(path)
        with plain_name(path) as name:
            return healsparse.HealSparseMap.read(
                name,
                pixels=parameters.get("pixels"),
                degrade_nside=parameters.get("degrade_nside"),
            )


class TableFormatter(ParquetFormatter):
    """Tables as Parquet files with a checksum a page, verified before a table is read."""

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write the table as the base class does, and its pages again with their checksums."""
        super().write_local_file(in_memory_dataset, uri)
        with_page_checksums(uri.ospath)

    def read_from_uri(
        self, uri: ResourcePath, component: str | None = None, expected_size: int = -1
    ) -> Any:
        """Read a table that is sound, or a component."""
        if component is None:
            with uri.as_local() as local:
                check_parquet_pages(local.ospath, name=str(uri))
        return super().read_from_uri(uri, component, expected_size)


class ReportFormatter(FormatterV2):
    """The text of a page as an HTML file in UTF-8, which browsers open as it is."""

    default_extension = ".html"
    can_read_from_uri = True

    def write_local_file(self, in_memory_dataset: str, uri: ResourcePath) -> None:
        """Write the text."""
        uri.write(in_memory_dataset.encode())

    def read_from_uri(
        self, uri: ResourcePath, component: str | None = None, expected_size: int = -1
    ) -> str:
        """Read the text."""
        return uri.read().decode()
