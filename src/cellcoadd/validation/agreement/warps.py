"""Our warp of a reference case beside that of the Rubin pipelines, plane by plane."""

from __future__ import annotations

__all__ = ["Footprint", "compare_warp", "find_footprint", "without_odd_pixels"]

import dataclasses
from collections.abc import Sequence
from unittest import mock

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, MaskedImage

from ...cell_grid import shared_box
from ...masks.planes import ALL_PLANES, bits_of, mask_schema, plane_array
from ...products.calibrated_image import CalibratedImage
from ...products.identifiers import ObservationIdentifiers
from ...products.warp import NO_OWNER
from ...testing.slow_twins import interpolate_positions
from ...warping import prepare
from ...warping.detector_rows import DetectorRows
from ...warping.direct import DirectWarp, make_direct_warp
from .comparison import Comparison, Tally, worst_near
from .reference_cases import WarpCase
from .warp_psfs import compare_warp_psf, transform_of

ROUNDING = 2e-6
"""Of the local scale: sums over 36 pixels in single precision."""

FRACTION = 1e-6
"""Of 1: sums over 4 pixels."""

POSITION = 1e-6
"""Pixels: lsst.images hands reference points on with ten decimals of a degree, 2e-7 arcsec."""

_SCHEMA = mask_schema()
_NO_DATA = bits_of(_SCHEMA, ["NO_DATA"])
_INTRP = bits_of(_SCHEMA, ["INTRP"])

type _Where = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Footprint:
    """What the pixels of a patch see of a detector.

    Parameters
    ----------
    area : float64 (rows, columns)
        Ratio of the pixel areas.
    inside
        Where the 6 x 6 pixels of the kernel are all on the detector.
    odd
        Where one of them has no finite image with a positive, finite variance.
    odd_fraction
        Where one of the 2 x 2 pixels of a masked fraction is such a pixel.
    """

    area: npt.NDArray[np.float64]
    inside: _Where
    odd: _Where
    odd_fraction: _Where


def find_footprint(case: WarpCase, image: CalibratedImage) -> Footprint:
    """Return what a patch sees of a detector, from numpy alone."""
    box = case.patch.outer_bbox
    spacing = case.settings.resampling.interp_length
    nodes = transform_of(case, image).nodes(box, spacing=spacing)
    x, y, area = interpolate_positions(
        nodes.x - image.bbox.x.start, nodes.y - image.bbox.y.start, x_start=box.x.start,
        y_start=box.y.start, width=box.x.size, height=box.y.size, spacing=spacing,
    )  # fmt: skip
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    odd = _odd_pixels(image)
    inside = _reaches(column, row, odd.shape, below=2, above=3)
    return Footprint(
        area=area,
        inside=inside,
        odd=_any_near(odd, column, row, below=2, above=3) & inside,
        odd_fraction=_any_near(odd, column, row, below=0, above=1),
    )


def without_odd_pixels(image: CalibratedImage) -> CalibratedImage:
    """Return an image whose pixels are all finite, with positive and finite variances.

    The values do not matter: they are not compared, nor used by their interpolation.
    """
    masked_image, odd = image.masked_image, _odd_pixels(image)
    pixels, variance = masked_image.image.array.copy(), masked_image.variance.array.copy()
    pixels[odd], variance[odd] = 0.0, np.median(variance[~odd])
    return dataclasses.replace(
        image,
        masked_image=MaskedImage(
            Image(pixels, bbox=masked_image.bbox),
            mask=masked_image.mask,
            variance=Image(variance, bbox=masked_image.bbox),
            sky_projection=image.sky_projection,
        ),
    )


def compare_warp(case: WarpCase) -> Comparison:
    """Warp a reference case and compare every plane, the counts and the PSF with theirs.

    Where a kernel meets an odd pixel (not finite, or a variance that is not positive) the two
    differ on purpose, so that these pixels are left out. Interpolation uses good pixels around all
    defects at once, and odd pixels are defects to us: to compare it, they are mended first.
    """
    mended = [without_odd_pixels(image) for image in case.images]
    images = mended if case.settings.do_pre_warp_interpolation else list(case.images)
    result = _warp(case, images)
    footprints = [find_footprint(case, image) for image in case.images]
    odd = np.logical_or.reduce([one.odd for one in footprints])
    tally = Tally(case.name, rounding=ROUNDING)
    _compare_masks(tally, case, result, odd=odd)
    _compare_planes(tally, case, result, footprints, odd=odd)
    _compare_noise(tally, case, result, images, odd=odd)
    _compare_interpolation(tally, case, mended)
    _compare_positions(tally, case)
    _count_departures(tally, case, footprints, odd=odd)
    pixels, psf = tally.result(), compare_warp_psf(case)
    return Comparison(
        agreements=pixels.agreements + psf.agreements,
        departures=pixels.departures + psf.departures,
    )


def _compare_masks(tally: Tally, case: WarpCase, result: DirectWarp, *, odd: _Where) -> None:
    masked_image = result.warp[case.patch.outer_bbox]
    ours, theirs = plane_array(masked_image.mask), case.expected["mask"]
    no_data = (ours & _NO_DATA) != 0
    holes = (theirs & _NO_DATA) != 0
    if not case.settings.do_pre_warp_interpolation:
        holes = holes | odd
    tally.same("NO_DATA", no_data, holes)
    tally.same("NO_DATA where not finite", ~np.isfinite(masked_image.image.array), no_data)
    good = ~(holes | no_data)
    tally.same("mask, without INTRP", ours & ~_INTRP, theirs & ~_INTRP, good)
    flags = bits_of(_SCHEMA, case.settings.masked_fraction_planes)
    tally.same("INTRP over bad planes", (ours & _INTRP) != 0, (theirs & flags) != 0, good)
    owner = _on_patch(case, result.warp.owner, result.warp.bbox, empty=NO_OWNER)
    numbers = range(len(case.images))
    counts = [np.count_nonzero((owner == number) & (~no_data | odd)) for number in numbers]
    detectors = [image.observation.detector for image in case.images]
    counted = dict(zip(detectors, map(int, counts), strict=True))
    listed = {row["ccd"]: row["goodpix"] for row in case.description["output"]["coadd_inputs_ccds"]}
    both = sorted(counted | listed)
    columns = [np.array([found.get(number, -1) for number in both]) for found in (counted, listed)]
    tally.same("number of good pixels", *columns)
    tally.differ("detectors of a warp in another order: matched by number",
                 list(listed) != detectors)  # fmt: skip


def _compare_planes(
    tally: Tally,
    case: WarpCase,
    result: DirectWarp,
    footprints: Sequence[Footprint],
    *,
    odd: _Where,
) -> None:
    masked_image, theirs = result.warp[case.patch.outer_bbox], case.expected
    good = ((theirs["mask"] & _NO_DATA) == 0) & ~odd
    tally.near("image", masked_image.image.array, theirs["image"], good)
    tally.near("variance", masked_image.variance.array, theirs["variance"], good)
    fraction = result.warp.mask_fractions[ALL_PLANES]
    ours = _on_patch(case, fraction.array, fraction.bbox, empty=np.nan)
    odd_fraction = np.logical_or.reduce([one.odd_fraction for one in footprints])
    # Detectors do not overlap here: each pixel's area is that of the detector which covers it.
    area = footprints[0].area
    for footprint in footprints[1:]:
        area = np.where(footprint.inside, footprint.area, area)
    # Fractions are small or zero in most places: differences are compared with 1.
    scaled = 1.0 + theirs["masked_fraction"] / area
    worst, count = worst_near(1.0 + ours, scaled, ~odd_fraction)
    tally.agree("masked fraction, areas removed", worst, FRACTION, count)


def _compare_noise(
    tally: Tally,
    case: WarpCase,
    result: DirectWarp,
    images: Sequence[CalibratedImage],
    *,
    odd: _Where,
) -> None:
    good = ((case.expected["mask"] & _NO_DATA) == 0) & ~odd
    for number, noise in enumerate(result.noise):
        ours = _on_patch(case, noise.image.array, noise.bbox, empty=np.nan)
        tally.near("noise", ours, case.expected[f"noise{number}_image"], good)
        name = f"noise{number}_variance"
        if name in case.expected and len(images) == 1:
            # They take the median over masked pixels too.
            ratio = case.noise_variance[0] / _noise_variance(case, images[0])
            ours = _on_patch(case, noise.variance.array, noise.bbox, empty=np.inf) * ratio
            tally.near("noise variance, of one median", ours, case.expected[name], good)
            tally.differ(
                "noise variance: the median is taken without masked pixels (ratio - 1)",
                1, largest=abs(1.0 / ratio - 1.0),
            )  # fmt: skip


def _compare_interpolation(tally: Tally, case: WarpCase, mended: Sequence[CalibratedImage]) -> None:
    if not case.interpolated:
        return
    x, y = case.interpolated["x"], case.interpolated["y"]
    ours = _interpolated(case, mended[0])
    theirs, chosen = ours.copy(), np.zeros(ours.shape, np.bool_)
    theirs[y, x], chosen[y, x] = case.interpolated["value"], True
    tally.near("interpolated pixels", ours, theirs, chosen)
    image = case.images[0]
    sigma = float(np.sqrt(np.nanmedian(image.masked_image.variance.array)))
    difference = np.abs(_interpolated(case, image) - theirs)[y, x] / sigma
    tally.differ(
        "interpolated pixels: odd pixels elsewhere are defects too, which changes how the squares "
        "of good pixels are cut into triangles (sigma of the sky)",
        np.count_nonzero(difference), count=x.size, largest=float(difference.max()),
    )  # fmt: skip
    difference = np.abs(_interpolated(case, mended[0], "holes") - theirs)[y, x] / sigma
    tally.differ(
        "interpolated pixels, by default: triangulated hole by hole (sigma of the sky)",
        np.count_nonzero(difference), count=x.size, largest=float(difference.max()),
    )  # fmt: skip


def _compare_positions(tally: Tally, case: WarpCase) -> None:
    entries = case.description["exact_source_positions"]
    for image in case.images:
        points = entries[f"v{image.observation.visit}_d{image.observation.detector}"]
        target = np.array([point["dest"] for point in points], np.float64)
        theirs = np.array([point["src_exact"] for point in points])
        at = transform_of(case, image).to_detector(x=target[:, 0], y=target[:, 1])
        distance = np.hypot(at.x - theirs[:, 0], at.y - theirs[:, 1])
        tally.agree("positions (px)", float(distance.max()), POSITION, distance.size)


def _count_departures(
    tally: Tally, case: WarpCase, footprints: Sequence[Footprint], *, odd: _Where
) -> None:
    theirs = case.expected
    covered = (theirs["mask"] & _NO_DATA) == 0
    finite = np.isfinite(theirs["image"]) & np.isfinite(theirs["variance"])
    count = np.count_nonzero(covered)
    tally.differ(
        "odd pixels under the kernel: ours NO_DATA, or interpolated and flagged; theirs used",
        np.count_nonzero(odd & covered), count=count,
    )  # fmt: skip
    tally.differ("of these: theirs not finite, without a flag",
                 np.count_nonzero(covered & ~finite), count=count)  # fmt: skip
    tally.differ(
        "masked fraction: theirs times the ratio of the areas (ratio - 1)",
        np.count_nonzero(theirs["masked_fraction"] > 0), count=count,
        largest=max(float(np.abs(one.area[one.inside] - 1.0).max()) for one in footprints),
    )  # fmt: skip


def _warp(case: WarpCase, images: Sequence[CalibratedImage]) -> DirectWarp:
    """Warp with their noise, which is drawn already, instead of ours."""
    noise = dict(zip([image.observation for image in images], case.noise, strict=True))

    def draw(
        variance: npt.NDArray[np.float32] | float,  # noqa: ARG001
        *,
        observation: ObservationIdentifiers,
        realization: int,
        seed_offset: int,  # noqa: ARG001
        rows: DetectorRows,
        out: npt.NDArray[np.float32],
        correlation: npt.NDArray[np.float64] | None = None,  # noqa: ARG001
    ) -> None:
        out[:] = noise[observation][realization][rows.start : rows.stop]

    with mock.patch.object(prepare, "draw_noise", draw):
        result = make_direct_warp(images, case.patch, settings=case.settings)
    if result is None or result.refused:
        raise ValueError(f"{case.name} cannot be warped: {result}.")
    return result


def _interpolated(
    case: WarpCase, image: CalibratedImage, triangulation: str = "detector"
) -> npt.NDArray[np.float32]:
    """A detector after the interpolation, in counts."""
    interpolation = dataclasses.replace(case.settings.interpolation, triangulation=triangulation)
    settings = dataclasses.replace(case.settings, interpolation=interpolation)
    prepared = prepare.prepare_image(image, settings=settings)
    counts: npt.NDArray[np.float32] = prepared.values[0] / np.float32(image.nanojansky_per_count)
    return counts


def _noise_variance(case: WarpCase, image: CalibratedImage) -> float:
    """The variance, in counts, that we draw noise with."""
    prepared = prepare.prepare_image(image, settings=case.settings)
    return float(prepared.variances[1, 0, 0]) / image.nanojansky_per_count**2


def _odd_pixels(image: CalibratedImage) -> _Where:
    variance = image.masked_image.variance.array
    usable = np.isfinite(image.masked_image.image.array) & np.isfinite(variance)
    return ~(usable & (variance > 0))


def _reaches(
    column: npt.NDArray[np.int_],
    row: npt.NDArray[np.int_],
    shape: tuple[int, ...],
    *,
    below: int,
    above: int,
) -> _Where:
    """Where the pixels from ``below`` under a position to ``above`` over it are in an image."""
    result: _Where = (column >= below) & (column < shape[1] - above)
    return result & (row >= below) & (row < shape[0] - above)


def _any_near(
    flags: _Where,
    column: npt.NDArray[np.int_],
    row: npt.NDArray[np.int_],
    *,
    below: int,
    above: int,
) -> _Where:
    """Whether a flag is set in the pixels around each position."""
    padding = 8
    padded = np.pad(flags, padding)
    x = np.clip(column, -5, flags.shape[1] + 4) + padding
    y = np.clip(row, -5, flags.shape[0] + 4) + padding
    result = np.zeros(column.shape, np.bool_)
    for up in range(-below, above + 1):
        for right in range(-below, above + 1):
            result |= padded[np.clip(y + up, 0, None), x + right]
    return result


def _on_patch[T: np.generic](
    case: WarpCase, plane: npt.NDArray[T], bbox: Box, *, empty: float
) -> npt.NDArray[T]:
    """A plane of a warp on the whole of the patch."""
    box = case.patch.outer_bbox
    result = np.full(tuple(box.shape), empty, plane.dtype)
    shared = shared_box(box, bbox)
    assert shared is not None, "the warp lies on the patch"
    target, source = shared.slice_within(box), shared.slice_within(bbox)
    result[target.y, target.x] = plane[source.y, source.x]
    return result
