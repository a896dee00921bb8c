"""Names of the kernels that images can be resampled with: what commands and settings offer.

Nothing is loaded for them; the kernels themselves are in `warping_kernel`.
"""

from __future__ import annotations

__all__ = ["DEFAULT_KERNEL", "RECOMMENDED_KERNEL", "WARPING_KERNELS"]

WARPING_KERNELS = {
    "bilinear": "the 2 x 2 pixels around a position",
    "lanczos2": "Lanczos of half-width 2 pixels",
    "lanczos3": "Lanczos of half-width 3 pixels",
    "lanczos4": "Lanczos of half-width 4 pixels",
    "lanczos5": "Lanczos of half-width 5 pixels",
    "optimal6": "made for images of stars, of half-width 3 pixels",
    "optimal8": "made for images of stars, of half-width 4 pixels",
    "optimal10": "made for images of stars, of half-width 5 pixels",
}
"""Names of the kernels, those of the Rubin pipelines first, and what they are."""

DEFAULT_KERNEL = "lanczos3"
"""That of the Rubin pipelines."""

RECOMMENDED_KERNEL = "optimal6"
"""That of our own pipelines and commands: stars within 1e-3, at the cost of the default."""
