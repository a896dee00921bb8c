"""Reading datasets of a repository, so that one that cannot be used is named and left out."""

from __future__ import annotations

__all__ = ["load_image", "name_of", "named"]

import contextlib
import warnings
from collections.abc import Iterator

from astropy.utils.exceptions import AstropyUserWarning
from lsst.daf.butler import DatasetRef, DeferredDatasetHandle

from ..errors import UnusableInputError
from ..files.guard import file_guard, refusal_of
from ..products.calibrated_image import CalibratedImage
from ..surveys.checks import check_plausible, check_usable
from ..surveys.fits_files import is_cut_off

_SAID = ("visit", "detector", "tract", "patch")
"""What tells the images and warps of an instrument from each other, in the order of its name."""

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
    with named(handle.ref) as source, warnings.catch_warnings():
        # Astropy reads on over what is no header at all, one warning after the other.
        warnings.filterwarnings("error", _NO_HEADER, AstropyUserWarning)
        image = handle.get()
    with file_guard(source):
        check_usable(image, source)
        check_plausible(image, source)
    loaded: CalibratedImage = image
    return loaded


@contextlib.contextmanager
def named(ref: DatasetRef) -> Iterator[str]:
    """Turn what reading a dataset raises into an error that names it, if its file is to blame.

    Parameters
    ----------
    ref
        What is read in the block.

    Yields
    ------
    source
        Its name.

    Raises
    ------
    UnusableInputError
        If its file is missing or broken.
    OSError
        If the computer could not read it.
    """
    source = name_of(ref)
    try:
        yield source
    except Exception as error:  # a broken file raises whatever its first broken part leads to
        explained = _explain(error, source)
        if explained is error:
            raise  # with the cause that it has
        raise explained from error


def name_of(ref: DatasetRef) -> str:
    """Return the name of a dataset of an instrument, as people ask for it."""
    data_id = ref.dataId
    words = [f"{key} {data_id[key]}" for key in _SAID if key in data_id]
    return " ".join([ref.datasetType.name, str(data_id["instrument"]), *words])


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
