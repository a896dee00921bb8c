"""Files of the Rubin pipelines' older cell coadds as datasets of a Butler repository.

``butler ingest-files --formatter`` with the class of this module makes files that exist already
datasets of the storage class BorderedCellCoadd.
"""

from __future__ import annotations

__all__ = ["LsstCellCoaddsFormatter"]

from collections.abc import Mapping
from typing import Any, ClassVar

from lsst.daf.butler import FormatterV2
from lsst.images.serialization import InvalidParameterError

from ..errors import UnusableInputError
from ..exchange.lsst_cell_coadds import LsstCellCoadds, open_lsst_cell_coadds
from ..files.checksums import check_file


class LsstCellCoaddsFormatter(FormatterV2):
    """A file of ``lsst.cell_coadds`` that is a dataset of the type MultipleCellCoadd.

    Read parameters
        ``bbox``: only the cells whose inner region shares a pixel with it are read; ``cells``: only
        these.
    Components
        Those of the storage class BorderedCellCoadd; each reads its own pixels only, if it has any.

    Nothing is written with it; `cellcoadd.exchange.lsst_cell_coadds.write_lsst_cell_coadds` does.
    """

    can_read_from_local_file = True
    supported_extensions: ClassVar[frozenset[str]] = frozenset({".fits", ".fits.gz"})

    def read_from_local_file(
        self, path: str, component: str | None = None, expected_size: int = -1
    ) -> Any:
        """Read the coadd, some cells of it, or a component.

        Raises
        ------
        UnusableInputError
            If the file is broken, or of another patch or band than the dataset.
        lsst.images.serialization.InvalidParameterError
            If a part is asked for of a component that is read whole.
        """
        parameters: Mapping[str, Any] = self.file_descriptor.parameters or {}
        has_pixels = component in ("image", "variance", "mask")
        if component is not None and not has_pixels and parameters:
            raise InvalidParameterError(f"{component} is read whole, without {sorted(parameters)}.")
        if component is None and not parameters:
            check_file(path)
        with open_lsst_cell_coadds(path) as file:
            self._check_identity(path, file)
            if component is None:
                return file.read(**parameters)
            return (
                file.read_plane(component, **parameters) if has_pixels else getattr(file, component)
            )

    def _check_identity(self, path: str, file: LsstCellCoadds) -> None:
        """Refuse a file that was ingested under the wrong data ID. Names of sky maps may differ."""
        held = {
            "tract": file.identifiers.tract,
            "patch": file.identifiers.patch,
            "band": file.band,
        }
        asked = {key: self.data_id[key] for key in held if key in self.data_id}
        if any(held[key] != value for key, value in asked.items()):
            raise UnusableInputError(path, f"it holds {held}, the dataset is {asked}.")
