"""The stages joined in plain Python, without a Butler: for notebooks, scripts and the README."""

from __future__ import annotations

__all__ = ["FilesCoadd", "coadd_files", "coadd_images"]

import dataclasses
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from lsst.images import Box

from .cell_grid import Index2D
from .coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from .coaddition.settings import CoaddSettings
from .coaddition.strips import assemble_in_strips, strips_of
from .comparison.artifacts import Artifacts
from .comparison.find import find_artifacts, number_of_strips
from .comparison.settings import ComparisonSettings
from .errors import UnusableInputError
from .image_files import ImageFile, read_headers
from .products.calibrated_image import CalibratedImage
from .products.calibrated_image.deferred_pixels import DeferredPixels
from .products.cell_coadd import MultipleCellCoadd
from .products.flux_units import common_flux_unit
from .products.identifiers import ObservationIdentifiers
from .products.warp import Warp
from .skymap import Patch
from .surveys import Reader, named_reader
from .warping.direct import DirectWarp, VisitWarper, make_direct_warp
from .warping.settings import PIPELINE_WARPING, WarpSettings
from .warping.variances import DetectorVariances
from .warping.workspace import Workspace

_LOG = logging.getLogger(__name__)


def coadd_images(
    images: Iterable[CalibratedImage],
    patch: Patch,
    *,
    warp_settings: WarpSettings | None = None,
    coadd_settings: CoaddSettings | None = None,
    artifacts: ComparisonSettings | None = None,
    cells: Collection[Index2D] | None = None,
) -> MultipleCellCoadd | None:
    """Make the cell-based coadd of a patch from calibrated images of one band.

    Parameters
    ----------
    images
        Detectors of any number of visits, in any order.
    patch
        The target.
    warp_settings, coadd_settings
        All choices. None: those of the pipeline that comes with the package, which interpolates bad
        pixels before warping. Where hits of cosmic rays are not interpolated, and
        ``bad_mask_planes`` are the default ones, all pixels that a hit reaches are left out of the
        sums.
    artifacts
        How visits are compared, to leave out what only one or two of them have seen. It takes warps
        of its own, so that images are warped twice. None: they are not.
    cells
        The cells to build, each as it is with all the others; None: all of the patch. Images are
        warped onto the whole patch all the same.

    Returns
    -------
    coadd
        None if no cell that is asked for is covered.

    Raises
    ------
    ValueError
        If the images are of more than one band or in more than one unit, more noise realizations
        are to be added up than are made, or a cell is not in the patch's grid.

    Notes
    -----
    The result is the same, bit for bit, as that of the pipeline tasks with the same settings.
    """
    warp_settings, coadd_settings, wanted = _settings(warp_settings, coadd_settings)
    visits: dict[tuple[str, int], list[CalibratedImage]] = defaultdict(list)
    for image in images:
        visits[image.observation.instrument, image.observation.visit].append(image)
    _check_bands(image.observation for group in visits.values() for image in group)
    common_flux_unit((str(i.observation), i.flux_unit) for group in visits.values() for i in group)

    def warps_in(bbox: Box) -> Iterator[Warp]:
        memory, settings = Workspace(), _without_extras(warp_settings)
        for _, group in sorted(visits.items()):
            warper = VisitWarper(
                patch, settings=settings, memory=memory, with_noise_variance=False,
                bbox=patch.outer_bbox if settings.need_whole_detectors else bbox,
            )  # fmt: skip
            for image in sorted(group, key=lambda image: image.observation):
                warper.add(image)
            result = warper.finish()
            if result is not None:
                yield result.warp

    found: Artifacts | None = None
    if artifacts is not None:
        coadd_settings = dataclasses.replace(coadd_settings, do_use_artifact_mask=True)
        found = find_artifacts(warps_in, patch, n_visits=len(visits), settings=artifacts)

    def warps() -> Iterable[VisitOnPatch]:
        memory = Workspace()
        for _, group in sorted(visits.items()):
            result = make_direct_warp(
                group, patch, settings=warp_settings, memory=memory, with_noise_variance=False
            )
            if result is not None:
                yield _on_patch(result, wanted, found)

    return assemble_cell_coadd(warps(), patch, settings=coadd_settings, cells=cells)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FilesCoadd:
    """A coadd of files, and those that could not be used.

    Parameters
    ----------
    coadd
        None if no cell that was asked for is covered.
    refused
        A file and the reason for each file that was left out as a whole. Detectors that fail the
        cuts of the selection are in the log.
    why_empty
        Where there is no coadd, why no cell is filled and what would help; else empty.
    """

    coadd: MultipleCellCoadd | None
    refused: Sequence[UnusableInputError]
    why_empty: str = ""


def coadd_files(
    paths: Iterable[Path | str],
    patch: Patch,
    *,
    warp_settings: WarpSettings | None = None,
    coadd_settings: CoaddSettings | None = None,
    artifacts: ComparisonSettings | None = None,
    cells: Collection[Index2D] | None = None,
    camera: Reader | Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FilesCoadd:
    """Make the cell-based coadd of a patch from files of calibrated images of one band.

    Parameters
    ----------
    paths
        Files that one of the `surveys` reads, in any order.
    patch, warp_settings, coadd_settings, artifacts, cells
        As for `coadd_images`.
    camera
        What the files are like, if they are plain FITS: a definition in YAML, the name of one that
        comes with the package, or its reader. None: each file has the reader that recognizes it.
    progress
        Called after each file with the number of files done and that of all. Files of many visits
        are done in parts, each of which counts.

    Raises
    ------
    ValueError
        If no band has more files than the others, or for the other reasons of `coadd_images`.
    UnusableInputError
        If the definition of the camera is wrong.

    Notes
    -----
    One detector is in memory at a time, and pixels are read only of those that land on the patch. A
    file that cannot be used is left out with its reason, and so is one of another band than most
    of them. The result is the same, bit for bit, as
    that of `coadd_images` and of the pipeline tasks; but these list inputs that only reach the
    border of the settings, which is not made here.
    """
    warp_settings, coadd_settings, wanted = _settings(warp_settings, coadd_settings)
    refused: list[UnusableInputError] = []
    if isinstance(camera, str | Path):
        camera = named_reader(camera)
    files = _by_visit(paths, camera, refused)
    common_flux_unit((str(f.path), f.header.flux_unit) for group in files.values() for f in group)
    strips = strips_of(
        patch,
        settings=coadd_settings,
        n_visits=len(files),
        n_fractions=1 + len(warp_settings.masked_fraction_planes),
        cells=cells,
        whole=warp_settings.need_whole_detectors,
    )
    passes = len(strips)
    if artifacts is not None:
        coadd_settings = dataclasses.replace(coadd_settings, do_use_artifact_mask=True)
        passes += number_of_strips(patch, n_visits=len(files), settings=artifacts)
    total = sum(len(group) for group in files.values()) * passes + len(refused)
    done = len(refused)
    why: list[str] = []
    useless: set[ObservationIdentifiers] = set()
    used: set[ObservationIdentifiers] = set()
    measured = DetectorVariances(warp_settings.interpolation.bad_mask_planes)
    opened: dict[ObservationIdentifiers, CalibratedImage] = {}

    def tell(reason: str) -> None:
        _LOG.warning(reason)
        why.append(reason)

    def leave_out(observation: ObservationIdentifiers, error: UnusableInputError) -> None:
        refused.append(error)
        useless.add(observation)
        if observation in used:
            raise _SpoiltLater

    def warps_in(bbox: Box | None, settings: WarpSettings) -> Iterator[DirectWarp]:
        nonlocal done
        memory = Workspace()
        for _, group in sorted(files.items()):
            warper = VisitWarper(
                patch, settings=settings, memory=memory, bbox=bbox, measured=measured,
                with_noise_variance=False,
            )  # fmt: skip
            for file in sorted(group, key=lambda file: file.header.observation):
                observation = file.header.observation
                if observation not in useless:
                    try:
                        _add_file(warper, file, opened)
                    except UnusableInputError as error:
                        _LOG.warning("Left out: %s", error)
                        leave_out(observation, error)
                done += 1
                if progress is not None:
                    progress(done, total)
            result = warper.finish()
            for refusal in warper.refused:
                # What is refused in one strip would be refused, and logged, in the next one.
                useless.add(refusal.observation)
                if refusal.source is not None:
                    leave_out(
                        refusal.observation, UnusableInputError(refusal.source, refusal.reason)
                    )
            if result is not None:
                used.update(entry.observation for entry in result.warp.inputs)
                yield result

    def bare_warps_in(bbox: Box) -> Iterator[Warp]:
        settings = _without_extras(warp_settings)
        box = patch.outer_bbox if settings.need_whole_detectors else bbox
        return (result.warp for result in warps_in(box, settings))

    while True:
        found: Artifacts | None = None
        try:
            if artifacts is not None:
                found = find_artifacts(
                    bare_warps_in, patch, n_visits=len(files), settings=artifacts
                )
            coadd = assemble_in_strips(
                lambda bbox: (
                    _on_patch(result, wanted, found)  # noqa: B023
                    for result in warps_in(bbox, warp_settings)
                ),
                patch,
                strips,
                settings=coadd_settings,
                tell=tell,
            )
        except _SpoiltLater:
            # A file that can be read in part only takes no part at all: once more without it.
            done = 0
            used.clear()
            continue
        break
    return FilesCoadd(coadd=coadd, refused=refused, why_empty="".join(why[-1:]))


def _on_patch(result: DirectWarp, wanted: int, found: Artifacts | None) -> VisitOnPatch:
    """A warp with as many noise realizations, and the mask of its artifacts."""
    warp = result.warp
    return VisitOnPatch(
        warp=warp,
        noise=result.noise_images[:wanted],
        artifact_mask=(
            None if found is None else found.mask_of(warp.instrument, warp.visit, warp.bbox)
        ),
    )


def _without_extras(settings: WarpSettings) -> WarpSettings:
    """Return settings that make the same pixels, without what goes with them."""
    return dataclasses.replace(
        settings, number_of_noise_realizations=0, do_warp_masked_fraction=False
    )


class _SpoiltLater(Exception):  # noqa: N818
    """A file that one strip was made with cannot be read for another."""


def _by_visit(
    paths: Iterable[Path | str],
    camera: Reader | None,
    refused: list[UnusableInputError],
) -> dict[tuple[str, int], list[ImageFile]]:
    """Read the headers; files that cannot be read, or say the same as another, are refused."""
    images, useless = read_headers(sorted(map(Path, paths)), camera=camera)
    images, of_others = _of_one_band(images)
    useless += of_others
    for error in useless:
        _LOG.warning("Left out: %s", error)
    refused += useless
    visits: dict[tuple[str, int], list[ImageFile]] = defaultdict(list)
    for image in images:
        observation = image.header.observation
        visits[observation.instrument, observation.visit].append(image)
    return visits


def _add_file(
    warper: VisitWarper, file: ImageFile, opened: dict[ObservationIdentifiers, CalibratedImage]
) -> None:
    """Add a file that reaches the warp; what is known of it beside its pixels is kept."""
    header = file.header
    if not warper.reaches(header.observation, header.bbox, header.sky_projection):
        return
    image = opened.get(header.observation)
    if image is None:
        image = file.reader.read(header.source).calibrated_image
    warper.add(image)
    if isinstance(image.masked_image, DeferredPixels):
        image.masked_image.forget()
        opened[header.observation] = image


def _settings(
    warp_settings: WarpSettings | None, coadd_settings: CoaddSettings | None
) -> tuple[WarpSettings, CoaddSettings, int]:
    """Return both with their defaults, and the number of noise realizations to add up."""
    warp_settings = warp_settings or PIPELINE_WARPING
    coadd_settings = coadd_settings or CoaddSettings()
    if coadd_settings.bad_mask_planes == CoaddSettings().bad_mask_planes:
        # Hits of cosmic rays are good pixels once they are interpolated, and not before.
        warp_settings, coadd_settings = _without_hits(warp_settings, coadd_settings)
    if not coadd_settings.do_calculate_weight_from_warp:
        # No cell reaches into the border, which files of warps have; the weight from a warp does.
        warp_settings = dataclasses.replace(warp_settings, border=0)
    wanted = coadd_settings.num_noise_realizations
    made = warp_settings.number_of_noise_realizations
    if wanted > made:
        raise ValueError(
            f"num_noise_realizations = {wanted} asks for more than the "
            f"number_of_noise_realizations = {made} that are warped."
        )
    return warp_settings, coadd_settings, wanted


def _without_hits(
    warp_settings: WarpSettings, coadd_settings: CoaddSettings
) -> tuple[WarpSettings, CoaddSettings]:
    """Leave out of the sums what hits of cosmic rays reach, if they are not interpolated."""
    if "CR" in warp_settings.masked_fraction_planes:
        return warp_settings, coadd_settings
    resampling = warp_settings.resampling
    grown = dict.fromkeys((*resampling.grow_full_mask, "CR"))  # the kernel's whole footprint
    return (
        dataclasses.replace(
            warp_settings, resampling=dataclasses.replace(resampling, grow_full_mask=tuple(grown))
        ),
        dataclasses.replace(
            coadd_settings, bad_mask_planes=(*coadd_settings.bad_mask_planes, "CR")
        ),
    )


def _of_one_band(
    images: Sequence[ImageFile],
) -> tuple[list[ImageFile], list[UnusableInputError]]:
    """Return the images of the band that most are of, and refusals of the others."""
    counts = Counter(image.header.observation.band for image in images)
    if len(counts) < 2:
        return list(images), []
    (band, most), (_, next_most) = counts.most_common(2)
    if most == next_most:
        first = {image.header.observation.band: image.path for image in reversed(images)}
        examples = ", ".join(f"{path} of {name}" for name, path in sorted(first.items()))
        raise ValueError(f"One coadd is of one band, the files are of several: {examples}.")
    refused = [
        UnusableInputError(
            str(image.path),
            f"it is of the band {image.header.observation.band}, most files are of {band}: make a "
            "coadd of each.",
        )
        for image in images
        if image.header.observation.band != band
    ]
    return [image for image in images if image.header.observation.band == band], refused


def _check_bands(observations: Iterable[ObservationIdentifiers]) -> None:
    first = {observation.band: observation for observation in observations}
    if len(first) > 1:
        examples = ", ".join(f"{first[band]} of {band}" for band in sorted(first))
        raise ValueError(f"One coadd is of one band, the images are of several: {examples}.")
