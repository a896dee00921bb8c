"""Noise realizations of a detector, each from its own stated seed.

The seed of a realization is made from the identity of the observation, the number of the
realization and the user's offset, so that it depends neither on the order of the work nor on what
else is run. Each block of pixels begins at a place of its own in the sequence of numbers.
"""

from __future__ import annotations

__all__ = ["draw_noise", "noise_seed"]

import hashlib

import numpy as np
import numpy.typing as npt

from ..products.identifiers import ObservationIdentifiers
from .detector_rows import NOISE_BLOCK, DetectorRows

_NUMBERS_APART = 2**64  # of blocks: many more than the numbers that one takes


def noise_seed(
    observation: ObservationIdentifiers, *, realization: int, seed_offset: int
) -> np.random.PCG64:
    """Return where the numbers of one noise realization of one detector begin."""
    key = f"{observation.instrument}/{observation.visit}/{observation.detector}"
    identity = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    # A negative offset is a legal setting but not a legal word of a seed.
    offset = [abs(seed_offset), int(seed_offset < 0)]
    return np.random.PCG64(np.random.SeedSequence([identity, realization, *offset]))


def draw_noise(
    variance: npt.NDArray[np.float32],
    *,
    observation: ObservationIdentifiers,
    realization: int,
    seed_offset: int,
    rows: DetectorRows,
    out: npt.NDArray[np.float32],
) -> None:
    """Draw Gaussian noise of a given variance, with mean 0.

    Parameters
    ----------
    variance : float32 (rows, columns)
        Variance of each pixel; where it is not positive and finite the noise is 0. The numbers of
        the others do not depend on that.
    observation, realization, seed_offset
        What the seed is made of.
    rows
        Which rows of the detector these are, and which blocks of them are wanted, with their
        margins.
    out : float32 (rows, columns)
        Written there, NaN elsewhere.
    """
    out.fill(np.nan)
    bits = noise_seed(observation, realization=realization, seed_offset=seed_offset)
    generator, first = np.random.Generator(bits), bits.state
    for number, corner, place in rows.noise_blocks():
        bits.state = first
        bits.advance(number * _NUMBERS_APART)
        noise = generator.standard_normal(NOISE_BLOCK, dtype=np.float32)
        y, x = (
            slice(part.start - start, part.stop - start)
            for part, start in zip(place, corner, strict=True)
        )
        usable = np.isfinite(variance[place]) & (variance[place] > 0)
        sigma = np.sqrt(np.where(usable, variance[place], np.float32(0.0)))
        np.multiply(noise[y, x], sigma, out=out[place])
