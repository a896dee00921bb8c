"""Speed of the kernels on one core: ``python benchmarks/bench_kernels.py [--small]``.

Prints millions of output pixels a second of processor time, the best of a few runs on compiled
code. The resampler's cases are a 2048 x 4096 detector under several angles: rotation costs, because
a block of target pixels then needs more source pixels.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np

from cellcoadd.kernels.accumulate import (
    InputPlanes,
    StackRules,
    add_input,
    empty_sums,
    finish_sums,
)
from cellcoadd.kernels.fill import fill_no_data
from cellcoadd.kernels.holes import fill_holes
from cellcoadd.kernels.kernel_names import DEFAULT_KERNEL, WARPING_KERNELS
from cellcoadd.kernels.moments import adaptive_moments
from cellcoadd.kernels.noise_covariance import resampled_noise_covariance
from cellcoadd.kernels.positions import node_indices
from cellcoadd.kernels.resample import resample
from cellcoadd.kernels.warping_kernel import warping_kernel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a smoke run, of no meaning")
    small = parser.parse_args().small
    size, detector = (100, (150, 140)) if small else (2000, (4096, 2048))
    for angle in (0.0, 1.0, 30.0, 45.0, 90.0):
        bench_resample(f"image, variance, mask, 1 fraction; {angle:g} deg", angle, size, detector)
    for planes, fractions in ((1, 4), (4, 4)):
        bench_resample(
            f"{planes} image(s), variance, mask, {fractions} fractions; 30 deg",
            30.0, size, detector, planes, fractions,
        )  # fmt: skip
    for kernel in WARPING_KERNELS:
        name = f"image, variance, mask, 1 fraction; 30 deg, {kernel}"
        bench_resample(name, 30.0, size, detector, kernel=kernel)
    bench_cell(50 if small else 250)
    bench_holes((40, 60) if small else (320, 576))
    bench_moments()
    bench_noise_covariance(22 if small else 484)


def bench_resample(
    name: str,
    angle: float,
    size: int,
    detector: tuple[int, int],
    n_values: int = 1,
    n_fractions: int = 1,
    kernel: str = DEFAULT_KERNEL,
) -> None:
    rng = np.random.default_rng(1)
    ny, nx = detector
    values = rng.normal(size=(n_values, ny, nx)).astype(np.float32)
    variances = np.ones((1, ny, nx), np.float32)
    mask = np.where(rng.random((ny, nx)) < 0.01, 32, 0).astype(np.int32)
    bad = np.where(mask != 0, 2**n_fractions - 1, 0).astype(np.uint16)
    nodes = node_indices(0, size, 10).astype(float) - size / 2
    u, v = np.meshgrid(0.98 * nodes, 0.98 * nodes)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = nx / 2 + cosine * u - sine * v, ny / 2 + sine * u + cosine * v
    shape = (size, size)
    out_values = np.empty((n_values, *shape), np.float32)
    out_variances = np.empty((1, *shape), np.float32)
    out_fractions = np.empty((n_fractions, *shape), np.float32)
    out_mask, coverage = np.empty(shape, np.int32), np.empty(shape, np.bool_)
    weights = warping_kernel(kernel)
    report(
        f"resample: {name}",
        size * size,
        lambda: resample(
            values, variances, mask, bad, 0, ny, x, y, 0, 0, 10, weights.table,
            weights.half_width, 16, 256, out_values, out_variances, out_mask, out_fractions,
            coverage,
        ),
    )  # fmt: skip


def bench_cell(size: int) -> None:
    rng = np.random.default_rng(2)
    shape = (size, size)
    image = rng.normal(size=shape).astype(np.float32)
    variance = np.ones(shape, np.float32)
    mask = np.where(rng.random(shape) < 0.01, 256, 0).astype(np.int32)
    planes = np.zeros((4, *shape), np.float32)
    none = np.empty(0, np.int32)
    rules = StackRules(
        kept_bits=-1,
        bad_bits=1 | 2 | 256 | 512,
        no_data_bit=256,
        inexact_psf_bit=512,
        weighed=np.array([2], np.int32),
        thresholds=np.array([0.1]),
        left_out_from=none,
        left_out_to=none,
        fraction_bits=np.array([-1, 1, 2, 8], np.int32),
    )
    visit = InputPlanes(
        image=image, variance=variance, mask=mask, owner=np.zeros(shape, np.uint8),
        noise=planes[:1], fractions=planes,
    )  # fmt: skip
    sums = empty_sums(
        height=size, width=size, n_noise=1, n_fractions=4, n_weighed=1, error_from_scatter=False
    )
    out = [np.empty(shape, np.float32) for _ in range(2)]
    out_mask = np.empty(shape, np.int32)
    report(
        "add_input: image, variance, mask, 1 noise, 4 fractions",
        size * size,
        lambda: add_input(sums, visit, rules, 0, 0, 0, 0.1),
    )
    report(
        "finish_sums",
        size * size,
        lambda: finish_sums(sums, rules, out[0], out[1], out_mask, planes[:1], planes),
    )
    report(
        "fill_no_data: image and 1 noise, 1 % missing",
        size * size,
        lambda: fill_no_data(planes[:2], mask != 0),
    )


def bench_holes(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    planes = rng.normal(size=(2, *shape)).astype(np.float32)
    bad = rng.random(shape) < 1e-4
    bad[:, 20:24] = bad[:, 40:44] = True
    bad |= np.roll(bad, 1, axis=0) | np.roll(bad, 1, axis=1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    bad |= (x - shape[1] // 2) ** 2 + (y - shape[0] // 2) ** 2 < (shape[0] // 8) ** 2
    outside = np.zeros(shape, np.bool_)
    report(
        f"fill_holes: image and 1 noise, {100 * bad.mean():.0f} % bad",
        bad.size,
        lambda: fill_holes(planes, 0, 0, bad, 4, 0, shape[0], 0, shape[1], outside),
    )


def bench_moments() -> None:
    y, x = np.mgrid[-17:18, -17:18]
    stamp = np.exp(-0.5 * (x**2 + y**2) / 4.0)
    report("adaptive_moments: 35 x 35 stamp", stamp.size, lambda: adaptive_moments(stamp))


def bench_noise_covariance(cells: int) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0.0, 2000.0, (2, cells))
    turned = 0.98 * np.array([[0.8, -0.6], [0.6, 0.8]])
    jacobians = np.broadcast_to(turned, (cells, 2, 2))
    report(
        f"resampled_noise_covariance: {cells} cells of 150 x 150",
        cells * 150 * 150,
        lambda: resampled_noise_covariance(
            x, y, jacobians, height=150, width=150, kernel=warping_kernel(), radius=8
        ),
    )


def report(name: str, n_pixels: int, work: Callable[[], object]) -> None:
    work()
    best = math.inf
    for _ in range(5):
        start = time.thread_time()
        repeats = 0
        while repeats == 0 or time.thread_time() - start < 0.05:
            work()
            repeats += 1
        best = min(best, (time.thread_time() - start) / repeats)
    print(f"{n_pixels / best / 1e6:8.1f} Mpix/s  {name}")


if __name__ == "__main__":
    main()
