"""The ground that walks through the queues are on: a real server, what may happen to it, and the lists it should hold."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from hachat.store.client import Argument
from hachat.store.embedded import Server
from hachat.store.keys import GROUP, LANES, Keys
from tests.store.instant import InstantLink, now
from tests.store.mutations import Mutation
from tests.store.queue_model import InboundModel, Lists, OutboundModel

_walks = itertools.count()


class Ground:
    """Two queues of a cluster of their own on a server, and what they should look like."""

    def __init__(self, server: Server, mutation: Mutation | None = None) -> None:
        self.link = InstantLink(server, mutation)
        self.keys = Keys(f"walk-{next(_walks)}")
        self.lists = Lists()
        self.inbound = InboundModel(self.lists)
        self.outbound = OutboundModel(self.lists)
        self.planted: set[str] = set()
        self.full = False
        self.again: Callable[[], None] | None = None
        self.numbers = itertools.count(1)

    def tick(self) -> None:
        """Let a millisecond pass by Redis's clock, so that tokens of different lanes have different names."""
        began = self._read_clock()
        while self._read_clock() == began:
            pass

    def _read_clock(self) -> int:
        seconds, microseconds = now(self.link.command("TIME"))
        return int(seconds) * 1000 + int(microseconds) // 1000

    def repeat(self) -> None:
        """Let the last turn be asked for again, as if its answer had been lost."""
        if self.again is not None:
            self.again()

    def end(self) -> None:
        """Leave nothing behind."""
        self.breathe()
        for key in now(self.link.command("KEYS", self.keys.of("*"))):
            now(self.link.command("DEL", key))
        self.link.close()

    def arrange(self, *command: Argument) -> Any:
        """Have the server carry out what is none of its users' doing, even without memory."""
        full = self.full
        self.breathe()
        answer = now(self.link.command(*command))
        if full:
            self.choke()
        return answer

    def forget_scripts(self) -> None:
        """Let the server forget all scripts."""
        now(self.link.command("SCRIPT", "FLUSH"))

    def choke(self) -> None:
        """Let the server run out of memory."""
        now(self.link.command("CONFIG", "SET", "maxmemory", 1))
        self.full = True

    def breathe(self) -> None:
        """Let it have memory again."""
        now(self.link.command("CONFIG", "SET", "maxmemory", 0))
        self.full = False

    def plant(self, key: str) -> None:
        """Put something else in the place of a mailbox, which is kept beside it, or of an outbox that is empty."""
        filled = self.arrange("EXISTS", key)
        if key not in self.planted and not (filled and key.startswith(self.keys.outbox(""))):
            self.planted.add(key)
            if filled:
                self.arrange("RENAME", key, f"{key}:aside")
            self.arrange("SET", key, "no list")

    def weed(self) -> None:
        """Put all lists back into their places."""
        for key in self.planted:
            self.arrange("DEL", key)
            if self.arrange("EXISTS", f"{key}:aside"):
                self.arrange("RENAME", f"{key}:aside", key)
        self.planted.clear()

    def locate(self, key: str) -> str:
        """Return where a list is just now."""
        return f"{key}:aside" if key in self.planted else key

    def read_owners(self) -> dict[str, str]:
        """Return who holds which token, as the server has it."""
        answers = self.link.all(
            [("XPENDING", self.keys.ready(lane), GROUP, "-", "+", 1000) for lane in LANES]
        )
        return {entry.decode(): owner.decode() for some in answers for entry, owner, *_ in some}

    def is_troubled(self, name: str) -> bool:
        """Tell whether errors are to be expected where a conversation or room of this name is concerned."""
        return self.full or bool({self.keys.mailbox(name), self.keys.outbox(name)} & self.planted)
