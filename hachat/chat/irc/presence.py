"""One stay on a server: from the first line to the QUIT."""

from __future__ import annotations

import math
import secrets
import time

import structlog
import trio

from hachat.chat.adapter import GOODBYE, Ingest, deliver
from hachat.chat.irc.events import Ended, Event, Happened, Heard, Listed, Refused, Registered, Write
from hachat.chat.irc.session import Session
from hachat.chat.irc.settings import IrcSettings
from hachat.chat.irc.stream import LineStream
from hachat.chat.irc.wire import format_line
from hachat.core.ids import make_id
from hachat.core.messages import Event as Occurrence
from hachat.core.messages import Heard as Told
from hachat.core.messages import Message, User

log = structlog.get_logger(__name__)

_AHEAD = 100
"""Messages read but not queued yet; beyond it nothing more is read, and TCP slows the server down."""

_JOINING = 5.0
"""Seconds within which a server tells that we have joined our channels, or it has refused."""


class Presence:
    """Reads, answers and keeps what is ours, on one connection."""

    def __init__(self, settings: IrcSettings, session: Session, stream: LineStream) -> None:
        self._settings = settings
        self.session = session
        self._stream = stream
        self._registered = trio.Event()
        self._joined_by = -math.inf
        self._questions = trio.Lock()  # answers to two at once could not be told apart
        self._listed: trio.MemorySendChannel[Listed] | None = None
        self._refusals: dict[str, str] = {}  # by the channel that somebody asks something of
        self._taken = False
        self._reading = trio.CancelScope()

    @property
    def joining(self) -> bool:
        """Whether the server may not have told yet that we are in our channels, which we have asked to join."""
        return trio.current_time() < self._joined_by

    @property
    def usable(self) -> bool:
        """Whether lines written now may reach someone."""
        return self._registered.is_set() and not self._stream.broken

    async def wait_usable(self) -> None:
        """Return once lines may reach someone; it may have ended meanwhile."""
        await self._registered.wait()

    async def register(self) -> None:
        """Register, and go nowhere yet.

        Raises:
            OSError: the connection has ended.
        """
        await self._stream.write(self.session.open())
        while not self.session.nick:
            await self._answer(await self._next_lines())

    async def stand_by(self) -> None:
        """Answer the server, and hear nothing, until `take` is called; when cancelled, quit.

        Raises:
            OSError: the connection has ended.
        """
        try:
            while not self._taken:
                lines: list[bytes] = []
                with self._reading:
                    lines = await self._next_lines()
                self._reading = trio.CancelScope()
                await self._answer(lines)
        except trio.Cancelled:
            await self._quit()
            raise

    def take(self) -> None:
        """End `stand_by`: `run` goes on from there."""
        self._taken = True
        self._reading.cancel()

    async def run(self, ingest: Ingest, *, task_status: trio.TaskStatus[None]) -> None:
        """Register, unless that is done, then hear until the connection ends; when cancelled, quit.

        Raises:
            OSError: the connection has ended.
        """
        ahead = bool(self.session.nick)
        if not ahead:
            await self._stream.write(self.session.open())
        send, receive = trio.open_memory_channel[Told](_AHEAD)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(deliver, receive, ingest)
            nursery.start_soon(self._keep_restoring)
            try:
                if ahead:
                    await self._arrive(task_status)
                await self._read(send, task_status)
            except trio.Cancelled:
                await self._quit()
                raise
            finally:
                if self._listed is not None:
                    self._listed.close()

    async def write(self, lines: list[bytes]) -> None:
        """Send `lines`; return once the server's machine has them.

        Raises:
            ConnectionError: the connection has ended; some of it may have been sent.
        """
        await self._stream.write(lines)
        await self._stream.settle()

    async def ask_who(self, mask: str) -> list[User]:
        """Return who is in the channel `mask`, or has that nick; the caller sets the deadline.

        Raises:
            ConnectionError: the connection has ended.
        """
        async with self._questions:
            self._listed, answers = trio.open_memory_channel[Listed](math.inf)
            try:
                await self._stream.write([self.session.ask_who(mask)])
                async for answer in answers:
                    if self.session.is_same(answer.mask, mask):
                        return list(answer.users)
            finally:
                self._listed = None
        raise ConnectionError("the connection ended before the answer came")

    async def request(self, line: bytes, channel: str) -> str:
        """Send a line about `channel`, and return why the server refuses it, or nothing; the caller sets the deadline.

        Raises:
            ConnectionError: the connection has ended.
        """
        self._refusals[channel] = ""
        try:
            await self.write([line])
            await self.ask_who(
                channel
            )  # of what is obeyed not all is told, but this is answered after it
            return self._refusals[channel]
        finally:
            del self._refusals[channel]

    async def _read(
        self, heard: trio.MemorySendChannel[Told], task_status: trio.TaskStatus[None]
    ) -> None:
        while True:
            for line in await self._next_lines():
                for event in self.session.receive(line):
                    await self._act(event, heard, task_status)

    async def _next_lines(self) -> list[bytes]:
        with trio.move_on_after(self._settings.silence):
            return await self._stream.read()
        await self._stream.write([format_line("PING", "hachat")])
        with trio.move_on_after(self._settings.silence):
            return await self._stream.read()
        raise TimeoutError("the server does not answer")

    async def _act(
        self,
        event: Event,
        heard: trio.MemorySendChannel[Told],
        task_status: trio.TaskStatus[None],
    ) -> None:
        match event:
            case Write(line):
                await self._stream.write([line])
            case Heard() | Happened():
                await self._pass_on(_make_told(event, self.session.name, self.session.nick), heard)
            case Listed():
                if self._listed is not None:  # else to a question that was given up
                    self._listed.send_nowait(event)
            case Registered():
                await self._arrive(task_status)
            case Refused(reason):
                log.warning("IRC server refused", reason=reason)
                self._note_refusal(*reason.split(" ", 1))
            case Ended(reason):
                raise ConnectionError(reason)

    def _note_refusal(self, target: str, reason: str = "") -> None:
        if (channel := self.session.fold(target)) in self._refusals:
            self._refusals[channel] = reason or target

    async def _arrive(self, task_status: trio.TaskStatus[None]) -> None:
        await self._stream.write(self.session.restore())
        self._joined_by = trio.current_time() + _JOINING
        self._registered.set()
        task_status.started()

    async def _answer(self, lines: list[bytes]) -> None:
        """Do what the server must have answered."""
        for line in lines:
            for event in self.session.receive(line):
                match event:
                    case Write(answer):
                        await self._stream.write([answer])
                    case Ended(reason):
                        raise ConnectionError(reason)
                    case _:
                        pass

    async def _pass_on(self, told: Told, heard: trio.MemorySendChannel[Told]) -> None:
        while True:
            with trio.move_on_after(self._settings.silence / 2):
                await heard.send(told)
                return
            # Nothing is read meanwhile, so a PING may wait unseen.
            await self._stream.write([self.session.assure()])

    async def _keep_restoring(self) -> None:
        await self._registered.wait()
        while True:
            await trio.sleep(self._settings.restore)
            await self._stream.write(self.session.restore())

    async def _quit(self) -> None:
        with trio.move_on_after(GOODBYE, shield=True):
            try:
                await self._stream.write([format_line("QUIT", "leaving")])
                while True:
                    await self._stream.read()
            except ConnectionError:
                return  # closed by the server: it has read our QUIT


def _make_told(event: Heard | Happened, adapter: str, me: str) -> Told:
    now = time.time()
    id_ = make_id(now, secrets.randbits(80))
    if isinstance(event, Heard):
        return Message(id_, event.room, event.user, event.text, at=now, event=event.event, me=me)
    return Occurrence(
        id_,
        event.name,
        at=now,
        adapter=adapter,
        room=event.room,
        user=event.user,
        data=event.data,
        event=event.event,
    )
