"""Who may answer a question, and the consent a command may want before it is run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hachat.core.access import is_group
from hachat.core.slots import parse_duration

WITHIN = "5m"
"""How long a question waits for its answer, unless it says otherwise."""


def read_groups(groups: Iterable[str]) -> frozenset[str]:
    """Return the names of groups as they are kept.

    Raises:
        TypeError, ValueError: they are none; says what to write.
    """
    if isinstance(groups, str):
        raise TypeError(f"write groups={{{groups!r}}}, not a bare text")
    for group in groups:
        if not isinstance(group, str) or not is_group(group.casefold()):
            raise ValueError(f"{group!r} cannot be the name of a group; use a-z, 0-9, _ and -")
    return frozenset(group.casefold() for group in groups)


@dataclass(frozen=True, init=False)
class Anybody:
    """Whoever is in the room may answer; if there are `groups`, their members; with `others`, not the one it is about.

    Raises:
        TypeError, ValueError: the groups are none.
    """

    groups: frozenset[str]
    others: bool

    def __init__(self, groups: Iterable[str] = (), *, others: bool = False) -> None:
        object.__setattr__(self, "groups", read_groups(groups))
        object.__setattr__(self, "others", others)


@dataclass(frozen=True)
class Confirm:
    """A command that is run only after a yes: of whoever gave it or of `who`, and `within` that time.

    Raises:
        ValueError: that is no time.
    """

    within: str | float = WITHIN
    who: str | Anybody = ""

    def __post_init__(self) -> None:
        parse_duration(self.within)


def read_confirm(confirm: object) -> Confirm | None:
    """Return the consent that a command wants, if it wants any.

    Raises:
        ValueError: it is none; says what to write.
    """
    if isinstance(confirm, bool):
        return Confirm() if confirm else None
    if isinstance(confirm, Confirm):
        return confirm
    raise ValueError(f"confirm={confirm!r}; write True, or Confirm(within=..., who=...)")
