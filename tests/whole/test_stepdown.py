"""The lease is moved under real processes: what a channel sees, how long nobody speaks, and whoever dies in between."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from hachat.cluster.candidates import find_candidates
from hachat.cluster.stepdown import Succession, step_down
from hachat.core.errors import StepDownRefused
from hachat.core.messages import Webhook
from hachat.core.settings import QueueSettings
from hachat.core.stepdown import Order
from hachat.store.control import read_control
from hachat.store.inbound import Inbound
from hachat.store.lease import LeaseView
from hachat.store.schedule import read_time, schedule
from tests.chat.ngircd import Ngircd, Person, run_ngircd, visit
from tests.waiting import until
from tests.whole.cluster import HASTY, Cluster, run_cluster

ROOMY = f"{HASTY}[queue]\noutbox = 10000\n"
"""Settings with which much may wait in a room."""

PAIR = ("node-1", "node-2")
LINES = 3000
AT_ONCE = 200
"""Lines that one handler says."""
GAP = 0.1
"""Seconds within which the next master speaks on."""

LOOSE = 5.0
"""How many times longer that may be on a busy machine before a test fails."""


def on_irc(network: Ngircd) -> str:
    """Return settings of nodes that speak on `network`, as fast as they can."""
    return (
        f'{ROOMY}[chat.irc]\nhost = "127.0.0.1"\nport = {network.port}\nchannels = ["#ops"]\n'
        "burst = 1000\ninterval = 0.001\n"
    )


async def move(cluster: Cluster, order: Order | None = None, patience: float = 10.0) -> Succession:
    """Move the lease as `order` says."""
    find = partial(find_candidates, cluster.link, cluster.keys)
    view = LeaseView(cluster.link, cluster.keys)
    return await step_down(view, find, order or Order(), patience=patience)


async def refused(cluster: Cluster, order: Order) -> str:
    """Return the code of a refusal."""
    with pytest.raises(StepDownRefused) as caught:
        await move(cluster, order)
    return caught.value.code


async def find_roles(cluster: Cluster) -> tuple[str, list[str]]:
    """Return the master and the others."""
    master = (await cluster.status()).master
    assert master is not None
    return master, [name for name in cluster.daemons if name != master]


async def say_much(cluster: Cluster, room: str) -> None:
    """Have `LINES` numbered lines said in a room."""
    queue = Inbound(cluster.link, cluster.keys, "test:1", QueueSettings())
    for number in range(LINES // AT_ONCE):
        body = json.dumps({"number": number, "room": room, "times": AT_ONCE})
        webhook = Webhook(f"w{number}", "count.post", "POST", "/hooks/count", time.time(), body)
        await queue.enqueue(webhook, "work")


async def listen(person: Person, heard: list[tuple[float, str]]) -> None:
    """Note each numbered line and when it was heard, until all were."""
    while len(heard) < LINES:
        text = await person.hear()
        heard.append((trio.current_time(), text))


def longest_pause(times: Sequence[float]) -> float:
    """Return the longest time between two of these."""
    return max(later - earlier for earlier, later in pairwise(times))


async def test_a_channel_sees_its_bot_leave_and_come_back_at_once(tmp_path: Path) -> None:
    """One bot at a time, always under its name; every line once and in order; and hardly a pause."""
    with run_ngircd(tmp_path) as network:
        async with visit(network, "anna") as anna, visit(network, "bert") as bert:
            await anna.join("#ops")
            await bert.join("#ops")
            async with run_cluster(tmp_path, nodes=PAIR, settings=on_irc(network)) as cluster:
                await bert.expect("JOIN :#ops")
                heard: list[tuple[float, str]] = []
                async with trio.open_nursery() as nursery:
                    await say_much(cluster, "irc/#ops")
                    nursery.start_soon(listen, anna, heard)
                    await until(lambda: len(heard) > LINES // 10, 20.0)
                    done = await move(cluster)
                    assert len(heard) < LINES * 0.9, "the move came when all was said"
                seen = await read_moves(bert)

    said = [tuple(map(int, text.split("."))) for _, text in heard]
    assert sorted(said) == [
        (one, turn) for one in range(LINES // AT_ONCE) for turn in range(1, AT_ONCE + 1)
    ]
    for number in range(LINES // AT_ONCE):
        turns = [turn for one, turn in said if one == number]
        assert turns == sorted(turns)
    assert seen == ["QUIT", "JOIN"]
    pause = longest_pause([at for at, _ in heard])
    assert done.gap is not None
    assert pause < GAP * LOOSE


async def read_moves(person: Person) -> list[str]:
    """Return what the bot did beside talking, up to its coming back."""
    moves: list[str] = []
    while moves[-1:] != ["JOIN"]:
        found = re.match(r":(\S+)!\S+ (\w+)", await person.expect(" "))
        if found and found[1] != "anna" and found[2] != "PRIVMSG":
            assert found[1] == "hachat"
            moves.append(found[2])
    return moves


async def test_a_console_goes_on_at_once(tmp_path: Path) -> None:
    """What is said in a console pauses for hardly a moment."""
    async with run_cluster(tmp_path, nodes=PAIR, settings=ROOMY + "[chat.console]\n") as cluster:
        await say_much(cluster, "console/ops")
        key = cluster.keys.of("console:room:ops")

        async def count() -> int:
            return int(await cluster.link.command("XLEN", key))

        async def is_begun() -> bool:
            return await count() > LINES // 10

        async def is_done() -> bool:
            return not await cluster.link.command("EXISTS", cluster.keys.outbox("console/ops"))

        times: list[float] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect, cluster, key, times)
            await until(is_begun, 20.0)
            done = await move(cluster)
            released_at = await find_release(cluster)
            assert not await is_done(), "the move came when all was said"
            await until(is_done, 20.0)
            await until(lambda: len(times) == LINES)
            nursery.cancel_scope.cancel()

    before, after = around(times, released_at)
    pause = after - before
    assert done.gap is not None
    assert pause < GAP * LOOSE


async def find_release(cluster: Cluster) -> float:
    """Return when the lease was given back last, Unix seconds."""
    entries = await cluster.link.command("XREVRANGE", cluster.keys.of("history"), "+", "-")
    return next(
        int(entry.decode().partition("-")[0]) / 1000
        for entry, fields in entries
        if b"released" in fields
    )


def around(times: Sequence[float], moment: float) -> tuple[float, float]:
    """Return the last of `times` before a moment, and the first after it."""
    return max(at for at in times if at <= moment), min(at for at in times if at > moment)


async def collect(cluster: Cluster, key: str, times: list[float]) -> None:
    """Note when each entry of a stream was written, Unix seconds."""
    after = "-"
    while True:
        entries = await cluster.link.command("XRANGE", key, after, "+", "COUNT", 500)
        times += [int(entry.decode().partition("-")[0]) / 1000 for entry, _ in entries]
        if entries:
            after = f"({entries[-1][0].decode()}"
        else:
            await trio.sleep(0.01)


async def test_who_cannot_succeed_is_refused(tmp_path: Path) -> None:
    """The dead, the unknown, the master itself and who is held are refused with why, and the master stays."""
    nodes = ("node-1", "node-2", "node-3")
    async with run_cluster(tmp_path, nodes=nodes, settings=HASTY) as cluster:
        old = await move(cluster, Order(hold=60.0, by="ada", reason="kernel"))
        left, master = old.old.node, old.new.node
        (third,) = set(nodes) - {left, master}
        assert left in (await read_control(cluster.link, cluster.keys)).holds

        codes = [await refused(cluster, Order(to=to)) for to in (left, master, "node-9")]
        assert codes == ["ineligible"] * 3

        # Dead, and not missed yet: only the master finds out, because nobody answers it.
        cluster.daemons[third].kill()
        assert await refused(cluster, Order(to=third)) == "ineligible"
        assert await refused(cluster, Order()) in ("no successor", "ineligible")
        assert (await cluster.status()).master == master


async def test_the_second_of_two_at_once_is_refused(tmp_path: Path) -> None:
    """One of two is followed; the other hears that it came too late, in one way or the other."""
    nodes = ("node-1", "node-2", "node-3")
    async with run_cluster(tmp_path, nodes=nodes, settings=HASTY) as cluster:
        _, others = await find_roles(cluster)
        ends: list[str] = []

        async def ask(to: str) -> None:
            try:
                ends.append((await move(cluster, Order(to=to))).new.node)
            except StepDownRefused as error:
                ends.append(error.code)

        async with trio.open_nursery() as nursery:
            for to in others:
                nursery.start_soon(ask, to)

        master = (await cluster.status()).master
        assert master in others, ends
        assert master in ends
        (loser,) = [end for end in ends if end != master]
        assert loser in ("pending", "changed", "not taken over")


async def test_a_successor_that_hangs_keeps_the_master(tmp_path: Path) -> None:
    """It is asked and does not answer: refused, unless somebody insists; then the lease waits for anyone."""
    async with run_cluster(tmp_path, nodes=PAIR, settings="[worker]\nnode_ttl = 60.0\n") as cluster:
        master, (other,) = await find_roles(cluster)
        cluster.daemons[other].process.send_signal(signal.SIGSTOP)
        assert await refused(cluster, Order(to=other)) == "ineligible"
        assert (await cluster.status()).master == master

        with pytest.raises(StepDownRefused, match="nobody took over"):
            await move(cluster, Order(to=other, force=True), patience=7.0)
        cluster.daemons[other].process.send_signal(signal.SIGCONT)

        async def is_moved() -> bool:
            return (await cluster.status()).master == other

        await until(is_moved, 10.0)


async def test_a_master_that_dies_on_the_way_is_succeeded(tmp_path: Path) -> None:
    """Whether it has only been asked, or is waiting for its successor, another is master within the ttl."""
    nodes = ("node-1", "node-2", "node-3")
    async with run_cluster(tmp_path, nodes=nodes, settings=HASTY) as cluster:
        master, others = await find_roles(cluster)
        view = LeaseView(cluster.link, cluster.keys)
        token = await view.read_master()
        assert token is not None
        heir = others[0]
        cluster.daemons[heir].process.send_signal(signal.SIGSTOP)
        await view.request_step_down(token, "r1", Order(to=heir))

        async def is_preparing() -> bool:
            entries = await cluster.link.command("XRANGE", cluster.keys.of("events"), "-", "+")
            return any(b"prepare" in fields for _, fields in entries)

        await until(is_preparing)
        cluster.daemons[master].kill()
        cluster.daemons[heir].process.send_signal(signal.SIGCONT)

        async def is_succeeded() -> bool:
            return (await cluster.status()).master in others

        await until(is_succeeded, 5.0 + 0.5 + 1.0)


async def test_a_step_down_at_a_time_is_carried_out_once(tmp_path: Path) -> None:
    """Whoever is master then steps down, within seconds, and the next one stays."""
    async with run_cluster(tmp_path, nodes=PAIR, settings=HASTY) as cluster:
        master, (other,) = await find_roles(cluster)
        due = await read_time(cluster.link) + 1.0
        await schedule(cluster.link, cluster.keys, "r1", due, Order(to=other, by="ada"))

        async def is_moved() -> bool:
            return (await cluster.status()).master == other

        await until(is_moved, 8.0)
        moved_at = await read_time(cluster.link)
        assert due <= moved_at < due + 5.0
        await cluster.wait_complete()
        assert (await cluster.status()).master == other != master
