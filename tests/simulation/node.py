"""A node of the simulated cluster: its clock, its sleep, and the processes it runs one after the other."""

from __future__ import annotations

from math import inf

import trio

from hachat.core.lease import Token
from tests.simulation.network import Host
from tests.simulation.oracle import NOTICED
from tests.simulation.process import Killed, Process, World, scopes_within
from tests.simulation.timeline import Action


class Node:
    """A machine of ours."""

    def __init__(self, world: World, box: int) -> None:
        self.world = world
        self.name = "abc"[box]
        self.host = Host(f"n{box}", box)
        self.process: Process | None = None
        self.floor = 0
        self.frozen_until = -inf
        self.suspended_until = -inf
        self._suspended = 0.0
        self._freeze_next = 0.0
        self._offset = world.random.uniform(0, 1e6)
        self._rate = 1 + world.random.choice([-0.0045, 0.0, 0.0045])
        self._end = trio.Event()

    def read_clock(self) -> float:
        """Return this machine's time, which runs a little fast or slow, and on while the machine is suspended."""
        return self._offset + self.world.timeline.now * self._rate

    def read_monotonic(self) -> float:
        """Return a clock that stands still while the machine is suspended."""
        return self.read_clock() - self._suspended

    @property
    def frozen(self) -> bool:
        """Whether the process stands still."""
        return self.world.timeline.now < self.frozen_until

    def when_awake(self, action: Action) -> None:
        """Do `action` now, or when the process runs again."""
        if self.frozen:
            self.world.timeline.at(self.frozen_until, lambda: self.when_awake(action))
        else:
            action()

    def write_down(self, epoch: int) -> None:
        """Persist the highest epoch this node knows of."""
        self.floor = max(self.floor, epoch)

    def stop_at_next_message(self, seconds: float) -> None:
        """Stop the process for so long between looking at the clock and sending what it has to say."""
        self._freeze_next = seconds

    def leaving(self) -> None:
        """Take note that a message is about to leave."""
        if self._freeze_next:
            seconds, self._freeze_next = self._freeze_next, 0.0
            # Nothing leaves any more.
            self.frozen_until = max(self.frozen_until, self.world.timeline.now + seconds)
            self.world.timeline.after(0.0, lambda: self.freeze(seconds))

    def freeze(self, seconds: float, *, suspended: bool = False) -> None:
        """Stop the process for so long; with its machine suspended, trio's clock stands still as well."""
        world, process = self.world, self.process
        world.timeline.woken = True
        now, before = world.timeline.now, self.frozen_until
        if suspended:
            # A machine that sleeps already only wakes later.
            seconds = max(0.0, now + seconds - max(now, self.suspended_until))
            self.suspended_until = max(now, self.suspended_until) + seconds
            self._suspended += seconds * self._rate
        self.frozen_until = max(self.frozen_until, self.suspended_until, now + seconds)
        if process is None:
            return
        if suspended:
            oracle = world.oracle
            world.timeline.at(self.suspended_until + NOTICED, lambda: oracle.look(process))
        if process.held is not None and not world.ways.only_the_dead:
            world.release_the_dead(self, process.held)
        for scope in scopes_within(process.scope):
            if suspended and before < scope.deadline < inf:
                scope.deadline += seconds
            scope.deadline = max(scope.deadline, self.frozen_until)

    def crash(self) -> None:
        """Kill the process: it says goodbye to nobody."""
        process = self.process
        if process is not None and not process.dead:
            self.world.timeline.woken = True
            process.die()
            self.frozen_until = -inf

    def stop(self, to: str) -> None:
        """End the process in order, as by SIGTERM."""
        process = self.process
        if process is not None and not self.frozen:
            self.world.timeline.woken = True
            self.world.nursery.start_soon(self._resign, process, to)

    async def _resign(self, process: Process, to: str) -> None:
        try:
            with trio.move_on_after(5.0):
                await process.elector.resign(to)
        except Killed:
            return
        process.die()

    async def run(self) -> None:
        """Run one process after the other, for ever."""
        world = self.world
        for boot in range(1000):
            process = self.process = Process(self, f"{self.name}{boot}")
            try:
                with process.scope:
                    await process.elector.run(process.duty)
            except* Killed:
                pass
            self.process = None
            held = process.held
            self.write_down(process.elector.floor if world.random.random() < 0.8 else 0)
            if held is not None and world.random.random() < 0.5:
                await self._release_the_dead(held)
            if world.calm:
                await trio.sleep(0.1)
            else:
                await trio.sleep(world.random.choice([0.1, world.random.uniform(0.1, 8.0)]))

    async def _release_the_dead(self, token: Token) -> None:
        await trio.sleep(self.world.random.uniform(0.005, 0.05))
        self.world.release_the_dead(self, token)
