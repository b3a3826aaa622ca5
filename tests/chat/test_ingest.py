"""The road in, in virtual time: what it waits out, what it drops, and what it takes for done."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
import trio
import trio.testing
from structlog.typing import EventDict

from hachat.chat.ingest import Ingest
from hachat.core.errors import QueueFull, StoreRefused, StoreUnavailable, WireError
from hachat.core.messages import Message, Room, User

MESSAGE = Message("m1", Room("t", "a"), User("u"), "hi", 1.0)


class Queue:
    """A queue that answers each call with the next of its answers; an exception is raised."""

    def __init__(self, answers: Sequence[bool | Exception]) -> None:
        self.asked: list[Message] = []
        self._answers = list(answers)

    async def enqueue(self, message: Message) -> bool:
        """Answer."""
        await trio.lowlevel.checkpoint()
        self.asked.append(message)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def ingest(queue: Queue) -> list[EventDict]:
    """Ingest the message and return what was logged."""
    with structlog.testing.capture_logs() as logs, trio.fail_after(600):
        await Ingest(queue.enqueue)(MESSAGE)
    return logs


async def test_a_message_is_queued_once(autojump_clock: trio.testing.MockClock) -> None:
    """When the queue has taken it, that is all."""
    queue = Queue([True])

    await ingest(queue)

    assert queue.asked == [MESSAGE]
    assert trio.current_time() == 0


async def test_a_duplicate_is_as_good_as_queued(autojump_clock: trio.testing.MockClock) -> None:
    """A second delivery of the same event is no trouble and is not asked about again."""
    queue = Queue([False])

    logs = await ingest(queue)

    assert queue.asked == [MESSAGE]
    assert [entry["log_level"] for entry in logs] == ["debug"]


async def test_a_full_queue_is_waited_out(autojump_clock: trio.testing.MockClock) -> None:
    """It does not return before the message is queued, says why, and asks more seldom each time."""
    full = [QueueFull("100 messages are waiting")] * 10
    queue = Queue([*full, True])

    logs = await ingest(queue)

    assert len(queue.asked) == 11
    assert 10 < trio.current_time() < 40
    assert logs[0]["event"] == "not reading on"
    assert logs[0]["error"] == "100 messages are waiting"


async def test_a_lost_redis_is_waited_out(autojump_clock: trio.testing.MockClock) -> None:
    """The same message is offered until Redis takes it, whether it was silent or refused."""
    queue = Queue([StoreUnavailable("away"), StoreRefused("out of memory"), True])

    await ingest(queue)

    assert queue.asked == [MESSAGE] * 3


async def test_too_large_a_message_is_dropped_and_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What can never be queued must not stop the room: it is named in the log, and the reader goes on."""
    queue = Queue([WireError("m1: 300000 bytes")])

    (entry,) = await ingest(queue)

    assert queue.asked == [MESSAGE]
    assert entry["event"] == "message refused"
    assert (entry["room"], entry["error"]) == ("t/a", "m1: 300000 bytes")
