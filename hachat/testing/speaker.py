"""Who speaks to the bot in a test, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from msgspec import structs

from hachat.core.messages import Message, Room, User
from hachat.testing.service import Said


class Bot(Protocol):
    """The bot that is spoken to."""

    def new_id(self) -> str:
        """Return an id that no other message has."""
        ...

    def now(self) -> float:
        """Return the time of the test, Unix seconds."""
        ...

    def meet(self, user: User, room: str) -> None:
        """Take note that somebody is in a room."""
        ...

    async def hear(self, *messages: Message) -> list[Said]:
        """Hear what a chat service delivers, and return what is said until all of that has been dealt with."""
        ...

    async def outlive(self, message: Message) -> list[Said]:
        """Hear a message, with which a node dies that has just handled it."""
        ...


@dataclass(frozen=True)
class Speaker:
    """Somebody in a room, who says things to `bot`; a `program` is a bot itself."""

    bot: Bot
    user: str = "alice"
    room: str = "test/#room"
    private: bool = False
    thread: str = ""
    program: bool = False

    def as_user(self, user: str) -> Speaker:
        """Return somebody else in the same room."""
        return replace(self, user=user, program=False)

    def as_bot(self, user: str) -> Speaker:
        """Return another bot in the same room."""
        return replace(self, user=user, program=True)

    def in_room(self, room: str, *, thread: str = "") -> Speaker:
        """Return the same person in another room, `<adapter>/<room>`."""
        return replace(self, room=room, thread=thread, private=False)

    def in_private(self) -> Speaker:
        """Return the same person alone with the bot."""
        return replace(self, room=f"test/{self.user}", thread="", private=True)

    async def say(self, text: str) -> list[Said]:
        """Say something, and return what the bot says until all of that has been dealt with."""
        return await self.bot.hear(self.make(text))

    async def deliver_twice(self, text: str) -> list[Said]:
        """Say something that the chat service delivers twice, and return what the bot says."""
        message = self.make(text)
        return await self.bot.hear(message, structs.replace(message, id=self.bot.new_id()))

    async def crash_during(self, text: str) -> list[Said]:
        """Say something, let the node die that has just handled it, and return what the bot says in the end."""
        return await self.bot.outlive(self.make(text))

    def make(self, text: str) -> Message:
        """Return what the bot is to hear when `text` is said."""
        adapter, _, channel = self.room.partition("/")
        id_, user = self.bot.new_id(), User(self.user, self.user, self.program)
        self.bot.meet(user, self.room)
        room = Room(adapter, channel, private=self.private)
        return Message(id_, room, user, text, self.bot.now(), event=id_, thread=self.thread)
