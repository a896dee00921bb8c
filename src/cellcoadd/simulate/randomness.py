"""Random numbers that depend on what they are for, never on the order in which they are drawn."""

from __future__ import annotations

__all__ = ["Purpose", "generator"]

import enum

import numpy as np


class Purpose(enum.IntEnum):
    """What random numbers are drawn for. The values are part of the seeds: never renumber them."""

    STARS = 1
    GALAXIES = 2
    BAD_COLUMNS = 3
    SKY_NOISE = 4
    COSMIC_RAYS = 5
    AMPLIFIERS = 6


def generator(
    seed: int, purpose: Purpose, *, visit: int = 0, detector: int = 0
) -> np.random.Generator:
    """Return a generator for one purpose, visit and detector of a survey.

    Parameters
    ----------
    seed
        The survey's seed, not negative.
    purpose
        What the numbers are for.
    visit, detector
        0 for what all visits or all detectors share.

    Notes
    -----
    The four numbers are hashed by `numpy.random.SeedSequence`, so that streams are independent of
    each other and each can be drawn again on its own.
    """
    key = (int(purpose), visit, detector)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
