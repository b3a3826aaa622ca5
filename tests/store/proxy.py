"""A TCP proxy on loopback that cuts links, swallows replies and holds back everything on demand."""

from __future__ import annotations

from contextlib import suppress

import trio

_LOST = (trio.BrokenResourceError, trio.ClosedResourceError)

_LONGEST = 128
"""Bytes of what was said before in which the beginning of a mark may stand, at most."""


class Proxy:
    """Carries connections to a local port; `url` is a Redis URL through it, once it runs, `lost` counts replies that `lose` took."""

    def __init__(self, target: int) -> None:
        self.url = ""
        self.port = 0
        self.connections = 0
        self.swallow_replies = False
        self.lost = 0
        self._marks: tuple[bytes, ...] = ()
        self._losses = 0
        self._target = target
        self._scopes: set[trio.CancelScope] = set()
        self._open = trio.Event()
        self._open.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry until cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        task_status.started()
        await trio.serve_listeners(self._carry, listeners)

    def cut(self) -> None:
        """Close every connection."""
        for scope in list(self._scopes):
            scope.cancel()

    def hold(self) -> None:
        """Hold back what is said either way until `release`; a question arrives then, even if its asker has gone."""
        if self._open.is_set():
            self._open = trio.Event()

    def release(self) -> None:
        """Deliver what was held back, and go on."""
        self._open.set()

    def lose(self, *marks: bytes, times: int = 1) -> None:
        """Lose the next replies to a question with one of `marks` in it, and each time cut its connection.

        The question is carried out, and who asked does not hear of it.
        """
        self._marks, self._losses = marks, times

    async def _carry(self, near: trio.SocketStream) -> None:
        self.connections += 1
        try:
            far = await trio.open_tcp_stream("127.0.0.1", self._target)
        except OSError:  # nobody is there, and whoever came finds out
            await near.aclose()
            return
        async with near, far, trio.open_nursery() as nursery:
            self._scopes.add(nursery.cancel_scope)
            doomed = trio.Event()
            nursery.start_soon(self._carry_replies, far, near, doomed)
            with suppress(*_LOST):
                said = b""
                async for data in near:
                    said = said[-_LONGEST:] + data
                    if self._losses and any(mark in said for mark in self._marks):
                        self._losses -= 1
                        doomed.set()
                    await self._open.wait()
                    await far.send_all(data)
            self._scopes.discard(nursery.cancel_scope)
            nursery.cancel_scope.cancel()

    async def _carry_replies(
        self, far: trio.SocketStream, near: trio.SocketStream, doomed: trio.Event
    ) -> None:
        with suppress(*_LOST):
            async for data in far:
                await self._open.wait()
                if doomed.is_set():
                    self.lost += 1
                    break
                if not self.swallow_replies:
                    await near.send_all(data)
        await near.aclose()
