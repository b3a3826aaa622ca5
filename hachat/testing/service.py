"""The chat service of a test: it hears nothing by itself, and remembers what the bot has said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf

import trio

from hachat.chat.adapter import Adapter, Facts, Ingest
from hachat.chat.drain import Drain
from hachat.core.messages import Operation, Reply, User
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.outbound import Outbound

_MASTER = "master/1/0.1"


class Said(str):
    """Something the bot has said: its text, with the address of its `room`, its `thread`, and what it is `about`.

    `op` is `say`, unless the bot did something else there, such as `topic`; `args` are what that was done with.
    """

    __slots__ = ("about", "args", "op", "room", "thread")

    room: str
    thread: str
    about: str
    op: Operation
    args: Mapping[str, str]

    @classmethod
    def of(cls, reply: Reply) -> Said:
        """Return what a reply says."""
        said = cls(reply.text)
        said.room, said.thread, said.about = reply.room, reply.thread, reply.about
        said.op, said.args = reply.op, reply.args
        return said


class Service:
    """Every chat service at once; `people` is who is in each room, by its address."""

    name = "test"
    facts = Facts(idempotent_send=True)

    def __init__(self, note: Callable[[Said], None]) -> None:
        self._note = note
        self.said: list[Said] = []
        self.people: dict[str, list[User]] = defaultdict(list)

    async def serve(
        self,
        ingest: Ingest,  # noqa: ARG002 - an Adapter
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Hear nothing."""
        task_status.started()
        await trio.sleep_forever()

    async def send(self, reply: Reply) -> None:
        """Remember it."""
        if reply.op != "receipt":
            said = Said.of(reply)
            self.said.append(said)
            self._note(said)

    act = react = edit = delete = topic = upload = send

    async def join(self, reply: Reply) -> str:
        """Remember that the bot was told to come, or to go."""
        await self.send(reply)
        return reply.channel

    part = join

    def expect(self, rooms: Mapping[str, str | None]) -> None:
        """Be everywhere."""

    async def roster(self, channel: str) -> Sequence[User]:
        """Return who is in the rooms of that id."""
        rooms = [people for room, people in self.people.items() if room.endswith(f"/{channel}")]
        return [person for people in rooms for person in people]

    async def lookup(self, user: str) -> User | None:
        """Return whose id it is."""
        everybody = (person for people in self.people.values() for person in people)
        return next((person for person in everybody if person.id == user), None)


class Everywhere(Mapping[str, Adapter]):
    """One adapter under any name, so that a handler may speak to `irc/#ops` in a test without IRC."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __getitem__(self, name: str) -> Adapter:
        return self._adapter

    def __iter__(self) -> Iterator[str]:
        return iter([self._adapter.name])

    def __len__(self) -> int:
        return 1


class _Term:
    """The term of a master without an end."""

    def __init__(self) -> None:
        self.leaving = trio.Event()

    def remaining(self) -> float:
        """Return for how long it lasts."""
        return inf


async def deliver(service: Service, link: Link, keys: Keys) -> None:
    """Send to `service` what is outbound, as its master does, until cancelled."""
    await link.command("SET", keys.of("lease"), _MASTER)
    outbound = Outbound(link, keys, _MASTER)
    await Drain(outbound, link, Everywhere(service), _Term(), send_timeout=2.0).run()
