"""Files of lsst.afw as datasets of a Butler repository, read without lsst.afw.

Repositories write down the paths of these classes. Visit summaries come in by ``butler
ingest-calibrated``, masks of artifacts by ``butler ingest-files --formatter``. Nothing is written.
"""

from __future__ import annotations

__all__ = ["ArtifactMaskFormatter", "VisitSummaryFormatter"]

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from lsst.daf.butler import FormatterV2
from lsst.images import Mask

from ..errors import UnusableInputError
from ..surveys.afw import VisitSummary
from ..surveys.afw.mask_file import read_artifact_mask


class VisitSummaryFormatter(FormatterV2):
    """A visit summary, an ``ExposureCatalog`` of lsst.afw, of the type `VisitSummary`."""

    can_read_from_local_file = True
    supported_extensions: ClassVar[frozenset[str]] = frozenset({".fits"})

    def read_from_local_file(
        self,
        path: str,
        component: str | None = None,
        expected_size: int = -1,
    ) -> VisitSummary:
        """Read the summary.

        Raises
        ------
        UnusableInputError
            If the file is broken, or of another visit than the dataset.
        """
        summary = VisitSummary.read(Path(path))
        if summary.visit not in (None, asked := int(self.data_id["visit"])):
            raise UnusableInputError(
                path, f"it is of visit {summary.visit}, the dataset is of visit {asked}."
            )
        return summary


class ArtifactMaskFormatter(FormatterV2):
    """A mask of artifacts of lsst.afw, of the type `lsst.images.Mask`.

    Read parameter
        ``bbox``: the pixels to read, which the mask must have.
    Component
        ``bbox``: the pixels that there are.
    """

    can_read_from_local_file = True
    supported_extensions: ClassVar[frozenset[str]] = frozenset({".fits", ".fits.gz", ".fits.fz"})

    def read_from_local_file(
        self,
        path: str,
        component: str | None = None,
        expected_size: int = -1,
    ) -> Any:
        """Read the mask, or a part of it.

        Raises
        ------
        UnusableInputError
            If the file is broken, no mask of artifacts, or does not have the pixels.
        """
        parameters: Mapping[str, Any] = self.file_descriptor.parameters or {}
        mask: Mask = read_artifact_mask(Path(path), bbox=parameters.get("bbox"))
        return mask if component is None else getattr(mask, component)
