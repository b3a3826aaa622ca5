"""The Lua scripts, each in a file of its own that begins with its keys, arguments and answers."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """A script as the server knows it: by the SHA-1 of its text."""

    name: str
    text: str
    sha: str


def load(name: str) -> Script:
    """Return the script in `<name>.lua` beside this file."""
    text = files(__name__).joinpath(f"{name}.lua").read_text(encoding="utf-8")
    return Script(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())
