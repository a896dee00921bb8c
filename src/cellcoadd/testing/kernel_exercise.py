"""A small piece of work for every kernel, to be done in different modes and compared.

``python -m cellcoadd.testing.kernel_exercise OUT.npz`` does it in the mode that the environment
asks for: compiled, compiled with bounds checks (``NUMBA_BOUNDSCHECK=1``), or as plain Python
(``NUMBA_DISABLE_JIT=1``). Checked indices or an interpreter find what compiled code reads in
silence beyond the end of an array.
"""

from __future__ import annotations

__all__ = ["exercise", "planted_mistakes"]

import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.accumulate import (
    CellSums,
    InputPlanes,
    StackRules,
    add_input,
    empty_sums,
    finish_sums,
)
from ..kernels.cell_pixels import count_owners, count_pixels, find_rejected, mean_of_pixels
from ..kernels.correlated_variance import multiply_variances, variance_ratios
from ..kernels.differences import HISTOGRAM_BINS, measure_differences
from ..kernels.fill import fill_no_data
from ..kernels.holes import fill_holes
from ..kernels.median import median_of_positive
from ..kernels.merge import merge_planes
from ..kernels.moments import adaptive_moments, effective_area, second_moments
from ..kernels.pixel_flags import find_holes, flag_pixels, mark_holes
from ..kernels.positions import mark_blocks, node_indices
from ..kernels.resample import _sum_taps, resample
from ..kernels.static_sky import clipped_sky, median_sky
from ..kernels.warping_kernel import warping_kernel


def exercise() -> dict[str, npt.NDArray[Any]]:
    """Run all kernels on small inputs with every special case; return what they give."""
    return {
        **_exercise_resample(),
        **_exercise_merge(),
        **_exercise_cell(),
        **_exercise_counts(),
        **_exercise_moments(),
        **_exercise_detector(),
        **_exercise_comparison(),
    }


def planted_mistakes() -> list[str]:
    """Commit two mistakes of indexing; return the names of those that were noticed."""
    noticed = []
    try:
        _exercise_resample(nodes_missing=1)
    except IndexError:
        noticed.append("a node grid that is too small")
    flat, out = np.zeros(64, np.float32), np.zeros(1, np.float32)
    try:
        _sum_taps(flat, np.array([50]), 8, 3, flat, flat, np.ones(1), 1, out)
    except IndexError:
        noticed.append("taps beyond the end of a plane")
    return noticed


def _exercise_resample(nodes_missing: int = 0) -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(20240827)
    ny, nx, height, width, x_start, y_start = 24, 30, 31, 37, -13, 118
    values = rng.normal(100.0, 10.0, (2, ny, nx)).astype(np.float32)
    variances = rng.uniform(1.0, 2.0, (1, ny, nx)).astype(np.float32)
    mask = np.where(rng.random((ny, nx)) < 0.03, 1 << rng.integers(0, 9, (ny, nx)), 0)
    values[0, 12, 9], variances[0, 5, 20] = np.nan, np.inf
    bad = (rng.random((ny, nx)) < 0.1).astype(np.uint16)
    columns = node_indices(x_start, x_start + width, 10)
    rows = node_indices(y_start, y_start + height, 10)
    if nodes_missing:
        columns, rows = columns[:-nodes_missing], rows[:-nodes_missing]
    u, v = np.meshgrid(columns - x_start, rows - y_start)
    result: dict[str, npt.NDArray[Any]] = {}
    for name, angle, kernel in (
        ("turned", 0.4, "lanczos3"),
        ("whole", 0.0, "lanczos3"),
        ("wide", 0.4, "lanczos5"),
        ("narrow", 0.4, "bilinear"),
    ):
        chosen = warping_kernel(kernel)
        scale = 0.8 if angle else 1.0
        x = scale * (math.cos(angle) * u - math.sin(angle) * v) + (5.3 if angle else -2.0)
        y = scale * (math.sin(angle) * u + math.cos(angle) * v) + (-2.9 if angle else -4.0)
        outputs: dict[str, Any] = {
            "values": np.empty((2, height, width), np.float32),
            "variances": np.empty((1, height, width), np.float32),
            "mask": np.empty((height, width), np.int32),
            "fractions": np.empty((1, height, width), np.float32),
            "coverage": np.empty((height, width), np.bool_),
        }
        resample(
            values, variances, mask.astype(np.int32), bad, 0, mask.shape[0], x, y, x_start,
            y_start, 10, chosen.table, chosen.half_width, 16, 256, *outputs.values(),
        )  # fmt: skip
        result |= {f"{name}_{key}": plane for key, plane in outputs.items()}
        correlated = outputs["variances"].copy()
        ratios = variance_ratios(_CORRELATION, chosen)
        multiply_variances(x, y, x_start, y_start, 10, ratios, correlated)
        result[f"correlated_{name}"] = correlated
    return result


_CORRELATION = np.array([[0.1, 0.3, 0.2], [0.4, 1.0, 0.4], [0.2, 0.3, 0.1]])

_RULES = StackRules(
    kept_bits=-1,
    bad_bits=1 | 2 | 256,
    no_data_bit=256,
    inexact_psf_bit=1 << 14,
    weighed=np.array([2], np.int32),
    thresholds=np.array([0.1]),
    left_out_from=np.array([3], np.int32),
    left_out_to=np.array([4096], np.int32),
    fraction_bits=np.array([-1, 1], np.int32),
)


def _sums_of_a_cell(shape: tuple[int, int], *, error_from_scatter: bool) -> CellSums:
    rng = np.random.default_rng(61)
    sums = empty_sums(
        height=shape[0],
        width=shape[1],
        n_noise=1,
        n_fractions=2,
        n_weighed=_RULES.weighed.size,
        error_from_scatter=error_from_scatter,
    )
    for weight in (0.5, 2.0, 1.25):
        image = rng.normal(10.0, 1.0, shape).astype(np.float32)
        image[rng.random(shape) < 0.05] = np.nan
        mask = np.where(rng.random(shape) < 0.6, rng.choice([1, 2, 8, 256], shape), 0)
        mask[2, 3:14] = mask[4, :9] = mask[5, 24:] = mask[6] = 256
        planes = InputPlanes(
            image=image,
            variance=rng.uniform(0.5, 1.5, shape).astype(np.float32),
            mask=mask.astype(np.int32),
            owner=np.where(rng.random(shape) < 0.95, 3, 255).astype(np.uint8),
            noise=rng.normal(0.0, 1.0, (1, *shape)).astype(np.float32),
            fractions=rng.random((2, *shape)).astype(np.float32),
        )
        # The last one begins and ends inside of the region.
        for y, x in ((0, 0), (-1, 2)) if weight == 1.25 else ((0, 0),):
            add_input(sums, planes, _RULES, y, x, 3, weight)
    return sums


def _exercise_cell() -> dict[str, npt.NDArray[Any]]:
    shape = (9, 30)
    image, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
    noise, fractions = np.empty((1, *shape), np.float32), np.zeros((2, *shape), np.float32)
    out_mask = np.empty(shape, np.int32)
    result: dict[str, npt.NDArray[Any]] = {}
    for scatter in (False, True):
        sums = _sums_of_a_cell(shape, error_from_scatter=scatter)
        finish_sums(sums, _RULES, image, variance, out_mask, noise, fractions)
        result[f"cell_variance_{scatter}"] = variance.copy()
    result |= {"cell_mask": out_mask, "cell_noise": noise, "cell_fractions": fractions}
    filled = np.stack([image, noise[0]])
    fill_no_data(filled, (out_mask & 256) != 0)
    return result | {"cell_image": image, "filled": filled}


def _exercise_counts() -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(62)
    shape = (20, 25)
    owner = rng.choice([0, 1, 255], shape).astype(np.uint8)
    plane = rng.random(shape).astype(np.float32)
    plane[3, 4:9] = np.nan
    rejected = np.empty(shape, np.bool_)
    find_rejected(plane, plane, rng.choice([0, 2], shape).astype(np.int32), 2, rejected)
    # Boxes at the corners reach beyond the planes.
    y, x = np.array([-3, 5, 15]), np.array([-2, 8, 20])
    numbers = np.array([0, 1, 0])
    counts = np.empty((3, 2), np.int64)
    n_own, n_good, means = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3)
    count_owners(owner, y, x, 9, 10, counts)
    count_pixels(owner, rejected, numbers, y, x, 9, 10, n_own, n_good)
    mean_of_pixels(owner, plane, numbers, y, x, 9, 10, means)
    return {"owners": counts, "own": n_own, "good": n_good, "means": means}


def _exercise_comparison() -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(64)
    shape = (12, 14)
    images = rng.normal(size=(6, *shape)).astype(np.float32)
    images[rng.random(images.shape) < 0.1] = np.nan
    images[:, 3, 4], images[2, 5, 5], images[3, 6, 6] = np.nan, 1e6, -1e6
    variances = rng.uniform(0.5, 2.0, images.shape).astype(np.float32)
    sky, variance, median = (np.empty(shape, np.float32) for _ in range(3))
    counts = np.empty(shape, np.uint16)
    median_sky(images, median, counts)
    clipped_sky(images, variances, rng.uniform(1.0, 2.0, 6), 2.5, 3, sky, variance, counts)
    histogram = np.zeros(HISTOGRAM_BINS, np.int64)
    pixels, ratios = np.zeros(sky.size, np.int64), np.zeros(sky.size, np.float32)
    for image, own in zip(images, variances, strict=True):
        measure_differences(image, own, sky, variance, 5.0, 2.0, histogram, pixels, ratios)
    return {
        "static_sky": sky, "static_variance": variance, "static_counts": counts,
        "static_median": median, "static_pixels": pixels, "static_ratios": ratios,
        "static_histogram": histogram,
    }  # fmt: skip


def _exercise_merge() -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(63)
    shape = (12, 15)
    out: dict[str, Any] = {
        "merged_values": np.full((2, *shape), np.nan, np.float32),
        "merged_variances": np.full((1, *shape), np.inf, np.float32),
        "merged_mask": np.full(shape, 256, np.int32),
        "merged_fractions": np.full((1, *shape), np.nan, np.float32),
        "merged_owner": np.full(shape, 255, np.uint8),
    }
    for number in (0, 1):
        mask = rng.choice([0, 1, 4, 256], shape).astype(np.int32)
        merge_planes(
            rng.random((2, *shape)).astype(np.float32), rng.random((1, *shape)).astype(np.float32),
            mask, np.where(mask == 1, np.nan, 0.5).astype(np.float32)[np.newaxis],
            rng.random(shape) < 0.5, 256, 1 | 256, np.array([4], np.int32),
            np.array([8], np.int32), number, 255, *out.values(),
        )  # fmt: skip
    return out


def _exercise_moments() -> dict[str, npt.NDArray[Any]]:
    y, x = np.mgrid[-7:8, -8:9].astype(float)
    wide = np.exp(-0.5 * (x**2 / 3.0 + y**2 / 2.0 + x * y / 5.0))
    narrow = np.exp(-0.5 * (x**2 / 0.3 + y**2 / 0.4))
    numbers = [
        number
        for stamp in (wide, narrow)
        for number in (effective_area(stamp), *second_moments(stamp), *adaptive_moments(stamp))
    ]
    return {"moments": np.array(numbers, dtype=float)}


def _exercise_detector() -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(64)
    shape = (7, 600)
    planes = rng.normal(size=(2, *shape)).astype(np.float32)
    bad = rng.random(shape) < 0.02
    bad[:, 50:590] = bad[2:4, :9] = True
    mask, bits = np.where(bad, 2, 0).astype(np.int32), np.array([1, 2], np.int32)
    planes[1, 3, 40] = np.nan
    variance = rng.uniform(1.0, 4.0, shape).astype(np.float32)
    invalid, flags = np.empty(shape, np.bool_), np.empty(shape, np.uint16)
    flag_pixels(planes[1], variance, mask, bits, True, invalid, flags)
    mask[5, :20], holes, marked = 256, np.empty(shape, np.bool_), np.empty_like(mask)
    find_holes(mask, invalid, flags, 256, holes)
    mark_holes(mask, holes, invalid, flags, rng.random(shape) < 0.3, 256, 16, 32, marked)
    middle = median_of_positive(variance.view(np.int32), planes[1], mask, 2)
    planes[1, 3, 40] = 0.0
    filled, outside = planes.copy(), np.zeros(shape, np.bool_)
    fill_holes(filled, 0, 0, bad, 4, 0, 7, 0, 600, outside)
    u, v = np.meshgrid(np.arange(-20.0, 130.0, 10.0), np.arange(-20.0, 90.0, 10.0))
    u[3, 4] = np.nan
    blocks = np.zeros((6, 5), np.bool_)
    mark_blocks(u - v, u + v, 3, 16, 20, blocks)
    return {
        "detector_invalid": invalid,
        "detector_flags": flags,
        "detector_median": np.array(middle),
        "detector_holes": holes,
        "detector_marked": marked,
        "detector_filled": filled,
        "detector_outside": outside,
        "detector_blocks": blocks,
    }


if __name__ == "__main__":
    results: dict[str, Any] = {**exercise(), "noticed": np.array(planted_mistakes(), dtype=np.str_)}
    np.savez(sys.argv[1], **results)
