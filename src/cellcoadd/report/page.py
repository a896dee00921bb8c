"""The report as one HTML page that needs no other file and no network.

What is shown comes in prepared (`page_parts`), what goes out is text. The style and the script that
sorts tables are in ``page.css`` and ``page.js`` beside this file.
"""

from __future__ import annotations

__all__ = ["render_page"]

import base64
import importlib.resources
import math
from html import escape

from .page_parts import PageColumn, PageFigure, PageLink, PageSection, PageTable, ReportPage, Value

_WIDE = 850  # pixels: narrower figures stand two in a row, and are readable on a phone


def render_page(page: ReportPage) -> str:
    """Return a page as HTML."""
    sections = [section for section in page.sections if section]
    contents = "".join(
        f'<li><a href="#{escape(section.name)}">{escape(section.heading)}</a></li>'
        for section in sections
    )
    numbers = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in page.key_numbers
    )
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(page.title)}</title>\n<style>\n{_read('page.css')}</style>\n"
        "</head>\n<body>\n"
        f"<header><h1>{escape(page.title)}</h1><p>{escape(page.summary)}</p></header>\n"
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav>\n<main>\n'
        + (f'<dl class="numbers">{numbers}</dl>\n' if numbers else "")
        + "".join(map(_render_section, sections))
        + f"</main>\n<footer><p>{escape(page.footer)}</p></footer>\n"
        f"<script>\n{_read('page.js')}</script>\n</body>\n</html>\n"
    )


def _read(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _render_section(section: PageSection) -> str:
    parts = [f"<h2>{escape(section.heading)}</h2>\n"]
    parts += [f"<p>{escape(text)}</p>\n" for text in section.texts]
    if section.code:
        parts.append(f'<pre tabindex="0"><code>{escape(section.code)}</code></pre>\n')
    if section.figures:
        figures = "".join(map(_render_figure, section.figures))
        parts.append(f'<div class="figures">\n{figures}</div>\n')
    parts += map(_render_table, section.tables)
    parts += [f'<p class="left-out">{escape(text)}</p>\n' for text in section.left_out]
    return f'<section id="{escape(section.name)}">\n{"".join(parts)}</section>\n'


def _render_figure(figure: PageFigure) -> str:
    width, height = figure.size
    data = base64.b64encode(figure.png).decode("ascii")
    wide = ' class="wide"' if width > _WIDE else ""
    return (
        f'<figure id="{escape(figure.name)}"{wide}><div class="picture">'
        f'<img src="data:image/png;base64,{data}" '
        f'alt="{escape(figure.alt)}" width="{width}" height="{height}" loading="lazy"></div>'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>\n"
    )


def _render_table(table: PageTable) -> str:
    numeric = [
        any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        for values in zip(*table.rows, strict=True)
    ] or [False] * len(table.columns)
    heads = "".join(map(_render_head, table.columns, numeric))
    rows = "".join(
        "<tr>" + "".join(map(_render_value, row, table.columns)) + "</tr>\n" for row in table.rows
    )
    body = (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(table.caption)}">'
        f'<table id="{escape(table.name)}"><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>\n"
    )
    caption = escape(table.caption)
    if table.folded:
        return f"<details><summary>{caption}</summary>\n{body}</details>\n"
    return f'<p class="caption">{caption}</p>\n{body}'


def _render_head(column: PageColumn, is_numeric: bool) -> str:
    unit = f" <small>({escape(column.unit)})</small>" if column.unit else ""
    kind = ' class="number"' if is_numeric else ""
    return f'<th scope="col"{kind}><button type="button">{escape(column.name)}{unit}</button></th>'


def _render_value(value: Value, column: PageColumn) -> str:
    """Return a cell; numbers carry their full value for the sorting."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return '<td class="number" data-value="">\N{EN DASH}</td>'
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    if isinstance(value, PageLink):
        return f'<td><a href="{escape(value.target)}">{escape(value.text)}</a></td>'
    if isinstance(value, bool):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, int):
        shown, exact = f"{value:,}" if column.grouped else str(value), str(value)
    else:
        shown, exact = f"{value:,.{column.digits}f}", repr(float(value))
    return f'<td class="number" data-value="{exact}">{shown}</td>'
