"""A link that answers at once: the store's own code, without trio, for walks of thousands of steps.

Nothing in it waits, so a coroutine that asks it runs to its end in one go.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar, cast

import redis.exceptions

from hachat.store.client import Argument, make_client
from hachat.store.embedded import Server
from hachat.store.link import Direct, Link
from hachat.store.scripts import Script
from hachat.store.translation import unwrap
from tests.store.mutations import Mutation

T = TypeVar("T")


class InstantLink(Link):
    """A link for coroutines that are run by `now`; scripts it runs suffer `mutation`."""

    def __init__(self, server: Server, mutation: Mutation | None = None) -> None:
        super().__init__(Direct(server.url))
        self._client = make_client(5.0, host=server.host, port=server.port)
        self._mutation = mutation

    async def command(self, *command: Argument) -> Any:
        """Return the raw reply to one command, as `Link.command` does."""
        return unwrap(self._client.exchange([command])[0])

    async def script(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> Any:
        """Return the raw reply of a script, as `Link.script` does."""
        rest = (len(keys), *keys, *arguments)
        if self._mutation is not None and script.name == self._mutation.script:
            return await self.command("EVAL", self._mutation.apply(script.text), *rest)
        (outcome,) = self._client.exchange([("EVALSHA", script.sha, *rest)])
        if isinstance(outcome, redis.exceptions.NoScriptError):
            return await self.command("EVAL", script.text, *rest)
        return unwrap(outcome)

    def all(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Return the raw replies to many commands, asked at once; one that failed is an error in its place."""
        return self._client.exchange(commands)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what `coroutine` returns; it must wait for nothing but an InstantLink."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    coroutine.close()
    raise AssertionError("it waits for something")
