"""Who is in the cluster: each node's lease of life, and what it says of itself."""

from __future__ import annotations

import msgspec
import redis

from hachat.store.keys import Keys
from hachat.store.link import Link, run_pipeline, translate
from hachat.store.scripts import load

_JOIN, _BEAT, _LEAVE = map(load, ("join", "beat", "leave"))

REMEMBERED = 24 * 3600.0
"""Seconds a node that is gone is still shown."""


class Member(msgspec.Struct, frozen=True):
    """What a node says of itself; `started` is Unix seconds, `chat` its adapters' states."""

    node: str
    boot: str
    pid: int
    http: str
    version: str
    started: float
    chat: dict[str, str] = {}

    @property
    def consumer(self) -> str:
        """The name under which it reads the inbound queue."""
        return f"{self.node}:{self.boot}"


class Members:
    """The membership of one node, which lives for `life` seconds after each beat."""

    def __init__(self, link: Link, keys: Keys, consumer: str, life: float) -> None:
        self.consumer = consumer
        self._link = link
        self._keys = keys
        self._life = int(life * 1000)

    async def join(self, me: Member, namesake: bytes = b"") -> bytes:
        """Enter the cluster and return b"", or return the lease end of a living namesake.

        Asked again with a `namesake` that has not moved meanwhile, that process is taken for dead.
        """
        answer = await self._link.script(
            _JOIN,
            [self._keys.of(name) for name in ("members", "nodes", "gone")],
            (me.node, self.consumer, msgspec.json.encode(me), self._life, int(REMEMBERED * 1000), namesake),
        )
        return b"" if answer == b"OK" else bytes(answer[0])

    async def tell(self, me: Member) -> None:
        """Say again who this node is, because something about it has changed."""
        await self._link.command("HSET", self._keys.of("members"), self.consumer, msgspec.json.encode(me))

    async def leave(self) -> None:
        """Leave the cluster; hand back what the node holds before."""
        await self._link.script(_LEAVE, [self._keys.of(name) for name in ("members", "nodes")], (self.consumer,))

    def beat(self, client: redis.Redis) -> list[str]:
        """Renew the node's lease of life from a thread, and return consumers whose lease has run out.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        rest = (1, self._keys.of("nodes"), self.consumer, self._life)
        try:
            (answer,) = run_pipeline(client, [("EVALSHA", _BEAT.sha, *rest)])
            if isinstance(answer, redis.exceptions.NoScriptError):
                (answer,) = run_pipeline(client, [("EVAL", _BEAT.text, *rest)])
        except (redis.RedisError, OSError) as error:
            raise translate(error) from error
        if isinstance(answer, Exception):
            raise translate(answer)
        return [name.decode() for name in answer]


