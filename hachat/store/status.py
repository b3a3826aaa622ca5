"""What there is to see of a cluster, read from Redis in one script.

It needs no living node: an operator can look at a cluster whose every daemon is down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from hachat.core.ids import LENGTH, read_time
from hachat.core.lease import Token
from hachat.core.settings import DEFAULT_PRIORITY, QueueSettings
from hachat.store.control import Control, parse_control
from hachat.store.keys import GROUP, LANES, Keys
from hachat.store.letter import read_letter
from hachat.store.limits import (
    find_full_lanes,
    find_full_outbox,
    find_refusals,
    warn_of_dead,
    warn_of_lanes,
)
from hachat.store.link import Link
from hachat.store.members import MISSED, Member
from hachat.store.scripts import load

_STATUS = load("status")

Role = Literal["master", "standby", "dead"]

_DEFAULTS = QueueSettings()


class NodeStatus(msgspec.Struct, frozen=True):
    """One node; `since` is Unix seconds: when it became master, was started, or was last heard of.

    Of the nodes that could be master the highest `priority` is preferred; 0 never is.
    """

    name: str
    role: Role
    pid: int
    http: str
    version: str
    since: float
    chat: Mapping[str, str] = {}
    priority: int = DEFAULT_PRIORITY


class QueueStatus(msgspec.Struct, frozen=True):
    """One queue; `oldest` is the age in seconds of what has waited longest, or None when nothing waits."""

    depth: int
    oldest: float | None
    in_hand: int = 0


class Status(msgspec.Struct, frozen=True):
    """A cluster at the moment `at`, Unix seconds by Redis's clock; `lease_left` is seconds.

    `doubts` is of how many replies it has ever been unknown whether they had arrived, `dead_cut` how many dead letters
    were cut because there were too many.  `full` has a sentence for each thing that is seen to refuse more, `warnings` one
    for each that nears its limit.  `control` is what operators have ordered, `unsafe` has a sentence
    for each thing about Redis that breaks a promise; who asks for the status adds it.
    """

    cluster: str
    at: float
    master: str | None
    epoch: int
    since: float | None
    lease_left: float
    nodes: Sequence[NodeStatus]
    inbound: Mapping[str, QueueStatus]
    outbound: QueueStatus
    dead_letters: int
    doubts: int = 0
    dead_cut: int = 0
    full: Sequence[str] = []
    warnings: Sequence[str] = []
    control: Control = Control()
    unsafe: Sequence[str] = []


async def read_status(link: Link, keys: Keys, limits: QueueSettings = _DEFAULTS) -> Status:
    """Return what there is to see of the cluster; `limits` say what is full.

    Raises:
        StoreError: Redis cannot be asked.
    """
    names = (
        "lease",
        "meta",
        "members",
        "nodes",
        "gone",
        "counters",
        "outready",
        "dead",
        "detached",
        "refused",
        "control",
    )
    answer = await link.script(
        _STATUS,
        [*map(keys.of, names), *map(keys.ready, LANES)],
        (GROUP, keys.mailbox(""), keys.outbox("")),
    )
    return _read(keys.cluster, answer, limits)


async def read_version(link: Link) -> str:
    """Return the version Redis says it is.

    Raises:
        StoreError: Redis cannot be asked.
    """
    lines = (await link.command("INFO", "server")).decode().splitlines()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    return str(facts.get("valkey_version") or facts.get("redis_version", "of unknown version"))


def _read(cluster: str, answer: Sequence[Any], limits: QueueSettings) -> Status:
    now, lease, left, meta, members, nodes, gone, counters, dead, newest, refused, *more = answer
    out_head, orders, *lanes = more
    at = now / 1000
    token = _read_token(lease)
    term = read_pairs(meta)
    count = read_pairs(counters)
    since = int(term.get("since", 0)) / 1000 if token else None
    waiting: dict[str, int] = {lane: int(count.get(f"waiting:{lane}", 0)) for lane in LANES}
    return Status(
        cluster=cluster,
        at=at,
        master=token.node if token else None,
        epoch=token.epoch if token else int(term.get("epoch", 0)),
        since=since,
        lease_left=max(0, left) / 1000 if token else 0.0,
        nodes=sorted(
            _read_nodes(
                at, read_pairs(members), read_pairs(gone) | read_pairs(nodes), token, since
            ),
            key=lambda node: node.name,
        ),
        inbound={
            lane: QueueStatus(waiting[lane], read_age(at, head), in_hand)
            for lane, in_hand, head in zip(LANES, lanes[::2], lanes[1::2], strict=True)
        },
        outbound=QueueStatus(int(count.get("outgoing", 0)), read_age(at, out_head)),
        dead_letters=dead,
        doubts=int(count.get("doubts", 0)),
        dead_cut=int(count.get("dead_cut", 0)),
        full=[
            *find_full_lanes(waiting, limits),
            *find_refusals(read_pairs(refused), at, waiting, limits),
            *find_full_outbox((read_letter(*entry) for entry in newest), at),
        ],
        control=parse_control(read_pairs(orders), at),
        warnings=[*warn_of_lanes(waiting, limits), *warn_of_dead(dead, limits.dead)],
    )


def _read_nodes(
    at: float,
    members: Mapping[str, bytes],
    lease_ends: Mapping[str, bytes],
    token: Token | None,
    since: float | None,
) -> Iterator[NodeStatus]:
    for consumer, said in members.items():
        try:
            member = msgspec.json.decode(said, type=Member)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # written by a release this one cannot read
        heard = float(lease_ends.get(consumer, 0)) / 1000 - member.life
        leads = token is not None and (token.node, token.boot) == (member.node, member.boot)
        role: Role = (
            "dead" if at - heard > MISSED * member.beat else "master" if leads else "standby"
        )
        times = {"dead": heard, "master": since or 0.0, "standby": member.started}
        chat = member.chat if role == "master" else {}
        yield NodeStatus(
            *(member.node, role, member.pid, member.http, member.version),
            *(times[role], chat, member.priority),
        )


def _read_token(lease: bytes) -> Token | None:
    try:
        return Token.parse(lease.decode())
    except ValueError:
        return None


def read_pairs(fields: Sequence[bytes]) -> dict[str, bytes]:
    """Return the fields of a hash by their names."""
    return {name.decode(): value for name, value in zip(fields[::2], fields[1::2], strict=True)}


def read_age(now: float, head: bytes) -> float | None:
    """Return how many seconds before `now` the head of a box was made, or None where its id does not tell."""
    if not head:
        return None
    try:
        return max(0.0, now - read_time(head[:LENGTH].decode()))
    except ValueError:
        return None
