"""IRC lines as values: cutting, cleaning, reading.  Pure, and safe with whatever a server or a handler gives.

https://modern.ircdocs.horse is the reference for lines, https://ircv3.net for tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from irctokens.line import Line, build, tokenise

RUBBISH = (LookupError, ValueError, TypeError, AttributeError)
"""What irctokens and ircstates raise for lines that are not IRC, or lack parameters."""

_LONGEST = 510  # bytes of a line, without CR LF
_PREFIX = 100  # bytes the server may put before a line of ours: `:nick!user@host `
_TEXT = 400

_BREAKS = re.compile(r"\r\n|\r|\n")
_FORBIDDEN = re.compile(r"[\r\n\0]+")
_BLANKS = re.compile(r"[\x00-\x20,]")
_FORMATS = re.compile(
    r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9A-Fa-f]{6})?|[\x02\x0f\x11\x16\x1d\x1e\x1f]"
)
_ACTION = "\x01ACTION "

ACTION_FRAME = len(_ACTION) + 1
"""Bytes that an action takes beside its text."""


def format_line(command: str, *parameters: str, encoding: str = "utf-8") -> bytes:
    """Return one line, and never more than one whatever the parameters hold.

    Raises:
        ValueError: a parameter other than the last has a blank or begins with a colon.
    """
    clean = [_FORBIDDEN.sub(" ", parameter) for parameter in parameters]
    return build(command, clean).format().encode(encoding, "replace") + b"\r\n"


def read_line(data: bytes, encoding: str) -> Line | None:
    """Return the line in `data`, or None where there is none; what is not in `encoding` is read as Latin-1."""
    try:
        return tokenise(data, encoding, "latin-1")
    except RUBBISH:
        return None


def is_target(name: str) -> bool:
    """Tell whether `name` may stand where one channel or nick is expected, and nothing else can be meant."""
    return bool(name) and not name.startswith(":") and not _BLANKS.search(name)


def text_limit(target: str, encoding: str = "utf-8") -> int:
    """Return how many bytes of text fit into a PRIVMSG to `target` as others will receive it."""
    frame = len(f"PRIVMSG {target} :".encode(encoding, "replace"))
    return min(_TEXT, _LONGEST - _PREFIX - frame)


def split_text(text: str, limit: int, encoding: str = "utf-8") -> list[str]:
    """Return `text` as lines of at most `limit` bytes (4 or more): cut between words if possible, none of them empty."""
    pieces: list[str] = []
    for line in _BREAKS.split(text):
        rest = line.replace("\0", "").rstrip()
        while rest:
            piece = _fit(rest, limit, encoding)
            pieces.append(piece.rstrip())
            rest = rest[len(piece) :].lstrip()
    return [piece for piece in pieces if piece]


def _fit(line: str, limit: int, encoding: str) -> str:
    """Return the beginning of `line` that fits into `limit` bytes."""
    fitting = line[:limit].encode(encoding, "replace")[:limit].decode(encoding, "ignore")
    count = max(1, len(fitting))
    if count >= len(line):
        return line
    word_end = line.rfind(" ", 1, count + 1)
    return line[:word_end] if word_end > 0 else line[:count]


def format_action(text: str) -> str:
    """Return the text that others read as what its author does."""
    return f"{_ACTION}{text}\x01"


def read_text(text: str, nick: str) -> str:
    """Return what a person reads in `text` by `nick`: no colours, `* nick waves` for an action, "" for other CTCP."""
    if text.startswith(_ACTION):
        text = f"* {nick} {text.removeprefix(_ACTION).rstrip(chr(1))}"
    elif text.startswith("\x01"):
        return ""
    return _FORMATS.sub("", text).strip()


def join_lines(channels: Iterable[str], encoding: str = "utf-8") -> Iterator[bytes]:
    """Yield the lines that join `channels`, each `#name` or `#name key`."""
    pairs = [channel.partition(" ") for channel in channels]
    pairs.sort(key=lambda pair: not pair[2])  # keys are matched to the first names
    for start in range(0, len(pairs), 5):
        few = pairs[start : start + 5]
        names, keys = (
            ",".join(name for name, _, _ in few),
            ",".join(key for _, _, key in few if key),
        )
        yield format_line("JOIN", names, *([keys] if keys else []), encoding=encoding)


def spare_nick(nick: str, turn: int) -> str:
    """Return the nick under which to wait until `nick` is free, the first or a later one; it fits into 9 characters."""
    ending = f"-{turn}"
    return nick[: 9 - len(ending)] + ending


def alternate_nick(nick: str, turn: int) -> str:
    """Return the nick to try after `nick` was refused `turn` times; an alternate fits where 9 characters are the limit."""
    return nick[: max(1, 9 - turn)] + "_" * turn if turn else nick
