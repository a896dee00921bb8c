"""What the log of the middleware says that nobody needs to read."""

from __future__ import annotations

import logging

import pytest

from cellcoadd.errors import UnusableInputError
from cellcoadd.tasks._log_filters import install_log_filters


@pytest.mark.parametrize(
    ("logger", "message", "shown"),
    [
        ("lsst.utils.packages", "Unable to import eups, so cannot ...", False),
        ("lsst.utils.packages", "Another warning", True),
        ("lsst.daf.butler._storage_class", "Unable to import type lsst.afw.image.X", False),
        ("lsst.daf.butler._storage_class", "Unable to import type pandas.core.X", False),
        ("lsst.daf.butler._storage_class", "Unable to import type my.own.Type", True),
        ("lsst.daf.butler._storage_class", "Converter cellcoadd.x failed to convert", True),
    ],
)
def test_only_complaints_about_absent_parts_are_dropped(
    logger: str, message: str, shown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever else goes wrong must be seen."""
    install_log_filters()
    logging.getLogger(logger).warning("%s", message)
    assert (message in caplog.text) is shown


def test_a_refusal_is_announced_once(caplog: pytest.LogCaptureFixture) -> None:
    """The task explains it; the middleware's line before would only alarm."""
    logger = logging.getLogger("lsst.daf.butler._storage_class")
    for error in (UnusableInputError("f1", "no PSF."), TypeError("a mistake in our code")):
        try:
            raise error
        except (UnusableInputError, TypeError):
            logger.error("Converter cellcoadd.surveys.x failed to convert type VisitImage")
    assert len(caplog.records) == 1
