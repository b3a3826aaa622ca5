"""The verbs with which a handler speaks: each is recorded at once, and done by the master."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Mapping

from hachat.bot.handle import RECORDED, Handle
from hachat.bot.progress import Progress
from hachat.bot.replies import Replies
from hachat.core.messages import Event, Inbound, Message, Operation, Room, User

MAX_FILE = 128 * 1024
"""Bytes of a file that can be uploaded: it travels through Redis."""


class Speaking:
    """What can be said and done in rooms, and where all this is about.

    Every verb records what is to be done and returns; it is done when the handler has ended, or while a slow one still runs.  A
    method that is not async just calls it; in one that is, awaiting it tells that its time is up.  `docs/speaking.md` says what
    becomes of what a service cannot do.

    All of them raise RuntimeError when the handler has ended, and WireError for what is too large.
    """

    def __init__(self, inbound: Inbound, replies: Replies) -> None:
        self.inbound = inbound
        self._replies = replies

    @property
    def route(self) -> str:
        """What is run, `<handler>.<method>`."""
        return self._replies.route

    @property
    def message(self) -> Message:
        """The message as it was said.

        Raises:
            TypeError: something else was received.
        """
        if isinstance(self.inbound, Message):
            return self.inbound
        raise TypeError(
            f"{self._replies.route} was called by {self._caller}, which has no message, user or room; "
            f"use ctx.{self._kind}, and ctx.say to speak in a room"
        )

    @property
    def user(self) -> User:
        """Who said it, or did what happened; raises as `message` does."""
        inbound = self.inbound
        if isinstance(inbound, Event) and inbound.user is not None:
            return inbound.user
        return self.message.user

    @property
    def room(self) -> Room:
        """Where it was said, or happened; raises as `message` does."""
        inbound = self.inbound
        if isinstance(inbound, Event) and inbound.room is not None:
            return inbound.room
        return self.message.room

    @property
    def thread(self) -> str:
        """The thread in which it was said, empty where there is none."""
        return self.inbound.thread if isinstance(self.inbound, Message) else ""

    @property
    def private(self) -> bool:
        """Whether it was said to the bot alone."""
        return isinstance(self.inbound, Message) and self.inbound.room.private

    def reply(self, text: str) -> Handle:
        """Answer where the message was said, in its thread.

        Raises:
            ValueError: the text is blank.
            TypeError: a webhook or a job has no room to answer in.
        """
        return self._record("say", self.room.address, text, thread=self.thread)

    def mention(self, text: str) -> Handle:
        """Answer as `reply` does, in a way that calls the sender; in private that needs no calling."""
        user = self.user
        if self.private:
            return self.reply(text)
        args = {"mention": user.id, "name": user.name or user.id}
        return self._record("say", self.room.address, text, args, self.thread)

    def reply_privately(self, text: str) -> Handle:
        """Answer to the sender alone; raises as `reply` does."""
        if self.private:
            return self.reply(text)
        return self._record("say", f"{self.room.adapter}/@{self.user.id}", text)

    def say(self, address: str, text: str) -> Handle:
        """Speak in the room at `address`, `<adapter>/<room id>`, or to a user alone at `<adapter>/@<user id>`.

        If the service will never take it, the room of the message is told.

        Raises:
            ValueError: the address is not one, or the text is blank.
        """
        check_address(address)
        return self._record("say", address, text)

    def act(self, text: str) -> Handle:
        """Tell what the bot does, where the message was said, as `/me` does; raises as `reply` does."""
        return self._record("act", self.room.address, text, thread=self.thread)

    def edit(self, handle: Handle, text: str) -> Awaitable[None]:
        """Let what the bot has said read `text` instead; where a service cannot, that is said anew.

        Raises:
            ValueError: the text is blank.
        """
        return self._change("edit", handle, text)

    def delete(self, handle: Handle) -> Awaitable[None]:
        """Take back what the bot has said; where a service cannot, it stays."""
        return self._change("delete", handle)

    def react(self, name: str, to: Handle | None = None) -> Awaitable[None]:
        """React with the emoji `name` to the message, or to what the bot has said; where a service cannot, nothing happens.

        Raises:
            ValueError: the name is empty.
            TypeError: a webhook or a job is no message.
        """
        if not name:
            raise ValueError("a reaction needs the name of an emoji, such as 'thumbsup'")
        if to is not None:
            return self._change("react", to, args={"name": name})
        args = {"name": name, "event": self.message.event}
        self._record("react", self.room.address, args=args)
        return RECORDED

    def topic(self, text: str, address: str = "") -> Awaitable[None]:
        """Set the topic of a room; without an address, of that of the message.

        Raises:
            ValueError: the address is not one.
            TypeError: a webhook or a job has no room.
        """
        return self._do("topic", address, text)

    def join(self, address: str, key: str = "") -> Awaitable[None]:
        """Have the bot go into a room, with the key it may need, and be there from now on.

        Raises:
            ValueError: the address is not one.
        """
        return self._do("join", address, args={"key": key} if key else {})

    def part(self, address: str = "") -> Awaitable[None]:
        """Have the bot leave a room, and stay out of it, though the settings name it; raises as `topic` does."""
        return self._do("part", address)

    def upload(self, name: str, data: bytes, text: str = "", address: str = "") -> Awaitable[None]:
        """Show a file in a room, with a text if you like; without an address, in that of the message.

        Raises:
            ValueError: the address is not one, or the file has no name or more than `MAX_FILE` bytes.
            TypeError: the file is text, or a webhook or a job has no room.
        """
        if not name:
            raise ValueError("a file needs a name")
        if not isinstance(data, bytes):
            raise TypeError(
                f"{name} is to hold bytes, not {type(data).__name__}: write text.encode()"
            )
        if len(data) > MAX_FILE:
            raise ValueError(
                f"{name} has {len(data)} bytes, at most {MAX_FILE} can be uploaded; put it elsewhere, and say where"
            )
        return self._do("upload", address, text, {"name": name, "data": b64encode(data).decode()})

    def progress(self, text: str) -> Progress:
        """Answer with a message that tells how far the work is.

        It is used as `async with ctx.progress("deploying") as progress`, or with a plain `with` in a method that is not async.
        """
        handle = self.reply(text)

        def show(text: str, *, passing: bool) -> None:
            self._change("edit", handle, text, {"passing": "yes"} if passing else {})

        return Progress(text, show)

    def _do(
        self, op: Operation, address: str, text: str = "", args: Mapping[str, str] | None = None
    ) -> Awaitable[None]:
        if address:
            check_address(address)
        room = address or self.room.address
        self._replies.add(room, text, origin=self._here() or room, op=op, args=args)
        return RECORDED

    def _change(
        self, op: Operation, handle: Handle, text: str = "", args: Mapping[str, str] | None = None
    ) -> Awaitable[None]:
        named = {"target": handle.id, **(args or {})}
        self._record(op, handle.room, text, named, handle.thread)
        return RECORDED

    def _record(
        self,
        op: Operation,
        room: str,
        text: str = "",
        args: Mapping[str, str] | None = None,
        thread: str = "",
    ) -> Handle:
        here = self._here()
        origin = "" if room == here else here
        reply = self._replies.add(room, text, thread, origin, op=op, args=args)
        return Handle(room, reply.id, thread)

    def _here(self) -> str:
        """Return the address of the room of all this, or nothing where there is none."""
        inbound = self.inbound
        room = inbound.room if isinstance(inbound, Message | Event) else None
        return room.address if room else ""

    @property
    def _caller(self) -> str:
        return f"an {self._kind}" if self._kind == "event" else f"a {self._kind}"

    @property
    def _kind(self) -> str:
        return type(self.inbound).__name__.lower()


def check_address(address: str) -> None:
    """Refuse what is no address.

    Raises:
        ValueError: it is none; says how one is written.
    """
    adapter, _, room = address.partition("/")
    if not adapter or not room:
        raise ValueError(f"{address!r} is no address; write <adapter>/<room>, such as 'irc/#ops'")
