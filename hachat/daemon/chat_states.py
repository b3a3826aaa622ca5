"""Tells the cluster how the master's chat connections stand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
import trio

from hachat.chat.adapter import Connection
from hachat.store.members import Members
from hachat.store.retry import retry


class ChatStates:
    """Writes the state of each connection into what this node says of itself, whenever one changes."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._connections: Sequence[Connection] = ()
        self._news = trio.Event()

    def changed(self) -> None:
        """Notice that something may have changed."""
        self._news.set()

    async def show(self, connections: Sequence[Connection]) -> None:
        """Show the states of `connections` until cancelled, and none afterwards."""
        self._connections = connections
        self.changed()
        try:
            await trio.sleep_forever()
        finally:
            self._connections = ()
            self.changed()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write for ever."""
        task_status.started()
        while True:
            await self._news.wait()
            self._news = trio.Event()
            states = {connection.adapter.name: connection.state for connection in self._connections}
            if states != self._members.me.chat:
                me = msgspec.structs.replace(self._members.me, chat=states)
                await retry(partial(self._members.tell, me))
