"""What the comparison of visits finds, by brightness and length, and what it clips for nothing.

``python benchmarks/artifact_completeness.py`` prints the tables of
``docs/algorithms/artifacts.md``: ten visits of a made-up field with seeings from 2.5 to 5.5 pixels,
artifacts in one whose stars are 4 pixels wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from cellcoadd.comparison.artifacts import Artifacts
from cellcoadd.comparison.find import find_artifacts
from cellcoadd.comparison.settings import ComparisonSettings
from cellcoadd.products.warp import Warp
from cellcoadd.testing.static_fields import StaticField

SEEINGS = (4.0, 2.5, 2.9, 3.2, 3.6, 3.9, 4.4, 4.8, 5.2, 5.5)
PEAKS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)
LENGTHS = (0, 10, 20, 40, 200)
SETTINGS = {
    "compare, 7.7 px": ComparisonSettings(),
    "compare, 6.0 px": ComparisonSettings(model_psf_fwhm=6.0),
    "gradient": ComparisonSettings(method="gradient"),
}

type _Plane = npt.NDArray[np.float64]


def main() -> None:
    empty = StaticField(cells=2, cell_size=150, seed=11)
    others = [empty.visit(n + 2, fwhm) for n, fwhm in enumerate(SEEINGS[1:])]

    def compared(more: _Plane, settings: ComparisonSettings) -> npt.NDArray[np.bool_]:
        warps = [empty.visit(1, SEEINGS[0], more=more), *others]
        clipped: npt.NDArray[np.bool_] = (
            search(empty, warps, settings).mask_of("Cam", 1).array[:, :, 0].astype(np.bool_)
        )
        return clipped

    for name, settings in SETTINGS.items():
        print(f"\n{name}: clipped part of the pixels brighter than half the peak, by its sigmas\n")
        print_row("length", [f"{peak:g}" for peak in PEAKS])
        print_row("---", ["---"] * len(PEAKS))
        for length in LENGTHS:
            shares = [share(compared, settings, empty.shape, length, peak) for peak in PEAKS]
            print_row(str(length) if length else "point", [f"{100 * s:.0f} %" for s in shares])
        y, x = np.indices(empty.shape)
        disc = (np.hypot(y - 320.0, x - 320.0) < 100.0).astype(float)
        ghosts = {level: compared(level * disc, settings)[disc > 0].mean() for level in (0.5, 1, 2)}
        print("\nghosts of 200 px:", {k: f"{100 * v:.0f} %" for k, v in ghosts.items()})
    field = StaticField(cells=8, cell_size=150, seed=12).stars_at_random(3000, brightest=1e5)
    warps = [field.visit(n + 1, fwhm) for n, fwhm in enumerate(SEEINGS)]
    n_pixels = field.shape[0] * field.shape[1] * len(warps)
    print(f"\nclipped of {n_pixels / 1e6:.1f} million pixels of a static field of 3000 stars\n")
    for name, settings in SETTINGS.items():
        print(f"{name}: {sum(p.size for p in search(field, warps, settings).pixels.values())}")


def search(field: StaticField, warps: list[Warp], settings: ComparisonSettings) -> Artifacts:
    return find_artifacts(lambda _: warps, field.patch, n_visits=len(warps), settings=settings)


def share(
    compared: Callable[[_Plane, ComparisonSettings], npt.NDArray[np.bool_]],
    settings: ComparisonSettings,
    shape: tuple[int, int],
    length: int,
    peak: float,
) -> float:
    """Draw many trails of one length, far from one another; return what is clipped of them."""
    more = np.zeros(shape)
    sigma = SEEINGS[0] / 2.3548
    apart = max(60, length + 40)
    for number, (row, column) in enumerate(places(shape, apart=apart)):
        angle = 0.7 * number
        low = int(row) - apart // 2, int(column) - apart // 2
        here = slice(low[0], low[0] + apart), slice(low[1], low[1] + apart)
        y, x = np.mgrid[here]
        along = (x - column) * math.cos(angle) + (y - row) * math.sin(angle)
        across = (y - row) * math.cos(angle) - (x - column) * math.sin(angle)
        beyond = np.maximum(np.abs(along) - 0.5 * length, 0.0)
        more[here] += peak * np.exp(-0.5 * (beyond**2 + across**2) / sigma**2)
    return float(compared(more, settings)[more > 0.5 * peak].mean())


def places(shape: tuple[int, int], *, apart: int) -> Iterable[tuple[float, float]]:
    for row in range(apart // 2 + 10, shape[0] - apart // 2, apart):
        for column in range(apart // 2 + 10, shape[1] - apart // 2, apart):
            yield row + 0.3, column + 0.6


def print_row(first: str, cells: Iterable[str]) -> None:
    print(f"| {first} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
