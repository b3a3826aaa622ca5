"""Where Redis is, according to its Sentinels.

All Sentinels are asked at once, and none is waited for longer than 150 ms, so that one frozen Sentinel delays
nobody.  Of their answers the one with the highest config epoch counts; the server it names must say itself that it
is a master before anything else is said to it.

A deposed master goes on acknowledging writes for ten seconds after a planned failover, and all of them are lost.
Hence three things: every Sentinel's events are listened to, with a slow poll for those that get lost; while the
Sentinel that leads a failover says it is under way there is no master; and the promoted server is followed as soon
as that Sentinel names it, before `+switch-master`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from copy import copy
from functools import partial
from math import inf
from typing import Any

import redis
import redis.exceptions
import structlog
import trio
from redis.client import PubSub

from hachat.core.backoff import backoff
from hachat.core.diagnosis import Sentinel as Inspected
from hachat.core.errors import StoreError, StoreUnavailable
from hachat.store.client import Client, Greeting, make_client, require_master
from hachat.store.masters import (
    Answer,
    Behind,
    FailingOver,
    Master,
    choose,
    read_answer,
    read_sentinel,
)
from hachat.store.translation import unwrap

log = structlog.get_logger(__name__)

_PATIENCE = 0.15
"""Seconds a Sentinel has to answer; one that is alive needs a hundredth of that."""

_PATIENCE_TLS = 0.3
"""The same with TLS, whose greeting takes a busy machine a tenth of a second."""

_FRESH = 0.25
"""Seconds an answer, or that there is none, is good for: many connections opened together ask once."""

_POLL = 3.0
"""Seconds between two looks at the Sentinels when nothing is heard from them."""

_SILENCE = 5.0
"""Seconds without an event after which a Sentinel is asked whether it is still there."""

_RETURN = 5.0
"""The longest wait in seconds before a lost Sentinel is tried again."""

_BELIEVE = 10.0
"""Seconds after which a config epoch lower than one that was heard before is believed: Sentinels tell each other within
four, so whoever still says it then was set up anew."""

_EVENTS = ("+switch-master", "+try-failover", "+promoted-slave", "-failover-abort-*")
"""What makes the Sentinels be asked again; the events themselves are believed in nothing."""


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
        self._sentinels = [_Sentinel(address, service, options) for address in addresses]
        self._found: Master | StoreUnavailable = StoreUnavailable("no Sentinel was asked yet")
        self._master: Master | None = None
        self._config_epoch = 0
        self._behind_since = inf
        self._run_ids: dict[str, str] = {}
        self._fresh_until = -1.0
        # Held while the Sentinels are asked: whoever comes meanwhile shares the answer.
        self._asking = trio.Lock()
        self._changed = trio.Event()
        self._hint = trio.Event()

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

    async def _look(self) -> None:
        answers: list[Answer] = []
        async with trio.open_nursery() as nursery:
            for sentinel in self._sentinels:
                nursery.start_soon(_collect, sentinel, answers)
        try:
            self._found = self._choose(answers)
            self._follow(self._found)
        except StoreUnavailable as trouble:
            self._found = trouble
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

    async def _listen(self, sentinel: _Sentinel) -> None:
        waits = _waits()

        def heard() -> None:
            nonlocal waits
            waits = _waits()
            self._hint.set()

        while True:
            try:
                await sentinel.listen(heard)
            except (redis.RedisError, OSError) as error:
                log.debug("cannot hear a Sentinel", sentinel=sentinel.address, error=str(error))
            await trio.sleep(next(waits))


class _Sentinel:
    """One Sentinel, to be asked and listened to."""

    def __init__(self, address: str, service: str, options: Mapping[str, Any]) -> None:
        self.address = address
        self._service = service
        host, _, port = address.rpartition(":")
        self._options = {**options, "host": host.strip("[]"), "port": int(port)}
        self._patience = _PATIENCE_TLS if options.get("ssl") else _PATIENCE

    async def ask(self) -> Answer:
        """Return its answer, or after 150 ms, 300 ms with TLS, that there was none."""
        questions = [
            ("SENTINEL", "MASTER", self._service),
            ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service),
        ]
        with closing(make_client(self._patience, **self._options)) as client:
            with trio.move_on_after(self._patience):
                try:
                    state, address = map(unwrap, await client.ask(questions))
                except StoreError as error:
                    return Answer(self.address, None, str(error))
                return read_answer(self.address, state, address)
        return Answer(self.address, None, f"no answer within {self._patience} s")

    async def inspect(self) -> Inspected:
        """Return what it says of itself and of the quorum, or after a moment that it says nothing."""
        questions = [("SENTINEL", word, self._service) for word in ("MASTER", "CKQUORUM")]
        with closing(make_client(self._patience, **self._options)) as client:
            with trio.move_on_after(2 * self._patience):
                try:
                    state, quorum = await client.ask(questions)
                    complaint = str(quorum) if isinstance(quorum, Exception) else ""
                    return read_sentinel(self.address, unwrap(state), complaint)
                except StoreError as error:
                    return Inspected(self.address, fault=str(error))
        return Inspected(self.address, fault="no answer")

    async def listen(self, heard: Callable[[], None]) -> None:
        """Call `heard` once the events are subscribed to, and then at each of them, until the Sentinel is lost.

        Raises:
            redis.RedisError: it is lost.
        """
        client = make_client(_SILENCE, **self._options)
        events = client.pubsub()  # type: ignore[no-untyped-call]  # redis-py leaves it unannotated
        limiter = trio.CapacityLimiter(1)
        try:
            await trio.to_thread.run_sync(
                partial(events.psubscribe, *_EVENTS), abandon_on_cancel=True, limiter=limiter
            )
            while True:
                if await trio.to_thread.run_sync(
                    _wait_event, events, abandon_on_cancel=True, limiter=limiter
                ):
                    heard()
        finally:
            client.close()


def _wait_event(events: PubSub) -> bool:
    # In a thread.  A connection whose other end has vanished stays silent for ever, unless it is asked.
    message = events.get_message(timeout=_SILENCE)
    if message is None:
        events.ping()
        message = events.get_message(timeout=_SILENCE)
        if message is None:
            raise redis.exceptions.TimeoutError("no answer to a ping")
    return bool(message["type"] != "pong")


def _waits() -> Iterator[float]:
    return backoff(0.1, _RETURN, random.random)


async def _inspect(sentinel: _Sentinel, found: list[Inspected]) -> None:
    found.append(await sentinel.inspect())


async def _collect(sentinel: _Sentinel, answers: list[Answer]) -> None:
    answers.append(await sentinel.ask())


def _login(username: str, password: str) -> dict[str, str]:
    return {key: text for key, text in (("username", username), ("password", password)) if text}
