"""A page of HTML that needs nothing but itself."""
from __future__ import annotations

import base64
import html
from typing import Any, Mapping, Sequence

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto; padding: 0 1rem 3rem;
       max-width: 62rem; }
nav a { margin-right: 1rem; } h2 { border-top: 1px solid #ccc; margin-top: 2.5rem; padding-top: 1rem; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; } figcaption, .note { color: #555; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 0.15rem 1rem 0.15rem 0; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; background: #f5f5f5; padding: 0.7rem; } .wide { overflow-x: auto; }
"""
# The browser itself refuses whatever would come from elsewhere.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_KINDS = {b"\x89PNG": "image/png", b"GIF8": "image/gif"}


class Page:
    """Sections in order, each with a heading that the page's top leads to."""

    def __init__(self, title: str):
        """Starts empty, under a title."""
        self._title = title
        self._sections: list[tuple[str, str, list[str]]] = []

    def section(self, anchor: str, title: str) -> None:
        """Begins a section: what is added next is in it."""
        self._sections.append((anchor, title, []))

    def text(self, text: str) -> None:
        """Adds a paragraph of plain text."""
        self._add(f"<p>{html.escape(text)}</p>")

    def note(self, text: str) -> None:
        """Adds a paragraph on what is not there, or how far a figure can be trusted."""
        self._add(f'<p class="note">{html.escape(text)}</p>')

    def picture(self, content: bytes, caption: str) -> None:
        """Adds a PNG or GIF.

        Args:
          content: Of the file.
          caption: What it shows, for those who do not see it too.

        Raises:
          ValueError: if it is neither.
        """
        kind = _KINDS.get(content[:4])
        if kind is None:
            raise ValueError(f"page: picture {caption!r}: expected a PNG or a GIF, got {content[:8]!r}…")
        data, said = base64.b64encode(content).decode("ascii"), html.escape(caption, quote=True)
        self._add(f'<figure><img src="data:{kind};base64,{data}" alt="{said}"><figcaption>{said}</figcaption></figure>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Adds a table; floats are shortened."""
        head = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in header)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        self._add(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')

    def settings(self, values: Mapping[str, Any]) -> None:
        """Adds a nest of settings as a table of paths and values."""
        self.table(("name", "value"), list(_leaves(values)))

    def code(self, text: str) -> None:
        """Adds text that keeps its lines."""
        self._add(f"<pre>{html.escape(text)}</pre>")

    def html(self) -> str:
        """Returns the whole page."""
        title = html.escape(self._title)
        links = "".join(f'<a href="#{anchor}">{html.escape(name)}</a>' for anchor, name, _ in self._sections)
        parts = [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{title}</h1><nav>{links}</nav>",
        ]
        for anchor, name, content in self._sections:
            parts += [f'<section id="{anchor}"><h2>{html.escape(name)}</h2>', *content, "</section>"]
        return "\n".join([*parts, "</body></html>"]) + "\n"

    def _add(self, content: str) -> None:
        self._sections[-1][2].append(content)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f'<td class="number">{value:.4g}</td>'
    return f"<td>{html.escape(str(value))}</td>"


def _leaves(values: Mapping[str, Any], path: str = "") -> Any:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value if isinstance(value, str) else repr(value)
