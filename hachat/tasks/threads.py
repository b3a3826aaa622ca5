"""A thread for one blocking call after another, which costs less to reach than one that is looked for each time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

import outcome
import trio

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Call:
    do: Callable[[], Any]
    over: trio.Event
    task: trio.lowlevel.Task
    token: trio.lowlevel.TrioToken
    abandoned: bool = False

    def carry_out(self) -> None:
        """Do it, in the thread, and let the loop know what came of it."""
        result = outcome.capture(self.do)
        with contextlib.suppress(trio.RunFinishedError):
            self.token.run_sync_soon(self.hand_over, result)

    def hand_over(self, result: outcome.Outcome[Any]) -> None:
        self.over.set()
        if not self.abandoned:
            trio.lowlevel.reschedule(self.task, result)


class Thread:
    """A thread that starts with its first call and ends with `end`, or with the process.

    `end` may come from any thread and at any time; a call behind it starts the thread again.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._serving = False
        # No call may slip in behind the end of the thread it relies on.
        self._lock = threading.Lock()

    async def run(self, do: Callable[[], T], over: trio.Event) -> T:
        """Return what `do` returns or raise what it raises; a call that is cancelled goes on without us.

        `over` is set once the thread is free for the next call; until then all others wait behind it.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        lowlevel = trio.lowlevel
        call = _Call(do, over, lowlevel.current_task(), lowlevel.current_trio_token())
        with self._lock:
            if not self._serving:
                threading.Thread(target=self._serve, name=self._name, daemon=True).start()
                self._serving = True
            self._calls.put(call)

        def abandon(_: Callable[[], None]) -> trio.lowlevel.Abort:
            call.abandoned = True
            return lowlevel.Abort.SUCCEEDED

        result: T = await lowlevel.wait_task_rescheduled(abandon)
        return result

    def end(self) -> None:
        """Let the thread end when its calls are done."""
        with self._lock:
            if self._serving:
                self._serving = False
                self._calls.put(None)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call.carry_out()
            del call  # an idle thread keeps nothing of it alive
