"""What a handler is given: what happened, and the ways to answer it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Awaitable, Generator
from functools import cached_property
from typing import Any

import structlog
import trio

from hachat.bot.access import Access
from hachat.bot.description import Bot
from hachat.bot.memory import Memory
from hachat.bot.people import People
from hachat.bot.replies import Replies
from hachat.bot.services import Services
from hachat.bot.timers import Timers
from hachat.core.errors import Unanswered
from hachat.core.messages import Inbound, Job, Message, Operation, Room, User, Webhook

PATIENCE = 10.0
"""Seconds a handler waits for what it asks of a chat service, unless it says otherwise."""


async def _end_if_cancelled() -> None:
    await trio.lowlevel.checkpoint_if_cancelled()


class _Recorded:
    """What has been recorded, a reply or a timer; awaiting it ends a handler that was cancelled."""

    def __await__(self) -> Generator[Any, Any, None]:
        return _end_if_cancelled().__await__()


_RECORDED = _Recorded()


class Context:
    """One message, webhook or job, as one handler's method meets it.

    `text` is what was said without the bot's name, `match` what the pattern found in it, `prefix` what people write
    before a command in this place (`hachat `, `!` or nothing), `bot` who is running this and where.
    """

    def __init__(
        self,
        inbound: Inbound,
        replies: Replies,
        bot: Bot,
        timers: Timers,
        services: Services,
        *,
        text: str = "",
        prefix: str = "",
        match: re.Match[str] | None = None,
    ) -> None:
        self.inbound = inbound
        self.bot = bot
        self.text = text
        self.prefix = prefix
        self.match = match
        self._replies = replies
        self._timers = timers
        self._services = services

    @property
    def id(self) -> str:
        """The id of the message, webhook or job, as in the logs."""
        return self.inbound.id

    @property
    def message(self) -> Message:
        """The message as it was said.

        Raises:
            TypeError: something else was received.
        """
        if isinstance(self.inbound, Message):
            return self.inbound
        raise TypeError(
            f"{self._replies.route} was called by a {self._kind}, which has no message, user or room; "
            f"use ctx.{self._kind}, and ctx.say to speak in a room"
        )

    @property
    def webhook(self) -> Webhook:
        """The request as it was accepted.

        Raises:
            TypeError: something else was received.
        """
        if isinstance(self.inbound, Webhook):
            return self.inbound
        raise TypeError(f"{self._replies.route} was called by a {self._kind}; use ctx.{self._kind}")

    @property
    def job(self) -> Job:
        """What has become due, and when.

        Raises:
            TypeError: something else was received.
        """
        if isinstance(self.inbound, Job):
            return self.inbound
        raise TypeError(f"{self._replies.route} was called by a {self._kind}; use ctx.{self._kind}")

    @property
    def user(self) -> User:
        """Who said it; raises as `message` does."""
        return self.message.user

    @property
    def room(self) -> Room:
        """Where it was said; raises as `message` does."""
        return self.message.room

    @cached_property
    def args(self) -> tuple[str, ...]:
        """The words after the first, split as a shell does; quotes that do not close are plain characters."""
        try:
            words = shlex.split(self.text)
        except ValueError:
            words = self.text.split()
        return tuple(words[1:])

    @cached_property
    def log(self) -> structlog.stdlib.BoundLogger:
        """A logger that names the message, the route and the node on every line."""
        logger: structlog.stdlib.BoundLogger = structlog.get_logger("hachat.handlers")
        return logger.bind(message=self.id, route=self._replies.route, node=self.bot.node)

    @cached_property
    def memory(self) -> Memory:
        """What this handler remembers, on every node; see `docs/memory.md`."""
        return Memory(self._services.memory, self._replies.route.partition(".")[0])

    @property
    def access(self) -> Access:
        """Who may do what; see `docs/access.md`."""
        return self._services.access

    @property
    def people(self) -> People:
        """The users and rooms the bot has met, to be searched; see `docs/access.md`."""
        return self._services.people

    async def find_user(self, text: str, adapter: str = "") -> User:
        """Return the user meant by `text`: an id, a name, a mention, or a beginning that only one has.

        Without an adapter, it is somebody on the service of the message.

        Raises:
            NotFound, Ambiguous: none or several are; says so to whoever wrote it.
            StoreError: Redis did not answer.
        """
        return await self._services.find_user(adapter or self.room.adapter, text)

    async def find_room(self, text: str, adapter: str = "") -> Room:
        """Return the room meant by `text`: an id, an address, a name, or a beginning; raises as `find_user` does."""
        return await self._services.find_room(adapter or self.room.adapter, text)

    def reply(self, text: str) -> Awaitable[None]:
        """Answer where the message was said, in its thread.

        The reply is recorded at once and sent when the handler has ended.  A handler that is
        not async just calls it; to one that is, awaiting it tells that its time is up.

        Raises:
            ValueError: the text is blank.
            RuntimeError: the handler has ended.
            TypeError: a webhook or a job has no room to answer in.
        """
        self._replies.add(self.room.address, text, self.message.thread)
        return _RECORDED

    def say(self, address: str, text: str) -> Awaitable[None]:
        """Speak in the room at `address`, which is `<adapter>/<room id>`.

        If the service will never take it, the room of the message is told.

        Raises:
            ValueError: the address is not one, or the text is blank.
            RuntimeError: the handler has ended.
        """
        _check(address)
        here = self._here()
        self._replies.add(address, text, origin=here if here != address else "")
        return _RECORDED

    def after(
        self, delay: str | float, method: str, *, data: object = None, name: str = ""
    ) -> Awaitable[None]:
        """Have `method` run once, on some node, after `delay`: seconds, or a duration such as `10m`.

        The timer is set when the handler has ended well, together with its replies; one that fails sets none.

        Args:
            delay: When, from then on.
            method: A method of this handler that is marked with `@job` or `@every`, or `<handler>.<method>`.
            data: What the method is given: anything that can be written as JSON.
            name: By which the timer can be cancelled; another one that is set under it takes its place.

        Raises:
            ValueError: one of them cannot be used; says which and why.
            TypeError: the data cannot be written as JSON.
            RuntimeError: the handler has ended.
        """
        self._timers.set(delay, method, data, name)
        return _RECORDED

    def cancel(self, name: str) -> Awaitable[None]:
        """Take back the timer `name` of this handler, if it still waits, once the handler has ended well.

        Raises:
            ValueError: the name is empty.
            RuntimeError: the handler has ended.
        """
        self._timers.cancel(name)
        return _RECORDED

    async def roster(self, address: str = "", *, within: float = PATIENCE) -> list[User]:
        """Return who is in a room, without the bot; without an address, in that of the message.

        Raises:
            ValueError: the address is not one.
            Unanswered: nothing was heard within so many seconds.
            CallError: the service cannot tell, Unsupported if it never can.
            QueueFull: too much waits in that room.
        """
        return await self._call("roster", address or self.room.address, {}, within)

    async def lookup(
        self, user: str, adapter: str = "", *, within: float = PATIENCE
    ) -> User | None:
        """Return the user whose id is `user`, or None; without an adapter, on the service of the message.

        Raises:
            ValueError: there is no id.
            Unanswered, CallError, QueueFull: as `roster` does.
        """
        # In an outbox of its own it waits for no room's replies.
        address = f"{adapter or self.room.adapter}/{user}"
        found = await self._call("lookup", address, {"user": user}, within)
        return found[0] if found else None

    async def _call(
        self, op: Operation, address: str, args: dict[str, str], within: float
    ) -> list[User]:
        _check(address)
        with trio.move_on_after(within):
            return list(await self._services.ask(op, address, about=self.id, args=args))
        raise Unanswered(f"no answer to {op} of {address} within {within:g} s")

    @property
    def _kind(self) -> str:
        return type(self.inbound).__name__.lower()

    def _here(self) -> str:
        return self.inbound.room.address if isinstance(self.inbound, Message) else ""


def _check(address: str) -> None:
    adapter, _, room = address.partition("/")
    if not adapter or not room:
        raise ValueError(f"{address!r} is no address; write <adapter>/<room>, such as 'irc/#ops'")
