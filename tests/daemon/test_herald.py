"""What happens to the cluster is told once, to whoever wants to know, and waits while Redis is away."""

from __future__ import annotations

import pytest
import trio
from structlog.testing import capture_logs

from hachat import Context, Handler, on, startup
from hachat.bot.binding import bind
from hachat.bot.robot import Robot
from hachat.core.errors import QueueFull, StoreUnavailable
from hachat.core.messages import Event, Inbound, Job
from hachat.daemon.herald import MOST, Herald
from hachat.store.keys import Lane
from tests.waiting import until


class Watch(Handler):
    """Wants to know."""

    @on("node joined")
    async def joined(self, ctx: Context) -> None:
        """Hear of a node."""

    @startup
    async def hello(self, ctx: Context) -> None:
        """Say hello."""


class Queue:
    """A queue that fails as it is told."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.queued: list[Inbound] = []

    async def enqueue(self, value: Inbound, lane: Lane) -> bool:
        """Fail, or take it."""
        await trio.lowlevel.checkpoint()
        assert lane == "work"
        if self.faults:
            raise self.faults.pop(0)
        self.queued.append(value)
        return True


def make(queue: Queue) -> Herald:
    """Return a herald of a node whose handlers watch."""
    return Herald("n1", Robot(bind(Watch()), "hachat"), queue.enqueue)


async def test_only_what_somebody_wants_to_know_is_told() -> None:
    """Of others' nodes, too; nodes that tell of the same thing do it under one id."""
    queue = Queue()
    herald = make(queue)
    herald.tell("node joined", "n1:b1")
    herald.tell("node joined", "n2:b2", "n2")
    herald.tell("master gained", "7")

    await herald.flush()

    events = [value for value in queue.queued if isinstance(value, Event)]
    assert [(event.name, event.data) for event in events] == [
        ("node joined", {"node": "n1"}),
        ("node joined", {"node": "n2"}),
    ]
    assert [event.source for event in events] == [
        "event::node joined/n1:b1",
        "event::node joined/n2:b2",
    ]


async def test_what_is_due_at_the_start_is_queued_once() -> None:
    """However often the same start is told of, the queue knows the job by its id."""
    queue = Queue()
    herald = make(queue)
    herald.begin("n1:b1")

    await herald.flush()

    (job,) = queue.queued
    assert isinstance(job, Job)
    assert (job.id, job.route) == ("watch.hello@n1:b1", "watch.hello")


async def test_it_waits_while_redis_is_away(autojump_clock: trio.testing.MockClock) -> None:
    """Nothing is lost, and the order stays."""
    queue = Queue(StoreUnavailable("away"), StoreUnavailable("away"))
    herald = make(queue)
    async with trio.open_nursery() as nursery:
        await nursery.start(herald.run)
        herald.begin("n1:b1")
        herald.tell("node joined", "n1:b1")
        await until(lambda: len(queue.queued) == 2)
        nursery.cancel_scope.cancel()

    assert [type(value) for value in queue.queued] == [Job, Event]


@pytest.mark.parametrize("fault", [QueueFull("too much waits")])
async def test_what_cannot_be_queued_is_logged(fault: Exception) -> None:
    """It is given up, and what comes after it is told."""
    queue = Queue(fault)
    herald = make(queue)
    herald.begin("n1:b1")
    herald.tell("node joined", "n1:b1")
    with capture_logs() as lines:
        await herald.flush()

    assert [type(value) for value in queue.queued] == [Event]
    assert [line["log_level"] for line in lines] == ["error"]


async def test_no_more_than_so_many_wait() -> None:
    """The oldest are let go, and the log says so."""
    queue = Queue()
    herald = make(queue)
    with capture_logs() as lines:
        for number in range(MOST + 2):
            herald.tell("node joined", str(number))
    await herald.flush()

    assert len(queue.queued) == MOST
    assert len(lines) == 2
