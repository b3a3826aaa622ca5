"""What a master does for as long as its term lasts, on a real server, with a chat service in our hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import trio

from hachat.chat.adapter import Facts, Ingest
from hachat.cluster.pulse import Notifier
from hachat.cluster.term import Term, read_clock
from hachat.core.errors import Fenced, UsageError
from hachat.core.lease import Lease, Token
from hachat.core.messages import Event, Heard, Message, Order, Reply, Room, User
from hachat.core.settings import BotSettings, QueueSettings, Settings
from hachat.core.timing import Timing
from hachat.core.wire import encode
from hachat.daemon.chat_states import ChatStates
from hachat.daemon.duty import MasterDuty
from hachat.daemon.floor import FloorKeeper, read
from hachat.store.dead import DeadLetters
from hachat.store.inbound import Inbound
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.members import Member, Members, know_nobody
from tests.waiting import until

TOKEN = Token(0, 5, "n1", "b1")


class Service:
    """A chat service that refuses while it is `down`; `heard` is what people say when the bot comes, `said` what it says."""

    facts = Facts(overlap=True)

    def __init__(self, *heard: Heard, down: bool = False) -> None:
        self.name = "t"
        self.said: list[str] = []
        self.tries = 0
        self.here = False
        self.down = down
        self._heard = heard

    async def serve(
        self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Be there until cancelled."""
        self.tries += 1
        if self.down:
            raise ConnectionRefusedError("nobody there")
        self.here = True
        task_status.started()
        try:
            await ingest(*self._heard)
            await trio.sleep_forever()
        finally:
            self.here = False

    async def send(self, reply: Reply) -> str | None:
        """Take it."""
        await trio.lowlevel.checkpoint()
        self.said.append(reply.text)
        return None


class Warm(Service):
    """One that can be connected ahead."""

    async def warm(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect, and wait to be used."""
        if self.down:
            raise ConnectionRefusedError("nobody there")
        self.here = True
        task_status.started()
        await trio.sleep_forever()


class Manager(Notifier):
    """A service manager that remembers the line it shows."""

    def __init__(self) -> None:
        super().__init__({})
        self.lines: list[str] = []

    def status(self, text: str) -> None:
        """Remember it."""
        self.lines.append(text)


class Office:
    """A duty of the node n1, and the term it is done in."""

    def __init__(
        self,
        link: Link,
        keys: Keys,
        *services: Service,
        order: Order = "room",
        floor: Path,
        ignore: tuple[str, ...] = (),
    ) -> None:
        self._link, self._keys = link, keys
        self.manager = Manager()
        me = Member("n1", "b1", 1, "http://x", "0", 1.0, 3.0, 10.0)
        self.members = Members(link, keys, me)
        self.states = ChatStates(self.members)
        self.term = Term(
            Lease(TOKEN, Timing(ttl=60.0, lock_delay=60.0), read_clock(), 0.5), read_clock
        )
        limits = QueueSettings(order=order)
        self.duty = MasterDuty(
            Settings(bot=BotSettings(ignore=ignore)),
            link,
            keys,
            {service.name: service for service in services},
            inbound=Inbound(link, keys, me.consumer, limits),
            letters=DeadLetters(link, keys, limits),
            floor=FloorKeeper(floor),
            notifier=self.manager,
            newest=know_nobody,
        )

    async def run(self) -> None:
        """Do it, in a term that Redis knows of."""
        await self._link.command("SET", self._keys.of("lease"), str(TOKEN))
        await self.run_unknown()

    async def run_unknown(self) -> None:
        """Do it, whatever Redis knows of."""
        await self.duty.run(self.states, self.term)


async def find_mailboxes(link: Link, keys: Keys) -> list[str]:
    """Return the conversations in which something waits."""
    prefix = keys.mailbox("")
    found: Sequence[bytes] = await link.command("KEYS", f"{prefix}*")
    return sorted(key.decode().removeprefix(prefix) for key in found)


def message(text: str, user: str) -> Message:
    """Return what somebody says in the one room."""
    return Message(text, Room("t", "ops"), User(user), text, 0.0)


async def reply_waits(link: Link, keys: Keys, text: str) -> None:
    """Let a reply wait."""
    await put(link, keys, Reply(f"m/{text}", "t/ops", text))


async def put(link: Link, keys: Keys, reply: Reply) -> None:
    """Let one wait, as a commit does."""
    await link.command("RPUSH", keys.outbox("t/ops"), reply.id.encode() + b"|" + encode(reply))
    await link.command("ZADD", keys.of("outready"), "NX", 1, "t/ops")
    await link.command("HINCRBY", keys.of("counters"), "outgoing", 1)


@pytest.mark.parametrize(
    ("order", "mailboxes"),
    [("room", ["t/ops"]), ("user", ["t/ops@anna", "t/ops@bert"]), ("none", ["t/ops#a", "t/ops#b"])],
)
async def test_what_is_heard_waits_for_what_the_settings_say(
    *,
    order: Order,
    mailboxes: list[str],
    link: Link,
    keys: Keys,
    tmp_path: Path,
    nursery: trio.Nursery,
) -> None:
    """For its room, or for its user in there, or for nothing."""
    service = Service(message("a", "anna"), message("b", "bert"))
    office = Office(link, keys, service, order=order, floor=tmp_path / "floor")
    nursery.start_soon(office.run)

    async def is_queued() -> bool:
        return await find_mailboxes(link, keys) == mailboxes

    await until(is_queued)


async def test_whom_operators_ignore_is_not_even_queued(
    link: Link, keys: Keys, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """Neither what they say nor what they do, and nothing of a room that is ignored; all else is."""
    joined = Event("e1", "joined", 0.0, "t", Room("t", "hall"), User("troll!t@x"))
    elsewhere = Message("c", Room("t", "noise"), User("anna"), "c", 0.0)
    service = Service(joined, message("a", "troll!t@x"), elsewhere, message("b", "anna"))
    office = Office(link, keys, service, floor=tmp_path / "f", ignore=("t/troll!*", "*/noise"))
    nursery.start_soon(office.run)

    async def is_queued() -> bool:
        return await find_mailboxes(link, keys) == ["t/ops"]

    await until(is_queued)
    assert await link.command("HGET", keys.of("counters"), "waiting:chat") == b"1"


async def test_what_happens_is_work(
    link: Link, keys: Keys, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """It waits where no message waits, in the lane of webhooks, and what was heard with it does not."""
    joined = Event("e1", "joined", 0.0, "t", Room("t", "ops"), User("anna"))
    service = Service(joined, message("a", "anna"))
    nursery.start_soon(Office(link, keys, service, floor=tmp_path / "floor").run)

    async def is_queued() -> bool:
        return await find_mailboxes(link, keys) == ["event/t/ops", "t/ops"]

    await until(is_queued)
    counters = await link.command("HMGET", keys.of("counters"), "waiting:chat", "waiting:work")
    assert counters == [b"1", b"1"]


async def test_it_goes_where_the_bot_was_told_to_be(
    link: Link, keys: Keys, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """What a handler has it join is remembered, and the next connection of any master is told; so are names of what it sent."""

    class Guest(Service):
        def __init__(self) -> None:
            super().__init__()
            self.rooms: Mapping[str, str | None] = {}
            self.edited = ""

        def expect(self, rooms: Mapping[str, str | None]) -> None:
            self.rooms = rooms

        async def join(self, reply: Reply) -> str:
            return reply.channel

        part = join

        async def send(self, reply: Reply) -> str:
            await super().send(reply)
            return "ts1"

        async def edit(self, reply: Reply) -> None:
            self.edited = reply.args["target"]

    first, second = Guest(), Guest()
    await put(link, keys, Reply("m/join", "t/ops", "", "join", args={"key": "k"}, v=3))
    await put(link, keys, Reply("m/say", "t/ops", "hello"))
    await put(link, keys, Reply("m/edit", "t/ops", "hi", "edit", args={"target": "m/say"}, v=3))
    async with trio.open_nursery() as term:
        term.start_soon(Office(link, keys, first, floor=tmp_path / "floor").run)
        await until(lambda: first.edited)
        term.cancel_scope.cancel()
    nursery.start_soon(Office(link, keys, second, floor=tmp_path / "floor").run)
    await until(lambda: second.here)

    assert (first.rooms, first.edited) == ({}, "ts1")
    assert second.rooms == {"ops": "k"}


async def test_it_sends_until_the_term_is_to_end(
    link: Link, keys: Keys, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """Then it returns by itself, gone from the service, and the service manager has been told of both."""
    service, ended = Service(), trio.Event()
    office = Office(link, keys, service, floor=tmp_path / "floor")

    async def run() -> None:
        await office.run()
        ended.set()

    await reply_waits(link, keys, "one")
    nursery.start_soon(run)
    await until(lambda: service.here and service.said == ["one"])
    office.term.leave("", 0.0, "told", "step-down")
    await until(ended.is_set)
    assert not service.here
    assert office.manager.lines == ["master, epoch 5", "standby"]


async def test_the_epoch_is_on_disk_before_anything_is_done(
    link: Link, keys: Keys, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """A node that came back from that moment would not take it again."""
    kept: list[int] = []
    floor = tmp_path / "floor"

    class Curious(Service):
        async def serve(
            self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
        ) -> None:
            kept.append(read(floor))
            await super().serve(ingest, task_status=task_status)

    nursery.start_soon(Office(link, keys, Curious(), floor=floor).run)
    assert await until(lambda: kept) == [5]


async def test_who_is_fenced_leaves_the_service(link: Link, keys: Keys, tmp_path: Path) -> None:
    """The lease is another's: that ends the duty with an error, and the connections with it."""
    await link.command("SET", keys.of("lease"), "n2/b2/0.6")
    service = Service()
    office = Office(link, keys, service, floor=tmp_path / "floor")
    with pytest.RaisesGroup(Fenced, flatten_subgroups=True):
        await office.run_unknown()
    assert not service.here
    assert service.said == []
    assert office.manager.lines[-1] == "standby"


async def test_a_service_that_is_not_reached_is_a_fault_of_the_term(
    link: Link, keys: Keys, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """For as long as it is not; the cluster is told of it too, as of every change."""
    service = Warm(down=True)
    office = Office(link, keys, service, floor=tmp_path / "floor")
    assert office.term.health.fault == ""
    await nursery.start(office.states.run)
    nursery.start_soon(office.run)
    await until(lambda: office.term.health.fault == "t: nobody there")
    await until(lambda: office.members.me.chat == {"t": "waiting"})
    service.down = False
    await until(lambda: service.here and not office.term.health.fault)
    await until(lambda: office.members.me.chat == {"t": "connected"})


async def test_a_service_that_nobody_connects_ahead_is_none(
    link: Link, keys: Keys, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """Nobody could say to reach it, so nothing is to be won."""
    service = Service(down=True)
    office = Office(link, keys, service, floor=tmp_path / "floor")
    nursery.start_soon(office.run)
    await until(lambda: service.tries == 2)
    assert office.term.health.fault == ""


async def test_getting_ready_connects_ahead_or_says_why_not(
    link: Link, keys: Keys, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """It is a successor's part of a hand-over."""
    service = Warm()
    await nursery.start(Office(link, keys, service, floor=tmp_path / "floor").duty.get_ready)
    assert service.here

    office = Office(link, keys, Warm(down=True), floor=tmp_path / "floor")
    with pytest.RaisesGroup(
        pytest.RaisesExc(UsageError, match="t: nobody there"), flatten_subgroups=True
    ):
        await nursery.start(office.duty.get_ready)
