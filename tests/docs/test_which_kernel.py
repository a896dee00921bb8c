"""The table of kernels: its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Box, Image

from cellcoadd.analysis.noise_factor import noise_factor
from cellcoadd.kernels.kernel_names import WARPING_KERNELS
from cellcoadd.kernels.noise_covariance import resampled_noise_covariance
from cellcoadd.kernels.warping_kernel import WarpingKernel, warping_kernel
from cellcoadd.warping.phase_errors import phase_error

PAGE = Path(__file__).parents[2] / "docs" / "algorithms" / "kernels.md"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<values>\d.*) \|$", re.MULTILINE)
ROWS = {
    row["name"]: [value.strip() for value in row["values"].split("|")]
    for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))
}
REACH = 14


def star(fwhm: float, size: int) -> npt.NDArray[np.float64]:
    offset = np.arange(size) - size // 2
    line = np.exp(-4.0 * np.log(2.0) * (offset / fwhm) ** 2)
    return np.asarray(np.outer(line, line) / line.sum() ** 2)


def covariance(kernel: WarpingKernel) -> Image:
    """Of white noise, turned by 30 degrees, over a cell."""
    cosine, sine = np.cos(np.radians(30.0)), np.sin(np.radians(30.0))
    [found] = resampled_noise_covariance(
        np.array([0.3]), np.array([0.4]), np.array([[[cosine, -sine], [sine, cosine]]]),
        height=150, width=150, kernel=kernel, radius=REACH,
    )  # fmt: skip
    return Image(found, bbox=Box.factory[-REACH : REACH + 1, -REACH : REACH + 1])


def test_every_kernel_has_a_row() -> None:
    assert list(ROWS) == list(WARPING_KERNELS)


@pytest.mark.parametrize("name", list(WARPING_KERNELS))
def test_the_numbers_of_a_kernel_are_those_of_the_code(name: str) -> None:
    """All but the cost, which is the benchmark's."""
    kernel = warping_kernel(name)
    taps, errors, variance, factor, ringing, lost, _ = ROWS[name]
    assert int(taps) == 2 * kernel.half_width
    found = [phase_error(star(fwhm, 41), kernel) ** 0.5 for fwhm in (3.0, 4.0)]
    assert [f"{value:.1e}" for value in found] == [
        f"{float(part):.1e}" for part in errors.split(" / ")
    ]
    noise = covariance(kernel)
    assert float(noise.array[REACH, REACH]) == pytest.approx(float(variance), abs=6e-4)
    psf = Image(star(3.5, 51), bbox=Box.factory[-25:26, -25:26])
    assert noise_factor(psf, noise) == pytest.approx(float(factor), abs=2e-3)
    assert float(variance) * float(factor) == pytest.approx(1.0, abs=0.07)
    # Beside a step, what has been summed up runs below 0 and above 1.
    sums = np.array([np.cumsum(kernel.weights(f / 64)) for f in range(65)])
    overshoot = max(-sums.min(), sums.max() - 1.0)
    assert overshoot == pytest.approx(float(ringing), abs=6e-4)
    assert int(lost) == kernel.half_width
