"""The median of a plane, by counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.kernels.median import median_of_positive


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 10**6), size=st.integers(1, 40), spread=st.sampled_from([1e-6, 1.0, 15.0])
)
def test_it_is_the_value_in_the_middle(seed: int, size: int, spread: float) -> None:
    """Of those that count, whatever their scale; of an even number both."""
    rng = np.random.default_rng(seed)
    values = np.exp(spread * rng.normal(size=(2, size))).astype(np.float32)
    values[0, rng.random(size) < 0.2] = rng.choice([np.nan, np.inf, -1.0, 0.0, -np.inf])
    image = np.where(rng.random((2, size)) < 0.1, np.nan, 1.0).astype(np.float32)
    mask = rng.choice([0, 1, 4], (2, size)).astype(np.int32)
    good = np.isfinite(values) & (values > 0) & np.isfinite(image) & (mask & 4 == 0)
    middle = median_of_positive(values.view(np.int32), image, mask, 4)
    if not good.any():
        assert middle == (0, 0)
        return
    low, high = np.array(middle, np.int32).view(np.float32)
    kept = np.sort(values[good])
    assert (low, high) == (kept[(kept.size - 1) // 2], kept[kept.size // 2])


@pytest.mark.parametrize("value", [1e-45, 1e-38, 3e38])
def test_the_smallest_and_the_largest_numbers_count(value: float) -> None:
    """Denormal ones, too, beside zeros, which do not."""
    values = np.full((1, 3), value, np.float32)
    values = np.append(np.zeros((1, 4), np.float32), values, axis=1)
    mask = np.zeros(values.shape, np.int32)
    found = median_of_positive(values.view(np.int32), values, mask, 0)
    assert set(np.array(found, np.int32).view(np.float32)) == {np.float32(value)}
