"""Markdown as chat services show it: rendered to plain text, to IRC's formats, or to a terminal's.

Only what stands within a line is rendered: emphasis, code and links, and a heading is strong.  Lists, quotes and tables read well
as they stand.  https://spec.commonmark.org is the reference for the spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from markdown_it import MarkdownIt
from markdown_it.token import Token

Style = Mapping[str, tuple[str, str]]
"""What to write before and behind a span: `strong`, `em`, `s` (struck out) and `code`."""

PLAIN: Style = {"code": ("`", "`")}
"""For services that show nothing but text."""

IRC: Style = {
    "strong": ("\x02", "\x02"),
    "em": ("\x1d", "\x1d"),
    "s": ("\x1e", "\x1e"),
    "code": ("\x11", "\x11"),
}
"""The formats that IRC clients know: https://modern.ircdocs.horse/formatting."""

TERMINAL: Style = {
    "strong": ("\x1b[1m", "\x1b[22m"),
    "em": ("\x1b[3m", "\x1b[23m"),
    "s": ("\x1b[9m", "\x1b[29m"),
    "code": ("\x1b[36m", "\x1b[39m"),
}
"""The attributes of terminals, ECMA-48."""

_PARSER = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*")
_FENCE = re.compile(r"\s*(```+|~~~+)")
_NONE = ("", "")


def render(text: str, style: Style) -> str:
    """Return the markdown `text` in `style`, line by line."""
    return "\n".join(_render_lines(text.split("\n"), style))


def _render_lines(lines: Iterable[str], style: Style) -> Iterator[str]:
    fence = ""
    for line in lines:
        found = _FENCE.match(line)
        if found and (not fence or found[1].startswith(fence)):
            fence = "" if fence else found[1]
        elif fence:
            yield _wrap(line, "code", style) if style is not PLAIN and line else line
        elif heading := _HEADING.fullmatch(line):
            yield _wrap(_render_spans(heading[1], style), "strong", style)
        else:
            margin = line[: len(line) - len(line.lstrip())]
            yield margin + _render_spans(line.lstrip(), style)


def _render_spans(line: str, style: Style) -> str:
    return "".join(
        text
        for inline in _PARSER.parseInline(line)
        for text in _render_tokens(inline.children or [], style)
    )


def _render_tokens(tokens: Iterable[Token], style: Style) -> Iterator[str]:
    links: list[tuple[str, int]] = []
    written: list[str] = []
    for token in tokens:
        match token.type:
            case "text":
                written.append(token.content)
            case "code_inline":
                written.append(_wrap(token.content, "code", style))
            case "image":
                written.append(f"{token.content} ({token.attrs['src']})")
            case "link_open":
                links.append((str(token.attrs["href"]), len(written)))
            case "link_close":
                written.append(_show_target("".join(written[links[-1][1] :]), links.pop()[0]))
            case other:
                kind, _, end = other.rpartition("_")
                written.append(style.get(kind, _NONE)[end == "close"])
    yield from written


def _show_target(shown: str, target: str) -> str:
    """Return what to write behind the text of a link: its target, unless that was the text."""
    return "" if shown in (target, target.removeprefix("mailto:")) else f" ({target})"


def _wrap(text: str, kind: str, style: Style) -> str:
    before, behind = style.get(kind, _NONE)
    return f"{before}{text}{behind}"
