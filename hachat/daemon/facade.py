"""What the web asks of the node it speaks for."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import structlog

from hachat.bot.routes import HookRoute
from hachat.cluster.orders import Orders
from hachat.cluster.roster import Roster
from hachat.core.ids import make_id
from hachat.core.messages import Webhook
from hachat.core.responses import Response
from hachat.core.stepdown import Order
from hachat.daemon.examiner import Examiner
from hachat.daemon.stepdown import Moved, move, move_later
from hachat.store.audit import Audit, Deed
from hachat.store.dead import DeadLetters
from hachat.store.history import History, read_history
from hachat.store.inbound import Inbound
from hachat.store.jobs import Agenda, Jobs
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.schedule import Scheduled, cancel
from hachat.store.status import Status, read_status

log = structlog.get_logger(__name__)


class Facade:
    """A node as its HTTP clients see it.

    `lease_left` and `readiness` tell of the node's life, `roster` what operators have ordered of it, `examiner` what is
    wrong with the cluster.
    """

    def __init__(
        self,
        name: str,
        link: Link,
        keys: Keys,
        *,
        hooks: Sequence[HookRoute],
        respond: Callable[[Webhook], Awaitable[Response]],
        inbound: Inbound,
        jobs: Jobs,
        letters: DeadLetters,
        roster: Roster,
        examiner: Examiner,
        lease_left: Callable[[], float],
        readiness: Callable[[], list[str]],
    ) -> None:
        self.name = name
        self.hooks = hooks
        """Every webhook that this node's handlers take."""
        self.letters = letters
        """The cluster's dead letters."""
        self.orders = Orders(link, keys)
        """What operators may order of the cluster."""
        self.lease_left = lease_left
        self.readiness = readiness
        self._respond = respond
        self._link = link
        self._keys = keys
        self._inbound = inbound
        self._jobs = jobs
        self._examiner = examiner
        self._roster = roster

    def notes(self) -> list[str]:
        """Return what is to be known of this node although it may take traffic."""
        notes = list(self._examiner.unsafe)
        if paused := self._roster.paused:
            notes.append(f"elections are paused {paused.describe()}")
        if drained := self._roster.drained:
            notes.append(f"this node is drained {drained.describe()}")
        return notes

    async def status(self) -> Status:
        """Return what there is to see of the cluster.

        Raises:
            StoreError: Redis cannot be asked.
        """
        status = await read_status(self._link, self._keys, self._inbound.limits)
        return self._examiner.complete(status)

    async def enqueue(self, webhook: Webhook) -> Literal["queued", "duplicate"]:
        """Queue a webhook; raises as `Inbound.enqueue` does."""
        return "queued" if await self._inbound.enqueue(webhook, "work") else "duplicate"

    async def respond(self, webhook: Webhook) -> Response:
        """Have a webhook handled on this node, and return what its sender is answered; raises as `Inline.answer` does."""
        return await self._respond(webhook)

    async def agenda(self) -> Agenda:
        """Return the jobs that wait, and the schedules; raises as `Jobs.agenda` does."""
        return await self._jobs.agenda()

    async def history(self) -> History:
        """Return the terms of the masters; raises as `read_history` does."""
        return await read_history(self._link, self._keys)

    async def audit(self) -> Sequence[Deed]:
        """Return the last hundred deeds; raises as `Audit.read` does."""
        return await Audit(self._link, self._keys).read(100)

    async def cancel(self, job_id: str) -> bool:
        """Take back a job that waits; raises as `Jobs.cancel` does."""
        found = await self._jobs.cancel(job_id)
        log.info("a job was cancelled", job=job_id, found=found)
        return found

    async def step_down(self, order: Order, *, leaver: str = "", patience: float = 10.0) -> Moved:
        """Have the master step down, whoever it is; raises as `move` does."""
        return await move(self._link, self._keys, order, leaver, patience)

    async def schedule_step_down(self, order: Order, at: str, *, leaver: str = "") -> Scheduled:
        """Have the master of that time step down; raises as `move_later` does."""
        return await move_later(self._link, self._keys, order, leaver, at)

    async def cancel_step_down(self, by: str) -> bool:
        """Take back a step-down that waits for its time, as `by` wants it."""
        return await cancel(self._link, self._keys, by)

    @staticmethod
    def new_id() -> str:
        """Return an identifier that nothing else has."""
        return make_id(time.time(), random.getrandbits(80))

    @staticmethod
    def now() -> float:
        """Return the time of day in Unix seconds."""
        return time.time()
