"""The Lua scripts, each in a file of its own that begins with its keys, arguments and answers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_READING = frozenset(
    ("memory_keys", "memory_read", "peers", "position", "queue", "scored_read", "status", "trail")
)
"""Scripts that never write; no replica has to confirm their answers."""


class Script(NamedTuple):
    """A script as the server knows it, by the SHA-1 of its text; `reads` tells that it changes nothing."""

    name: str
    text: str
    sha: str
    reads: bool = False


def list_names() -> list[str]:
    """Return the names of all scripts but `trial`, which tries the others."""
    found = {file.stem for file in Path(__file__).parent.glob("*.lua")}
    return sorted(found - {"trial"})


def read(name: str) -> str:
    """Return the text of the script in `<name>.lua` beside this file."""
    return Path(__file__).with_name(f"{name}.lua").read_text(encoding="utf-8")


def load(name: str) -> Script:
    """Return the script in `<name>.lua` beside this file."""
    from hashlib import sha1  # noqa: PLC0415 - OpenSSL takes longer to load than `hachat release` has for it

    text = read(name)
    sha = sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Script(name, text, sha, reads=name in _READING)
