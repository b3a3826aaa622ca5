"""One node, put together: every part made once, and their lifetimes nested in the order of leaving.

::

    redis link                                  closes last
    └ web server                                says "leaving" to balancers while the rest goes
      └ membership (heartbeat)                  says goodbye after the lease is gone
        └ workers, recovery, scheduler          every node, always
        └ elector                               gives the lease back as its block ends
          └ term: drain ▸ ingest ▸ adapters     the master's work; stops first
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

import structlog
import trio

from hachat import __version__
from hachat.bot.inline import Inline
from hachat.bot.recovery import Recovery
from hachat.bot.robot import Robot
from hachat.bot.scheduler import Scheduler
from hachat.bot.worker import Worker
from hachat.chat.adapter import Adapter
from hachat.cluster.candidates import find_candidates
from hachat.cluster.elector import Elector
from hachat.cluster.pulse import Notifier, Pulse
from hachat.cluster.roster import Roster
from hachat.cluster.stall import Stall
from hachat.cluster.term import Duty
from hachat.core.errors import UsageError
from hachat.core.settings import QueueSettings, Settings
from hachat.daemon.chat_states import ChatStates
from hachat.daemon.duty import MasterDuty
from hachat.daemon.examiner import Examiner
from hachat.daemon.facade import Facade
from hachat.daemon.floor import FloorKeeper
from hachat.daemon.herald import Herald
from hachat.daemon.holding import Holder
from hachat.daemon.leaving import leave_anyway, limited, longest_work, resign
from hachat.daemon.lending import lend
from hachat.daemon.membership import Membership, introduce
from hachat.daemon.workforce import Workforce
from hachat.store.answers import Answers
from hachat.store.dead import DeadLetters
from hachat.store.dialogs import Dialogs
from hachat.store.inbound import NOTE, Inbound
from hachat.store.jobs import Jobs
from hachat.store.keys import LANES, Keys
from hachat.store.lease import open_lease
from hachat.store.link import Link
from hachat.store.members import Members, read_newest_schema
from hachat.store.peers import read_peers
from hachat.store.status import Status
from hachat.tasks.processes import Processes
from hachat.tasks.services import finish_unless, running
from hachat.web.server import make_app, serve

log = structlog.get_logger(__name__)

_VOUCHED = 4.0
"""Seconds for which a successor waits until the Sentinels name the master of Redis to it, of the five it has to get ready."""


class Node:
    """A node of the cluster; `run` is its life."""

    def __init__(
        self,
        settings: Settings,
        link: Link,
        robot: Robot,
        adapters: Sequence[Adapter],
        notifier: Notifier,
        *,
        lease_file: Path | None = None,
        floor_file: Path | None = None,
    ) -> None:
        self.name = settings.node
        self.boot = secrets.token_hex(4)
        self._settings = settings
        self._keys = Keys(settings.cluster)
        self._link = link
        self._robot = robot
        self._adapters = {adapter.name: adapter for adapter in adapters}
        self._notifier = notifier
        self._holder = Holder(lease_file, settings, self.boot)
        self._floor = FloorKeeper(floor_file)
        self._examiner = Examiner(link, settings)
        self._pulse = Pulse(notifier)
        consumer = f"{self.name}:{self.boot}"
        note = robot.services.texts.tell(NOTE)
        self._inbound = Inbound(link, self._keys, consumer, settings.queue, note=note)
        self._dialogs = Dialogs(link, self._keys)
        self._answers = Answers(link, self._keys, consumer, lambda: self._inbound.limits)
        lend(
            robot.services,
            link,
            self._keys,
            ask=self._answers.ask,
            access=settings.access,
            life=settings.worker.heartbeat,
        )
        self._herald = Herald(self.name, robot, self._inbound.enqueue)
        self._roster = Roster(
            self.name,
            settings.lease.priority,
            partial(read_peers, link, self._keys),
            self._obey,
        )
        self._newest = partial(read_newest_schema, link, self._keys)
        self._letters = DeadLetters(link, self._keys, settings.queue)
        self._duty = MasterDuty(
            settings,
            link,
            self._keys,
            self._adapters,
            inbound=self._inbound,
            letters=self._letters,
            floor=self._floor,
            notifier=notifier,
            newest=self._newest,
            tell=self._herald.tell,
        )
        jobs = Jobs(link, self._keys)
        self._scheduler = Scheduler(jobs, robot.jobs)
        self._workforce = Workforce(self._roster, self._make_workers, settings.worker.grace)
        self._recovery = Recovery(self._inbound, self._workforce.present)
        self._membership = Membership(
            link,
            self._keys,
            roster=self._roster,
            recovery=self._recovery,
            herald=self._herald,
            holder=self._holder,
            turned_at=lambda: self._pulse.ticked_at,
            leaving=lambda: self._leaving,
        )
        self._facade = Facade(
            self.name,
            link,
            self._keys,
            hooks=robot.hooks,
            respond=Inline(robot.begin, partial(self._inbound.enqueue, lane="work")).answer,
            inbound=self._inbound,
            jobs=jobs,
            letters=self._letters,
            roster=self._roster,
            examiner=self._examiner,
            lease_left=self.lease_left,
            readiness=self.readiness,
        )
        self._elector: Elector | None = None
        self._leaving = False

    async def status(self) -> Status:
        """Return what there is to see of the cluster; raises as `Facade.status` does."""
        return await self._facade.status()

    def lease_left(self) -> float:
        """Return the seconds this node surely stays master; 0.0 when it is not."""
        term = self._elector.term if self._elector else None
        return term.remaining() if term else 0.0

    def role(self) -> str:
        """Return `master` or `standby`, as of now."""
        return "master" if self.lease_left() > 0 else "standby"

    def readiness(self) -> list[str]:
        """Return why this node may not take traffic."""
        if self._leaving:
            return ["it is leaving"]
        silence = self._membership.silence
        if silence is None:
            return ["it has not joined the cluster: Redis has not answered yet"]
        if silence > 2 * self._settings.worker.heartbeat:
            return [f"Redis has not answered for {silence:.0f} s"]
        return []

    def configure(self, limits: QueueSettings) -> None:
        """Take over what may change while it runs."""
        self._inbound.limits = self._letters.limits = limits

    async def run(self, stop: trio.Event) -> None:
        """Serve until `stop` is set, then leave in order.

        Raises:
            NodeNameTaken: another living process runs under this node's name (in a group).
        """
        web = self._settings.web
        app = make_app(self._facade, body_limit=web.body_limit, token=web.token)
        async with (
            running(self._pulse.run),
            running(Stall(lambda: self._pulse.ticked_at).run),
            running(self._link.run),
            running(partial(serve, app, web.host, web.port)) as url,
            aclosing(self._robot.services.http),
            Processes(self._settings.worker.processes) as processes,
        ):
            self._robot.services.compute = processes.call
            log.info("serving", http=url, cluster=self._keys.cluster, version=__version__)
            self._notifier.ready()
            self._notifier.status("joining the cluster")
            me = introduce(self._settings, self.boot, url)
            members = Members(self._link, self._keys, me)
            if await finish_unless(stop, partial(self._membership.join, members)):
                overdue = partial(leave_anyway, members, self._inbound)
                async with (
                    self._membership.hold(members),
                    self._services(members) as chat_states,
                    limited(stop, longest_work(self._settings), overdue),
                ):
                    await self._work(members, stop, partial(self._duty.run, chat_states))

    @asynccontextmanager
    async def _services(self, members: Members) -> AsyncIterator[ChatStates]:
        chat_states = ChatStates(members)
        async with (
            running(self._recovery.run),
            running(self._scheduler.run),
            running(self._answers.run),
            running(self._examiner.run),
            running(self._robot.services.people.run),
            running(chat_states.run),
            running(self._herald.run),
            running(self._roster.run),
        ):
            yield chat_states

    def _obey(self) -> None:
        """Do what operators have ordered of this node."""
        if (drained := self._roster.drained) and self._elector is not None:
            reason = f"drained: {drained.reason}" if drained.reason else "drained"
            self._elector.step_aside(reason, drained.by)

    def _make_workers(self) -> list[Worker]:
        work = self._settings.worker
        return [
            Worker(
                self._inbound,
                self._link,
                lane,
                slots,
                self._robot.begin,
                find=self._dialogs.find,
                newest=self._newest,
                expect=self._scheduler.expect,
                patience=work.patience,
            )
            for lane, slots in zip(LANES, (work.chat_slots, work.work_slots), strict=True)
            if slots
        ]

    async def _work(self, members: Members, stop: trio.Event, duty: Duty) -> None:
        timing = self._settings.lease.timing
        replicas = self._settings.redis.replicas
        async with trio.open_nursery() as workers:
            await workers.start(self._workforce.run, stop)
            async with open_lease(self._link, self._keys, timing, replicas=replicas) as store:
                self._elector = elector = Elector(
                    store,
                    self.name,
                    self.boot,
                    timing,
                    choose=partial(find_candidates, self._link, self._keys, self.name),
                    warm=self._get_ready,
                    floor=await self._floor.read(),
                    delay=self._roster.find_delay,
                    on_order=self._roster.want,
                    candidate=self._settings.lease.priority > 0,
                    on_held=self._holder.note,
                )
                async with (
                    running(partial(self._floor.follow, lambda: elector.floor)),
                    running(partial(elector.run, duty)),
                ):
                    self._notifier.status("standby")
                    log.info("ready")
                    await stop.wait()
                    log.info("leaving")
                    self._leaving = True
                    self._notifier.stopping()
                    await resign(elector, self._roster, members, timing.op_timeout)

    async def _get_ready(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Prepare for becoming master: the elector's part of a successor."""
        if self._leaving:
            raise UsageError("it is leaving itself")
        # Or the lease would be kept for a node that takes none.
        with trio.move_on_after(_VOUCHED) as waiting:
            await self._link.source.wait_vouched()
        if waiting.cancelled_caught:
            raise UsageError("its Sentinels name no master of Redis that it may believe")
        await self._duty.get_ready(task_status=task_status)
