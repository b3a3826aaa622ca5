"""Calls and their answers, on a real server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
import structlog
import trio

from hachat.core.errors import CallError, QueueFull, StoreRefused, Unsupported
from hachat.core.messages import Answer, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import decode_reply
from hachat.store.answers import Answers
from hachat.store.commits import mark
from hachat.store.embedded import Server
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.outbound import Due, Outbound, Report
from tests.store.links import answers as is_up
from tests.store.links import blocked_clients, running
from tests.waiting import until

TOKEN = "n9/b9/0.9"
ADA = User("u1", "Ada")


@pytest.fixture
async def outbound(link: Link, keys: Keys) -> Outbound:
    """The queue in the name of the present master."""
    await link.command("SET", keys.of("lease"), TOKEN)
    return Outbound(link, keys, TOKEN)


@pytest.fixture
async def calls(link: Link, keys: Keys, nursery: trio.Nursery) -> Answers:
    """The calls of a node, heard for as long as the test lasts."""
    made = Answers(link, keys, "n1:b1", lambda: QueueSettings(outbox=3))
    await nursery.start(made.run)
    return made


class Asked:
    """A call on its way; `outcome` is what came of it."""

    def __init__(self, calls: Answers, nursery: trio.Nursery, room: str = "t/a") -> None:
        self.outcome: Sequence[User] | Exception | None = None
        self.scope = trio.CancelScope()
        nursery.start_soon(self._ask, calls, room)

    async def _ask(self, calls: Answers, room: str) -> None:
        with self.scope:
            try:
                self.outcome = await calls.ask("roster", room, about="m1")
            except CallError as error:
                self.outcome = error

    async def get(self) -> Sequence[User] | Exception:
        """Return what came of it."""
        await until(lambda: self.outcome is not None)
        assert self.outcome is not None
        return self.outcome


async def take(outbound: Outbound, count: int = 1) -> list[Due]:
    """Return the calls that come up."""
    taken: list[Due] = []

    async def look() -> bool:
        taken.extend((await outbound.turn([], 10))[0])
        return len(taken) >= count

    await until(look)
    return taken


def tell(due: Due, *users: User, error: str = "", supported: bool = True) -> Report:
    """Return the report that answers a call."""
    call = decode_reply(due.data)
    return Report(due, answer=Answer(call.id, call.answer, users, error, supported))


async def test_a_call_is_taken_like_a_reply(
    calls: Answers, outbound: Outbound, link: Link, keys: Keys, nursery: trio.Nursery
) -> None:
    """It stands in its room's outbox, rings the bell, and says who waits, for whose sake and for what."""
    nursery.start_soon(partial(calls.ask, "lookup", "t/a", about="m1", args={"user": "u1"}))
    (due,) = await take(outbound)

    call = decode_reply(due.data)
    assert (call.id, call.op, call.args) == (due.id, "lookup", {"user": "u1"})
    assert (call.room, call.about, call.answer) == ("t/a", "m1", "n1:b1")
    assert await link.command("LLEN", keys.of("bell")) == 1
    assert await link.command("HGET", keys.of("counters"), "outgoing") == b"1"
    nursery.cancel_scope.cancel()


async def test_everybody_hears_of_their_own_call(
    calls: Answers, outbound: Outbound, nursery: trio.Nursery
) -> None:
    """Of calls made together each gets its own answer, be it an error."""
    asked = {room: Asked(calls, nursery, room) for room in ("t/a", "t/b", "t/c", "t/d")}
    dues = {due.room: due for due in await take(outbound, 4)}

    await outbound.turn(
        [
            tell(dues["t/b"], ADA),
            tell(dues["t/a"]),
            tell(dues["t/c"], error="no such room"),
            tell(dues["t/d"], error="t does not know roster", supported=False),
        ],
        0,
    )

    assert await asked["t/a"].get() == ()
    assert await asked["t/b"].get() == (ADA,)
    refused, unsupported = await asked["t/c"].get(), await asked["t/d"].get()
    assert str(refused) == "no such room"
    assert not isinstance(refused, Unsupported)
    assert isinstance(unsupported, Unsupported)
    nursery.cancel_scope.cancel()


async def test_an_answer_to_nobody_is_passed_over(
    calls: Answers, outbound: Outbound, link: Link, keys: Keys, nursery: trio.Nursery
) -> None:
    """What came too late, or is no answer at all, keeps nobody from hearing theirs."""
    late = Asked(calls, nursery, "t/late")
    (due,) = await take(outbound)
    late.scope.cancel()
    await link.command("XADD", keys.answers("n1:b1"), "*", "json", "rubbish")
    asked = Asked(calls, nursery)
    (other,) = await take(outbound)

    with structlog.testing.capture_logs():
        await outbound.turn([tell(due), tell(other, ADA)], 0)
        assert await asked.get() == (ADA,)
    assert late.outcome is None
    nursery.cancel_scope.cancel()


async def test_nobody_listens_unless_somebody_waits(
    own_server: Server, keys: Keys, nursery: trio.Nursery
) -> None:
    """A node has one blocked reader for all its calls, none before the first, and soon none after the last."""
    async with running(own_server) as link:
        await link.command("SET", keys.of("lease"), TOKEN)
        outbound, calls = Outbound(link, keys, TOKEN), Answers(link, keys, "n1:b1")
        await nursery.start(calls.run)
        assert await blocked_clients(link) == 0

        asked = [Asked(calls, nursery, room) for room in ("t/a", "t/b")]
        dues = await take(outbound, 2)

        async def one_listens() -> bool:
            return await blocked_clients(link) == 1

        async def nobody_listens() -> bool:
            return await blocked_clients(link) == 0

        await until(one_listens)
        await outbound.turn([tell(due, ADA) for due in dues], 0)
        assert [await one.get() for one in asked] == [(ADA,), (ADA,)]
        await until(nobody_listens)
        nursery.cancel_scope.cancel()


async def test_an_answer_outlives_a_lost_connection(
    calls: Answers, outbound: Outbound, link: Link, nursery: trio.Nursery
) -> None:
    """What was posted while a node's reader was cut off is read by its next one."""
    asked = Asked(calls, nursery)
    (due,) = await take(outbound)

    with structlog.testing.capture_logs():
        await link.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await until(partial(is_up, link))
        await outbound.turn([tell(due, ADA)], 0)
        assert await asked.get() == (ADA,)
    nursery.cancel_scope.cancel()


async def test_a_call_whose_answer_was_lost_is_queued_once(
    calls: Answers, outbound: Outbound, link: Link, keys: Keys, nursery: trio.Nursery
) -> None:
    """Repeating the question finds it in the outbox, in whatever place."""
    Asked(calls, nursery)
    (due,) = await take(outbound)
    await link.command("RPUSH", keys.outbox("t/a"), "m/x|{}")

    await calls._queue(decode_reply(due.data))

    assert await link.command("LRANGE", keys.outbox("t/a"), 0, -1) == [
        mark(decode_reply(due.data)),
        b"m/x|{}",
    ]
    assert await link.command("HGET", keys.of("counters"), "outgoing") == b"1"
    nursery.cancel_scope.cancel()


async def test_a_full_outbox_takes_no_call(calls: Answers, link: Link, keys: Keys) -> None:
    """Where the limit of replies is reached, whoever asks is told, and no trace is left."""
    await link.command("RPUSH", keys.outbox("t/a"), "1|", "2|", "3|")

    with pytest.raises(QueueFull, match="3 replies are waiting in t/a"):
        await calls.ask("roster", "t/a")

    assert await link.command("LLEN", keys.outbox("t/a")) == 3
    assert await link.command("EXISTS", keys.of("counters"), keys.of("outready")) == 0


async def test_an_outbox_that_is_none_takes_no_call(calls: Answers, link: Link, keys: Keys) -> None:
    """Redis's refusal is told at once instead of being tried again until the caller's time is up."""
    await link.command("SET", keys.outbox("t/a"), "rubbish")

    with structlog.testing.capture_logs(), pytest.raises(StoreRefused, match="WRONGTYPE"):
        await calls.ask("roster", "t/a")

    assert await link.command("EXISTS", keys.of("counters"), keys.of("outready")) == 0


async def test_an_answers_key_that_is_none_is_told(
    calls: Answers, outbound: Outbound, link: Link, keys: Keys, nursery: trio.Nursery
) -> None:
    """A node that cannot read its answers says so, and hears them once the key has been put right."""
    await link.command("SET", keys.answers("n1:b1"), "rubbish")
    with structlog.testing.capture_logs() as logs:
        asked = Asked(calls, nursery)
        (due,) = await take(outbound)
        await until(lambda: logs)
        await link.command("DEL", keys.answers("n1:b1"))
        await outbound.turn([tell(due, ADA)], 0)
        assert await asked.get() == (ADA,)

    assert logs[0]["event"] == "cannot hear the answers to calls"
    assert "WRONGTYPE" in logs[0]["error"]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", ["outbox:t/a", "outready", "counters", "bell"])
async def test_a_call_that_is_refused_is_not_queued(name: str, link: Link, keys: Keys) -> None:
    """A call that stands in an outbox and has no time there would hold up its room for ever."""
    await link.command("SET", keys.of(name), "rubbish")

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await Answers(link, keys, "n1:b1").ask("roster", "t/a")

    assert await link.command("KEYS", keys.of("*")) == [keys.of(name).encode()]
