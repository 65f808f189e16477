"""The few shapes that every section is made of."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Nothing is fetched and nothing runs: the browser itself is told to hold the page to that."""


def document(title: str, body: str) -> str:
    """A whole page in one file: its style inside it, no script, no network.

    Args:
        title: text.
        body: HTML.
    """
    style = files("tevo.report").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{style}</style></head>\n'
        f"<body><main>{body}</main></body></html>\n"
    )


def section(title: str, body: str, intro: str = "") -> str:
    """A section of the page with its heading and a line on what it shows."""
    said = f'<p class="intro">{escape(intro)}</p>' if intro else ""
    return f"<section><h2>{escape(title)}</h2>{said}{body}</section>"


def note(text: str) -> str:
    """A sentence in place of what is missing."""
    return f'<p class="note">{escape(text)}</p>'


def grid(charts: Iterable[str], columns: int) -> str:
    """Charts side by side, fewer on a narrow screen."""
    return f'<div class="charts" style="--n:{columns}">{"".join(charts)}</div>'


def framed(head: str, rows: Iterable[str]) -> str:
    """A table of figures in a frame that scrolls sideways where it does not fit."""
    return (
        f'<div class="scroll framed"><table class="rounds"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def legend(keys: Iterable[tuple[str, str]]) -> str:
    """Coloured keys: (CSS class, name)."""
    words = "".join(f'<span><i class="key {style}"></i>{escape(name)}</span>' for style, name in keys)
    return f'<p class="legend">{words}</p>'
