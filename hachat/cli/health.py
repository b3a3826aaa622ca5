"""Is a cluster well?  Redis says what it knows, and each living node whether it believes to be master."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal

import httpx
import msgspec
import trio

from hachat.core.diagnosis import find_unsafe
from hachat.core.phrases import write_plain
from hachat.core.settings import Settings
from hachat.store.examination import examine as examine_redis
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.schedule import Scheduled, read_scheduled
from hachat.store.status import NodeStatus, Status, read_status

PATIENCE = 0.5
"""Seconds a node has to answer."""

SILENT = "no answer"
"""What is noted of a node that did not answer."""

State = Literal["healthy", "degraded", "no master", "two masters"]


class Health(msgspec.Struct, frozen=True):
    """What is seen of a cluster; `reasons` has a sentence for each thing that is not as it should be.

    `answers` holds what each living node said by HTTP: `master`, `standby` or `no answer`.  `scheduled` is a step-down that
    waits for its time.
    """

    state: State
    reasons: list[str]
    status: Status
    answers: Mapping[str, str]
    scheduled: Scheduled | None = None

    def to_json(self) -> bytes:
        """Return the status as JSON, with `state`, `reasons`, `scheduled` and, for each node, its `answer`."""
        plain: dict[str, Any] = msgspec.to_builtins(self.status, enc_hook=write_plain)
        for node in plain["nodes"]:
            node["answer"] = self.answers.get(node["name"])
        value = {
            "state": self.state,
            "reasons": self.reasons,
            "scheduled": self.scheduled,
            **plain,
        }
        return msgspec.json.format(msgspec.json.encode(value, enc_hook=write_plain))


class _Answer(msgspec.Struct):
    status: str
    node: str


async def examine(link: Link, keys: Keys, settings: Settings) -> Health:
    """Return how the cluster of `settings` is.

    Raises:
        StoreError: Redis cannot be asked.
    """
    health = await _examine_once(link, keys, settings)
    if health.state == "two masters":
        # The lease may have moved between two of the answers.
        health = await _examine_once(link, keys, settings)
    return health


def assess(status: Status, answers: Mapping[str, str]) -> Health:
    """Return how a cluster is of which Redis says `status` and its nodes say `answers`."""
    claimants = sorted(_find_claimants(status, answers))
    reasons = [
        *_fault_pause(status),
        *_fault_dead(status.nodes),
        *_fault_chat(status.nodes),
        *status.unsafe,
        *status.full,
    ]
    state: State = "degraded" if reasons else "healthy"
    if len(claimants) > 1:
        state = "two masters"
        reasons.insert(0, f"{' and '.join(claimants)} each claim to be master")
    elif status.master is None:
        state = "no master"
        reasons.insert(0, _explain_vacancy(status))
    return Health(state, reasons, status, answers)


async def _examine_once(link: Link, keys: Keys, settings: Settings) -> Health:
    status = await read_status(link, keys, settings.queue)
    unsafe = find_unsafe(await examine_redis(link), settings.redis, settings.lease)
    status = msgspec.structs.replace(status, unsafe=unsafe)
    answers = await _ask(node for node in status.nodes if node.role != "dead")
    return msgspec.structs.replace(
        assess(status, answers), scheduled=await read_scheduled(link, keys)
    )


async def _ask(nodes: Iterable[NodeStatus]) -> dict[str, str]:
    answers: dict[str, str] = {}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client,
        trio.open_nursery() as nursery,
    ):
        for node in nodes:
            nursery.start_soon(_ask_one, client, node, answers)
    return answers


async def _ask_one(client: httpx.AsyncClient, node: NodeStatus, answers: dict[str, str]) -> None:
    answers[node.name] = SILENT
    with (
        trio.move_on_after(PATIENCE),
        suppress(httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError),
    ):
        said = msgspec.json.decode((await client.get(f"{node.http}/master")).content, type=_Answer)
        # A node that listens on loopback only gives an address at which others find themselves.
        if said.node == node.name:
            answers[node.name] = said.status


def _find_claimants(status: Status, answers: Mapping[str, str]) -> set[str]:
    by_redis = {node.name for node in status.nodes if node.role == "master"}
    return by_redis | {name for name, answer in answers.items() if answer == "master"}


def _fault_pause(status: Status) -> Iterator[str]:
    if pause := status.control.pause:
        yield (
            f"elections are PAUSED {pause.describe()}: if the master dies, nobody takes over; `hachat resume` ends it"
        )


def _fault_dead(nodes: Iterable[NodeStatus]) -> Iterator[str]:
    for node in nodes:
        if node.role == "dead":
            yield f"{node.name} is dead: start it again, or it is forgotten within a day"


def _fault_chat(nodes: Iterable[NodeStatus]) -> Iterator[str]:
    for node in nodes:
        for adapter, state in node.chat.items():
            if state != "connected":
                yield f"{adapter} is not connected but {state}: see the log of {node.name}"


def _explain_vacancy(status: Status) -> str:
    alive = [node for node in status.nodes if node.role != "dead"]
    if not alive:
        return "nobody is master: no node is alive; start one with `hachat run`"
    if status.control.pause:
        return "nobody is master, and nobody takes over while elections are paused"
    faults = {node.name: _find_fault(node, status) for node in alive}
    able = [name for name, fault in faults.items() if not fault]
    if not able:
        return f"nobody is master, and nobody can be: {', '.join(map(' '.join, faults.items()))}"
    return f"nobody is master: {', '.join(able)} may take over in a moment"


def _find_fault(node: NodeStatus, status: Status) -> str:
    if node.name in status.control.drains:
        return "is drained"
    if node.name in status.control.holds:
        return "is held back"
    return "" if node.priority else "has lease.priority 0"
