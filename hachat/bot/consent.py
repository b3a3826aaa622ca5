"""Who may answer a question, and the consent a command may want before it is run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WITHIN = "5m"
"""How long a question waits for its answer, unless it says otherwise."""


@dataclass(frozen=True, init=False)
class Anybody:
    """Whoever is in the room may answer; if there are `groups`, their members; with `others`, not the one it is about.

    Raises:
        TypeError: the groups are a bare text.
    """

    groups: frozenset[str]
    others: bool

    def __init__(self, groups: Iterable[str] = (), *, others: bool = False) -> None:
        if isinstance(groups, str):
            raise TypeError(f"write groups={{{groups!r}}}, not a bare text")
        object.__setattr__(self, "groups", frozenset(groups))
        object.__setattr__(self, "others", others)


@dataclass(frozen=True)
class Confirm:
    """A command that is run only after a yes: of whoever gave it or of `who`, and `within` that time."""

    within: str | float = WITHIN
    who: str | Anybody = ""
