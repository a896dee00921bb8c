"""Laws of the resampler, and its slow twin."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cellcoadd.kernels.kernel_names import WARPING_KERNELS
from cellcoadd.kernels.positions import node_indices
from cellcoadd.kernels.resample import resample
from cellcoadd.kernels.warping_kernel import warping_kernel
from cellcoadd.testing.slow_twins import interpolate_positions, resample_plane

NO_DATA, EDGE, SAT = 256, 16, 2
NY, NX = 40, 50
_Planes = dict[str, npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Map:
    """Target to source positions: a rotation and scale, with a little distortion."""

    angle: float
    scale: float
    x_shift: float
    y_shift: float
    distortion: float = 0.0

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        u = self.scale * (math.cos(self.angle) * x - math.sin(self.angle) * y)
        v = self.scale * (math.sin(self.angle) * x + math.cos(self.angle) * y)
        return u + self.x_shift + self.distortion * x * y, v + self.y_shift - self.distortion * x**2


maps = st.builds(
    Map,
    angle=st.floats(-3.2, 3.2),
    scale=st.floats(0.5, 1.5),
    x_shift=st.floats(10.0, 40.0),
    y_shift=st.floats(10.0, 30.0),
    distortion=st.floats(-1e-4, 1e-4),
)


def run(
    to_source: Map,
    *,
    values: Any = (),
    variances: Any = (),
    mask: npt.NDArray[np.int32] | None = None,
    fractions: Any = (),
    x_start: int = -20,
    y_start: int = -15,
    width: int = 33,
    height: int = 27,
    spacing: int = 10,
    kernel: str = "lanczos3",
) -> _Planes:
    """Resample planes of NY x NX pixels onto a region of the target."""
    planes = [np.array(group, np.float32).reshape(-1, NY, NX) for group in (values, variances)]
    flags = np.array(fractions, np.uint16).reshape(-1, NY, NX)
    bad = np.zeros((NY, NX), np.uint16)
    for number, plane in enumerate(flags):
        bad |= plane << np.uint16(number)
    nodes = to_source(
        *np.meshgrid(
            node_indices(x_start, x_start + width, spacing).astype(float),
            node_indices(y_start, y_start + height, spacing).astype(float),
        )
    )
    shape = (height, width)
    weights = warping_kernel(kernel)
    out: _Planes = {
        "values": np.empty((len(planes[0]), *shape), np.float32),
        "variances": np.empty((len(planes[1]), *shape), np.float32),
        "mask": np.empty(shape, np.int32),
        "fractions": np.empty((len(flags), *shape), np.float32),
        "coverage": np.empty(shape, np.bool_),
    }
    resample(
        planes[0], planes[1], np.zeros((NY, NX), np.int32) if mask is None else mask, bad, 0, NY,
        nodes[0], nodes[1], x_start, y_start, spacing, weights.table, weights.half_width, EDGE,
        NO_DATA, *out.values(),
    )  # fmt: skip
    return out


any_kernel = st.sampled_from(list(WARPING_KERNELS))


def random_planes(seed: int, n: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(50.0, 20.0, (n, NY, NX)).astype(np.float32)


@given(to_source=maps, level=st.floats(1e-6, 1e6), sign=st.sampled_from([1, -1]), kernel=any_kernel)
@settings(deadline=None, max_examples=50)
def test_constant_image_is_the_constant_times_the_area(
    to_source: Map, level: float, sign: int, kernel: str
) -> None:
    """Normalised weights keep a flat sky flat in surface brightness; fractions are no fluxes."""
    level *= sign
    flat = np.full((NY, NX), level)
    out = run(to_source, values=[flat], fractions=[np.ones((NY, NX))], kernel=kernel)
    _, _, area = _positions(to_source)
    inside = out["coverage"]
    np.testing.assert_allclose(out["values"][0][inside], level * area[inside], rtol=1e-6)
    assert np.all(out["fractions"][0][inside] == 1.0)
    assert np.all(np.isnan(out["values"][0][~inside]))


@given(to_source=maps, a=st.floats(-3, 3), b=st.floats(-3, 3))
@settings(deadline=None, max_examples=25)
def test_resampling_is_linear(to_source: Map, a: float, b: float) -> None:
    """The weights do not depend on the pixels."""
    one, two = random_planes(1, 2)
    out = run(to_source, values=[one, two, np.float32(a) * one + np.float32(b) * two])["values"]
    expected = np.float32(a) * out[0] + np.float32(b) * out[1]
    np.testing.assert_allclose(out[2], expected, rtol=0, atol=2e-6 * 6 * 150)


@given(x=st.integers(4, 15), y=st.integers(4, 12), kernel=any_kernel)
@settings(deadline=None, max_examples=16)
def test_shift_by_whole_pixels_copies(x: int, y: int, kernel: str) -> None:
    """At whole positions the kernel is exactly 1 and 0: values, masks and bad pixels are copied."""
    image, variance = random_planes(3, 2)
    image[20, 20] = np.nan
    mask = np.where(random_planes(4, 1)[0] > 80, SAT | EDGE, 0).astype(np.int32)
    to_source = Map(angle=0.0, scale=1.0, x_shift=float(x), y_shift=float(y))
    out = run(
        to_source, values=[image], variances=[variance], mask=mask, fractions=[mask > 0],
        x_start=0, y_start=0, width=30, height=23, kernel=kernel,
    )  # fmt: skip
    here = np.s_[y : y + 23, x : x + 30]
    bad = np.isnan(image[here])
    assert out["coverage"].all()
    np.testing.assert_array_equal(out["values"][0], image[here])
    np.testing.assert_array_equal(out["variances"][0], np.where(bad, np.inf, variance[here]))
    np.testing.assert_array_equal(out["mask"], np.where(bad, NO_DATA, mask[here]))
    np.testing.assert_array_equal(out["fractions"][0], mask[here] > 0)


@pytest.mark.parametrize("kernel", list(WARPING_KERNELS))
@given(to_source=maps, spacing=st.sampled_from([1, 7, 10]))
@settings(deadline=None, max_examples=3)
def test_slow_twin_agrees(to_source: Map, spacing: int, kernel: str) -> None:
    """The exact kernel in double precision, at positions interpolated by numpy."""
    image, variance = random_planes(5, 2)
    variance = np.abs(variance)
    out = run(to_source, values=[image], variances=[variance], spacing=spacing, kernel=kernel)
    x, y, area = _positions(to_source, spacing)
    expected = resample_plane(image, x, y, area, kernel=kernel)
    np.testing.assert_array_equal(out["coverage"], ~np.isnan(expected))
    np.testing.assert_allclose(out["values"][0], expected, rtol=0, atol=2e-6 * 120)
    inside = out["coverage"]
    expected = resample_plane(variance, x, y, area, power=2, kernel=kernel)
    np.testing.assert_allclose(out["variances"][0][inside], expected[inside], rtol=2e-6)


@given(
    to_source=maps,
    dx=st.integers(0, 12),
    dy=st.integers(0, 12),
    wide=st.sampled_from([20, 150]),
    kernel=any_kernel,
)
@settings(deadline=None, max_examples=24)
def test_a_pixel_has_the_same_bits_in_every_region(
    to_source: Map, dx: int, dy: int, wide: int, kernel: str
) -> None:
    """Nodes are anchored to the tract, and nothing depends on where a region or block starts."""
    planes = random_planes(6, 2)
    planes[0, 18, 23] = np.nan
    mask = (random_planes(7, 1)[0] > 75).astype(np.int32) * SAT
    inputs: dict[str, Any] = {
        "values": planes[:1], "variances": planes[1:], "mask": mask, "fractions": [mask > 0],
        "kernel": kernel,
    }  # fmt: skip
    large = run(to_source, **inputs, x_start=-90, y_start=-15, width=150, height=40)
    small = run(to_source, **inputs, x_start=-90 + dx, y_start=-15 + dy, width=wide - dx, height=20)
    for name, plane in small.items():
        cut = large[name][..., dy : dy + 20, dx:wide]
        np.testing.assert_array_equal(plane, cut, err_msg=name)


@given(to_source=maps, order=st.permutations(range(4)))
@settings(deadline=None, max_examples=10)
def test_order_and_number_of_planes_do_not_matter(to_source: Map, order: list[int]) -> None:
    """Each plane is summed on its own."""
    planes = random_planes(8, 4)
    together = run(to_source, values=planes)["values"]
    shuffled = run(to_source, values=planes[order])["values"]
    alone = run(to_source, values=planes[:1])["values"]
    np.testing.assert_array_equal(together[order], shuffled)
    np.testing.assert_array_equal(together[:1], alone)


@given(
    to_source=maps,
    bit=st.sampled_from([SAT, EDGE, NO_DATA]),
    seed=st.integers(0, 9),
    kernel=any_kernel,
)
@settings(deadline=None, max_examples=24)
def test_mask_bits_spread_over_their_kernel(
    to_source: Map, bit: int, seed: int, kernel: str
) -> None:
    """A bit lands where its pixel is among the 2 x 2, EDGE where it is under the kernel."""
    mask = (np.random.default_rng(seed).random((NY, NX)) < 0.01).astype(np.int32) * bit
    out = run(to_source, values=random_planes(9, 1), mask=mask, kernel=kernel)
    x, y, _ = _positions(to_source)
    for at in (x, y):  # whole positions have a rule and a test of their own
        assume(np.abs(at - np.round(at)).min() > 1e-9)
    half = warping_kernel(kernel).half_width
    low, high = (1 - half, half) if bit == EDGE else (0, 1)
    for row, column in np.argwhere(out["coverage"]):
        i, j = int(x[row, column]), int(y[row, column])
        expected = np.any(mask[j + low : j + high + 1, i + low : i + high + 1])
        assert out["mask"][row, column] == (bit if expected else 0)
        assert np.isnan(out["values"][0, row, column]) == bool(expected and bit == NO_DATA)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("plane", ["values", "variances"])
def test_pixels_that_are_not_finite_become_no_data(bad: float, plane: str) -> None:
    """Every pixel whose 6 x 6 touch it is flagged in all planes; no other pixel changes."""
    to_source = Map(angle=0.0, scale=1.0, x_shift=2.5, y_shift=3.5)
    inputs: dict[str, Any] = {"values": random_planes(10, 1), "variances": random_planes(11, 1)}
    region: dict[str, Any] = {"x_start": 0, "y_start": 0, "width": 40, "height": 30}
    clean = run(to_source, **inputs, **region)
    inputs[plane][0, 20, 22] = bad
    spoilt = run(to_source, **inputs, **region)
    # Taps -2..3 around floor(x): target columns 22 - 2 - 3 .. 22 - 2 + 2, rows likewise.
    hole = np.zeros((30, 40), np.bool_)
    hole[14:20, 17:23] = True
    assert np.all(spoilt["mask"][hole] == NO_DATA)
    assert np.all(np.isnan(spoilt["values"][0][hole]))
    assert np.all(spoilt["variances"][0][hole] == np.inf)
    assert spoilt["coverage"][hole].all()
    for name in ("values", "variances", "mask"):
        np.testing.assert_array_equal(clean[name][..., ~hole], spoilt[name][..., ~hole])


@pytest.mark.parametrize("kernel", list(WARPING_KERNELS))
def test_footprint_is_the_kernel_inside_the_detector(kernel: str) -> None:
    """Covered for a - 1 <= floor(x) <= nx - a - 1; of the fractions, 0 <= floor(x) <= nx - 2."""
    to_source = Map(angle=0.0, scale=0.5, x_shift=-2.0, y_shift=10.0)
    out = run(
        to_source, values=random_planes(12, 1), fractions=np.zeros((1, NY, NX)),
        x_start=0, y_start=0, width=115, height=1, kernel=kernel,
    )  # fmt: skip
    x, a = 0.5 * np.arange(115) - 2.0, warping_kernel(kernel).half_width
    np.testing.assert_array_equal(out["coverage"][0], (x >= a - 1) & (np.floor(x) <= NX - a - 1))
    inside = (x >= 0) & (np.floor(x) <= NX - 2)
    np.testing.assert_array_equal(np.isfinite(out["fractions"][0, 0]), inside)


def test_unknown_positions_are_outside() -> None:
    """A node without a position (beyond a projection's reach) gives no data around it, no more."""
    x, y = np.meshgrid([4.0, 14.0, 24.0], [4.0, 14.0, 24.0])
    x[0, 0] = np.nan
    y[2, 2] = np.inf
    out: list[Any] = [
        np.empty((1, 20, 20), np.float32), np.empty((0, 20, 20), np.float32),
        np.empty((20, 20), np.int32), np.empty((1, 20, 20), np.float32),
        np.empty((20, 20), np.bool_),
    ]  # fmt: skip
    none = np.empty((0, NY, NX), np.float32)
    resample(
        random_planes(13, 1), none, np.zeros((NY, NX), np.int32), np.zeros((NY, NX), np.uint16),
        0, NY, x, y, 0, 0, 10, warping_kernel().table, 3, EDGE, NO_DATA, *out,
    )  # fmt: skip
    expected = np.ones((20, 20), np.bool_)
    expected[:10, :10] = expected[10:, 10:] = False
    np.testing.assert_array_equal(out[4], expected)
    np.testing.assert_array_equal(out[2], np.where(expected, 0, NO_DATA))
    np.testing.assert_array_equal(np.isfinite(out[3][0]), expected)


def _positions(to_source: Map, spacing: int = 10) -> tuple[Any, Any, Any]:
    """Positions and areas of the default region, by the slow twin."""
    nodes = to_source(
        *np.meshgrid(
            node_indices(-20, 13, spacing).astype(float),
            node_indices(-15, 12, spacing).astype(float),
        )
    )
    return interpolate_positions(
        *nodes, x_start=-20, y_start=-15, width=33, height=27, spacing=spacing
    )
