"""Writes that count once a replica has them: acknowledged late, in doubt, or never lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha1
from itertools import count
from pathlib import Path

import pytest
import trio

from hachat.core.errors import StoreRefused, StoreUnavailable
from hachat.core.settings import QueueSettings
from hachat.store.inbound import Inbound
from hachat.store.keys import Keys
from hachat.store.scripts import Script
from tests.store.binaries import find_redis
from tests.store.letters import message
from tests.store.pairs import confirming, run_pair
from tests.waiting import until


def script(text: str, *, reads: bool = False) -> Script:
    """Return a script that servers learn by its hash."""
    return Script("test", text, sha1(text.encode(), usedforsecurity=False).hexdigest(), reads)


ADD = script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
ONCE = script("return redis.call('SET', KEYS[1], '1', 'NX') or 'PAST'")
WRONG = script("return redis.call('LPUSH', KEYS[1], 'x')")
LOOK = script("return redis.call('GET', KEYS[1])", reads=True)


def nothing() -> None:
    """Return no binary: the embedded server is to run."""


BINARIES = pytest.mark.parametrize("find", [nothing, find_redis], ids=["valkey", "redis"])


async def test_a_write_is_acknowledged_once_a_replica_has_it(tmp_path: Path) -> None:
    """The master has it at once; its caller hears of it when the replica has it too."""
    async with run_pair(tmp_path) as pair, confirming(pair.master, patience=20.0) as link:
        await link.command("SCRIPT", "LOAD", ADD.text)
        pair.proxy.hold()
        replies: list[int] = []

        async def write() -> None:
            replies.append(await link.script(ADD, ["sum"], [1]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)

            async def written() -> bool:
                return bool(await link.command("GET", "sum") == b"1")

            await until(written)
            assert replies == []
            pair.proxy.release()
        assert replies == [1]
        assert await pair.tell_replica("GET", "sum") == b"1"


async def test_a_frozen_replica_leaves_writes_in_doubt(tmp_path: Path) -> None:
    """They end well within the link's timeout, known or not to the server; what is refused stays refused."""
    async with run_pair(tmp_path) as pair, confirming(pair.master) as link:
        assert await link.script(ADD, ["sum"], [1]) == 1
        pair.replica.process.send_signal(signal.SIGSTOP)
        ended: list[str] = []

        async def write(what: Script) -> None:
            try:
                await link.script(what, ["sum"], [1])
            except StoreUnavailable as error:
                ended.append(str(error))
            except StoreRefused:
                ended.append("refused")

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for what in (ADD, ADD, WRONG):
                nursery.start_soon(write, what)
        assert (
            trio.current_time() - began < 1.9
        )  # 0.5 s, and again for what the server had to learn first
        doubt = "1 replicas were to confirm what was written, and 0 did in time"
        assert sorted(ended) == [doubt, doubt, "refused"]
        pair.replica.process.send_signal(signal.SIGCONT)
        assert await link.script(ADD, ["sum"], [1]) == 4


async def test_whoever_looks_does_not_wait_for_replicas(tmp_path: Path) -> None:
    """Commands and scripts that only read are answered while writes wait for a frozen replica."""
    async with run_pair(tmp_path) as pair, confirming(pair.master, patience=20.0) as link:
        await link.command("SCRIPT", "LOAD", ADD.text)
        pair.replica.process.send_signal(signal.SIGSTOP)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(partial(link.script, ADD, ["sum"], [1]))

            async def all_written() -> bool:
                return bool(await link.script(LOOK, ["sum"], []) == b"5")

            with trio.fail_after(2.0):  # the replicas have 5 s
                await until(all_written)
            nursery.cancel_scope.cancel()


@BINARIES
async def test_a_repetition_counts_no_earlier_than_the_write_it_repeats(
    tmp_path: Path, find: Callable[[], Path | None]
) -> None:
    """It writes nothing itself, and says so only when a replica has what the first one wrote."""
    async with (
        run_pair(tmp_path, find()) as pair,
        confirming(pair.master, patience=0.4) as link,
    ):
        pair.proxy.hold()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="were to confirm"):
                await link.script(ONCE, ["key"], [])
        pair.proxy.release()

        async def repeated() -> bool:
            try:
                return bool(await link.script(ONCE, ["key"], []) == b"PAST")
            except StoreUnavailable:
                return False

        await until(repeated)
        assert await pair.tell_replica("GET", "key") == b"1"


async def test_a_user_who_lacks_a_right_is_told(tmp_path: Path) -> None:
    """Without the rights to PUBLISH and WAIT nothing is ever sure; the error names them, and is no refusal of the write."""
    async with run_pair(tmp_path) as pair, confirming(pair.master) as link:
        for right in ("wait", "publish"):
            await link.command("ACL", "SETUSER", "default", f"-{right}")
            with pytest.raises(StoreUnavailable, match=f"NOPERM.*{right}"):
                await link.script(ADD, ["sum"], [1])
            await link.command("ACL", "SETUSER", "default", f"+{right}")


# The master dies


async def _enqueue(inbound: Inbound, numbers: Iterator[int], acknowledged: set[str]) -> None:
    while True:
        entry = message(next(numbers))
        try:
            await inbound.enqueue(entry, "chat")
        except StoreUnavailable:
            return
        acknowledged.add(entry.id)


async def _die_under_load(directory: Path, keys: Keys, *, replicas: int, after: int) -> set[str]:
    """Return which acknowledged messages the promoted replica does not know."""
    acknowledged: set[str] = set()
    numbers = count()
    async with (
        run_pair(directory) as pair,
        confirming(pair.master, replicas=replicas) as link,
        trio.open_nursery() as nursery,
    ):
        inbound = Inbound(link, keys, "n1:b1", QueueSettings(mailbox=100_000))
        for _ in range(20):
            nursery.start_soon(_enqueue, inbound, numbers, acknowledged)
        await until(lambda: len(acknowledged) >= after)
        # Like a server that is gone: what it has on its way to the replica is gone with it.
        pair.proxy.cut()
        pair.master.process.kill()
        nursery.cancel_scope.deadline = trio.current_time() + 5.0
        pair.master.process.wait()
        await pair.promote()
        mailbox = keys.mailbox(message(0).conversation)
        kept = await pair.tell_replica("LRANGE", mailbox, "0", "-1")
    assert len(acknowledged) >= after
    return acknowledged - {entry.partition(b"|")[0].decode() for entry in kept}


async def test_what_was_acknowledged_outlives_the_master(tmp_path: Path, keys: Keys) -> None:
    """However the master dies under load, the promoted replica has every message that was acknowledged."""
    for number in range(5):
        lost = await _die_under_load(
            tmp_path / str(number), keys, replicas=1, after=50 + 60 * number
        )
        assert lost == set()


async def test_without_replicas_it_would_be_lost(tmp_path: Path, keys: Keys) -> None:
    """The same deaths lose messages that no replica has confirmed, or the test above would show nothing."""
    for number in range(20):
        if await _die_under_load(tmp_path / str(number), keys, replicas=0, after=50 + 60 * number):
            return
    pytest.fail("nothing was lost")
