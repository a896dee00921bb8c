"""Weights of the resampling, what they do to waves, and how exact positions are."""

from __future__ import annotations

__all__ = ["draw_resampling"]

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from matplotlib.figure import Figure

from cellcoadd.conventions import FWHM_PER_SIGMA
from cellcoadd.kernels.positions import row_positions
from cellcoadd.kernels.warping_kernel import warping_kernel
from cellcoadd.report.style import new_figure
from cellcoadd.simulate import survey_plan
from cellcoadd.warping.positions import TractToDetector
from cellcoadd.warping.settings import ResamplingSettings

from .example import example_patch
from .style import BLUE, CIVIDIS, ORANGE, RED, extent_of, label_pixels


def draw_resampling() -> Figure:
    """Draw weights at three fractions of a pixel, their transfer, the error of positions."""
    figure = new_figure(width=10.5, height=3.4)
    weights, transfer, positions = figure.subplots(1, 3)
    kernel = warping_kernel("lanczos3")
    half = kernel.half_width
    t = np.linspace(-half, half, 241)
    weights.plot(t, np.sinc(t) * np.sinc(t / half), color="0.6", label="sinc(t) sinc(t/3)")
    taps = np.arange(1 - half, half + 1)
    frequency = np.linspace(0.0, 0.5, 101)
    for fraction, colour, marker in ((0.0, BLUE, "o"), (0.25, ORANGE, "s"), (0.5, RED, "^")):
        name = f"fraction {fraction:g}"
        values = np.array(kernel.weights(fraction))
        weights.plot(taps - fraction, values, marker, color=colour, label=name)
        waves = np.exp(2j * np.pi * frequency[:, np.newaxis] * (taps - fraction))
        transfer.plot(frequency, (waves @ values).real, color=colour, label=name)
    weights.set_xlabel("source pixel - position (px)")
    weights.set_title("Weights along one axis")
    weights.set_ylim(-0.2, 1.7)
    weights.legend(fontsize=8, loc="upper right")

    for fwhm, dashes in ((2.0, ":"), (4.0, "--")):
        gaussian = np.exp(-2.0 * (np.pi * fwhm / FWHM_PER_SIGMA * frequency) ** 2)
        transfer.plot(frequency, gaussian, dashes, color="0.4", label=f"seeing {fwhm:g} px")
    transfer.set_xlabel("frequency (cycles per source pixel)")
    transfer.set_title("What remains of a wave")
    transfer.set_ylim(-0.05, 1.65)
    transfer.legend(fontsize=8, loc="upper right", ncols=2)

    error, box = _position_errors()
    shown = positions.imshow(error * 1e6, extent=extent_of(box), origin="lower", cmap=CIVIDIS)
    x, y = np.meshgrid(
        range(box.x.start - 1, box.x.stop, 10), range(box.y.start - 1, box.y.stop, 10)
    )
    positions.plot(x, y, "s", color="white", markeredgecolor="black", markersize=5)
    figure.colorbar(shown, ax=positions).set_label("error (1e-6 detector px)")
    positions.set_title("Positions between exact nodes")
    label_pixels(positions)
    return figure


def _position_errors() -> tuple[npt.NDArray[np.float64], Box]:
    """Distance of interpolated from exact positions, at the corner of a distorted detector."""
    plan, visit, detector = survey_plan("demo"), 30482, 3
    transform = TractToDetector(
        tract=example_patch().sky_projection,
        detector=plan.pointing(visit, detector).sky_projection(visit=visit),
        source="the demonstration",
    )
    outline = transform.footprint(plan.camera.bbox)
    assert outline is not None, "the detector is on the tract's side of the sky"
    top = int(np.argmax(outline.y_vertices))
    x_start = round(float(outline.x_vertices[top]) / 10.0) * 10 - 20
    y_start = round(float(outline.y_vertices[top]) / 10.0) * 10 - 60
    box = Box.factory[y_start : y_start + 40, x_start : x_start + 40]
    spacing = ResamplingSettings().interp_length
    nodes = transform.nodes(box, spacing=spacing)
    x, y = np.meshgrid(np.arange(box.x.start, box.x.stop), np.arange(box.y.start, box.y.stop))
    exact = transform.to_detector(x=x.ravel().astype(float), y=y.ravel().astype(float))
    found_x, found_y = np.empty(x.shape), np.empty(x.shape)
    area = np.empty(box.x.size)
    for row in range(box.y.size):
        row_positions(
            nodes.x, nodes.y, row, 0, box.x.size, x_start, y_start, spacing,
            found_x[row], found_y[row], area,
        )  # fmt: skip
    error = np.hypot(found_x - exact.x.reshape(x.shape), found_y - exact.y.reshape(x.shape))
    return error, box
