"""What is asked of Redis: requests of single callers, and the calls they are combined to."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import trio

from hachat.store.client import Command
from hachat.store.scripts import Script

ITEMS = 64
"""Items that share one call of a script; Redis serves nobody else until it has gone through all of them."""


@dataclass(slots=True, eq=False)
class Request:
    """What one caller asks: a command, or a script's keys and arguments, with an item of its own if it shares."""

    rest: Command
    script: Script | None = None
    item: Command | None = None
    done: trio.Event = field(default_factory=trio.Event)
    outcome: Any = None
    abandoned: bool = False

    def settle(self, outcome: Any) -> None:
        """Give the caller its answer, unless it has one."""
        if not self.done.is_set():
            self.outcome = outcome
            self.done.set()


@dataclass(slots=True)
class Call:
    """What Redis is asked in one go, for one caller or for all those who share it."""

    rest: Command
    script: Script | None
    requests: list[Request]
    shared: bool

    def make_command(self, *, known: bool = True) -> Command:
        """Return the command; a script that is not known to the server is sent as its text."""
        if self.script is None:
            return self.rest
        head = ("EVALSHA", self.script.sha) if known else ("EVAL", self.script.text)
        items = chain.from_iterable(request.item or () for request in self.requests)
        return (*head, *self.rest, *items)

    def settle(self, outcome: Any) -> None:
        """Give each caller its answer."""
        if self.shared and isinstance(outcome, list):
            for request, answer in zip(self.requests, outcome, strict=True):
                request.settle(answer)
        else:
            for request in self.requests:
                request.settle(copy(outcome))


def combine(requests: Iterable[Request]) -> list[Call]:
    """Return the calls to make for `requests`, in their order; items of the same script share one."""
    calls: list[Call] = []
    open_calls: dict[tuple[Script | None, Command], Call] = {}
    for request in requests:
        if request.item is None:
            calls.append(Call(request.rest, request.script, [request], shared=False))
            continue
        key = (request.script, request.rest)
        call = open_calls.get(key)
        if call is None or len(call.requests) == ITEMS:
            call = open_calls[key] = Call(request.rest, request.script, [], shared=True)
            calls.append(call)
        call.requests.append(request)
    return calls
