"""Somebody who types into consoles, and knows afterwards what should have been said in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle, pairwise

import msgspec
import trio

from hachat.store.console import ConsoleClient, Said
from tests.waiting import until
from tests.whole.cluster import Cluster


@dataclass(frozen=True)
class Post:
    """What was said in a room, and when by Redis's clock, Unix seconds."""

    at: float
    said: Said


@dataclass(frozen=True)
class Account:
    """What came of the lines that were typed; all but `typed` name those that went wrong by their ids."""

    typed: int = 0
    lost: Sequence[str] = ()
    doubled: Sequence[str] = ()
    disordered: Sequence[str] = ()

    @property
    def fine(self) -> bool:
        """Whether every line was answered once and in its turn."""
        return not (self.lost or self.doubled or self.disordered)

    def __add__(self, other: Account) -> Account:
        return Account(
            self.typed + other.typed,
            [*self.lost, *other.lost],
            [*self.doubled, *other.doubled],
            [*self.disordered, *other.disordered],
        )


@dataclass
class Typist:
    """Types numbers to be echoed, in each of its rooms in turn."""

    cluster: Cluster
    rooms: int = 10
    lines: dict[str, list[str]] = field(default_factory=dict)

    async def type_for_ever(self, rate: float) -> None:
        """Type `rate` lines a second until cancelled."""
        due = trio.current_time()
        for room, number in zip(self._rooms(), count(), strict=False):
            await trio.sleep_until(due)
            due += 1 / rate
            await self.type(room, number)

    async def type(self, room: str, number: int) -> str:
        """Type one line and return its id."""
        client = ConsoleClient(self.cluster.link, self.cluster.keys, room, "anna")
        line = ""
        # A line that Redis has is a line that counts, even if we are cancelled meanwhile.
        with trio.CancelScope(shield=True):
            line = await client.say(f"echo {number}")
        self.lines.setdefault(room, []).append(line)
        return line

    async def read_posts(self, room: str) -> list[Post]:
        """Return everything said in a room."""
        key = self.cluster.keys.of(f"console:room:{room}")
        entries = await self.cluster.link.command("XRANGE", key, "-", "+")
        return [
            Post(int(entry.partition(b"-")[0]) / 1000, msgspec.json.decode(fields[1], type=Said))
            for entry, fields in entries
        ]

    async def settle(self, within: float) -> Account:
        """Wait until every line has its receipt, or `within` seconds are over, and return what came of them."""

        async def all_dealt_with() -> bool:
            return all([not await self._find_open(room) for room in self.lines])

        with trio.move_on_after(within):
            await until(all_dealt_with, within + 1)
        accounts = [_compare(self.lines[room], await self.read_posts(room)) for room in self.lines]
        return sum(accounts, Account())

    async def _find_open(self, room: str) -> set[str]:
        posts = await self.read_posts(room)
        return set(self.lines[room]) - {p.said.about for p in posts if p.said.kind == "receipt"}

    def _rooms(self) -> Iterator[str]:
        return cycle([f"room-{number}" for number in range(self.rooms)])


def _compare(lines: list[str], posts: list[Post]) -> Account:
    answers = [post.said.about for post in posts if post.said.kind == "say"]
    receipts = [post.said.about for post in posts if post.said.kind == "receipt"]
    turn = {line: number for number, line in enumerate(lines)}
    return Account(
        len(lines),
        [line for line in lines if line not in answers or line not in receipts],
        [line for line in lines if answers.count(line) > 1 or receipts.count(line) > 1],
        [late for first, late in pairwise(answers) if turn[first] > turn[late]],
    )
