"""`ctx.memory`: what a handler remembers, on every node and beyond restarts.

It belongs to the handler and not to one message: what was written is there at once, also when the handler fails after
that and is run again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, overload

import msgspec
import trio

from hachat.bot.awaiting import awaited
from hachat.core.errors import StoreRefused
from hachat.core.memory import MAX_KEY, MAX_VALUE, is_key
from hachat.core.slots import parse_duration
from hachat.store.memory import Change, Changed
from hachat.store.retry import retry

T = TypeVar("T")
R = TypeVar("R")

_encoder = msgspec.json.Encoder(order="deterministic")


class Storage(Protocol):
    """Where it is kept; `hachat.store.memory.Memory` is one."""

    async def read(self, handler: str, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values under `keys`, None where there is nothing."""
        ...

    async def list_keys(self, handler: str, prefix: str = "") -> list[str]:
        """Return the keys that begin with `prefix`, sorted."""
        ...

    async def change(self, handler: str, change: Change) -> Changed:
        """Do `change`, once, however often it is asked for."""
        ...


class Memory:
    """What the handler `handler` remembers: values that can be written as JSON, under keys of its own choice.

    While Redis is away every method waits for it.  All of them raise ValueError for a key that cannot be one, and
    StoreRefused if Redis says no.
    """

    def __init__(self, storage: Storage, handler: str) -> None:
        self._storage = storage
        self._handler = handler

    @property
    def sync(self) -> SyncMemory:
        """The same for handlers that are not async."""
        return SyncMemory(self)

    @overload
    async def get(self, key: str) -> Any: ...
    @overload
    async def get(self, key: str, default: Any) -> Any: ...
    @overload
    async def get(self, key: str, *, type: type[T]) -> T | None: ...
    @overload
    async def get(self, key: str, default: T, *, type: type[T]) -> T: ...
    @awaited
    async def get(self, key: str, default: Any = None, *, type: Any = Any) -> Any:  # noqa: A002 - named as msgspec names it
        """Return what is remembered under `key`, as `type`; `default` if nothing is.

        Raises:
            ValueError: it is not of that type.
        """
        return self._decode(key, await self._read(key), default, type)

    @awaited
    async def set(self, key: str, value: object, *, expire: str | float | None = None) -> None:
        """Remember `value` under `key`; after `expire`, seconds or such as `10m`, it is forgotten.

        Raises:
            ValueError: the value is larger than `MAX_VALUE`.
            TypeError: it cannot be written as JSON.
            MemoryFull: the handler remembers too much.
        """
        life = 0.0 if expire is None else parse_duration(expire)
        await self._change(Change(_check(key), "set", _encode(key, value), life))

    @awaited
    async def delete(self, key: str) -> bool:
        """Forget what is under `key`; False if there was nothing."""
        return (await self._change(Change(_check(key), "delete"))).value is not None

    @awaited
    async def replace(
        self, key: str, old: object, new: object, *, expire: str | float | None = None
    ) -> bool:
        """Remember `new` if `old` is what is there, None for nothing; False if something else is.

        Without `expire`, it is forgotten when `old` would have been.  Raises as `set` does.
        """
        expected = None if old is None else _encode(key, old)
        return (await self._replace(key, expected, new, expire)).done

    @awaited
    async def update(
        self,
        key: str,
        function: Callable[[Any], R],
        default: Any = None,
        *,
        type: Any = Any,  # noqa: A002 - named as msgspec names it
        expire: str | float | None = None,
    ) -> R:
        """Remember what `function` makes of what is there, or of `default`, and return that.

        It is called again if another came between, so it should do nothing else.  Raises as `get` and `set` do.
        """
        raw = await self._read(key)
        while True:
            value = function(self._decode(key, raw, default, type))
            changed = await self._replace(key, raw, value, expire)
            if changed.done:
                return value
            raw = changed.value

    @awaited
    async def increment(self, key: str, by: int = 1, *, expire: str | float | None = None) -> int:
        """Add `by` to the whole number under `key`, 0 if there is none, and return the sum.

        Without `expire`, it is forgotten when it would have been.

        Raises:
            ValueError: what is there is no whole number, or the sum would be beyond 2**53.
            MemoryFull: the handler remembers too much.
        """
        life = None if expire is None else parse_duration(expire)
        changed = await self._change(Change(_check(key), "add", str(int(by)).encode(), life))
        if changed.done and changed.value is not None:
            return int(changed.value)
        raise ValueError(
            f"{self._handler} cannot add {by} to what it remembers under {key!r}: {_show(changed.value)}"
        )

    @awaited
    async def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with `prefix`, sorted."""
        ask = partial(self._storage.list_keys, self._handler, prefix)
        return await retry(ask, unless=StoreRefused)

    @awaited
    async def items(self, prefix: str = "", *, type: Any = Any) -> dict[str, Any]:  # noqa: A002 - named as msgspec names it
        """Return what is remembered under the keys that begin with `prefix`, sorted by key; raises as `get` does."""
        keys = await self.keys(prefix)
        ask = partial(self._storage.read, self._handler, keys)
        values = await retry(ask, unless=StoreRefused)
        return {
            key: self._decode(key, raw, None, type)
            for key, raw in zip(keys, values, strict=True)
            if raw is not None  # else it was forgotten meanwhile
        }

    async def _read(self, key: str) -> bytes | None:
        ask = partial(self._storage.read, self._handler, [_check(key)])
        return (await retry(ask, unless=StoreRefused))[0]

    async def _replace(
        self, key: str, old: bytes | None, new: object, expire: str | float | None
    ) -> Changed:
        life = None if expire is None else parse_duration(expire)
        value = _encode(key, new)
        return await self._change(Change(_check(key), "replace", value, life, old))

    async def _change(self, change: Change) -> Changed:
        return await retry(
            partial(self._storage.change, self._handler, change), unless=StoreRefused
        )

    def _decode(self, key: str, raw: bytes | None, default: Any, kind: Any) -> Any:
        if raw is None:
            return default
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.DecodeError as error:
            raise ValueError(
                f"what {self._handler} remembers under {key!r} is not what was asked for: {error}"
            ) from error


class SyncMemory:
    """`Memory` for a handler that is not async, which runs in a thread: its methods do not return until they are done."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @overload
    def get(self, key: str) -> Any: ...
    @overload
    def get(self, key: str, default: Any) -> Any: ...
    @overload
    def get(self, key: str, *, type: type[T]) -> T | None: ...
    @overload
    def get(self, key: str, default: T, *, type: type[T]) -> T: ...
    def get(self, key: str, default: Any = None, *, type: Any = Any) -> Any:  # noqa: A002 - named as msgspec names it
        """Do what `Memory.get` does."""
        return _wait(partial(self._memory.get, key, default, type=type))

    def set(self, key: str, value: object, *, expire: str | float | None = None) -> None:
        """Do what `Memory.set` does."""
        _wait(partial(self._memory.set, key, value, expire=expire))

    def delete(self, key: str) -> bool:
        """Do what `Memory.delete` does."""
        return _wait(partial(self._memory.delete, key))

    def replace(
        self, key: str, old: object, new: object, *, expire: str | float | None = None
    ) -> bool:
        """Do what `Memory.replace` does."""
        return _wait(partial(self._memory.replace, key, old, new, expire=expire))

    def update(
        self,
        key: str,
        function: Callable[[Any], R],
        default: Any = None,
        *,
        type: Any = Any,  # noqa: A002 - named as msgspec names it
        expire: str | float | None = None,
    ) -> R:
        """Do what `Memory.update` does; `function` is not called in the handler's thread, and must not block."""
        update = self._memory.update
        return _wait(partial(update, key, function, default, type=type, expire=expire))

    def increment(self, key: str, by: int = 1, *, expire: str | float | None = None) -> int:
        """Do what `Memory.increment` does."""
        return _wait(partial(self._memory.increment, key, by, expire=expire))

    def keys(self, prefix: str = "") -> list[str]:
        """Do what `Memory.keys` does."""
        return _wait(partial(self._memory.keys, prefix))

    def items(self, prefix: str = "", *, type: Any = Any) -> dict[str, Any]:  # noqa: A002 - named as msgspec names it
        """Do what `Memory.items` does."""
        return _wait(partial(self._memory.items, prefix, type=type))


def _wait(do: Callable[[], Awaitable[T]]) -> T:
    return trio.from_thread.run(do)


def _check(key: str) -> str:
    if is_key(key):
        return key
    raise ValueError(
        f"{key!r} is no key of ctx.memory; write 1 to {MAX_KEY} characters that can be printed"
    )


def _encode(key: str, value: object) -> bytes:
    raw = _encoder.encode(value)
    if len(raw) <= MAX_VALUE:
        return raw
    raise ValueError(
        f"the value for {key!r} has {len(raw)} bytes as JSON; {MAX_VALUE} is the most, so split it over several keys"
    )


def _show(raw: bytes | None) -> str:
    text = (raw or b"nothing").decode("utf-8", "backslashreplace")
    return text if len(text) <= MAX_KEY else f"{text[:MAX_KEY]}…"
