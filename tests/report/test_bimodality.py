"""Two groups of numbers are told from one."""

from __future__ import annotations

import numpy as np
import pytest

from cellcoadd.report.bimodality import is_bimodal


@pytest.mark.parametrize("n", [20, 100, 1000])
def test_one_group_is_seldom_taken_for_two(n: int) -> None:
    """The note in the figure would else stand under every column: 2 of 60 at most."""
    rng = np.random.default_rng(n)
    found = sum(is_bimodal(rng.lognormal(6.0, 0.1, n)) for _ in range(60))
    assert found <= 2


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7])
def test_two_nights_of_different_noise_are_two_groups(part: float) -> None:
    """700 and 1100 nJy^2, each with 5 per cent of scatter, are nine of its widths apart."""
    rng = np.random.default_rng(1)
    dark = rng.uniform(size=300) < part
    values = np.where(dark, 700.0, 1100.0) * rng.lognormal(0.0, 0.05, 300)
    assert is_bimodal(values)
    assert is_bimodal(1e-6 * values)


def test_a_few_odd_cells_are_no_second_group() -> None:
    """A tenth of the cells at least make a group; here it is a hundredth."""
    rng = np.random.default_rng(1)
    values = rng.lognormal(0.0, 0.05, 300)
    values[:3] *= 3.0
    assert not is_bimodal(values)


@pytest.mark.parametrize(
    "values", [[], [1.0, 5.0], [2.0] * 50, [np.nan] * 50, [np.nan, 1.0] * 15 + [-1.0, np.inf, 0.0]]
)
def test_what_has_no_distribution_has_no_groups(values: list[float]) -> None:
    """Too few, all equal, or not known: a density cannot be estimated, and nothing fails."""
    assert not is_bimodal(values)
