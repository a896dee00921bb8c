"""Noise: what warps and coadds say of it, beside what their noise realizations and pixels show.

An empty sky is observed and coadded with noise realizations. Each cell gives a sample of every
quantity, so that their scatter is the error of the mean. Said are the variance plane (per pixel),
the covariance of two pixels by their offset (`kernels.noise_covariance`, closed form), and the
factor by which it makes the variance of fluxes larger (`analysis.noise_factor`).
"""

from __future__ import annotations

__all__ = ["measure"]

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import Box

from ...analysis.noise_factor import measured_noise_factor, noise_factor
from ...cell_grid import BorderedCellGrid, Index2D
from ...coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from ...coaddition.settings import CoaddSettings
from ...conventions import MAX_NOISE_REALIZATIONS
from ...products.calibrated_image import CalibratedImage
from ...products.cell_coadd import MultipleCellCoadd
from ...products.warp import Warp
from ...simulate import Camera, SurveyPlan, VisitPlan, survey_plan
from ...skymap import Patch
from ...warping.direct import DirectWarp, make_direct_warp
from ...warping.settings import WarpSettings
from .check import Check
from .sources import ARCSEC_PER_PIXEL, images_of, physics_patch

type _Floats = npt.NDArray[np.float64]

_VARIANCE = 0.01  # of itself
_FACTOR = 0.02
_REACH = 4  # pixels: the offsets whose covariances are compared, in x and in y
_SETTINGS = WarpSettings(number_of_noise_realizations=MAX_NOISE_REALIZATIONS)
_COADD = CoaddSettings(num_noise_realizations=MAX_NOISE_REALIZATIONS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Case:
    """An empty sky as one camera sees it: detector pixels against the tract's of 0.168"."""

    name: str
    ratio: float
    rotations: tuple[float, ...]
    seeing: float = 0.7
    distortion: float = 0.0

    def plan(self, *, width: int) -> SurveyPlan:
        """A field of a given width in tract pixels."""
        size = round(width / self.ratio)
        return survey_plan(
            "tests",
            sky=None,
            artifacts=None,
            camera=Camera(
                columns=1,
                rows=1,
                width=size,
                height=size,
                pixel_scale=ARCSEC_PER_PIXEL * self.ratio,
                distortion=self.distortion,
            ),
            visits=tuple(
                VisitPlan(
                    visit=number,
                    sequence=number,
                    rotation=rotation,
                    seeing=self.seeing + 0.05 * number,
                    sky_sigma=20.0 + 4.0 * number,
                    dither_east=1.3 * number,
                    dither_north=-0.9 * number,
                )
                for number, rotation in enumerate(self.rotations, start=1)
            ),
        )


_CASES = (
    _Case(name="1 visit, 0 deg", ratio=1.0, rotations=(0.0,)),
    _Case(name="1 visit, 33 deg", ratio=1.0, rotations=(33.0,)),
    _Case(name="1 visit, 45 deg, pixels 0.6 of the tract's", ratio=0.6, rotations=(45.0,)),
    _Case(
        name="1 visit, 20 deg, pixels 1.6 of the tract's",
        ratio=1.6,
        rotations=(20.0,),
        seeing=0.9,
    ),
    _Case(
        name="4 visits, 0-160 deg, TAN-SIP",
        ratio=1.0,
        rotations=(0.0, 30.0, 90.0, 160.0),
        distortion=1000.0,
    ),
)
_SHORT = (1, 4)


def measure(*, short: bool) -> list[Check]:
    """Return the checks of all cases, half a minute; or of two on smaller fields, in seconds."""
    patch = physics_patch()
    cases = [_CASES[number] for number in _SHORT] if short else list(_CASES)
    width = 1000 if short else 2000
    return list(itertools.chain.from_iterable(_measure(case, patch, width) for case in cases))


def _measure(case: _Case, patch: Patch, width: int) -> Iterable[Check]:
    warps = [_warp(image, patch) for image in images_of(case.plan(width=width))]
    coadd = assemble_cell_coadd(
        (VisitOnPatch(warp=made.warp, noise=made.noise) for made in warps), patch, settings=_COADD
    )
    if coadd is None:
        raise ValueError(f"{case.name}: no cell is covered.")
    if len(warps) == 1:
        yield from _checks_of_warp(case.name, warps[0], patch.grid)
    yield from _checks_of_coadd(case.name, coadd)


def _warp(image: CalibratedImage, patch: Patch) -> DirectWarp:
    made = make_direct_warp([image], patch, settings=_SETTINGS)
    if made is None:
        raise ValueError(f"{image.observation} does not land on {patch}.")
    return made


def _checks_of_warp(case: str, made: DirectWarp, grid: BorderedCellGrid) -> Iterable[Check]:
    """Warped noise in the cells that the detector covers wholly."""
    ratios: list[float] = []
    covariances: list[_Floats] = []
    for index, predicted in _covered_cells(made.warp, grid):
        box = grid.inner_bbox_of(index)
        cuts = [(noise.image[box].array, noise.variance[box].array) for noise in made.noise]
        ratios += [_mean_square_ratio(*cut) for cut in cuts]
        variance = float(np.mean([cut[1].mean(dtype=np.float64) for cut in cuts]))
        covariances += [_covariance(cut[0]) / variance - predicted for cut in cuts]
    yield _ratio_check(case, "warp: variance of the noise / variance plane - 1", ratios, _VARIANCE)
    yield _covariance_check(case, "warp: covariance of the noise - theory, of C(0)", covariances)


def _covered_cells(warp: Warp, grid: BorderedCellGrid) -> Iterable[tuple[Index2D, _Floats]]:
    """Cells of which one detector has every inner pixel, and the covariance there over C(0)."""
    inner = grid.inner_cell_shape
    for row in warp.cell_inputs:
        if row["stamp"] >= 0 and row["n_inner"] == inner.y * inner.x:
            index = Index2D(x=int(row["cell_x"]), y=int(row["cell_y"]))
            yield index, _central(warp.noise_covariances[row["stamp"]])


def _checks_of_coadd(case: str, coadd: MultipleCellCoadd) -> Iterable[Check]:
    """Noise realizations of the coadd, and its sky, which is nothing but noise."""
    drawn: list[float] = []
    sky: list[float] = []
    covariances: list[_Floats] = []
    factors: list[float] = []
    for cell in coadd.cells.values():
        inner = cell.inner
        predicted = cell.noise_covariance
        zero = predicted[Box.factory[0:1, 0:1]].array.item()
        variance = inner.variance.array
        drawn += [_mean_square_ratio(n.array, variance) for n in inner.noise_realizations]
        sky.append(_mean_square_ratio(inner.image.array, variance))
        covariances += [
            _covariance(noise.array) / zero - _central(predicted.array)
            for noise in inner.noise_realizations
        ]
        factors.append(measured_noise_factor(cell) / noise_factor(cell.psf_image, predicted))
    yield _ratio_check(case, "coadd: variance of the noise / variance plane - 1", drawn, _VARIANCE)
    yield _ratio_check(case, "coadd: variance of an empty sky / variance plane - 1", sky, _VARIANCE)
    yield _covariance_check(case, "coadd: covariance of the noise - theory, of C(0)", covariances)
    yield _ratio_check(case, "coadd: noise factor measured / from the kernel - 1", factors, _FACTOR)


def _mean_square_ratio(noise: npt.NDArray[np.float32], variance: npt.NDArray[np.float32]) -> float:
    return float((noise.astype(np.float64) ** 2 / variance).mean())


def _covariance(plane: npt.NDArray[np.float32]) -> _Floats:
    """Mean product of two pixels by their offset, up to `_REACH`; the mean is known to be 0."""
    pixels = plane.astype(np.float64)
    height, width = pixels.shape
    result = np.empty((2 * _REACH + 1, 2 * _REACH + 1))
    for dy, dx in itertools.product(range(-_REACH, _REACH + 1), repeat=2):
        here = pixels[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
        there = pixels[max(0, dy) : height - max(0, -dy), max(0, dx) : width - max(0, -dx)]
        result[dy + _REACH, dx + _REACH] = (here * there).mean()
    return result


def _central(covariance: npt.NDArray[np.floating]) -> _Floats:
    """The offsets that are compared, over the value at offset 0."""
    middle = covariance.shape[0] // 2
    window = slice(middle - _REACH, middle + _REACH + 1)
    return covariance[window, window].astype(np.float64) / float(covariance[middle, middle])


def _ratio_check(case: str, quantity: str, ratios: Sequence[float], wanted: float) -> Check:
    values = np.array(ratios)
    return Check(
        case=case,
        quantity=quantity,
        deviation=float(values.mean()) - 1.0,
        wanted=wanted,
        count=values.size,
        error=float(values.std(ddof=1)) / math.sqrt(values.size),
    )


def _covariance_check(case: str, quantity: str, differences: Sequence[_Floats]) -> Check:
    """The worst offset of the mean over all samples."""
    samples = np.array(differences)
    mean = samples.mean(axis=0)
    row, column = divmod(int(np.abs(mean).argmax()), mean.shape[1])
    scatter = samples[:, row, column].std(ddof=1)
    return Check(
        case=case,
        quantity=quantity,
        deviation=float(mean[row, column]),
        wanted=_VARIANCE,
        count=len(samples),
        error=float(scatter) / math.sqrt(len(samples)),
    )
