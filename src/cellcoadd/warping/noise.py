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
from .noise_blocks import CorrelatedBlocks, go_to_block


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
    variance: npt.NDArray[np.float32] | float,
    *,
    observation: ObservationIdentifiers,
    realization: int,
    seed_offset: int,
    rows: DetectorRows,
    out: npt.NDArray[np.float32],
    correlation: npt.NDArray[np.float64] | None = None,
) -> None:
    """Draw Gaussian noise of a given variance, with mean 0.

    Parameters
    ----------
    variance : float32 (rows, columns), or a number
        Variance of each pixel or of all; where it is not positive and finite the noise is 0. The
        numbers of the others do not depend on that.
    observation, realization, seed_offset
        What the seed is made of.
    rows
        Which rows of the detector these are, and which blocks of them are wanted, with their
        margins.
    out : float32 (rows, columns)
        Written there, NaN elsewhere.
    correlation : float64 (n, n), optional
        Correlation of the noise of two pixels, as in `CalibratedImage.noise_correlation`. None:
        white noise.
    """
    bits = noise_seed(observation, realization=realization, seed_offset=seed_offset)
    generator, first = np.random.Generator(bits), bits.state
    correlated = (
        None
        if correlation is None
        else CorrelatedBlocks(bits, shape=rows.shape, correlation=correlation)
    )
    for number, corner, place, wanted in rows.noise_blocks():
        if not wanted:
            out[place] = np.nan
            continue
        if correlated is None:
            go_to_block(bits, first, number)
            noise = generator.standard_normal(NOISE_BLOCK, dtype=np.float32)
        else:
            noise = correlated.block(number)
        y, x = (
            slice(part.start - start, part.stop - start)
            for part, start in zip(place, corner, strict=True)
        )
        here = variance[place] if isinstance(variance, np.ndarray) else variance
        np.multiply(noise[y, x], _standard_deviation(here), out=out[place])


def _standard_deviation(
    variance: npt.NDArray[np.float32] | float,
) -> npt.NDArray[np.float32]:
    usable = np.isfinite(variance) & (variance > 0)
    return np.sqrt(np.where(usable, variance, 0.0), dtype=np.float32)
