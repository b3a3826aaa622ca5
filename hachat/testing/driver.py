"""Drives a bot in a test: says things to it, lets time pass and nodes die, and returns what it says.

Everything between the words is real: a Valkey server, the queues and their scripts, the workers and the way out.  Only the
chat service and the clock are the test's.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import trio

from hachat.bot.binding import bind
from hachat.bot.handler import Handler
from hachat.bot.http import Http
from hachat.bot.robot import Robot
from hachat.bot.routes import JobRoute
from hachat.core.access import ADMINS, AccessSettings
from hachat.core.messages import Event, Job, Message, User
from hachat.core.names import normalise
from hachat.core.settings import QueueSettings
from hachat.core.slots import parse_duration
from hachat.store.inbound import Inbound
from hachat.store.keys import LANES, Keys, Lane
from hachat.store.link import Link
from hachat.tasks.services import running
from hachat.testing.clock import Clock
from hachat.testing.hooks import Fetched, Request, Sender
from hachat.testing.node import Node
from hachat.testing.service import Said, Service, deliver
from hachat.testing.speaker import Speaker
from hachat.testing.transcript import Transcript

if TYPE_CHECKING:
    import httpx

PATIENCE = 10.0
"""Seconds the bot may take for whatever a test asks of it."""

_AGAIN = 0.002
_MOMENT = 0.001


class Driver:
    """A bot under test; alice speaks to it in `test/#room` unless the test says otherwise.

    `robot` is the bot on its node, `said` everything it has said so far.
    """

    def __init__(
        self, link: Link, keys: Keys, robot: Robot, clock: Clock, access: AccessSettings
    ) -> None:
        self.robot = robot
        self._link = link
        self._keys = keys
        self._clock = clock
        self._access = access
        self._transcript = Transcript()
        self._service = Service(self._transcript.note_said)
        self._queue = Inbound(link, keys, "driver:1", QueueSettings())
        self._ids = (f"M{number}" for number in itertools.count(1))
        self._node = self._make_node(1)
        self._sender = Sender(robot, self._queue, self.new_id, self.now)

    # Who speaks, and where.

    def as_user(self, user: str) -> Speaker:
        """Return somebody in `test/#room`."""
        return Speaker(self, user=user)

    def as_bot(self, user: str) -> Speaker:
        """Return another bot in `test/#room`."""
        return Speaker(self, user=user, program=True)

    def in_room(self, room: str, *, thread: str = "") -> Speaker:
        """Return alice in a room, `<adapter>/<room>`."""
        return Speaker(self, room=room, thread=thread)

    def in_private(self) -> Speaker:
        """Return alice alone with the bot."""
        return Speaker(self).in_private()

    async def say(self, text: str) -> list[Said]:
        """Let alice say something, and return what the bot says until all of that has been dealt with."""
        return await Speaker(self).say(text)

    async def deliver_twice(self, text: str) -> list[Said]:
        """Let the chat service deliver twice what alice says, and return what the bot says."""
        return await Speaker(self).deliver_twice(text)

    async def crash_during(self, text: str) -> list[Said]:
        """Let the node die that has just handled what alice says, and return what the bot says in the end."""
        return await Speaker(self).crash_during(text)

    # What happens otherwise.

    async def request(
        self,
        method: str,
        path: str,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
        *,
        form: Mapping[str, str] | None = None,
        signed: bool = True,
    ) -> list[Said]:
        """Send a webhook, as to `/hooks` + `path`, and return what the bot says; a body that is not bytes is sent as JSON, `form` as a form.

        It is signed, where that is asked for, unless it is not to be.

        Raises:
            ValueError: it is refused at the door.
            Unsigned: it is, because nobody has signed it.
            LookupError: no handler has such a path.
        """
        answer = await self.fetch(method, path, body, headers, form=form, signed=signed)
        answer.raise_refusal()
        return list(answer.said)

    async def fetch(
        self,
        method: str,
        path: str,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
        *,
        form: Mapping[str, str] | None = None,
        signed: bool = True,
    ) -> Fetched:
        """Do what `request` does, and return what the sender is answered, a refusal too; raises LookupError as that does."""
        before = len(self._service.said)
        answer = await self._sender.send(Request(method, path, body, headers, form, signed))
        await self._settle()
        return replace(answer, said=self._service.said[before:])

    def mock_http(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        """Have `answer` answer from now on what handlers ask of other services with `ctx.http`, so that nobody is called."""
        import httpx  # noqa: PLC0415 - it takes long, and few tests need it

        self.robot.services.http = Http(transport=httpx.MockTransport(answer))

    async def fire(self, route: str, data: object = None) -> list[Said]:
        """Let something become due now, for the route `<handler>.<method>`.

        Raises:
            LookupError: no handler has such a route.
        """
        found = self.robot.find_job("", route)
        text = "" if data is None else msgspec.json.encode(data).decode()
        return await self._listen([Job(self.new_id(), found.name, self.now(), text)], "work")

    async def happen(self, event: str, data: object = None) -> list[Said]:
        """Let an event happen that a handler might have published; what handlers publish themselves is told at `advance(0)`."""
        body = "" if data is None else msgspec.json.encode(data).decode()
        return await self._listen(
            [Event(self.new_id(), normalise(event), self.now(), body=body)], "work"
        )

    async def advance(self, time: float | str) -> list[Said]:
        """Let time pass, seconds or a duration such as `10m`, and whatever becomes due meanwhile, one after the other."""
        before, left = len(self._service.said), parse_duration(time)
        while (wait := await self._clock.find_next()) is not None and wait <= left:
            step = wait + _MOMENT
            await self._clock.advance(step, self._queue)
            await self._settle()
            left = max(0.0, left - step)
        await self._clock.advance(left, self._queue)
        await self._settle()
        return self._service.said[before:]

    @property
    def time(self) -> datetime:
        """The time of the test, in UTC; it may be set, and nothing becomes due by that."""
        return datetime.fromtimestamp(self.now(), UTC)

    @time.setter
    def time(self, moment: datetime) -> None:
        self._clock.set(moment.timestamp())

    # What there is to see.

    @property
    def said(self) -> Sequence[Said]:
        """Everything the bot has said so far."""
        return self._service.said

    @property
    def transcript(self) -> str:
        """What was said and what was run for it, line by line; shown by pytest with a test that failed."""
        return str(self._transcript)

    def find_routes(self, text: str) -> list[str]:
        """Return the routes, `<handler>.<method>`, that are run when alice says `text`; none is."""
        return [call.name for call in self.robot.begin(Speaker(self).make(text)).calls]

    # What a speaker needs.

    def new_id(self) -> str:
        """Return an id that no other message has."""
        return next(self._ids)

    def now(self) -> float:
        """Return the time of the test, Unix seconds."""
        return self._clock.time()

    def meet(self, user: User, room: str) -> None:
        """Take note that somebody is in a room."""
        if user not in self._service.people[room]:
            self._service.people[room].append(user)

    async def hear(self, *messages: Message) -> list[Said]:
        """Hear what a chat service delivers, and return what is said until all of that has been dealt with."""
        return await self._listen(messages, "chat")

    async def outlive(self, message: Message) -> list[Said]:
        """Hear a message, with which the node dies that has just handled it; another node takes over."""
        before, node = len(self._service.said), self._node
        node.doom(message.id)
        await self._queue.enqueue(message, "chat")
        with trio.fail_after(PATIENCE):
            await node.crashed.wait()
        await self._settle()
        return self._service.said[before:]

    # How it runs.

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Send what is outbound, and work through what is inbound, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(deliver, self._service, self._link, self._keys)
            await nursery.start(self._run_nodes)
            task_status.started()

    async def _run_nodes(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run a node, and after each that dies another one."""
        await self._node.run(task_status=task_status)
        for number in itertools.count(2):
            dead, self._node = self._node, self._make_node(number)
            async with trio.open_nursery() as nursery:
                await nursery.start(self._node.run)
                await self._node.bury(dead)

    def _make_node(self, number: int) -> Node:
        shared = self._link, self._keys, self.robot
        return Node(*shared, number, self._access, transcript=self._transcript)

    async def _listen(self, values: Iterable[Message | Job | Event], lane: Lane) -> list[Said]:
        before = len(self._service.said)
        for value in values:
            await self._queue.enqueue(value, lane)
        await self._settle()
        return self._service.said[before:]

    async def _settle(self) -> None:
        """Return once nothing waits and nothing is under way."""
        names = [f"waiting:{lane}" for lane in LANES]
        give_up = trio.current_time() + PATIENCE
        while True:
            counts = await self._link.command(
                "HMGET", self._keys.of("counters"), *names, "outgoing"
            )
            if not any(int(count or 0) for count in counts):
                return
            if trio.current_time() > give_up:
                raise AssertionError(
                    f"the bot was not done within {PATIENCE:g} s; at last it ran "
                    f"{self._transcript.running or 'nothing'}"
                )
            await trio.sleep(_AGAIN)


@asynccontextmanager
async def drive(
    link: Link,
    keys: Keys,
    handlers: Iterable[Handler],
    *,
    name: str = "hachat",
    aliases: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    language: str = "en",
) -> AsyncIterator[Driver]:
    """Run a bot with these handlers for the length of the block, in a cluster of its own; `groups` is who is in which.

    Raises:
        HandlerError: a handler is declared wrongly.
    """
    routes = [route for handler in handlers for route in bind(handler)]
    clock = Clock(link, keys, [route for route in routes if isinstance(route, JobRoute)])
    robot = Robot(routes, name, aliases, node="test", language=language, now=clock.time)
    driver = Driver(link, keys, robot, clock, _set_up(groups or {}))
    async with running(driver.run):
        yield driver


def _set_up(groups: Mapping[str, Sequence[str]]) -> AccessSettings:
    """Return who may do what; users are meant by their ids, on any service."""
    members = {group: tuple(f"*/{user}" for user in users) for group, users in groups.items()}
    return AccessSettings(admins=members.pop(ADMINS, ()), groups=members)
