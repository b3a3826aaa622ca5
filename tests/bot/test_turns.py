"""Telling Redis what came of messages, in virtual time; whole workers do it in test_worker.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
import trio
import trio.testing

from hachat.bot.turns import RELUCTANCE, Turns
from hachat.bot.visit import Visit, Visits
from hachat.core.errors import StoreRefused
from hachat.core.messages import Job
from hachat.store.commits import Later
from hachat.store.inbound import BATCH
from tests.bot.mailboxes import AWAY, Mailboxes
from tests.waiting import until

SLOTS = 100


class Stage:
    """Turns over a queue, with what they have given out to be handled, expected and asked for."""

    def __init__(self) -> None:
        self.queue = Mailboxes()
        self.visits = Visits(SLOTS)
        self.given: list[Visit] = []
        self.expected: list[float] = []
        self.reconciled = 0
        self.turns = Turns(
            self.queue,
            "chat",
            self.visits,
            self.given.extend,
            expect=self.expected.append,
            reconcile=self.reconcile,
        )
        self.ended = trio.Event()

    async def reconcile(self) -> None:
        """Count that it was asked for."""
        self.reconciled += 1

    async def run(self) -> None:
        """Run the turns and note their end."""
        await self.turns.run()
        self.ended.set()

    def take(self, rooms: int = 1, texts: Sequence[str] = ("m1",)) -> list[Visit]:
        """Have conversations with messages in hand, whose heads are being handled."""
        for number in range(rooms):
            self.queue.put(f"r{number}", *texts)
        tokens, self.queue.ready = self.queue.ready, []
        self.queue.pending += tokens
        visits = [self.visits.begin(token, 1e9) for token in tokens]
        for visit in visits:
            visit.go_to(self.queue.boxes[visit.token.conversation][0])
        return visits


@asynccontextmanager
async def turning() -> AsyncIterator[Stage]:
    """Turn beside the block."""
    stage = Stage()
    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.run)
            await trio.testing.wait_all_tasks_blocked()
            yield stage
            nursery.cancel_scope.cancel()


async def test_what_is_finished_together_is_told_together(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One turn tells of all that has ended, up to a batch, and what it gives back makes room for as much."""
    async with turning() as stage:
        for visit in stage.take(BATCH + 2):
            stage.turns.finish(visit)
        await until(lambda: not stage.visits.in_hand)

    assert len(stage.queue.commits) == BATCH + 2
    assert stage.queue.mosts == [SLOTS - BATCH - 2, SLOTS - 2]


async def test_a_read_that_is_under_way_keeps_its_room(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A turn takes nothing for which there would be no room if the read brought all it may."""
    async with turning() as stage:
        (visit,) = stage.take()
        stage.visits.asked = stage.visits.free
        for room in ("b", "c"):
            stage.queue.put(room, "m2")
        stage.turns.finish(visit)
        await until(lambda: stage.given)

    assert stage.queue.mosts == [0]
    assert [visit.token.conversation for visit in stage.given] == ["t/b"]
    assert [token.conversation for token in stage.queue.ready] == ["t/c"]


async def test_the_next_head_is_given_out(autojump_clock: trio.testing.MockClock) -> None:
    """What waits behind a finished message is handled next, and counted; nothing is begun any more once we leave."""
    async with turning() as stage:
        (visit,) = stage.take(texts=("m1", "m2", "m3"))
        stage.turns.finish(visit)
        await until(lambda: stage.given == [visit])
        assert visit.head is not None
        assert (visit.head.id, visit.handled) == ("m2", 1)

        stage.turns.leaving = True
        stage.turns.finish(visit)
        await until(lambda: not stage.visits.in_hand)

    assert stage.given == [visit]
    assert stage.queue.mosts[-1] is None
    assert [head.id for head in stage.queue.boxes["t/r0"]] == ["m3"]


async def test_what_redis_refuses_is_told_again_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The others of its turn are finished all the same."""
    async with turning() as stage:
        first, second = stage.take(2)
        stage.queue.refusals = [StoreRefused("no")]
        began = trio.current_time()
        for visit in (first, second):
            stage.turns.finish(visit)
        await until(lambda: list(stage.visits.in_hand.values()) == [first])
        assert trio.current_time() - began < RELUCTANCE
        await until(lambda: not stage.visits.in_hand)
        assert trio.current_time() - began >= RELUCTANCE


async def test_after_a_lost_answer_we_compare(autojump_clock: trio.testing.MockClock) -> None:
    """Only then, for the turn may have taken what nobody heard of."""
    async with turning() as stage:
        first, second = stage.take(2)
        stage.turns.finish(first)
        await until(lambda: len(stage.visits.in_hand) == 1)
        assert stage.reconciled == 0

        stage.queue.failures["turn"] = [AWAY, AWAY]
        stage.turns.finish(second)
        await until(lambda: stage.reconciled)

    assert stage.reconciled == 1
    assert len(stage.queue.commits) == 2


async def test_what_is_due_later_is_expected(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever sleeps until the next job is due hears of those that a turn has scheduled."""
    async with turning() as stage:
        (visit,) = stage.take()
        job = Job("j1", "Some.job", 1.0)
        visit.later = [Later("j1", 5.0, "work", job), Later("j2", 7.0, "work", job)]
        stage.turns.finish(visit)
        await until(lambda: not stage.visits.in_hand)

    assert stage.expected == [5.0, 7.0]


async def test_closing_waits_for_what_has_ended(autojump_clock: trio.testing.MockClock) -> None:
    """Redis is told of all that was done before it is over; what was not done is nobody's reason to wait."""
    async with turning() as stage:
        ended, _ = stage.take(2)
        ended.ended = True
        stage.turns.close()
        await trio.testing.wait_all_tasks_blocked()
        assert not stage.ended.is_set()

        stage.turns.finish(ended)
        await stage.ended.wait()

    assert len(stage.queue.commits) == 1


async def test_what_is_another_s_is_let_go(autojump_clock: trio.testing.MockClock) -> None:
    """Work that comes to nothing is warned of, a first look at what is gone is not."""
    async with turning() as stage:
        with structlog.testing.capture_logs() as logs:
            worked, looking = stage.take(2)
            looking.go_to(None)
            stage.queue.pending.clear()
            for visit in (worked, looking):
                stage.turns.finish(visit)
            await until(lambda: not stage.visits.in_hand)

    assert [line["conversation"] for line in logs] == [worked.token.conversation]
