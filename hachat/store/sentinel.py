"""One Sentinel: what it says of the master, of itself, and of what happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import redis
import redis.exceptions
import trio
from redis.client import PubSub

from hachat.core.errors import StoreError
from hachat.core.facts import Sentinel as Inspected
from hachat.store.client import make_client
from hachat.store.masters import Answer, read_answer
from hachat.store.translation import unwrap

_PATIENCE = 0.15
"""Seconds a Sentinel has to answer; one that is alive needs a hundredth of that."""

_PATIENCE_TLS = 0.3
"""The same with TLS, whose greeting takes a busy machine a tenth of a second."""

_SILENCE = 5.0
"""Seconds without an event after which a Sentinel is asked whether it is still there."""

_BEGUN = "+try-failover"
"""What a Sentinel says as it begins to replace the master; it leads the failover, if it is elected."""

_EVENTS = ("+switch-master", _BEGUN, "+promoted-slave", "-failover-abort-*")
"""What makes the Sentinels be asked again; all that is believed in an event is that this Sentinel has begun a failover."""


class Sentinel:
    """One Sentinel, to be asked and listened to, about the master of `service`; `options` are of its connections."""

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
                    return Answer(self.address, None, str(error), heard=False)
                return read_answer(self.address, state, address)
        return Answer(self.address, None, f"no answer within {self._patience} s", heard=False)

    async def inspect(self) -> Inspected:
        """Return what it says of itself and of the quorum, or after a moment that it says nothing."""
        questions = [("SENTINEL", word, self._service) for word in ("MASTER", "CKQUORUM")]
        with closing(make_client(self._patience, **self._options)) as client:
            with trio.move_on_after(2 * self._patience):
                try:
                    state, quorum = await client.ask(questions)
                    complaint = str(quorum) if isinstance(quorum, Exception) else ""
                    return _read_inspected(self.address, unwrap(state), complaint)
                except StoreError as error:
                    return Inspected(self.address, fault=str(error))
        return Inspected(self.address, fault="no answer")

    async def listen(self, heard: Callable[[bool], None]) -> None:
        """Call `heard` once the events are subscribed to, and then at each of them, until the Sentinel is lost.

        It is told whether the Sentinel has begun a failover of this master.

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
                event = await trio.to_thread.run_sync(
                    _wait_event, events, abandon_on_cancel=True, limiter=limiter
                )
                if event is not None:
                    heard(self._is_beginning(event))
        finally:
            client.close()

    def _is_beginning(self, event: Mapping[str, Any]) -> bool:
        """Tell whether a failover of our master begins: `+try-failover`, `master <service> <host> <port>`."""
        if event["type"] != "pmessage" or event["channel"] != _BEGUN.encode():
            return False
        return bool(event["data"].split(b" ")[:2] == [b"master", self._service.encode()])


def _wait_event(events: PubSub) -> Mapping[str, Any] | None:
    # In a thread.  A connection whose other end has vanished stays silent for ever, unless it is asked.
    message = events.get_message(timeout=_SILENCE)
    if message is None:
        events.ping()
        message = events.get_message(timeout=_SILENCE)
        if message is None:
            raise redis.exceptions.TimeoutError("no answer to a ping")
    return None if message["type"] == "pong" else message


def _read_inspected(address: str, state: Sequence[bytes], no_quorum: str) -> Inspected:
    """Return what the replies to SENTINEL MASTER and SENTINEL CKQUORUM say; `no_quorum` is the latter's complaint."""
    texts = [text.decode() for text in state]
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    return Inspected(
        address=address,
        master=f"{fields['ip']}:{fields['port']}",
        config_epoch=int(fields["config-epoch"]),
        quorum=int(fields["quorum"]),
        known=int(fields["num-other-sentinels"]) + 1,
        down_after=int(fields["down-after-milliseconds"]) / 1000,
        failover_timeout=int(fields["failover-timeout"]) / 1000,
        no_quorum=no_quorum,
    )
