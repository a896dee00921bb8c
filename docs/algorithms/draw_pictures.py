"""Draw the pictures of the pages about algorithms, with the package's own functions.

    python docs/algorithms/draw_pictures.py [FOLDER]

writes them beside the pages, or into a folder. What they show is computed, on simulated exposures
whose truth is known, and is the same at every run.
"""

from __future__ import annotations

__all__ = ["PICTURES", "draw_pictures"]

import io
import sys
from collections.abc import Callable
from pathlib import Path

import PIL.Image
from matplotlib.figure import Figure
from pictures.artifacts import draw_artifacts
from pictures.cell_selection import draw_cell_selection
from pictures.depth_and_variance import draw_depth_and_variance
from pictures.interpolation import draw_interpolation
from pictures.kernels import draw_kernels
from pictures.noise import draw_noise
from pictures.psf import draw_psf
from pictures.resampling import draw_resampling
from pictures.stacking import draw_stacking

PICTURES: dict[str, Callable[[], Figure]] = {
    "resampling.png": draw_resampling,
    "kernels.png": draw_kernels,
    "interpolation.png": draw_interpolation,
    "artifacts.png": draw_artifacts,
    "cell-selection.png": draw_cell_selection,
    "stacking.png": draw_stacking,
    "psf.png": draw_psf,
    "noise.png": draw_noise,
    "depth-and-variance.png": draw_depth_and_variance,
}
"""What draws each picture, by the name of its file."""

_DPI = 110  # as wide as a page
_COLOURS = 200  # enough for the eye, and a file a third as large


def draw_pictures(folder: Path) -> list[Path]:
    """Write every picture into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(draw(), folder / name) for name, draw in PICTURES.items()]


def _write(figure: Figure, path: Path) -> Path:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    with PIL.Image.open(drawn) as picture:
        small = picture.convert("RGB").quantize(_COLOURS, dither=PIL.Image.Dither.NONE)
    small.save(path, optimize=True)
    return path


if __name__ == "__main__":
    for written in draw_pictures(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent):
        print(written)
