"""Reading the images of a repository, so that one that cannot be used is named and left out."""

from __future__ import annotations

__all__ = ["load_image"]

import warnings
from collections.abc import Iterator

from astropy.utils.exceptions import AstropyUserWarning
from lsst.daf.butler import DeferredDatasetHandle

from ..errors import UnusableInputError
from ..files.guard import file_guard, refusal_of
from ..products.calibrated_image import CalibratedImage
from ..surveys.checks import check_plausible, check_usable
from ..surveys.fits_files import is_cut_off

_NO_HEADER = "non-ASCII characters are present in the FITS file header"


def load_image(handle: DeferredDatasetHandle) -> CalibratedImage:
    """Read an image and check that it can be warped.

    Parameters
    ----------
    handle
        A dataset of the storage class CalibratedImage, or of one that is converted to it.

    Raises
    ------
    UnusableInputError
        If the file is missing, broken, or holds an image that cannot be warped.
    OSError
        If the computer could not read it: no permission, a disk or a network that fails. Then the
        image may be good, and going on without it would make another coadd than a day later.
    """
    data_id = handle.dataId
    source = "{} {} visit {} detector {}".format(
        handle.ref.datasetType.name,
        *(data_id[key] for key in ("instrument", "visit", "detector")),
    )
    try:
        with warnings.catch_warnings():
            # Astropy reads on over what is no header at all, one warning after the other.
            warnings.filterwarnings("error", _NO_HEADER, AstropyUserWarning)
            image = handle.get()
    except Exception as error:  # a broken file raises whatever its first broken part leads to
        explained = _explain(error, source)
        if explained is error:
            raise  # with the cause that it has
        raise explained from error
    with file_guard(source):
        check_usable(image, source)
        check_plausible(image, source)
    loaded: CalibratedImage = image
    return loaded


def _explain(error: Exception, source: str) -> Exception:
    """Return what to raise for an error of the Butler."""
    # The Butler wraps what its formatters raise; what is at the bottom says what is the matter.
    causes = list(_chain(error))
    for cause in causes:
        if isinstance(cause, UnusableInputError):
            return UnusableInputError(source, cause.reason)
        if isinstance(cause, FileNotFoundError):
            return UnusableInputError(source, f"its file is missing ({cause}).")
        if isinstance(cause, MemoryError) or (
            isinstance(cause, OSError) and cause.errno is not None
        ):
            return error
    if is_cut_off(causes[-1]):
        return UnusableInputError(source, "its file is cut off or damaged.")
    return refusal_of(causes[-1], source, "its file cannot be read")


def _chain(error: BaseException | None) -> Iterator[Exception]:
    """Yield an error, what caused it, what caused that."""
    while isinstance(error, Exception):
        yield error
        error = error.__cause__
