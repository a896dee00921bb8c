"""find_artifacts: the stage that compares the warps of a patch and says what to leave out of each.

In come the warps, strip by strip; out come the pixels of every visit that only it, or one more, has
seen. Coaddition takes these as masks.
"""

from __future__ import annotations

__all__ = ["find_artifacts", "number_of_strips"]

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from scipy import ndimage

from ..cell_grid import shared_box
from ..conventions import FWHM_PER_SIGMA
from ..kernels.differences import measure_differences
from ..kernels.static_sky import clipped_sky, median_sky
from ..products.warp import Warp
from ..skymap import Patch
from .artifacts import Artifacts
from .candidates import Candidates
from .epochs import are_artifacts
from .footprints import Footprints, find_footprints
from .gradient import outliers_of_gradient, steepest_step
from .settings import ComparisonSettings
from .tiles import Strip, TileGrid, strips_of
from .visit_planes import VisitPlanes, matched_planes, plain_planes

_LOG = logging.getLogger(__name__)

_EMPTY_BELOW = 5.0  # sigma of a visit: pixels where its noise is measured
_MEDIAN_VARIANCE = np.pi / 2.0  # variance of a median over that of the mean

type _Visit = tuple[str, int]


def find_artifacts(
    warps_in: Callable[[Box], Iterable[Warp]],
    patch: Patch,
    *,
    n_visits: int,
    settings: ComparisonSettings,
) -> Artifacts:
    """Compare the warps of a patch.

    Parameters
    ----------
    warps_in
        Returns the warps of one band, sorted by instrument and visit, with at least their pixels in
        a box. It is called once a strip, and not at all if there are too few visits.
    patch
        The patch that they are on.
    n_visits
        How many there are at most.
    settings
        All choices.

    Notes
    -----
    The result depends neither on how the patch is cut into strips nor on where warps end beyond it.
    """
    tiles = TileGrid(grid=patch.grid)
    if n_visits < settings.least_visits:
        _LOG.info(
            "Patch %d: %d visits are too few to tell an artifact; %d would do.",
            patch.id, n_visits, settings.least_visits,
        )  # fmt: skip
        return Artifacts(bbox=tiles.bbox, pixels={}, counts={})
    search = _Search(tiles, settings)
    for strip in strips_of(tiles, n_visits=n_visits):
        search.compare(strip, warps_in(strip.needed))
    return search.decide()


def number_of_strips(patch: Patch, *, n_visits: int, settings: ComparisonSettings) -> int:
    """Return how often `find_artifacts` asks for the warps of a patch."""
    few = n_visits < settings.least_visits
    return 0 if few else len(strips_of(TileGrid(grid=patch.grid), n_visits=n_visits))


class _Search:
    """What is known of a patch while its strips are compared."""

    def __init__(self, tiles: TileGrid, settings: ComparisonSettings) -> None:
        self._tiles, self._settings = tiles, settings
        self._shape = tuple(tiles.bbox.shape)
        self._visits: dict[_Visit, Candidates] = {}
        self._bright: list[npt.NDArray[np.int64]] = []
        self._counts = np.zeros(self._shape, np.uint16)

    def compare(self, strip: Strip, warps: Iterable[Warp]) -> None:
        """Find what may be a detection in a strip."""
        compare = (
            self._compare_matched if self._settings.method == "compare" else self._compare_plain
        )
        compare(strip, warps)

    def decide(self) -> Artifacts:
        """Return what is an artifact, when all strips have been compared."""
        settings = self._settings
        matched = settings.method == "compare"
        sigma = settings.model_psf_fwhm / FWHM_PER_SIGMA
        shape = (self._shape[0], self._shape[1])
        protected = np.zeros(shape, np.bool_)
        protected.ravel()[np.concatenate([*self._bright, np.empty(0, np.int64)])] = True
        by = int(settings.source_grow_sigma * sigma + 0.5)
        protected = ndimage.maximum_filter(protected, 2 * by + 1)
        epochs = np.zeros(self._counts.size, np.uint16)
        footprints: dict[_Visit, Footprints] = {}
        for visit, candidates in self._visits.items():
            found = find_footprints(
                candidates.detections(),
                shape=shape,
                least=settings.min_pixels if matched else 1,
                grow=int(settings.grow_sigma * sigma + 0.5) if matched else 0,
            )
            good = found.means(candidates.evidence_at(found.pixels))
            footprints[visit] = found.those(good > settings.prefilter_ratio)
            epochs[footprints[visit].pixels] += 1
        self._warn_of_wide_psfs()
        artifacts = {
            visit: found.those(
                are_artifacts(
                    found,
                    epochs=epochs,
                    visits=self._counts.ravel(),
                    protected=protected.ravel(),
                    settings=settings,
                )
            )
            for visit, found in footprints.items()
        }
        return Artifacts(
            bbox=self._tiles.bbox,
            pixels={visit: found.pixels for visit, found in artifacts.items()},
            counts={visit: found.count for visit, found in artifacts.items()},
        )

    def _compare_matched(self, strip: Strip, warps: Iterable[Warp]) -> None:
        settings = self._settings
        planes = {
            _name_of(warp): matched_planes(
                warp, self._tiles, strip.tiles, bbox=strip.bbox, fwhm=settings.model_psf_fwhm,
                doubtful=settings.prefilter_planes,
            )
            for warp in warps
        }  # fmt: skip
        self._remember(strip, planes)
        for index in strip.tiles:
            place = self._tiles.box_of(index).slice_within(strip.bbox)
            here = {visit: one for visit, one in planes.items() if index in one.weights}
            if not here:
                continue
            shape = (place.y.stop - place.y.start, place.x.stop - place.x.start)
            sky, sky_variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
            counts = np.empty(shape, np.uint16)
            high = np.empty(counts.size, np.int64), np.empty(counts.size, np.float32)
            images = np.stack([one.image[place.y, place.x] for one in here.values()])
            variances = np.stack([one.variance[place.y, place.x] for one in here.values()])
            weights = np.array([one.weights[index] for one in here.values()])
            clipped_sky(
                images, variances, weights, settings.sky_clip, settings.sky_clip_iterations,
                sky, sky_variance, counts,
            )  # fmt: skip
            bright = sky > settings.source_threshold * np.sqrt(sky_variance)
            self._bright.append(self._flat(strip, place, *np.nonzero(bright)))
            self._count(strip, place, counts)
            for number, visit in enumerate(here):
                candidates = self._visits[visit]
                found = measure_differences(
                    images[number], variances[number], sky, sky_variance, _EMPTY_BELOW,
                    candidates.floor, candidates.histogram, *high,
                )  # fmt: skip
                y, x = np.divmod(high[0][:found], shape[1])
                candidates.keep(self._flat(strip, place, y, x), high[1][:found].copy())

    def _compare_plain(self, strip: Strip, warps: Iterable[Warp]) -> None:
        settings = self._settings
        around = shared_box(strip.bbox.dilated_by(2), self._tiles.bbox)
        assert around is not None, "a strip is a part of the patch"
        planes = {
            _name_of(warp): plain_planes(
                warp, bbox=around, within=self._tiles.bbox, doubtful=settings.prefilter_planes
            )
            for warp in warps
        }
        place = strip.bbox.slice_within(around)
        inside = (place.y, place.x)
        self._remember(strip, {visit: one.part(place.y, place.x) for visit, one in planes.items()})
        if not planes:
            return
        shape = tuple(around.shape)
        median, counts = np.empty(shape, np.float32), np.empty(shape, np.uint16)
        images = np.stack([one.image for one in planes.values()])
        median_sky(images, median, counts)
        step = steepest_step(median)
        total = np.zeros(shape)
        for one in planes.values():
            total += np.where(np.isfinite(one.image), one.variance, 0.0)
        noise = np.sqrt(_MEDIAN_VARIANCE * total) / np.maximum(counts, 1)
        whole = strip.bbox.slice_within(strip.bbox)
        bright = median > settings.source_threshold * noise
        self._bright.append(self._flat(strip, whole, *np.nonzero(bright[inside])))
        self._count(strip, whole, counts[inside])
        for visit, one in planes.items():
            found = outliers_of_gradient(
                one.image, one.variance, median, step, snr=settings.gradient_snr,
                scale=settings.gradient_scale,
            )[inside]  # fmt: skip
            pixels = self._flat(strip, whole, *np.nonzero(found))
            self._visits[visit].keep(pixels, np.full(pixels.size, np.inf, np.float32))

    def _remember(self, strip: Strip, planes: Mapping[_Visit, VisitPlanes]) -> None:
        """Note the visits, and which of their pixels are evidence."""
        start = (strip.bbox.y.start - self._tiles.bbox.y.start) * self._shape[1]
        for visit, one in planes.items():
            candidates = self._visits.setdefault(
                visit, Candidates(self._counts.size, self._settings.detection_threshold)
            )
            candidates.keep_evidence(start, one.evidence)
            candidates.too_wide += one.too_wide

    def _flat(
        self, strip: Strip, place: Any, y: npt.NDArray[np.int64], x: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return flat indices in the patch of pixels in a part of a strip."""
        first = strip.bbox.y.start - self._tiles.bbox.y.start
        flat: npt.NDArray[np.int64] = (y + (place.y.start + first)) * self._shape[1] + (
            x + place.x.start
        )
        return flat

    def _count(self, strip: Strip, place: Any, counts: npt.NDArray[np.uint16]) -> None:
        first = strip.bbox.y.start - self._tiles.bbox.y.start
        rows = slice(place.y.start + first, place.y.stop + first)
        self._counts[rows, place.x] = counts

    def _warn_of_wide_psfs(self) -> None:
        wide = {visit: one.too_wide for visit, one in self._visits.items() if one.too_wide}
        if wide:
            (instrument, visit), number = max(wide.items(), key=lambda item: item[1])
            _LOG.warning(
                "%d of %d visits have cells whose PSF is wider than the common one, which are not "
                "compared: up to %d cells, of %s visit %d. A larger model_psf_fwhm (it is %.1f px) "
                "would compare them.",
                len(wide), len(self._visits), number, instrument, visit,
                self._settings.model_psf_fwhm,
            )  # fmt: skip


def _name_of(warp: Warp) -> _Visit:
    return warp.instrument, warp.visit
