"""Text from elsewhere, made fit to be shown: nothing in it moves a cursor, hides a line or turns it around.

Whatever people, services and webhooks wrote may hold escape sequences and characters that change the direction of
writing.  They are shown as the escapes that Python and JSON use for them.
"""

from __future__ import annotations

import re

import msgspec

from hachat.core.phrases import write_plain

_STEERING = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_CONTROL = re.compile(rf"(?![\t\n]){_STEERING.pattern}")
_STEERING_IN_JSON = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def show(text: str) -> str:
    r"""Return `text` on one line, with control characters as escapes: `\n`, `\x1b`, `\u202e`."""
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)


def show_lines(text: str) -> str:
    """Return `text` with its lines and tabs as they are, and all other control characters as `show` has them."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def show_bytes(data: bytes) -> str:
    """Return `data` as text on one line, with control characters and what is no UTF-8 as escapes."""
    return show(data.decode("utf-8", "backslashreplace"))


def show_json(value: object) -> str:
    """Return `value` as JSON on several lines; the text is the same JSON, with control characters as escapes."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=write_plain)).decode()
    return _STEERING_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
