"""Who is in the cluster: each node's lease of life, and what it says of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from hachat.core.errors import NewerLayout
from hachat.core.settings import DEFAULT_PRIORITY
from hachat.store.client import Argument, Client
from hachat.store.keys import GROUP, LANES, Keys
from hachat.store.link import Link
from hachat.store.scripts import load
from hachat.store.stream import Command
from hachat.store.translation import unwrap

_JOIN, _TELL, _BEAT, _LEAVE, _LIFE = map(load, ("join", "tell", "beat", "leave", "life"))

LAYOUT = 1
"""The layout of keys and the meaning of scripts; another number is another world."""

REMEMBERED = 24 * 3600.0
"""Seconds a node that is gone is still shown."""

MISSED = 1.5
"""Beats after which a node that is not heard of counts as dead; its conversations are taken over later."""

LOOK_BEATS = 4
"""Beats of a node of which the first also looks for holders of conversations that nobody would miss."""


class Member(msgspec.Struct, frozen=True):
    """What a node says of itself.

    `started` is Unix seconds; it beats every `beat` seconds, each beat lets it live for `life`; `chat` holds its
    adapters' states, `schema` the newest envelopes it reads.  Of those that could be master the highest `priority` is
    preferred, 0 never is; nor is one that is `leaving`.
    """

    node: str
    boot: str
    pid: int
    http: str
    version: str
    started: float
    beat: float
    life: float
    chat: dict[str, str] = {}
    schema: int = 1
    priority: int = DEFAULT_PRIORITY
    leaving: bool = False

    @property
    def consumer(self) -> str:
        """The name under which it reads the inbound queue."""
        return f"{self.node}:{self.boot}"


Newest = Callable[[], Awaitable[int]]
"""Returns the newest schema that a living node reads."""


async def know_nobody() -> int:
    """Know of no other node."""
    return 0


_members = msgspec.json.Decoder(Member)


async def check_layout(link: Link, keys: Keys) -> None:
    """Write down the layout of an empty Redis, and refuse one that is newer than ours.

    Raises:
        NewerLayout: a newer release has been here.
        StoreError: Redis did not answer, or said no; asking again is safe.
    """
    await link.command("SET", keys.of("layout"), LAYOUT, "NX")
    layout = await link.command("GET", keys.of("layout"))
    if not layout.isdigit() or int(layout) > LAYOUT:
        raise NewerLayout(
            f"Redis holds the queues of a newer release (layout {layout.decode('utf-8', 'replace')}, ours is {LAYOUT}); "
            "start that release"
        )


async def read_newest_schema(link: Link, keys: Keys) -> int:
    """Return the newest envelope schema that a living node reads; 0 if none lives.

    Raises:
        StoreError: Redis did not answer, or said no.
    """
    seconds, _ = await link.command("TIME")
    living = await link.command("ZRANGEBYSCORE", keys.of("nodes"), f"({int(seconds)}000", "+inf")
    if not living:
        return 0
    members = await link.command("HMGET", keys.of("members"), *living)
    return max((_read_schema(data) for data in members if data), default=0)


def _read_schema(data: bytes) -> int:
    try:
        return _members.decode(data).schema
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0


class Members:
    """The membership of one node; `me` is what it says of itself."""

    def __init__(self, link: Link, keys: Keys, me: Member) -> None:
        self.me = me
        self._link = link
        self._keys = keys
        self._life = int(me.life * 1000)
        self._beats = 0

    async def join(self, namesake: bytes = b"") -> bytes:
        """Enter the cluster and return b"", or return the lease end of a living namesake.

        Asked again with a `namesake` that has not moved meanwhile, that process is taken for dead.
        """
        answer = await self._link.script(
            _JOIN,
            [self._keys.of(name) for name in ("members", "nodes", "gone")],
            (
                self.me.node,
                self.me.consumer,
                msgspec.json.encode(self.me),
                self._life,
                int(REMEMBERED * 1000),
                namesake,
            ),
        )
        return b"" if answer == b"OK" else bytes(answer[0])

    async def begin(self) -> bool:
        """Tell whether this node, which has joined, is the first of a cluster that starts; asked again, it is answered alike.

        Raises:
            StoreError: Redis did not answer, or said no; asking again is safe.
        """
        keys = [self._keys.of("life"), self._keys.of("nodes")]
        return bool(await self._link.script(_LIFE, keys, (self.me.consumer,)))

    async def tell(self, me: Member) -> None:
        """Say again who this node is, because something about it has changed."""
        said: list[Argument] = [me.consumer, msgspec.json.encode(me)]
        await self._link.script(_TELL, [self._keys.of("members")], said)
        self.me = me

    async def leave(self) -> None:
        """Leave the cluster; what the node still holds is taken over by others at once.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        keys = [*map(self._keys.of, ("members", "nodes")), *map(self._keys.ready, LANES)]
        await self._link.script(_LEAVE, keys, (self.me.consumer, GROUP))

    def beat(self, client: Client) -> list[str]:
        """Renew the node's lease of life from a thread, and return consumers whose lease has run out.

        Now and then it also sees to it that whoever holds a conversation has a lease, and is missed when that runs out, and
        says again who this node is where Redis has forgotten that.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        keys = [self._keys.of("nodes")]
        more: list[Command] = []
        if self._beats % LOOK_BEATS == 0:
            keys += map(self._keys.ready, LANES)
            who = (self._keys.of("members"), self.me.consumer, msgspec.json.encode(self.me))
            more = [("HSETNX", *who)]
        rest: tuple[Argument, ...] = (len(keys), *keys, self.me.consumer, self._life, GROUP)
        answer = unwrap(client.exchange([("EVAL", _BEAT.text, *rest), *more])[0])
        self._beats += 1
        return [name.decode() for name in answer]
