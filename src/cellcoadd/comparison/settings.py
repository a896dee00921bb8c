"""What a user can choose about the search for artifacts; the task's configuration is a view of it.

Defaults are those of the Rubin pipelines' task wherever the step is the same.
"""

from __future__ import annotations

__all__ = ["METHODS", "ComparisonSettings"]

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType

from ..masks.planes import STANDARD_PLANES, standard_name

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "compare": "visits convolved to one PSF, against their clipped mean",
        "gradient": "visits as they are, against their median and its gradient; quick, for visits "
        "of one seeing",
    }
)
"""How visits are compared, and what that means."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """Everything about the search for artifacts."""

    method: str = "compare"
    """How visits are compared; see `METHODS`."""
    model_psf_fwhm: float = 7.7
    """Full width at half maximum, in pixels of the patch, of the PSF that visits are convolved to.
    Visits with wider ones are not compared."""
    sky_clip: float = 2.5
    """Standard deviations beyond which a visit does not count in the static sky."""
    sky_clip_iterations: int = 3
    """How often that is looked at."""
    detection_threshold: float = 7.5
    """Least difference of a pixel, in standard deviations of its noise, of either sign."""
    min_pixels: int = 4
    """Least number of such pixels that touch."""
    grow_sigma: float = 0.4
    """By how many standard deviations of the PSF these are grown."""
    source_threshold: float = 300.0
    """Pixels of the static sky above so many of its standard deviations are protected ..."""
    source_grow_sigma: float = 2.4
    """... and those within so many standard deviations of the PSF of them."""
    max_num_epochs: float = 2.0
    """In how many of many visits an artifact may be seen at most ..."""
    max_fraction_epochs_high: float = 0.03
    """... with this part of their number added ..."""
    max_fraction_epochs_low: float = 0.4
    """... but at most in this part of their number."""
    spatial_threshold: float = 0.5
    """Part of a footprint that must not be seen more often, to be an artifact."""
    prefilter_planes: tuple[str, ...] = ("NO_DATA", "BAD", "SUSPECT")
    """Pixels with any of these are no evidence."""
    prefilter_ratio: float = 0.05
    """Footprints with at most this part of other pixels are no artifacts."""
    do_preserve_contained_by_source: bool = True
    """Keep what lies wholly within a protected source."""
    gradient_snr: tuple[float, float] = (5.0, 4.0)
    """Of the method ``gradient``: standard deviations of a pixel that are allowed, and those of
    the neighbours of a pixel that was found."""
    gradient_scale: tuple[float, float] = (1.2, 0.7)
    """What is allowed on top of that in units of the median's gradient, for both likewise."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {list(METHODS)}, got {self.method!r}.")
        for name in ("model_psf_fwhm", "sky_clip", "detection_threshold", "source_threshold"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {value}.")
        for name in ("grow_sigma", "source_grow_sigma", "max_num_epochs"):
            value = getattr(self, name)
            if not 0.0 <= value < math.inf:
                raise ValueError(f"{name} must not be negative, and finite, got {value}.")
        for name in (
            "max_fraction_epochs_high", "max_fraction_epochs_low", "spatial_threshold",
            "prefilter_ratio",
        ):  # fmt: skip
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must be in 0..1, got {value}.")
        for name in ("sky_clip_iterations", "min_pixels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("gradient_snr", "gradient_scale"):
            pair = getattr(self, name)
            if len(pair) != 2 or not all(0.0 <= value < math.inf for value in pair):
                raise ValueError(f"{name} must be two numbers that are not negative, got {pair}.")
        planes = tuple(standard_name(plane) for plane in self.prefilter_planes)
        unknown = sorted(set(planes) - set(STANDARD_PLANES))
        if unknown:
            raise ValueError(
                f"prefilter_planes names {unknown}, planes are {sorted(STANDARD_PLANES)}."
            )
        object.__setattr__(self, "prefilter_planes", planes)

    @property
    def least_visits(self) -> int:
        """With fewer visits than these nothing can be an artifact."""
        count = 1
        while int(self.max_epochs(count)) < 1:
            count += 1
            if count > 1000:
                raise ValueError("max_num_epochs and its kin let nothing be an artifact.")
        return count

    def max_epochs(self, n_visits: float) -> float:
        """Return in how many of so many visits an artifact may be seen; the whole part counts."""
        return min(
            self.max_fraction_epochs_low * n_visits,
            self.max_num_epochs + self.max_fraction_epochs_high * n_visits,
        )
