"""A node of a test: the workers of a real one on real queues, which can be made to die at a chosen moment."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import trio
from msgspec.structs import replace

from hachat.bot.calls import Call
from hachat.bot.questions import Suspended
from hachat.bot.recovery import Recovery
from hachat.bot.robot import Robot
from hachat.bot.run import Run
from hachat.bot.worker import Worker
from hachat.core.access import AccessSettings
from hachat.core.messages import Inbound
from hachat.core.settings import QueueSettings
from hachat.daemon.lending import lend
from hachat.store.answers import Answers
from hachat.store.dialogs import Dialogs, Question
from hachat.store.inbound import Inbound as Queue
from hachat.store.keys import LANES, Keys, Lane
from hachat.store.link import Link
from hachat.store.members import Member, Members
from hachat.testing.transcript import Transcript

_SLOTS = 8
_LIFE = 3600.0


class _Mortal(Queue):
    """A queue whose node gives nothing back as it ends, once it has died."""

    died = False

    async def hand_back(self, lane: Lane) -> int:
        return 0 if self.died else await super().hand_back(lane)


class Node:
    """Works through the queues of a cluster, as a daemon does that is not master."""

    def __init__(
        self,
        link: Link,
        keys: Keys,
        robot: Robot,
        number: int,
        access: AccessSettings,
        *,
        transcript: Transcript,
    ) -> None:
        self.crashed = trio.Event()
        """Set when a handler has run to its end whose node was to die with it."""
        self.member = Member(
            *(f"node-{number}", "1", os.getpid(), "", "", time.time()), beat=_LIFE, life=_LIFE
        )
        self._link = link
        self._keys = keys
        self._robot = robot
        self._access = access
        self._transcript = transcript
        self._doomed = ""
        self._queue = _Mortal(link, keys, self.member.consumer, QueueSettings())
        find = Dialogs(link, keys).find
        self._workers = [
            Worker(self._queue, link, lane, _SLOTS, self._begin, find=find) for lane in LANES
        ]
        self._recovery = Recovery(self._queue, self._workers)
        self._answers = Answers(link, keys, self.member.consumer)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled, or until it dies."""
        await Members(self._link, self._keys, self.member).join()
        await self._queue.prepare()
        services = self._robot.services
        lend(services, self._link, self._keys, ask=self._answers.ask, access=self._access)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._recovery.run)
            nursery.start_soon(self._answers.run)
            nursery.start_soon(services.people.run)
            for worker in self._workers:
                await nursery.start(partial(worker.run, trio.Event(), 0.0))
            task_status.started()
            await self.crashed.wait()
            nursery.cancel_scope.cancel()

    def doom(self, message: str) -> None:
        """Let the node die when the handlers of a message have run to their end, before that is committed."""
        self._doomed = message
        self._queue.died = True

    async def bury(self, dead: Node) -> None:
        """Find that a node has died, and take over its conversations."""
        consumer = dead.member.consumer
        seconds, _ = await self._link.command("TIME")
        await self._link.command("ZADD", self._keys.of("nodes"), int(seconds) * 1000 - 1, consumer)
        self._recovery.notice([consumer])

    def _begin(self, inbound: Inbound, questions: Sequence[Question] = ()) -> Run:
        run = self._robot.begin(inbound, questions)
        self._transcript.note_run(inbound, [call.name for call in run.calls])
        if inbound.id == self._doomed:
            run.calls = [replace(call, run=partial(self._die_with, call)) for call in run.calls]
        return run

    async def _die_with(self, call: Call) -> None:
        with suppress(Suspended):  # to ask is to run to its end, too
            await call.run()
        self.crashed.set()
        await trio.sleep_forever()
