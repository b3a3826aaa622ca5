"""What handlers remember, in a real server."""

from __future__ import annotations

import pytest
import trio

from hachat.core.errors import MemoryFull
from hachat.store import memory as module
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import Change, Memory, Size
from tests.waiting import until


@pytest.fixture
def memory(link: Link, keys: Keys) -> Memory:
    """The memory of an empty cluster."""
    return Memory(link, keys)


async def put(memory: Memory, key: str, value: bytes, life: float = 0.0) -> None:
    """Remember something."""
    await memory.change("karma", Change(key, "set", value, life))


async def test_what_is_set_is_read(memory: Memory) -> None:
    """A value comes back, and where there is none nothing does."""
    await put(memory, "ada", b"1")

    assert await memory.read("karma", ["ada", "bob"]) == [b"1", None]


async def test_handlers_do_not_meet(memory: Memory) -> None:
    """What one handler remembers another does not see."""
    await put(memory, "ada", b"1")

    assert await memory.read("other", ["ada"]) == [None]
    assert await memory.list_keys("other") == []


async def test_many_keys_are_read(memory: Memory) -> None:
    """More keys than one script takes come back in their order."""
    names = [f"k{number}" for number in range(250)]
    for name in names:
        await put(memory, name, name.encode())

    assert await memory.read("karma", names) == [name.encode() for name in names]


async def test_keys_are_listed_by_their_beginning(memory: Memory) -> None:
    """A prefix is plain text, and no pattern."""
    for key in ("user:ada", "user:bob", "u*", "room"):
        await put(memory, key, b"1")

    assert await memory.list_keys("karma", "user:") == ["user:ada", "user:bob"]
    assert await memory.list_keys("karma", "u*") == ["u*"]
    assert len(await memory.list_keys("karma")) == 4


async def test_what_has_ended_is_gone(memory: Memory) -> None:
    """A value whose time is over is neither read nor listed nor expected, and is taken away."""
    await put(memory, "code", b'"x"', life=0.01)
    await until(lambda: is_gone(memory, "code"))

    assert await memory.list_keys("karma") == []
    done = await memory.change("karma", Change("code", "replace", b'"y"', expected=None))
    assert done.done
    assert await memory.read("karma", ["code"]) == [b'"y"']
    assert await memory.measure() == [Size("karma", 1, 7)]


async def is_gone(memory: Memory, key: str) -> bool:
    """Tell whether nothing is remembered under a key."""
    return await memory.read("karma", [key]) == [None]


async def test_an_end_stays_unless_it_is_changed(memory: Memory, link: Link, keys: Keys) -> None:
    """To set a value anew takes its end away; to add to it does not."""
    ends = keys.memory("karma:ends")
    await put(memory, "n", b"1", life=60.0)
    await memory.change("karma", Change("n", "add", b"1"))
    assert await link.command("ZCARD", ends) == 1

    await put(memory, "n", b"1")
    assert await link.command("ZCARD", ends) == 0


async def test_only_what_is_expected_is_replaced(memory: Memory) -> None:
    """Of two who saw the same, the second is told what is there now."""
    first = await memory.change("karma", Change("lock", "replace", b"1", expected=None))
    second = await memory.change("karma", Change("lock", "replace", b"2", expected=None))

    assert (first.done, second.done, second.value) == (True, False, b"1")


async def test_a_change_that_is_asked_again_is_done_once(memory: Memory) -> None:
    """After a lost answer the same change may be asked for: nothing is added twice, and a lock stays won."""
    add, lock = Change("n", "add", b"5"), Change("lock", "replace", b"1", expected=None)
    delete = Change("old", "delete")
    await put(memory, "old", b"0")

    for _ in range(2):
        assert (await memory.change("karma", add)).value == b"5"
        assert (await memory.change("karma", lock)).done
        assert (await memory.change("karma", delete)).value == b"0"


@pytest.mark.parametrize("value", [b'"text"', b"1.5", b"[1]", b"9007199254740991"])
async def test_only_whole_numbers_can_be_added_to(memory: Memory, value: bytes) -> None:
    """What is no number that can be counted on stays as it is."""
    await put(memory, "n", value)
    changed = await memory.change("karma", Change("n", "add", b"1"))

    assert (changed.done, changed.value) == (False, value)
    assert await memory.read("karma", ["n"]) == [value]


async def test_many_add_at_once(memory: Memory) -> None:
    """None of them is lost."""
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(memory.change, "karma", Change("n", "add", b"2"))

    assert await memory.read("karma", ["n"]) == [b"100"]


async def test_sizes_are_known(memory: Memory) -> None:
    """Each handler's keys and bytes are counted, through every change."""
    await put(memory, "ada", b"12345")
    await put(memory, "ada", b"1")
    await put(memory, "bob", b"22")
    await memory.change("karma", Change("bob", "add", b"100"))
    await memory.change("other", Change("x", "set", b"1"))
    assert await memory.measure() == [Size("karma", 2, 10), Size("other", 1, 2)]

    await memory.change("karma", Change("ada", "delete"))
    await memory.change("other", Change("x", "delete"))
    assert await memory.measure() == [Size("karma", 1, 6)]


async def test_keys_are_limited(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key too many is refused in words, and what is there may still be changed."""
    monkeypatch.setattr(module, "MAX_KEYS", 2)
    await put(memory, "a", b"1")
    await put(memory, "b", b"1")

    with pytest.raises(MemoryFull, match="karma remembers 2 keys, which is the most"):
        await put(memory, "c", b"1")
    await put(memory, "b", b"2")
    assert await memory.list_keys("karma") == ["a", "b"]


async def test_bytes_are_limited(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many bytes are refused in words, and to need fewer is not."""
    monkeypatch.setattr(module, "MAX_BYTES", 6)
    await put(memory, "a", b"12345")

    with pytest.raises(MemoryFull, match="which is the most"):
        await put(memory, "a", b"123456")
    await put(memory, "a", b"1")
    assert await memory.read("karma", ["a"]) == [b"1"]


async def test_what_has_ended_makes_room(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit counts nothing that is over."""
    monkeypatch.setattr(module, "MAX_KEYS", 1)
    await put(memory, "a", b"1", life=0.01)
    await until(lambda: is_gone(memory, "a"))

    await put(memory, "b", b"1")
    assert await memory.list_keys("karma") == ["b"]
