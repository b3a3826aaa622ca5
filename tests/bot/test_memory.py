"""What a handler remembers, in Redis as without it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from hachat import Context, Handler, command
from hachat.bot.memory import Memory
from hachat.bot.transient import TransientMemory
from hachat.core.errors import MemoryFull, StoreRefused, StoreUnavailable
from hachat.core.memory import MAX_KEY, MAX_VALUE
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.memory import Change, Changed
from hachat.store.memory import Memory as Stored
from tests.bot.stage import Stage


class Karma(msgspec.Struct):
    """Something with a shape."""

    points: int
    why: list[str] = []


@pytest.fixture(params=["redis", "process"])
def memory(request: pytest.FixtureRequest, link: Link, keys: Keys) -> Memory:
    """The memory of one handler."""
    storage = Stored(link, keys) if request.param == "redis" else TransientMemory()
    return Memory(storage, "karma")


async def test_a_value_comes_back(memory: Memory) -> None:
    """Whatever can be written as JSON is remembered, until something else is."""
    values: list[Any] = ["text", 1, 2.5, True, None, [1, "two"], {"a": {"b": []}}]
    for value in values:
        await memory.set("x", value)
        assert await memory.get("x", "nothing") == value


async def test_a_value_comes_back_typed(memory: Memory) -> None:
    """Asked for by its type, a struct comes back as what it was."""
    await memory.set("ada", Karma(3, ["tea"]))

    assert await memory.get("ada", type=Karma) == Karma(3, ["tea"])
    assert await memory.get("bob", type=Karma) is None
    assert await memory.get("bob", Karma(0), type=Karma) == Karma(0)
    assert await memory.items(type=Karma) == {"ada": Karma(3, ["tea"])}


async def test_a_value_of_another_type_is_refused(memory: Memory) -> None:
    """What is there but does not fit is named."""
    await memory.set("ada", "three")

    with pytest.raises(ValueError, match="karma remembers under 'ada' is not what was asked for"):
        await memory.get("ada", type=Karma)


async def test_a_value_is_forgotten(memory: Memory) -> None:
    """To delete tells whether there was anything."""
    await memory.set("x", 1)

    assert await memory.delete("x")
    assert not await memory.delete("x")
    assert await memory.get("x", "nothing") == "nothing"


async def test_replace_compares(memory: Memory) -> None:
    """Only who knows what is there may replace it, whatever order a dict was written in."""
    assert await memory.replace("x", None, {"a": 1, "b": 2})
    assert not await memory.replace("x", None, 3)
    assert await memory.replace("x", {"b": 2, "a": 1}, 3)
    assert await memory.get("x") == 3


async def test_update_loses_nothing(memory: Memory) -> None:
    """Many who change one value at once all have their say."""

    async def add(name: str) -> None:
        await memory.update("names", lambda names: [*names, name], [])

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(add, str(number))

    assert sorted(await memory.get("names")) == [str(number) for number in range(10)]


async def test_update_is_typed(memory: Memory) -> None:
    """The function is given what it asks for, and what it made is returned."""

    def praise(karma: Karma) -> Karma:
        return Karma(karma.points + 1, [*karma.why, "tea"])

    assert await memory.update("ada", praise, Karma(0), type=Karma) == Karma(1, ["tea"])
    assert await memory.update("ada", praise, Karma(0), type=Karma) == Karma(2, ["tea", "tea"])


async def test_increment_counts(memory: Memory) -> None:
    """Numbers go up and down, from nothing."""
    assert await memory.increment("n") == 1
    assert await memory.increment("n", 10) == 11
    assert await memory.increment("n", -20) == -9
    assert await memory.get("n", type=int) == -9


async def test_increment_wants_a_number(memory: Memory) -> None:
    """What is no whole number stays as it is, and is shown."""
    await memory.set("n", "many")

    with pytest.raises(ValueError, match=r"""cannot add 1 .* under 'n': "many\""""):
        await memory.increment("n")
    assert await memory.get("n") == "many"


async def test_expire_is_a_duration(memory: Memory) -> None:
    """What has an end is there until then."""
    await memory.set("x", 1, expire="1h")
    await memory.increment("y", expire=3600)
    assert await memory.keys() == ["x", "y"]

    with pytest.raises(ValueError, match="no duration"):
        await memory.set("x", 1, expire="soon")


async def test_keys_and_items_by_prefix(memory: Memory) -> None:
    """A handler finds what it remembers by how the keys begin."""
    for key, value in (("user:bob", 2), ("user:ada", 1), ("room", 3)):
        await memory.set(key, value)

    assert await memory.keys("user:") == ["user:ada", "user:bob"]
    assert await memory.items("user:") == {"user:ada": 1, "user:bob": 2}
    assert await memory.items("nobody") == {}


@pytest.mark.parametrize("key", ["", "a" * (MAX_KEY + 1), "line\nbreak", "\0", 7])
async def test_odd_keys_are_refused(memory: Memory, key: Any) -> None:
    """A key is a short text that can be printed."""
    for use in (memory.get(key), memory.set(key, 1), memory.delete(key), memory.increment(key)):
        with pytest.raises(ValueError, match=r"is no key of ctx\.memory"):
            await use


async def test_large_values_are_refused(memory: Memory) -> None:
    """A value one byte too large is refused in words; what was there stays."""
    await memory.set("x", "a" * (MAX_VALUE - 2))

    with pytest.raises(ValueError, match="split it over several keys"):
        await memory.set("x", "a" * (MAX_VALUE - 1))
    assert len(await memory.get("x")) == MAX_VALUE - 2


async def test_what_is_no_json_is_refused(memory: Memory) -> None:
    """Only values that can be read back are remembered."""
    with pytest.raises(TypeError):
        await memory.set("x", object())


class Flaky(TransientMemory):
    """Does what it is asked, and loses its first answers."""

    def __init__(self, lost: int, error: type[Exception] = StoreUnavailable) -> None:
        super().__init__()
        self.lost = lost
        self.error = error
        self.ids: list[str] = []

    async def change(self, handler: str, change: Change) -> Changed:
        """Do it, or say that nobody knows."""
        self.ids.append(change.id)
        if self.lost:
            self.lost -= 1
            raise self.error("no answer")
        return await super().change(handler, change)


async def test_redis_is_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    """While there is no answer the same change is asked for, by the id it is recognised by."""
    storage = Flaky(lost=3)

    assert await Memory(storage, "karma").increment("n") == 1
    assert len(storage.ids) == 4
    assert len(set(storage.ids)) == 1


@pytest.mark.parametrize("error", [StoreRefused, MemoryFull])
async def test_a_refusal_is_told(error: type[Exception]) -> None:
    """Where asking again would not help, the handler hears of it."""
    with pytest.raises(error):
        await Memory(Flaky(lost=1, error=error), "karma").set("x", 1)


class Counter(Handler):
    """Counts in both ways."""

    @command("count")
    async def count(self, ctx: Context) -> None:
        """count -- count up"""
        await ctx.reply(str(await ctx.memory.increment("n")))

    @command("count in a thread")
    def count_sync(self, ctx: Context) -> None:
        """count in a thread -- count up, twice"""
        memory = ctx.memory.sync
        memory.increment("n")
        memory.update("n", lambda n: n + 1)
        assert memory.replace("gone", None, 1)
        assert memory.delete("gone")
        memory.set("seen", 1, expire="1m")
        assert memory.items() == {"n": memory.get("n", type=int), "seen": 1}
        ctx.reply(f"{memory.get('n', 0, type=int)} {memory.keys()}")

    @command("fail")
    async def fail(self, ctx: Context) -> None:
        """fail -- count, then fail"""
        await ctx.memory.increment("n")
        raise ValueError("oh")


class Other(Handler):
    """Another handler."""

    @command("other")
    async def other(self, ctx: Context) -> None:
        """other -- count for itself"""
        await ctx.reply(str(await ctx.memory.increment("n")))


async def test_the_context_has_the_memory_of_its_handler() -> None:
    """All methods of a handler share it, async or not, and no other handler does; a failure takes nothing back."""
    stage = Stage(Counter(), Other())

    assert await stage.say("hachat count") == ["1"]
    assert await stage.say("hachat count in a thread") == ["3 ['n', 'seen']"]
    await stage.say("hachat fail")
    assert await stage.say("hachat count") == ["5"]
    assert await stage.say("hachat other") == ["1"]
