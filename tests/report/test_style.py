"""One look for all figures, whatever the process has set for itself."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.figure import Figure

from cellcoadd.report.style import new_figure, png_of, styled


@styled
def draw(title: str) -> Figure:
    """A figure with a title."""
    figure = new_figure(width=4.0, height=3.0)
    figure.subplots().set_title(title)
    return figure


def test_a_figure_has_our_sizes_and_the_process_keeps_its_own() -> None:
    """A notebook's own settings neither change our figures nor are changed by them."""
    with mpl.rc_context({"axes.titlesize": 30.0}):
        assert draw("Depth").axes[0].title.get_fontsize() == 11.0
        assert mpl.rcParams["axes.titlesize"] == 30.0
    assert draw.__doc__ == "A figure with a title."


def test_a_page_gets_a_hundred_pixels_an_inch_and_the_same_bytes_each_time() -> None:
    """Width and height stand in bytes 16 to 24 of a PNG."""
    picture = png_of(draw("Depth"))
    assert picture[16:24] == (400).to_bytes(4, "big") + (300).to_bytes(4, "big")
    assert png_of(draw("Depth")) == picture
    assert b"Software" not in picture
