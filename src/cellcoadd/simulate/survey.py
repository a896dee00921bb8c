"""A whole survey: its images one after the other, and files of them on disk."""

from __future__ import annotations

__all__ = ["SurveyFiles", "simulate_survey", "write_survey"]

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from lsst.images import VisitImage
from lsst.images.fits import FitsCompressionOptions

from ..files.sealing import seal_file
from .observe import simulate_visit_detector
from .plan import SurveyPlan


@dataclasses.dataclass(frozen=True, kw_only=True)
class SurveyFiles:
    """Where a simulated survey was written.

    Parameters
    ----------
    images
        One FITS file a visit and detector, in this order.
    truth
        The sources as an ECSV table, see `draw_sky`.
    """

    images: tuple[Path, ...]
    truth: Path


def simulate_survey(plan: SurveyPlan) -> Iterator[VisitImage]:
    """Yield the images of a survey, visit by visit, detector by detector."""
    for visit, detector in plan.exposures:
        yield simulate_visit_detector(plan, visit=visit, detector=detector)


def write_survey(
    plan: SurveyPlan, folder: Path | str, progress: Callable[[int, int], None] | None = None
) -> SurveyFiles:
    """Simulate a survey and write it into a folder.

    Parameters
    ----------
    plan
        The survey.
    folder
        Made if it does not exist. Files of a survey that are there already are replaced.
    progress
        Called after each image with the number of images written and that of all.

    Returns
    -------
    SurveyFiles
        The files, each of them complete: it gets its name only when it is.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder / "truth.ecsv"
    _write_whole(truth, lambda path: plan.truth.write(path, format="ascii.ecsv"))
    total = len(plan.exposures)
    paths: list[Path] = []
    for image in simulate_survey(plan):
        info = image.obs_info
        name = f"visit_image_{info.instrument}_{info.visit_id:06d}_{info.detector_num:03d}.fits"
        path = folder / name
        _write_whole(path, functools.partial(_write_image, image))
        paths.append(path)
        if progress is not None:
            progress(len(paths), total)
    return SurveyFiles(images=tuple(paths), truth=truth)


def _write_image(image: VisitImage, path: Path) -> None:
    """Write an image without loss, with checksums."""
    # Tiles of one row, the default, cost several times as long; noise does not compress at all.
    tiles = FitsCompressionOptions(tile_shape=(min(64, image.bbox.y.size), image.bbox.x.size))
    options = {"image": None, "mask": tiles, "variance": tiles}
    image.write(str(path), compression_options=options)
    seal_file(path)


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name beside its own, then rename it."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    part.unlink(missing_ok=True)
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
