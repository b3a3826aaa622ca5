"""The road in, in virtual time: what it waits out, what it drops, and what it takes for done."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
import trio
import trio.testing
from structlog.testing import capture_logs
from structlog.typing import EventDict

from hachat.chat.ingest import Ingest
from hachat.core.errors import QueueFull, StoreRefused, StoreUnavailable, WireError
from hachat.core.messages import Event, Heard, Message, Room, User
from hachat.store.commits import Queued


def message(id_: str, room: str = "a") -> Message:
    """Return a message."""
    return Message(id_, Room("t", room), User("u"), "hi", 1.0)


MESSAGE = message("m1")
FULL = QueueFull("100 messages are waiting")


class Queue:
    """A queue that answers each call with the next of its answers; an exception is raised."""

    def __init__(self, *answers: list[Queued] | Exception) -> None:
        self.asked: list[list[Heard]] = []
        self._answers = list(answers)

    async def enqueue(self, messages: Sequence[Heard]) -> list[Queued]:
        """Answer."""
        await trio.lowlevel.checkpoint()
        self.asked.append(list(messages))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def ingest(queue: Queue, *messages: Heard) -> list[EventDict]:
    """Ingest the messages, or the one, and return what was logged."""
    with structlog.testing.capture_logs() as logs, trio.fail_after(600):
        await Ingest(queue.enqueue)(*messages or (MESSAGE,))
    return logs


async def test_what_is_to_be_ignored_is_not_queued(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The rest is, in its order; where nothing is left, nobody is asked, and the log tells at its finest level."""
    queue = Queue([True, True])
    hear = Ingest(queue.enqueue, lambda heard: heard.id == "m2")

    with capture_logs() as logs:
        await hear(message("m1"), message("m2"), message("m3"))
        await hear(message("m2"))

    assert [log["message"] for log in logs if log["event"] == "ignored"] == ["m2", "m2"]
    assert queue.asked == [[message("m1"), message("m3")]]


async def test_a_message_is_queued_once(autojump_clock: trio.testing.MockClock) -> None:
    """When the queue has taken it, that is all."""
    queue = Queue([True])

    await ingest(queue)

    assert queue.asked == [[MESSAGE]]
    assert trio.current_time() == 0


async def test_messages_are_queued_together(autojump_clock: trio.testing.MockClock) -> None:
    """What was heard together is one question to the queue, in the order it was heard."""
    queue = Queue([True, True, True])
    messages = [message("m1", "a"), message("m2", "b"), message("m3", "a")]

    await ingest(queue, *messages)

    assert queue.asked == [messages]
    assert trio.current_time() == 0


async def test_a_duplicate_is_as_good_as_queued(autojump_clock: trio.testing.MockClock) -> None:
    """A second delivery of the same event is no trouble and is not asked about again."""
    queue = Queue([False])

    logs = await ingest(queue)

    assert queue.asked == [[MESSAGE]]
    assert [entry["log_level"] for entry in logs] == ["debug"]


async def test_a_full_queue_is_waited_out(autojump_clock: trio.testing.MockClock) -> None:
    """It does not return before the message is queued, says why, and asks more seldom each time, up to a limit."""
    full: list[Queued] = [FULL]
    queue = Queue(*[full] * 10, [True])

    logs = await ingest(queue)

    assert queue.asked == [[MESSAGE]] * 11
    assert 3 < trio.current_time() < 8
    assert logs[0]["event"] == "not reading on"
    assert (logs[0]["room"], logs[0]["error"]) == ("t/a", "100 messages are waiting")


async def test_only_what_was_refused_is_offered_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Of messages heard together, those without room are offered until there is some, in their order."""
    queue = Queue([True, FULL, False, FULL, FULL], [FULL, True, FULL], [True, True])
    first, second, third, fourth, fifth = (message(f"m{number}") for number in range(5))

    logs = await ingest(queue, first, second, third, fourth, fifth)

    assert queue.asked == [
        [first, second, third, fourth, fifth],
        [second, fourth, fifth],
        [second, fifth],
    ]
    waits = [entry for entry in logs if entry["event"] == "not reading on"]
    assert [entry["messages"] for entry in waits] == [3, 2]


async def test_a_lost_redis_is_waited_out(autojump_clock: trio.testing.MockClock) -> None:
    """The same messages are offered until Redis takes them, whether it was silent or refused."""
    queue = Queue(
        StoreUnavailable("away"),
        StoreRefused("out of memory"),
        [StoreRefused("wrong type")],
        [True],
    )

    await ingest(queue)

    assert queue.asked == [[MESSAGE]] * 4


async def test_too_large_a_message_is_dropped_and_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What can never be queued must not stop the room: it is named in the log, and the reader goes on."""
    queue = Queue([WireError("m1: 300000 bytes")])

    (entry,) = await ingest(queue)

    assert queue.asked == [[MESSAGE]]
    assert entry["event"] == "message refused"
    assert (entry["room"], entry["error"]) == ("t/a", "m1: 300000 bytes")


async def test_too_large_a_message_takes_no_other_along(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Of messages heard together only the one is dropped, and its neighbours are queued."""
    queue = Queue([FULL, WireError("m2: 300000 bytes"), True], [True])
    messages = [message("m1"), message("m2", "b"), message("m3")]

    logs = await ingest(queue, *messages)

    assert queue.asked == [messages, messages[:1]]
    assert [entry["room"] for entry in logs if entry["event"] == "message refused"] == ["t/b"]


async def test_people_wait_for_no_event(autojump_clock: trio.testing.MockClock) -> None:
    """An event that finds no room is logged and lost; the message with it is queued, and nothing is waited for."""
    event = Event("e1", "joined", 1.0, "t", Room("t", "a"))
    queue = Queue([True, FULL])

    logs = await ingest(queue, MESSAGE, event)

    assert queue.asked == [[MESSAGE, event]]
    assert trio.current_time() == 0
    (lost,) = [line for line in logs if line["log_level"] == "warning"]
    assert (lost["event"], lost["name"], lost["room"]) == (
        "event lost",
        "joined",
        "event/t/a",
    )


async def test_an_event_waits_for_redis(autojump_clock: trio.testing.MockClock) -> None:
    """As everything does: nothing can be queued then."""
    event = Event("e1", "joined", 1.0, "t")
    queue = Queue([StoreRefused("out of memory")], [True])

    await ingest(queue, event)

    assert queue.asked == [[event], [event]]
