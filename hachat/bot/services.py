"""What a node lends the handlers that run on it; each has a stand-in that works without a cluster, or says why it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hachat.bot.http import Http
from hachat.core.errors import Unsupported
from hachat.core.messages import Operation, User


class Ask(Protocol):
    """Has the master ask a chat service something."""

    async def __call__(
        self, op: Operation, room: str, *, about: str = "", args: dict[str, str] | None = None
    ) -> Sequence[User]:
        """Return who was found, however long that takes; raises CallError if nobody can tell."""
        ...


async def ask_nobody(
    op: Operation,
    room: str,
    *,
    about: str = "",  # noqa: ARG001 - an Ask
    args: dict[str, str] | None = None,  # noqa: ARG001 - an Ask
) -> Sequence[User]:
    """Tell that there is nobody to ask: an `Ask` for a robot without a cluster.

    Raises:
        Unsupported: always.
    """
    raise Unsupported(f"there is no cluster to ask for the {op} of {room}")


@dataclass
class Services:
    """Whoever puts a robot into a cluster fills these in, before the first message.

    `ask` is what chat services are asked with, `http` has the clients for other services.
    """

    ask: Ask = ask_nobody
    http: Http = field(default_factory=Http)
