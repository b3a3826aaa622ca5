"""The reconnect loop and the delivery of what was heard, with an adapter that fails on purpose."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

import pytest
import structlog
import trio
import trio.testing

from hachat.chat.adapter import (
    CONNECT,
    GOODBYE,
    TOGETHER,
    Connection,
    Facts,
    Ingest,
    State,
    deliver,
)
from hachat.core.errors import StoreUnavailable
from hachat.core.messages import Heard, Message, Reply, Room, User

Act = Callable[[trio.TaskStatus[None]], Awaitable[None]]


class Scripted:
    """An adapter that does one act for each connection and notes when it began."""

    name = "scripted"
    facts = Facts()

    def __init__(self, *acts: Act) -> None:
        self.began: list[float] = []
        self._acts = list(acts)

    async def serve(
        self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Play the next act; the last one again and again."""
        self.began.append(trio.current_time())
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        await act(task_status)

    async def send(self, reply: Reply) -> None:
        """Send nothing."""


async def refuse(task_status: trio.TaskStatus[None]) -> None:
    """Be a service that is down."""
    raise ConnectionRefusedError("down")


async def blunder(task_status: trio.TaskStatus[None]) -> None:
    """Be an adapter with a mistake."""
    raise KeyError("a mistake")


async def hang(task_status: trio.TaskStatus[None]) -> None:
    """Be a service that accepts and says nothing."""
    await trio.sleep_forever()


async def stay(task_status: trio.TaskStatus[None]) -> None:
    """Be a service that stays."""
    task_status.started()
    await trio.sleep_forever()


def drop_after(seconds: float) -> Act:
    """Return a service that connects and drops us after `seconds`."""

    async def act(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(seconds)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse, task_status)

    return act


async def swallow(*messages: Heard) -> None:
    """Take any messages."""


async def play(adapter: Scripted, seconds: float) -> list[State]:
    """Keep `adapter` connected for `seconds` and return the states it went through."""
    states: list[State] = []
    connection = Connection(adapter, dice=lambda: 1.0)
    connection._on_change = lambda: states.append(connection.state)
    with trio.move_on_after(seconds), structlog.testing.capture_logs():
        await connection.run(swallow)
    return states


def gaps(adapter: Scripted) -> list[float]:
    """Return the seconds between the connections."""
    return [
        later - earlier for earlier, later in zip(adapter.began, adapter.began[1:], strict=False)
    ]


async def test_tries_again_later_each_time(autojump_clock: trio.testing.MockClock) -> None:
    """A service that is down is tried again after 1 s, then twice as late each time, at most a minute."""
    adapter = Scripted(refuse)

    await play(adapter, 400)

    assert gaps(adapter) == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60])


async def test_steady_connection_is_renewed_soon(autojump_clock: trio.testing.MockClock) -> None:
    """After a connection that stood, the first try is soon again; after a short one it is not."""
    adapter = Scripted(refuse, refuse, drop_after(1), drop_after(100), stay)

    await play(adapter, 200)

    assert gaps(adapter) == pytest.approx([1, 2, 1 + 4, 100 + 1])


async def test_reports_each_state(autojump_clock: trio.testing.MockClock) -> None:
    """Watchers are told of each change: connecting, connected, waiting."""
    states = await play(Scripted(drop_after(5), refuse, stay), 60)

    assert states == [
        "connecting",
        "connected",
        "waiting",
        "connecting",
        "waiting",
        "connecting",
        "connected",
    ]


async def test_tells_why_it_is_not_connected(autojump_clock: trio.testing.MockClock) -> None:
    """With each change: the last reason stands while it tries again, and a mistake of the adapter is none of the service's."""
    acts = (drop_after(5), hang, refuse, blunder, stay)
    connection = Connection(Scripted(*acts), dice=lambda: 1.0)
    seen: list[tuple[State, str]] = []
    connection._on_change = lambda: seen.append((connection.state, connection.fault))

    with trio.move_on_after(200), structlog.testing.capture_logs():
        await connection.run(swallow)

    late = f"no answer within {CONNECT:g} s"
    assert seen == [
        ("connecting", "not connected yet"),
        ("connected", ""),
        ("waiting", "down"),
        ("connecting", "down"),
        ("waiting", late),
        ("connecting", late),
        ("waiting", "down"),
        ("connecting", "down"),
        ("waiting", ""),
        ("connecting", ""),
        ("connected", ""),
    ]


async def test_gives_up_connecting(autojump_clock: trio.testing.MockClock) -> None:
    """A service that does not answer is given up after the time for connecting, but a connected one is not."""
    adapter = Scripted(hang, stay)

    states = await play(adapter, 1000)

    assert gaps(adapter) == pytest.approx([CONNECT + 1])
    assert states[-1] == "connected"


async def test_mistakes_are_logged_and_contained(autojump_clock: trio.testing.MockClock) -> None:
    """A mistake in one adapter leaves its neighbour alone, is logged with its trace and tried again a minute later."""
    broken, sound = Scripted(blunder), Scripted(stay)

    with trio.move_on_after(70), structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            await nursery.start(Connection(broken).run, swallow)
            await nursery.start(Connection(sound).run, swallow)

    assert gaps(broken) == pytest.approx([60])
    assert len(sound.began) == 1
    failures = [entry for entry in logs if entry["event"] == "adapter failed"]
    assert all(entry["exc_info"] for entry in failures)
    assert len(failures) == 2


async def test_started_at_once(autojump_clock: trio.testing.MockClock) -> None:
    """A service that is away does not hold up whoever starts the connection."""
    with trio.fail_after(0.5):
        async with trio.open_nursery() as nursery:
            await nursery.start(Connection(Scripted(hang)).run, swallow)
            nursery.cancel_scope.cancel()


class Desk:
    """An ingest that takes `seconds` for each call, and notes what it took together."""

    def __init__(self, seconds: float = 0.01) -> None:
        self.took: list[list[str]] = []
        self._seconds = seconds

    async def __call__(self, *messages: Heard) -> None:
        """Take them."""
        await trio.sleep(self._seconds)
        self.took.append([one.text for one in messages if isinstance(one, Message)])

    @property
    def texts(self) -> list[str]:
        """All that was taken, in its order."""
        return [text for together in self.took for text in together]


def message(text: str) -> Message:
    """Return a message of its own id."""
    return Message(text, Room("scripted", "room"), User("u"), text, 0.0)


def hear(*texts: str) -> tuple[trio.MemorySendChannel[Message], trio.MemoryReceiveChannel[Message]]:
    """Return a reader's channel, in which these messages wait."""
    send, receive = trio.open_memory_channel[Message](1000)
    for text in texts:
        send.send_nowait(message(text))
    return send, receive


MANY = tuple(str(number) for number in range(2 * TOGETHER + 3))


async def test_delivers_in_order(autojump_clock: trio.testing.MockClock) -> None:
    """What was heard is handed over in the order it was heard."""
    desk = Desk()
    send, receive = hear()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deliver, receive, desk)
        with send:
            for text in "abc":
                await send.send(message(text))

    assert desk.texts == ["a", "b", "c"]


async def test_delivers_at_once(autojump_clock: trio.testing.MockClock) -> None:
    """A message that comes alone is handed over alone: it waits for no other."""
    desk = Desk()
    send, receive = hear()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deliver, receive, desk)
        with send:
            for text in "abc":
                await send.send(message(text))
                await trio.sleep(1)

    assert desk.took == [["a"], ["b"], ["c"]]


async def test_delivers_together_what_came_together(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What was heard while the last messages were handed over goes with one call, in order."""
    desk = Desk(seconds=1.0)
    send, receive = hear()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deliver, receive, desk)
        with send:
            await send.send(message("a"))
            await trio.testing.wait_all_tasks_blocked()
            for text in "bcd":
                await send.send(message(text))

    assert desk.took == [["a"], ["b", "c", "d"]]


async def test_no_more_than_the_limit_together(autojump_clock: trio.testing.MockClock) -> None:
    """However much has been heard, no call has more than the limit, and the rest follows."""
    desk = Desk()
    send, receive = hear(*MANY)
    send.close()

    await deliver(receive, desk)

    assert desk.texts == list(MANY)
    assert [len(together) for together in desk.took] == [TOGETHER, TOGETHER, 3]


async def test_delivers_the_rest_when_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    """What was heard before the cancel is handed over after it, beginning with what may not be queued yet."""
    desk = Desk()
    _, receive = hear(*MANY)
    with trio.move_on_after(0.015) as scope:
        await deliver(receive, desk)

    assert scope.cancelled_caught
    assert desk.texts == list(MANY)
    assert max(map(len, desk.took)) == TOGETHER


async def test_delivers_what_was_heard_before_it_began(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A delivery that is cancelled before its first message leaves none behind."""
    desk = Desk()
    _, receive = hear(*MANY)
    with trio.CancelScope() as scope:
        scope.cancel()
        await deliver(receive, desk)

    assert desk.texts == list(MANY)


async def test_nothing_is_delivered_twice_when_cancelled_at_rest(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What has been handed over is not handed over again on leaving."""
    desk = Desk()
    _, receive = hear("a", "b")
    with trio.move_on_after(1.0):
        await deliver(receive, desk)

    assert desk.took == [["a", "b"]]


@pytest.mark.parametrize("heard", [3, TOGETHER + 3], ids=["one call", "two calls"])
async def test_goodbye_is_bounded(heard: int, autojump_clock: trio.testing.MockClock) -> None:
    """A cancelled delivery that cannot get rid of its messages ends all the same, and says what it lost."""
    _, receive = hear(*MANY[:heard])
    began = trio.current_time()
    with structlog.testing.capture_logs() as logs, trio.move_on_after(1.0):
        await deliver(receive, Desk(seconds=math.inf))

    assert trio.current_time() - began == pytest.approx(1.0 + GOODBYE)
    assert logs[-1]["event"] == "messages lost on leaving"
    assert logs[-1]["at_most"] == heard


async def test_store_trouble_is_expected_trouble(autojump_clock: trio.testing.MockClock) -> None:
    """An adapter that ends because Redis is away is tried again soon, as after any lost connection."""

    async def lose_redis(task_status: trio.TaskStatus[None]) -> None:
        raise StoreUnavailable("away")

    adapter = Scripted(lose_redis, stay)

    await play(adapter, 30)

    assert gaps(adapter) == pytest.approx([1])


class Guest(Scripted):
    """An adapter that goes where it was told to."""

    def __init__(self, *acts: Act) -> None:
        super().__init__(*acts)
        self.expected: list[Mapping[str, str | None]] = []

    def expect(self, rooms: Mapping[str, str | None]) -> None:
        """Remember where to be."""
        self.expected.append(rooms)

    async def join(self, reply: Reply) -> str:
        """Join."""
        return reply.channel

    part = join


async def test_it_is_told_where_to_be_before_each_connection(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """As it was remembered last; while that cannot be read, no connection is made."""
    adapter = Guest(drop_after(1), stay)
    answers: list[Mapping[str, str | None]] = [{"#b": ""}, {"#a": ""}]

    async def find_rooms(name: str) -> Mapping[str, str | None]:
        if len(adapter.expected) == 1 and not refused:
            refused.append(name)
            raise StoreUnavailable("away")
        return answers.pop()

    refused: list[str] = []
    connection = Connection(adapter, find_rooms=find_rooms)
    with trio.move_on_after(60), structlog.testing.capture_logs():
        await connection.run(swallow)

    assert adapter.expected == [{"#a": ""}, {"#b": ""}]
    assert refused == [adapter.name]
    assert len(adapter.began) == 2


@pytest.mark.parametrize("trouble", [None, StoreUnavailable("away")])
async def test_whoever_starts_it_hears_that_it_has_begun_to_connect(
    trouble: StoreUnavailable | None, autojump_clock: trio.testing.MockClock
) -> None:
    """What is sent from then on finds an adapter that knows that it is to connect; or that cannot, yet."""
    adapter = Guest(stay)

    async def find_rooms(adapter: str) -> Mapping[str, str | None]:
        await trio.sleep(0.3)
        if trouble:
            raise trouble
        return {}

    async with trio.open_nursery() as nursery:
        with structlog.testing.capture_logs():
            await nursery.start(Connection(adapter, find_rooms=find_rooms).run, swallow)
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == pytest.approx(0.3)
        assert len(adapter.began) == (0 if trouble else 1)
        nursery.cancel_scope.cancel()
