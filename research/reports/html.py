"""What reports are made of: a page that fetches nothing, its drawings and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from research.reports.drawing import HALF, Drawing
from research.reports.figures import Lines
from research.reports.page_style import SCRIPT, style_sheet
from research.reports.svg import svg

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def document(title: str, parts: Iterable[str]) -> str:
    """Return a whole page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{style_sheet()}</style></head>'
        f'<body>{"".join(parts)}<div id="at"></div><script>{SCRIPT}</script></body></html>\n'
    )


def head(name: str, below: Sequence[str], tiles: Lines, heading: str, doubts: Sequence[str]) -> Iterable[str]:
    """Yield the top of a page: what it is about, the figures that count first, and what to doubt."""
    shown_tiles = "".join(f"<div><b>{escape(text)}</b><span>{escape(of)}</span></div>" for of, text in tiles)
    yield f"<h1>{escape(name)}</h1>"
    yield f'<p class="soft">{"<br>".join(map(escape, below))}</p>'
    yield f'<div class="tiles">{shown_tiles}</div>'
    if doubts:
        lines = "".join(f"<li>{escape(one)}</li>" for one in doubts)
        yield f'<div class="warn" role="note"><b>{escape(heading)}</b><ul>{lines}</ul></div>'


def shown(drawing: Drawing) -> str:
    """Return a drawing with its heading and note."""
    note = f"<p>{escape(drawing.note)}</p>" if drawing.note else ""
    drawn = f'<div class="wide">{svg(drawing)}</div>' if drawing.width > HALF else svg(drawing)
    return f"<h2>{escape(drawing.title)}</h2>{note}{drawn}"


def facts(lines: Lines) -> str:
    """Return headings and texts as a table."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in lines)
    return f'<table class="facts">{rows}</table>'


def table(names: Sequence[str], rows: Iterable[Sequence[object]], numbers: int) -> str:
    """Return a table whose last so many columns are numbers."""
    plain = len(names) - numbers

    def line(cells: Sequence[object], tag: str) -> str:
        kinds = [""] * plain + [' class="n"'] * numbers
        shown = "".join(f"<{tag}{kind}>{escape(str(cell))}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
        return f"<tr>{shown}</tr>"

    head = f"<thead>{line(names, 'th')}</thead>"  # again on each page that is printed
    return f"<table>{head}<tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"
