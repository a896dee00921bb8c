"""Noise realizations of a detector, each from its own stated seed.

The seed of a realization is made from the identity of the observation, the number of the
realization and the user's offset, so that it depends neither on the order of the work nor on what
else is run. Each block of rows begins at a place of its own in the sequence of numbers.
"""

from __future__ import annotations

__all__ = ["draw_noise", "noise_generator"]

import hashlib

import numpy as np
import numpy.typing as npt

from ..products.identifiers import ObservationIdentifiers
from .row_blocks import NOISE


def noise_generator(
    observation: ObservationIdentifiers, *, realization: int, seed_offset: int, block: int = 0
) -> np.random.Generator:
    """Return the generator of one noise realization in one block of rows of one detector."""
    key = f"{observation.instrument}/{observation.visit}/{observation.detector}"
    identity = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    # A negative offset is a legal setting but not a legal word of a seed.
    offset = [abs(seed_offset), int(seed_offset < 0)]
    bits = np.random.PCG64(np.random.SeedSequence([identity, realization, *offset]))
    return np.random.Generator(bits.jumped(block))


def draw_noise(
    variance: npt.NDArray[np.float32],
    *,
    observation: ObservationIdentifiers,
    realization: int,
    seed_offset: int,
    first_row: int,
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
    first_row
        Which row of the detector the rows begin with: the first one of a block (`row_blocks`).
    out : float32 (rows, columns)
        Written.
    """
    if first_row % NOISE.height:
        raise ValueError(f"Noise is drawn from rows 0, {NOISE.height}, ... on, not {first_row}.")
    for start in range(0, len(out), NOISE.height):
        generator = noise_generator(
            observation,
            realization=realization,
            seed_offset=seed_offset,
            block=(first_row + start) // NOISE.height,
        )
        rows = slice(start, start + NOISE.height)
        generator.standard_normal(dtype=np.float32, out=out[rows])
        usable = np.isfinite(variance[rows]) & (variance[rows] > 0)
        out[rows] *= np.sqrt(np.where(usable, variance[rows], np.float32(0.0)))
