"""What is raised for a dataset that cannot be read, and what it says."""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lsst.daf.butler import DeferredDatasetHandle

from cellcoadd.errors import UnusableInputError
from cellcoadd.tasks._dataset_loading import load_image


def failing_handle(cause: Exception) -> DeferredDatasetHandle:
    """A dataset whose reading fails as the Butler fails: with an error of its own around it."""

    def get() -> Any:
        raise ValueError("Failure from formatter") from cause

    handle = SimpleNamespace(
        get=get,
        ref=SimpleNamespace(
            datasetType=SimpleNamespace(name="calexp"),
            dataId={"instrument": "HSC", "visit": 1228, "detector": 4},
        ),
    )
    return cast("DeferredDatasetHandle", handle)


@pytest.mark.parametrize(
    "cause", [PermissionError(errno.EACCES, "denied"), OSError(errno.EIO, "disk"), MemoryError()]
)
def test_what_the_computer_could_not_do_keeps_its_cause(cause: Exception) -> None:
    """The image may be good; who looks for the fault needs to see the first error."""
    with pytest.raises(ValueError, match="Failure from formatter") as caught:
        load_image(failing_handle(cause))
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (FileNotFoundError(errno.ENOENT, "gone"), "its file is missing ([Errno 2] gone)."),
        (UnusableInputError("a.fits", "it has no PSF."), "it has no PSF."),
        (TypeError("buffer is too small for requested array"), "its file is cut off or damaged."),
        (
            KeyError("sigma"),
            "its file cannot be read (it lacks 'sigma'): get it again, or leave it out.",
        ),
    ],
)
def test_a_broken_image_is_named_with_the_reason(cause: Exception, reason: str) -> None:
    """The source is the dataset, as the user asked for it, and the reason the first error's."""
    with pytest.raises(UnusableInputError) as caught:
        load_image(failing_handle(cause))
    assert caught.value.source == "calexp HSC visit 1228 detector 4"
    assert caught.value.reason == reason
