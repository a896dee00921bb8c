"""What differs between two arrays, bit by bit: NaN is like NaN, 0 is not like -0."""

from __future__ import annotations

__all__ = ["difference_of_arrays", "difference_of_bits"]

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def difference_of_arrays(
    one: npt.NDArray[Any], other: npt.NDArray[Any], *, variance: npt.NDArray[Any] | None = None
) -> str | None:
    """Say what differs between two arrays; None: nothing.

    Parameters
    ----------
    one, other
        Of any type without columns.
    variance
        Of the values of ``one``, of their shape: then a difference is said in units of the noise.
    """
    if one.shape != other.shape:
        return f"the shapes are {one.shape} and {other.shape}"
    if one.dtype.newbyteorder("=") != other.dtype.newbyteorder("="):
        return f"the types are {one.dtype.name} and {other.dtype.name}"
    differs = _differs(one, other)
    count = int(np.count_nonzero(differs))
    if count == 0:
        return None
    first = ", ".join(map(str, np.argwhere(differs)[0])) if one.ndim else ""
    words = [f"{count:,} of {one.size:,} values differ, the first at [{first}]"]
    if one.dtype.kind in "iufb":
        words += _sizes(
            one[differs], other[differs], None if variance is None else variance[differs]
        )
    return "; ".join(words)


def _differs(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if one.dtype.kind not in "fc":
        unlike: npt.NDArray[np.bool_] = one != other
        return unlike
    unlike = (one != other) | (np.signbit(one.real) != np.signbit(other.real))
    return unlike & ~(np.isnan(one) & np.isnan(other))


def _sizes(
    one: npt.NDArray[Any], other: npt.NDArray[Any], variance: npt.NDArray[Any] | None
) -> list[str]:
    """Say how large differences are, of pairs of values that differ."""
    pairs = np.stack([one, other]).astype(np.float64)
    finite = np.isfinite(pairs).all(axis=0)
    words = []
    if finite.any():
        sizes = np.abs(pairs[0] - pairs[1])[finite]
        words.append(f"by {sizes.max():.3g} at most")
        if variance is not None:
            noise = np.sqrt(np.where(variance[finite] > 0, variance[finite], np.nan))
            if np.isfinite(noise).any():
                words.append(f"{np.nanmax(sizes / noise):.3g} of the noise at most")
    if not finite.all():
        words.append(f"{np.count_nonzero(~finite):,} are not finite in one of the two")
    return words


def difference_of_bits(
    one: npt.NDArray[Any],
    other: npt.NDArray[Any],
    *,
    bits: Mapping[str, int],
    other_bits: Mapping[str, int],
) -> str | None:
    """Say which planes of two masks differ, and in how many pixels; None: nothing.

    Parameters
    ----------
    one, other
        An integer a pixel.
    bits, other_bits
        The bit of each plane, in the first and in the second.
    """
    if one.shape != other.shape:
        return f"the shapes are {one.shape} and {other.shape}"
    counts = []
    for plane in (*bits, *(name for name in other_bits if name not in bits)):
        is_set = (one & bits.get(plane, 0)) != 0
        is_set_there = (other & other_bits.get(plane, 0)) != 0
        gained = int(np.count_nonzero(is_set_there & ~is_set))
        lost = int(np.count_nonzero(is_set & ~is_set_there))
        if gained or lost:
            counts.append(
                f"{plane} (in {lost:,} pixels of the first alone, {gained:,} of the second)"
            )
    words = [f"planes {', '.join(counts)}"] if counts else []
    unnamed = one & ~sum(bits.values()) != other & ~sum(other_bits.values())
    if unnamed.any():
        words.append(f"bits of no plane (in {np.count_nonzero(unnamed):,} pixels)")
    return "; ".join(words) or None
