"""Taking over what the dead have left, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
import trio
import trio.testing

from hachat.bot.recovery import Recovery
from hachat.bot.run import Run
from hachat.bot.worker import Worker
from hachat.core.messages import Inbound
from hachat.store.commits import Token
from hachat.store.dialogs import Question
from hachat.store.keys import Lane
from tests.bot.mailboxes import AWAY, Mailboxes
from tests.waiting import until


def begin(inbound: Inbound, questions: Sequence[Question] = ()) -> Run:
    """Handle nothing."""
    raise AssertionError(inbound)


def adopted(worker: Worker) -> list[Token]:
    """Return what a worker has in hand."""
    return [visit.token for visit in worker._visits.in_hand.values()]


def worker(queue: Mailboxes, lane: Lane, slots: int) -> Worker:
    """Return a worker that is not running and thus keeps what it adopts."""
    return Worker(queue, queue, lane, slots, begin)


@asynccontextmanager
async def recovering(queue: Mailboxes, *workers: Worker) -> AsyncIterator[Recovery]:
    """Run a recovery beside the block."""
    recovery = Recovery(queue, workers)
    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            await nursery.start(recovery.run)
            yield recovery
            nursery.cancel_scope.cancel()


async def test_each_worker_adopts_the_tokens_of_its_lane(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A person's conversations go to the chat worker, webhooks to the other."""
    queue = Mailboxes()
    chat, work = worker(queue, "chat", 2), worker(queue, "work", 2)
    queue.reapable = [queue.make_token("t/a"), queue.make_token("hook/1", "work")]
    tokens = list(queue.reapable)
    async with recovering(queue, chat, work) as recovery:
        recovery.notice(["n2:b2"])
        await until(lambda: not queue.reapable)
        await trio.testing.wait_all_tasks_blocked()

    assert (adopted(chat), adopted(work)) == (tokens[:1], tokens[1:])


async def test_no_more_is_taken_over_than_fits(autojump_clock: trio.testing.MockClock) -> None:
    """What this node has no room for stays for others, and for the next notice."""
    queue = Mailboxes()
    chat = worker(queue, "chat", 2)
    queue.reapable = [queue.make_token(f"t/{number}") for number in range(3)]
    async with recovering(queue, chat) as recovery:
        recovery.notice(["n2:b2"])
        await until(lambda: chat.running == 2)
        chat._visits.in_hand.clear()
        recovery.notice(["n2:b2"])
        await until(lambda: not queue.reapable)


async def test_a_beat_compares_what_is_in_hand(autojump_clock: trio.testing.MockClock) -> None:
    """A busy worker is compared with Redis at each beat, an idle one at every second."""
    queue = Mailboxes()
    chat, work = worker(queue, "chat", 2), worker(queue, "work", 2)
    chat.adopt([queue.make_token("t/a")])
    asked: list[Lane] = []

    async def held(lane: Lane) -> list[Token]:
        asked.append(lane)
        return []

    queue.held = held  # type: ignore[method-assign]  # counts the questions
    async with recovering(queue, chat, work) as recovery:
        for _ in range(4):
            recovery.beaten()
            await trio.testing.wait_all_tasks_blocked()

    assert asked == ["chat", "chat", "work", "chat", "chat", "work"]


async def test_without_a_notice_nothing_is_asked(autojump_clock: trio.testing.MockClock) -> None:
    """A quiet cluster costs no commands."""
    queue = Mailboxes()
    queue.reapable = [queue.make_token("t/a")]
    async with recovering(queue, worker(queue, "chat", 2)):
        await trio.sleep(3600)

    assert len(queue.reapable) == 1


async def test_redis_being_away_is_no_end(autojump_clock: trio.testing.MockClock) -> None:
    """After a failed attempt the next notice is heeded."""
    queue = Mailboxes()
    queue.failures["reap"] = [AWAY]
    chat = worker(queue, "chat", 2)
    async with recovering(queue, chat) as recovery:
        recovery.notice(["n2:b2"])
        await until(lambda: not queue.failures["reap"])
        queue.reapable = [queue.make_token("t/a")]
        recovery.notice(["n2:b2"])
        await until(lambda: chat.running)
