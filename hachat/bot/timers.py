"""What handlers ask to be done later."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec

from hachat.core.ids import make_id
from hachat.core.messages import Event, Job
from hachat.core.names import normalise
from hachat.core.slots import parse_duration
from hachat.core.wire import encode
from hachat.store.commits import Later

MAX_TIMERS = 200
"""Timers one route may set for one message; they are all committed at once."""

MAX_NAME = 200
"""Characters of a timer's name."""


class Target(Protocol):
    """A route that a timer may run."""

    @property
    def name(self) -> str:
        """`<handler>.<method>`."""
        ...

    def read(self, data: str) -> dict[str, object]:
        """Return the arguments that `data`, JSON or nothing, becomes; ValueError says why it cannot."""
        ...


Find = Callable[[str, str], Target]
"""Finds what a handler, named first, means by a method or a route; LookupError says that there is no such."""


class Timers:
    """What one route has asked to be done later; nothing can be added once it is closed.

    It holds only if the route succeeds (`keep`): one that failed asks again when it is run again.  A handler in a
    thread may outlive its deadline, so adding and closing take a lock.
    """

    __slots__ = ("_closed", "_find", "_handler", "_kept", "_lock", "_made", "_route")

    def __init__(self, route: str, handler: str, find: Find) -> None:
        self._route = route
        self._handler = handler
        self._find = find
        self._lock = threading.Lock()
        self._made: dict[str, Later] = {}
        self._kept = False
        self._closed = False

    def __iter__(self) -> Iterator[Later]:
        return iter(self._made.values() if self._kept else ())

    def lend(self, route: str, handler: str) -> Timers:
        """Return a record for a route that is run as a part of this one."""
        return Timers(route, handler, self._find)

    def adopt(self, lent: Timers) -> None:
        """Take over what was asked of a record that was lent."""
        lent.close()
        with self._lock:
            self._made |= lent._made

    def repeat(self, later: Iterable[Later]) -> None:
        """Take over what another record held, as it stands."""
        with self._lock:
            self._made |= {one.id: one for one in later}

    def set(self, delay: str | float, target: str, data: object, name: str) -> None:
        """Have the method or route `target` run after `delay`.

        Raises:
            ValueError: the delay, the name, the target or its data cannot be used; says which and why.
            TypeError: the data cannot be written as JSON.
            RuntimeError: the handler has ended, or has set too many timers.
            WireError: the data is too large to be queued.
        """
        seconds = parse_duration(delay)
        try:
            route = self._find(self._handler, target)
        except LookupError as error:
            raise ValueError(f"{self._route}: {error.args[0]}") from None
        text = write_json(data)
        route.read(
            text
        )  # what the method could not be given fails here, where its author can see why
        at = time.time() + seconds
        id_ = make_id(at, random.getrandbits(80))
        job = Job(id_, route.name, at, text)
        encode(job)
        self._add(Later(self._scope(name) if name else id_, seconds, "work", job))

    def publish(self, name: str, data: object) -> None:
        """Have the whole cluster told once that `name` happens.

        Raises:
            ValueError, TypeError, RuntimeError, WireError: as `set` does.
        """
        at = time.time()
        id_ = make_id(at, random.getrandbits(80))
        event = Event(id_, normalise(name), at, body=write_json(data))
        encode(event)
        self._add(Later(id_, 0.0, "work", event))

    def cancel(self, name: str) -> None:
        """Take back the timer that was set under `name`, by any run of this handler.

        Raises:
            ValueError: the name is empty.
            RuntimeError: the handler has ended, or has set too many timers.
        """
        self._add(Later(self._scope(name), 0.0, "work"))

    def keep(self) -> None:
        """Let what was asked for be done."""
        self._kept = True

    def close(self) -> None:
        """Refuse whatever is asked for from now on."""
        with self._lock:
            self._closed = True

    def _scope(self, name: str) -> str:
        """Return the id of a named timer: handlers do not meet in their names."""
        if not name.strip() or len(name) > MAX_NAME:
            raise ValueError(
                f"{self._route}: {name!r} is no name of a timer; write 1 to {MAX_NAME} characters"
            )
        return f"{self._handler}/{name}"

    def _add(self, later: Later) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError(
                    f"{self._route} has ended, so this timer would be lost; set it before the handler returns"
                )
            if later.id not in self._made and len(self._made) == MAX_TIMERS:
                raise RuntimeError(
                    f"{self._route} has set {MAX_TIMERS} timers; one can do the work of many"
                )
            self._made.pop(later.id, None)
            self._made[later.id] = later


def write_json(data: object) -> str:
    """Return `data` as JSON, nothing for None.

    Raises:
        TypeError: that cannot be done.
    """
    return "" if data is None else msgspec.json.encode(data).decode()
