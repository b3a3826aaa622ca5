"""Keeping company to slow messages, in virtual time; whole workers do it in test_worker.py."""

from __future__ import annotations

from functools import partial

import pytest
import structlog
import trio
import trio.testing

from hachat.bot.calls import Call
from hachat.bot.company import Company
from hachat.bot.replies import Replies
from hachat.bot.run import Run
from hachat.bot.visit import Visit
from hachat.core.messages import Message, Room, User
from hachat.store.commits import Token
from tests.bot.mailboxes import AWAY, Mailboxes
from tests.waiting import until

PATIENCE = 2.0


class Stage:
    """A company, a queue with one message in hand, and what was finished."""

    def __init__(self) -> None:
        self.queue = Mailboxes()
        self.finished: list[Visit] = []
        self.company = Company(self.queue, PATIENCE, self.finished.append)
        self.queue.put("a", "m1")
        self.queue.pending, self.queue.ready = self.queue.ready, []
        (token,) = self.queue.pending
        self.replies = Replies("m1", "r")
        message = Message("m1", Room("t", "a"), User("u"), "hi", 1.0)
        call = Call("r", partial(trio.sleep, 0), self.replies)
        self.visit = Visit(token, 0.0, head=self.queue.boxes["t/a"][0])
        self.visit.run = Run(message, [call], timeout=60.0)

    def join(self) -> None:
        """Have the message accompanied from now on."""
        self.visit.began = trio.current_time()
        self.company.join(self.visit)

    def end(self) -> None:
        """Let the handler have ended."""
        assert self.visit.news is not None
        self.visit.ended = True
        self.visit.news.unpark_all()


@pytest.mark.parametrize("lost", [0, 2], ids=["Redis answers", "answers are lost"])
async def test_what_is_said_is_told_once(lost: int, autojump_clock: trio.testing.MockClock) -> None:
    """Each reply is told as it is made, and once, however often it has to be told; the end comes after all of them."""
    stage = Stage()
    stage.queue.failures["progress"] = [AWAY] * lost
    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.company.run)
            stage.join()
            for number in range(3):
                stage.replies.add("t/a", f"part {number}")
                await until(lambda: len(stage.queue.early) == number + 1)  # noqa: B023 - awaited here
            assert stage.finished == []
            stage.end()
            await until(lambda: stage.finished == [stage.visit])
            nursery.cancel_scope.cancel()

    assert stage.queue.early == ["part 0", "part 1", "part 2"]


async def test_after_its_patience_the_message_stands_aside(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Its visit goes on under the same entry, in a conversation of its own, and is moved once."""
    stage = Stage()
    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.company.run)
            stage.join()
            entry = stage.visit.token.entry
            await trio.sleep(PATIENCE * 0.9)
            assert stage.visit.token.conversation == "t/a"
            await trio.sleep(PATIENCE * 5)
            stage.end()
            await until(lambda: stage.finished == [stage.visit])
            nursery.cancel_scope.cancel()

    assert stage.visit.token == Token("chat", entry, "t/a#m1")
    assert [head.id for head in stage.queue.boxes["t/a#m1"]] == ["m1"]


async def test_what_is_another_s_is_not_finished(autojump_clock: trio.testing.MockClock) -> None:
    """Once Redis says that the message is another node's, it is lost, and nobody is told of its end."""
    stage = Stage()
    stage.queue.pending.clear()
    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.company.run)
            stage.join()
            stage.replies.add("t/a", "too late")
            await until(lambda: stage.visit.lost)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    assert stage.finished == []
    assert stage.queue.early == []


async def test_what_has_to_wait_for_others_is_not_finished_here(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where its conversation of its own is in other hands, the message is handled there, and not twice."""
    stage = Stage()
    stage.queue.put_raw("t/a#m1", "another", b"")
    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.company.run)
            stage.join()
            await until(lambda: stage.visit.lost)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    assert stage.finished == []
    assert [head.id for head in stage.queue.boxes["t/a#m1"]] == ["another", "m1"]
