"""Noise realizations of a detector, each from its own stated seed.

The seed of a realization is made from the identity of the observation, the number of the
realization and the user's offset, so that it depends neither on the order of the work nor on what
else is run.
"""

from __future__ import annotations

__all__ = ["draw_noise", "median_variance", "noise_generator"]

import hashlib

import numpy as np
import numpy.typing as npt

from ..products.identifiers import ObservationIdentifiers


def noise_generator(
    observation: ObservationIdentifiers, *, realization: int, seed_offset: int
) -> np.random.Generator:
    """Return the generator of one noise realization of one detector."""
    key = f"{observation.instrument}/{observation.visit}/{observation.detector}"
    identity = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    # A negative offset is a legal setting but not a legal word of a seed.
    offset = [abs(seed_offset), int(seed_offset < 0)]
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence([identity, realization, *offset]))
    )


def median_variance(variance: npt.NDArray[np.float32], good: npt.NDArray[np.bool_]) -> float:
    """Return the median of the variance over good pixels, NaN if there is none."""
    values = variance[good]
    return float(np.median(values)) if values.size else float("nan")


def draw_noise(
    variance: npt.NDArray[np.float32], generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return Gaussian noise of a given variance, with mean 0.

    Parameters
    ----------
    variance
        Variance of each pixel; where it is not positive and finite the noise is 0.
    generator
        Source of the numbers; as many are drawn as there are pixels, whatever the variance.
    """
    noise = generator.standard_normal(variance.shape, dtype=np.float32)
    usable = np.isfinite(variance) & (variance > 0)
    noise *= np.sqrt(np.where(usable, variance, np.float32(0.0)))
    return noise
