"""A stage to try handlers on: the real robot, without Redis and without a cluster."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from hachat.bot.access import Access
from hachat.bot.binding import bind
from hachat.bot.handler import Handler
from hachat.bot.people import People
from hachat.bot.replies import SPOKEN
from hachat.bot.robot import Robot
from hachat.bot.routes import HookRoute
from hachat.bot.timers import write_json
from hachat.core.messages import Event, Inbound, Job, Message, Operation, Reply, Room, User, Webhook
from hachat.core.names import normalise
from hachat.store.commits import Later
from hachat.store.dialogs import Question, list_places, make_expiry


class Stage:
    """Handlers that can be spoken to.

    `replies` is everything said and done so far, with its room, `later` every timer that was set or cancelled, `questions`
    what waits for an answer, by its place.

    `people` is who is in each room, by its address: whoever has said something there, and whom a test adds.

    `access` tells who may do what; without it nobody is in any group.  The other keyword arguments are those of `Robot`.

    Raises:
        HandlerError: a handler is declared wrongly.
    """

    def __init__(
        self,
        *handlers: Handler,
        name: str = "hachat",
        access: Access | None = None,
        **options: Any,
    ) -> None:
        routes = [route for handler in handlers for route in bind(handler)]
        self.robot = Robot(routes, name, **options)
        self.replies: list[Reply] = []
        self.later: list[Later] = []
        self.questions: dict[str, Question] = {}
        self.people: dict[str, list[User]] = {}
        self.robot.services.ask = self._ask
        say = self.robot.services.texts.say
        self.robot.services.know(People(say=say))
        self.robot.services.access = access or Access(say=say)
        self._ids = (f"M{number}" for number in itertools.count(1))

    async def say(
        self, text: str, *, user: str = "alice", room: str = "test/#room", private: bool = False
    ) -> list[str]:
        """Let `user` say something and return what is said back."""
        there = self.people.setdefault(room, [])
        if user not in {person.id for person in there}:
            there.append(User(user, user))
        adapter, _, channel = room.partition("/")
        place = Room(adapter, channel, private=private)
        return await self._handle(
            Message(next(self._ids), place, User(user, user), text, at=time.time())
        )

    async def request(self, method: str, path: str, body: object = b"") -> list[str]:
        """Send a webhook and return what is said about it; a body that is not bytes is sent as JSON.

        Raises:
            ValueError: the body would be refused at the door.
            LookupError: no handler has such a path.
        """
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        route, variables = _find_hook(self.robot.hooks, method, path)
        route.check(data)
        webhook = Webhook(
            next(self._ids), route.name, method, path, time.time(), data.decode(), variables
        )
        return await self._handle(webhook)

    async def fire(self, route: str, data: object = None) -> list[str]:
        """Let something become due, for the route `<handler>.<method>`, and return what is said about it.

        Raises:
            ValueError: the data is not what the method takes.
            LookupError: no handler has such a route.
        """
        found = self.robot.find_job("", route)
        text = "" if data is None else msgspec.json.encode(data).decode()
        found.read(text)
        return await self._handle(Job(next(self._ids), found.name, 0.0, text))

    async def happen(self, event: str, data: object = None) -> list[str]:
        """Let an event happen that a handler might have published, and return what is said about it."""
        body = write_json(data)
        return await self._handle(Event(next(self._ids), normalise(event), time.time(), body=body))

    async def lapse(self) -> list[str]:
        """Let all open questions wait in vain, and return what is said about that."""
        expiries = [make_expiry(question, time.time()) for question in self.questions.values()]
        return [text for expiry in expiries for text in await self._handle(expiry)]

    async def _ask(
        self,
        op: Operation,
        room: str,
        *,
        about: str = "",
        args: dict[str, str] | None = None,
    ) -> Sequence[User]:
        if op == "roster":
            return list(self.people.get(room, ()))
        everybody = [person for people in self.people.values() for person in people]
        return [person for person in everybody if person.id == (args or {}).get("user")][:1]

    async def _handle(self, inbound: Inbound) -> list[str]:
        places = list_places(inbound)
        open_ = [self.questions[place] for place in places if place in self.questions]
        run = await self.robot.carry_out(inbound, open_)
        self.replies += run.replies
        self.later += run.later
        self.questions |= {question.place: question for question in run.opens}
        said = [reply.text for reply in run.replies if reply.op in SPOKEN]
        for event in [later.value for later in run.later if isinstance(later.value, Event)]:
            said += await self._handle(event)
        if run.closes is not None:
            del self.questions[run.closes.question.place]
            if run.closes.message is not None:
                said += await self._handle(run.closes.message)
        return said


def _find_hook(
    hooks: Iterable[HookRoute], method: str, path: str
) -> tuple[HookRoute, dict[str, str]]:
    for route in hooks:
        template = re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", route.path.replace(".", r"\."))
        found = re.fullmatch(template, path)
        if found and route.method == method:
            return route, found.groupdict()
    raise LookupError(f"no handler accepts {method} {path}")
