"""Memory without a cluster: what `tests/bot/test_memory.py` asks of every storage, and its clock."""

from __future__ import annotations

from hachat.bot.transient import TransientMemory
from hachat.store.memory import Change


async def test_time_passes_for_it() -> None:
    """A value is there until its end, and not from then on."""
    now = [100.0]
    memory = TransientMemory(now=lambda: now[0])
    await memory.change("karma", Change("code", "set", b"1", life=5.0))

    now[0] = 104.9
    assert await memory.read("karma", ["code"]) == [b"1"]
    now[0] = 105.0
    assert await memory.read("karma", ["code"]) == [None]
    assert await memory.list_keys("karma") == []


async def test_to_add_leaves_the_end() -> None:
    """A counter that is to be forgotten still is, however often it is added to."""
    now = [0.0]
    memory = TransientMemory(now=lambda: now[0])
    await memory.change("karma", Change("n", "add", b"1", life=5.0))
    now[0] = 4.0
    await memory.change("karma", Change("n", "add", b"1"))
    assert await memory.read("karma", ["n"]) == [b"2"]

    now[0] = 5.0
    assert await memory.read("karma", ["n"]) == [None]
