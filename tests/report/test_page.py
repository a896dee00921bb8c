"""The page: valid HTML, figures inside, numbers with their full values for the sorting."""

from __future__ import annotations

import base64
import dataclasses
from html.parser import HTMLParser

import pytest

from cellcoadd.report.page import render_page
from cellcoadd.report.page_parts import (
    PageColumn,
    PageFigure,
    PageLink,
    PageSection,
    PageTable,
    ReportPage,
)
from cellcoadd.report.style import new_figure, png_of

VOID = {"br", "hr", "img", "link", "meta"}


class Parsed(HTMLParser):
    """A page's elements in their order; a tag that is closed wrongly fails."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        text: list[str] = []
        self.elements.append((tag, dict(attrs), text))
        if tag not in VOID:
            self._open.append((tag, text))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert tag == opened

    def handle_data(self, data: str) -> None:
        for _, text in self._open:
            text.append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        """Attributes and text of the elements of a kind."""
        return [(attrs, "".join(text)) for name, attrs, text in self.elements if name == tag]


def picture(width: float = 5.0) -> bytes:
    figure = new_figure(width=width, height=2.0)
    figure.subplots().plot([0, 1])
    return png_of(figure)


def page() -> ReportPage:
    table = PageTable(
        name="numbers",
        caption="Numbers of <cells>.",
        columns=[
            PageColumn(name="patch", grouped=False),
            PageColumn(name="variance", unit="nJy²", digits=1),
            PageColumn(name="cells"),
            PageColumn(name="note"),
        ],
        rows=[
            [1061, 331.26, 12345, "a & b"],
            [9, None, 2, True],
            [10, float("nan"), 3, PageLink(text="x", target="x.html?a&b")],
        ],
    )
    figure = PageFigure(name="depth", png=picture(), alt='A "depth" map', caption="Depth < 25 mag.")
    return ReportPage(
        title="Tract 1 & 2",
        summary="Cells.",
        key_numbers=[("Area", "1.0 arcmin²")],
        sections=[
            PageSection(name="one", heading="One", figures=[figure], code="x = '<y>'"),
            PageSection(name="none", heading="None"),
            PageSection(
                name="two",
                heading="Two",
                texts=["Text."],
                tables=[table, dataclasses.replace(table, name="again", folded=True)],
                left_out=["Left out: a map. There is no map."],
            ),
        ],
        footer="Made by cellcoadd.",
    )


@pytest.fixture(scope="module")
def parsed() -> Parsed:
    """The page above; that it can be parsed is the first test."""
    text = render_page(page())
    assert text.startswith("<!DOCTYPE html>\n")
    return Parsed(text)


def test_a_page_needs_no_other_file(parsed: Parsed) -> None:
    """It can be mailed: pictures, style and script are inside, and nothing is loaded."""
    text = render_page(page())
    assert "http:" not in text
    assert "https:" not in text
    assert not parsed.all("link")
    assert all("src" not in attrs for attrs, _ in parsed.all("script"))
    ((image, _),) = parsed.all("img")
    kind, _, data = str(image["src"]).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == page().sections[0].figures[0].png


def test_a_figure_has_words_and_its_size(parsed: Parsed) -> None:
    """Words for who does not see it, a size so that the page does not jump while it loads."""
    ((image, _),) = parsed.all("img")
    assert image["alt"] == 'A "depth" map'
    assert (image["width"], image["height"]) == ("500", "200")
    assert parsed.all("figcaption")[0][1] == "Depth < 25 mag."
    ((figure, _),) = parsed.all("figure")
    assert figure == {"id": "depth"}


def test_only_wide_figures_are_marked_wide() -> None:
    """On a phone they scroll in a box of their own; the others shrink."""
    wide = PageFigure(name="wide", png=picture(9.0), alt="", caption="")
    section = PageSection(name="one", heading="One", figures=[wide])
    ((figure, _),) = Parsed(render_page(dataclasses.replace(page(), sections=[section]))).all(
        "figure"
    )
    assert figure == {"id": "wide", "class": "wide"}


def test_contents_lead_to_the_sections_that_show_something(parsed: Parsed) -> None:
    """An empty section is not on the page."""
    assert [(attrs["href"], text) for attrs, text in parsed.all("a")][:2] == [
        ("#one", "One"),
        ("#two", "Two"),
    ]
    assert [attrs["id"] for attrs, _ in parsed.all("section")] == ["one", "two"]
    identifiers = [attrs["id"] for _, attrs, _ in parsed.elements if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))


def test_numbers_are_short_to_read_and_whole_to_sort(parsed: Parsed) -> None:
    """Names are not grouped, what is not known is a dash, units stand in the heads."""
    cells = [(attrs.get("data-value"), text) for attrs, text in parsed.all("td")][:12]
    assert cells == [
        ("1061", "1061"), ("331.26", "331.3"), ("12345", "12,345"), (None, "a & b"),
        ("9", "9"), ("", "\N{EN DASH}"), ("2", "2"), (None, "yes"),
        ("10", "10"), ("", "\N{EN DASH}"), ("3", "3"), (None, "x"),
    ]  # fmt: skip
    heads = [text for _, text in parsed.all("th")][:4]
    assert heads == ["patch", "variance (nJy²)", "cells", "note"]
    assert all(attrs["type"] == "button" for attrs, _ in parsed.all("button"))


def test_what_is_missing_is_said(parsed: Parsed) -> None:
    """In the place where it would be."""
    texts = [text for attrs, text in parsed.all("p") if attrs.get("class") == "left-out"]
    assert texts == ["Left out: a map. There is no map."]


def test_a_row_of_another_length_and_a_picture_of_another_kind_are_refused() -> None:
    """Every value after a missing one would stand under the wrong head."""
    columns = [PageColumn(name="a"), PageColumn(name="b")]
    with pytest.raises(ValueError, match="table t has 2 columns, a row of it has 1 values"):
        PageTable(name="t", caption="", columns=columns, rows=[[1]])
    with pytest.raises(ValueError, match="figure f is no PNG"):
        PageFigure(name="f", png=b"GIF89a", alt="", caption="")
