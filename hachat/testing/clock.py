"""The time of a test: it stands, but for the moments that the test itself spends, until the test lets it pass."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hachat.bot.routes import JobRoute
from hachat.core.messages import Job
from hachat.store.inbound import Inbound
from hachat.store.jobs import Jobs
from hachat.store.keys import Keys
from hachat.store.link import Link

_MOST = 1000


class Clock:
    """Unix seconds that can be moved, and with them what waits to become due."""

    def __init__(self, link: Link, keys: Keys, routes: Sequence[JobRoute]) -> None:
        self._link = link
        self._keys = keys
        self._jobs = Jobs(link, keys)
        self._ahead = 0.0
        self._schedules = {route.name: route.schedule for route in routes if route.schedule}
        self._fired = dict.fromkeys(self._schedules, self._now)

    def time(self) -> float:
        """Return the time."""
        return time.time() + self._ahead

    def set(self, moment: float) -> None:
        """Let it be `moment`; nothing becomes due by that."""
        self._ahead = moment - time.time()
        self._fired = dict.fromkeys(self._schedules, self._now)

    async def find_next(self) -> float | None:
        """Return in how many seconds something becomes due; None if nothing ever will."""
        waits = [
            (slot - self._now) / 1000
            for name, schedule in self._schedules.items()
            if (slot := schedule.next(self._fired[name])) is not None
        ]
        if (due := await self._jobs.first_due()) is not None:
            waits.append((due - await self._jobs.now()) / 1000)
        return max(0.0, min(waits)) if waits else None

    async def advance(self, seconds: float, queue: Inbound) -> None:
        """Let that much time pass, and queue what is due then."""
        self._ahead += seconds
        await self._age(self._keys.of("jobs"), seconds)
        for handler in await self._link.command("HKEYS", self._keys.of("memory")):
            await self._age(self._keys.of(f"memory:{handler.decode()}:ends"), seconds)
        await self._age_rates(seconds)
        await self._age_lives(seconds)
        await self._jobs.promote(_MOST)
        for route, schedule in self._schedules.items():
            for slot in schedule.due(self._fired[route], self._now):
                await queue.enqueue(Job(f"{route}@{slot}", route, slot / 1000), "work")
                self._fired[route] = slot

    async def _age(self, name: str, seconds: float) -> None:
        """Bring all moments nearer that are the scores of a set, in milliseconds of Redis."""
        for member in await self._link.command("ZRANGE", name, 0, -1):
            await self._link.command("ZINCRBY", name, -seconds * 1000, member)

    async def _age_rates(self, seconds: float) -> None:
        """The same for what routes count: two moments in microseconds, see `rate.lua`."""
        for name in await self._find("rate:*"):
            counted = await self._link.command("GET", name) or b""
            moments = [int(part) - round(seconds * 1e6) for part in counted.split(b"|") if part]
            aged = "|".join(str(max(0, moment)) for moment in moments)
            await self._link.command("SET", name, aged, "XX", "KEEPTTL")

    async def _age_lives(self, seconds: float) -> None:
        """Let what lives for a while end sooner by as much: marks of what was heard, names of what was said."""
        for name in await self._find("*"):
            if (left := int(await self._link.command("PTTL", name))) > 0:
                await self._link.command("PEXPIRE", name, left - round(seconds * 1000))

    async def _find(self, pattern: str) -> Sequence[bytes]:
        """Return the keys of the cluster that are named like that; the server is the test's own, so KEYS may be slow."""
        escaped = self._keys.of(pattern).replace("{", "[{]").replace("}", "[}]")
        found: Sequence[bytes] = await self._link.command("KEYS", escaped)
        return found

    @property
    def _now(self) -> int:
        return round(self.time() * 1000)
