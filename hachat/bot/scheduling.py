"""What a handler can have done later, or elsewhere: timers, and events for others."""

from __future__ import annotations

from collections.abc import Awaitable

from hachat.bot.handle import RECORDED
from hachat.bot.timers import Timers, write_json
from hachat.core.names import normalise


class Scheduling:
    """The part of a context that asks for what is to be done when the handler has ended well."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self.emitted: list[tuple[str, str]] = []
        """The names of events that this node's handlers are to be told of, and JSON."""

    def after(
        self, delay: str | float, method: str, *, data: object = None, name: str = ""
    ) -> Awaitable[None]:
        """Have `method` run once, on some node, after `delay`: seconds, or a duration such as `10m`.

        The timer is set when the handler has ended well, together with its replies; one that fails sets none.

        Args:
            delay: When, from then on.
            method: A method of this handler that is marked with `@job` or `@every`, or `<handler>.<method>`.
            data: What the method is given: anything that can be written as JSON.
            name: By which the timer can be cancelled; another one that is set under it takes its place.

        Raises:
            ValueError: one of them cannot be used; says which and why.
            TypeError: the data cannot be written as JSON.
            RuntimeError: the handler has ended.
        """
        self._timers.set(delay, method, data, name)
        return RECORDED

    def cancel(self, name: str) -> Awaitable[None]:
        """Take back the timer `name` of this handler, if it still waits, once the handler has ended well.

        Raises:
            ValueError: the name is empty.
            RuntimeError: the handler has ended.
        """
        self._timers.cancel(name)
        return RECORDED

    def emit(self, event: str, data: object = None) -> Awaitable[None]:
        """Run what this node's handlers have for `event` when the handler has ended well, as a part of it.

        Args:
            event: Its name; case and kind of blanks do not matter.
            data: What they are given: anything that can be written as JSON.

        Raises:
            ValueError: that is no name.
            TypeError: the data cannot be written as JSON.
        """
        self.emitted.append((normalise(event), write_json(data)))
        return RECORDED

    def publish(self, event: str, data: object = None) -> Awaitable[None]:
        """Have the whole cluster told, once, that `event` happens, when the handler has ended well; see `emit`.

        Raises:
            ValueError, TypeError: as `emit` does.
            RuntimeError: the handler has ended.
            WireError: the data is too large to be queued.
        """
        self._timers.publish(event, data)
        return RECORDED

    def adopt(self, lent: Scheduling) -> None:
        """Take over what was asked for in a context that was lent to a part of this one."""
        self._timers.adopt(lent._timers)
