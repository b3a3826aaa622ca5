"""What a handler is given: what happened, what may be done later, whom may be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import structlog
import trio

from hachat.bot.access import Access
from hachat.bot.asking import Asking
from hachat.bot.awaiting import awaited, refuse_threads
from hachat.bot.description import Bot
from hachat.bot.memory import Memory
from hachat.bot.patterns import Found
from hachat.bot.people import People
from hachat.bot.questions import Questions
from hachat.bot.quoting import split_arguments
from hachat.bot.replies import Replies
from hachat.bot.scheduling import Scheduling
from hachat.bot.services import Services
from hachat.bot.speaking import Speaking, check_address
from hachat.bot.timers import Timers
from hachat.bot.wording import Wording
from hachat.core.errors import Unanswered
from hachat.core.messages import Event, Inbound, Job, Message, Operation, Reply, Room, User, Webhook
from hachat.store.dialogs import Question

if TYPE_CHECKING:
    import httpx

PATIENCE = 10.0
"""Seconds a handler waits for what it asks of a chat service, unless it says otherwise."""


class Context(Speaking, Scheduling, Asking, Wording):
    """One message, webhook or job, as one handler's method meets it.

    `text` is what was said without the bot's name, `match` what the pattern found in it, `prefix` what people write
    before a command in this place (`hachat `, `!` or nothing), `bot` who is running this and where.  `extensions` are in the beginning
    what the route's decorator has for middleware, which may add what it has for the method.
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
        match: Found | None = None,
        event: Event | None = None,
        open_: Sequence[Question] = (),
        owner: type = object,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        Speaking.__init__(self, inbound, replies)
        Scheduling.__init__(self, timers)
        Wording.__init__(self, owner, services.language)
        self.bot = bot
        self.text = text
        self.prefix = prefix
        self.match = match
        self.extensions: dict[str, Any] = dict(extensions or {})
        self._event = event
        self._services = services
        self._open = open_

    @property
    def id(self) -> str:
        """The id of the message, webhook or job, as in the logs."""
        return self.inbound.id

    @property
    def webhook(self) -> Webhook:
        """The request as it was accepted.

        Raises:
            TypeError: something else was received.
        """
        if isinstance(self.inbound, Webhook):
            return self.inbound
        raise TypeError(f"{self._replies.route} was called by {self._caller}; use ctx.{self._kind}")

    @property
    def job(self) -> Job:
        """What has become due, and when.

        Raises:
            TypeError: something else was received.
        """
        if isinstance(self.inbound, Job):
            return self.inbound
        raise TypeError(f"{self._replies.route} was called by {self._caller}; use ctx.{self._kind}")

    @property
    def event(self) -> Event:
        """What has happened.

        Raises:
            TypeError: something else was received.
        """
        if self._event is not None:
            return self._event
        if isinstance(self.inbound, Event):
            return self.inbound
        raise TypeError(f"{self._replies.route} was called by {self._caller}; use ctx.{self._kind}")

    @property
    def at(self) -> float:
        """When it was said, accepted or meant to be, Unix seconds."""
        return self.inbound.at

    @property
    def attempt(self) -> int:
        """How often it has failed before."""
        return self.inbound.attempt

    @property
    def http(self) -> httpx.AsyncClient:
        """A client for calls to other services, shared by the handlers of this node; for methods that are async."""
        refuse_threads("ctx.http")
        return self._services.http.client

    @property
    def blocking_http(self) -> httpx.Client:
        """The same for methods that are not async."""
        return self._services.http.blocking_client

    def name_replies(self) -> dict[str, Any]:
        """Return how the next replies are named, for whoever makes them in another process."""
        made = self._replies
        return {"about": made.about, "route": made.route, "stem": made.stem, "count": made.count}

    def repeat(self, replies: Iterable[Reply]) -> None:
        """Say what was said in another process."""
        for reply in replies:
            add = partial(self._replies.add, reply.room, reply.text, reply.thread, reply.origin)
            add(op=reply.op, args=reply.args)

    @cached_property
    def questions(self) -> Questions:  # type: ignore[override]  # made when it is first needed
        """What is asked about the message; its methods are for handlers that are not async, and raise as `message` does."""
        if self._event is not None:
            raise TypeError(f"{self._replies.route}: whoever hears of an event has nobody to ask")
        return Questions(self.message, self._replies, self._open, self._services.texts)

    @cached_property
    def args(self) -> tuple[str, ...]:
        """The words after the first, split as a shell does; quotes that do not close are plain characters."""
        return split_arguments(self.text)

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

    @awaited
    async def find_user(self, text: str, adapter: str = "") -> User:
        """Return the user meant by `text`: an id, a name, a mention, or a beginning that only one has.

        Without an adapter, it is somebody on the service of the message.

        Raises:
            NotFound, Ambiguous: none or several are; says so to whoever wrote it.
            StoreError: Redis did not answer.
        """
        return await self._services.find_user(adapter or self.room.adapter, text)

    @awaited
    async def find_room(self, text: str, adapter: str = "") -> Room:
        """Return the room meant by `text`: an id, an address, a name, or a beginning; raises as `find_user` does."""
        return await self._services.find_room(adapter or self.room.adapter, text)

    @property
    def _service(self) -> str:
        place = self.inbound
        return place.room.adapter if isinstance(place, Message | Event) and place.room else ""

    def lend(self, route: str, handler: str, owner: type, event: Event) -> Context:
        """Return the context of a route of `owner` that is run as a part of this one, because `event` was emitted."""
        timers = self._timers.lend(route, handler)
        return Context(
            *(self.inbound, self._replies, self.bot, timers, self._services),
            prefix=self.prefix,
            event=event,
            owner=owner,
        )

    @awaited
    async def roster(self, address: str = "", *, within: float = PATIENCE) -> list[User]:
        """Return who is in a room, without the bot; without an address, in that of the message.

        Raises:
            ValueError: the address is not one.
            Unanswered: nothing was heard within so many seconds.
            CallError: the service cannot tell, Unsupported if it never can.
            QueueFull: too much waits in that room.
        """
        return await self._call("roster", address or self.room.address, {}, within)

    @awaited
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
        check_address(address)
        with trio.move_on_after(within):
            return list(await self._services.ask(op, address, about=self.id, args=args))
        raise Unanswered(f"no answer to {op} of {address} within {within:g} s")
