"""What kernels do to waves, and how the fidelity of cells bounds the errors of their stars."""

from __future__ import annotations

__all__ = ["draw_kernels"]

import re
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellcoadd.conventions import FWHM_PER_SIGMA
from cellcoadd.kernels.kernel_names import RECOMMENDED_KERNEL
from cellcoadd.kernels.warping_kernel import warping_kernel
from cellcoadd.report.style import new_figure

from .style import BLUE, GREEN, ORANGE, RED

_PHYSICS = Path(__file__).parents[2] / "physics.md"
_ROW = re.compile(
    r"^\| (?P<case>.+?) \| flux \(relative\) \|.*\| rms (?P<rms>[-+.\de]+), "
    r"fidelity [-+.\de]+, its root (?P<root>[-+.\de]+)",
    re.MULTILINE,
)
_COLOURS = {"lanczos3": RED, "lanczos5": ORANGE, "optimal6": BLUE, "optimal8": GREEN}


def draw_kernels() -> Figure:
    """Draw the transfer half-way between pixels, and errors of stars against fidelities."""
    figure = new_figure(width=9.0, height=3.6)
    transfer, errors = figure.subplots(1, 2)
    frequency = np.linspace(0.0, 0.5, 101)
    for name, colour in _COLOURS.items():
        kernel = warping_kernel(name)
        taps = np.arange(1 - kernel.half_width, kernel.half_width + 1) - 0.5
        waves = np.cos(2.0 * np.pi * frequency[:, np.newaxis] * taps)
        transfer.plot(frequency, waves @ np.array(kernel.weights(0.5)), color=colour, label=name)
    star = np.exp(-2.0 * (np.pi * 3.0 / FWHM_PER_SIGMA * frequency) ** 2)
    transfer.fill_between(frequency, star, color="0.8", label="star of FWHM 3 px")
    transfer.set_xlabel("frequency (cycles per source pixel)")
    transfer.set_title("What remains of a wave between pixels")
    transfer.set_ylim(-0.05, 1.1)
    transfer.legend(fontsize=8, loc="lower left")
    _draw_errors(errors)
    return figure


def _draw_errors(axes: Axes) -> None:
    """Each survey of stars in the table of the page about physics is a point."""
    found = [
        (_kernel_of(row["case"]), float(row["root"]), float(row["rms"]))
        for row in _ROW.finditer(_PHYSICS.read_text(encoding="utf-8"))
    ]
    for name, colour in _COLOURS.items():
        points = np.array([(root, rms) for kernel, root, rms in found if kernel == name])
        axes.loglog(*points.reshape(-1, 2).T, ".", color=colour, label=name)
    line = np.array([2e-5, 2e-2])
    axes.loglog(line, line, color="0.4", linewidth=1.0)
    axes.fill_between(line, line, line[::-1].max(), color="0.9")
    axes.set_xlabel("root of the mean fidelity of the cells")
    axes.set_ylabel("rms error of fluxes of stars")
    axes.set_title("Surveys of physics.md")
    axes.legend(fontsize=8, loc="upper left")


def _kernel_of(case: str) -> str:
    last = case.rpartition(", ")[2]
    return last if last in _COLOURS else RECOMMENDED_KERNEL
