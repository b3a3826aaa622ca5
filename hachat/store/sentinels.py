"""Where Redis is, according to its Sentinels.

All Sentinels are asked at once, and none is waited for longer than 150 ms, so that one frozen Sentinel delays
nobody.  Of their answers the one with the highest config epoch counts; the server it names must say itself that it
is a master before anything else is said to it.

A deposed master goes on acknowledging writes for ten seconds after a planned failover, and all of them are lost.
Hence three things: every Sentinel's events are listened to, with a slow poll for those that get lost; from when the
Sentinel that leads a failover says it is under way there is no master, also if it says nothing more for a while; and the
promoted server is followed as soon as that Sentinel names it, before `+switch-master`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from copy import copy
from functools import partial
from math import inf
from typing import Any

import redis
import redis.exceptions
import structlog
import trio

from hachat.core.backoff import backoff
from hachat.core.errors import StoreUnavailable
from hachat.core.facts import Sentinel as Inspected
from hachat.store.client import Client, Greeting, make_client, require_master
from hachat.store.masters import (
    Answer,
    Behind,
    FailingOver,
    Failovers,
    Master,
    choose,
)
from hachat.store.sentinel import Sentinel

log = structlog.get_logger(__name__)

_FRESH = 0.25
"""Seconds an answer, or that there is none, is good for: many connections opened together ask once."""

_POLL = 3.0
"""Seconds between two looks at the Sentinels when nothing is heard from them."""

_AGAIN = 0.5
"""Seconds between two looks for whoever waits until they name one."""

_RETURN = 5.0
"""The longest wait in seconds before a lost Sentinel is tried again."""

_VOUCHED = _POLL + 1.0
"""Seconds after which nobody vouches for the master any more, unless the Sentinels have named it again: one look, and a little."""

_BELIEVE = 10.0
"""Seconds after which a config epoch lower than one that was heard before is believed: Sentinels tell each other within
four, so whoever still says it then was set up anew."""


class Sentinels:
    """The source of connections to whichever server the Sentinels call the master of `service`.

    `addresses` are `host:port`.  An empty user name or password is not sent; `tls` holds for Redis and the
    Sentinels, which must show a certificate of `tls_ca`, or one the system trusts, for the address they are
    known by.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        service: str,
        *,
        username: str = "",
        password: str = "",
        sentinel_username: str = "",
        sentinel_password: str = "",
        tls: bool = False,
        tls_ca: str = "",
    ) -> None:
        secure: dict[str, Any] = {"ssl": True, "ssl_ca_certs": tls_ca or None} if tls else {}
        self._service = service
        self._options = {**secure, **_login(username, password)}
        options = {**secure, **_login(sentinel_username, sentinel_password)}
        self._sentinels = [Sentinel(address, service, options) for address in addresses]
        self._found: Master | StoreUnavailable = StoreUnavailable("no Sentinel was asked yet")
        self._master: Master | None = None
        self._config_epoch = 0
        self._failovers = Failovers()
        self._behind_since = inf
        self._run_ids: dict[str, str] = {}
        self._fresh_until = -1.0
        self._vouched_until = -1.0
        # Held while the Sentinels are asked: whoever comes meanwhile shares the answer.
        self._asking = trio.Lock()
        self._changed = trio.Event()
        self._hint = trio.Event()
        self._named = trio.Event()

    @property
    def identity(self) -> str:
        """The master's address, run id and config epoch; empty while there is no master."""
        if self._master is None:
            return ""
        run_id = self._run_ids.get(str(self._master), "")
        return f"{self._master}/{run_id}/{self._master.config_epoch}"

    @property
    def config_epoch(self) -> int:
        """How many failovers the Sentinels have counted up to the present or last master."""
        return self._config_epoch

    @property
    def vouched(self) -> bool:
        """Whether the Sentinels named the master when they were asked last, and that was lately.

        A server that was deposed may keep a replica, and with that confirm a lease; who hears of no Sentinel cannot tell.
        """
        return trio.current_time() < self._vouched_until

    async def wait_vouched(self) -> None:
        """Return once the Sentinels have named the master lately; they are asked at once, and often, if they have not."""
        while not self.vouched:
            self._hint.set()
            with trio.move_on_after(_AGAIN):
                await self._named.wait()

    async def open(self, patience: float) -> Client:
        """Return a new client of the master; each of its calls waits at most `patience` seconds.

        Raises:
            StoreUnavailable: the Sentinels name no master, and why.
        """
        async with self._asking:
            if trio.current_time() >= self._fresh_until:
                await self._look()
            master = self._found
        if isinstance(master, StoreUnavailable):
            raise copy(master)
        admit = partial(self._admit, master)
        return make_client(patience, admit, host=master.host, port=master.port, **self._options)

    async def watch(self) -> None:
        """Notice for ever when the master changes."""
        async with trio.open_nursery() as nursery:
            for sentinel in self._sentinels:
                nursery.start_soon(self._listen, sentinel)
            while True:
                with trio.move_on_after(_POLL):
                    await self._hint.wait()
                self._hint = trio.Event()
                async with self._asking:
                    await self._look()

    async def wait_changed(self) -> None:
        """Return when the master of this moment is no longer the one to write to."""
        await self._changed.wait()

    async def inspect(self) -> Sequence[Inspected]:
        """Return what each Sentinel says of itself and of the quorum, in the order of their addresses."""
        found: list[Inspected] = []
        async with trio.open_nursery() as nursery:
            for sentinel in self._sentinels:
                nursery.start_soon(_inspect, sentinel, found)
        return sorted(found, key=lambda each: each.address)

    def reach(self, host: str, port: int, patience: float) -> Client:
        """Return a new client of a server that is not the master."""
        return make_client(patience, host=host, port=port, **self._options)

    async def _look(self) -> None:
        answers: list[Answer] = []
        async with trio.open_nursery() as nursery:
            for sentinel in self._sentinels:
                nursery.start_soon(_collect, sentinel, answers)
        try:
            self._found = self._choose(self._failovers.complete(answers, trio.current_time()))
            self._vouched_until = trio.current_time() + _VOUCHED
            named, self._named = self._named, trio.Event()
            named.set()
            self._follow(self._found)
        except StoreUnavailable as trouble:
            self._found = trouble
            self._vouched_until = -1.0
            if isinstance(trouble, FailingOver):
                self._follow(None)
        self._fresh_until = trio.current_time() + _FRESH

    def _choose(self, answers: Sequence[Answer]) -> Master:
        try:
            master = choose(self._service, answers, self._config_epoch)
        except Behind:
            now = trio.current_time()
            self._behind_since = min(self._behind_since, now)
            if now - self._behind_since < _BELIEVE:
                raise
            master = choose(self._service, answers)
        self._behind_since = inf
        return master

    def _follow(self, master: Master | None) -> None:
        if master == self._master:
            return
        before, self._master = self._master, master
        if master is not None:
            self._config_epoch = master.config_epoch
        log.info("the Redis master changed", before=str(before or ""), after=str(master or ""))
        if before is not None:
            changed, self._changed = self._changed, trio.Event()
            changed.set()

    def _admit(self, master: Master, greeting: Greeting) -> None:
        try:
            require_master(greeting)
        except redis.exceptions.ConnectionError as error:
            self._fresh_until = -1.0
            raise redis.exceptions.ConnectionError(
                f"the Sentinels name {master} as master, but {error}"
            ) from error
        self._run_ids[str(master)] = greeting.run_id

    async def _listen(self, sentinel: Sentinel) -> None:
        waits = _waits()

        def heard(begun: bool) -> None:  # noqa: FBT001 - a callback
            nonlocal waits
            waits = _waits()
            if begun:
                self._failovers.announce(sentinel.address, self._config_epoch, trio.current_time())
            self._hint.set()

        while True:
            try:
                await sentinel.listen(heard)
            except (redis.RedisError, OSError) as error:
                log.debug("cannot hear a Sentinel", sentinel=sentinel.address, error=str(error))
            await trio.sleep(next(waits))


def _waits() -> Iterator[float]:
    return backoff(0.1, _RETURN, random.random)


async def _inspect(sentinel: Sentinel, found: list[Inspected]) -> None:
    found.append(await sentinel.inspect())


async def _collect(sentinel: Sentinel, answers: list[Answer]) -> None:
    answers.append(await sentinel.ask())


def _login(username: str, password: str) -> dict[str, str]:
    return {key: text for key, text in (("username", username), ("password", password)) if text}
