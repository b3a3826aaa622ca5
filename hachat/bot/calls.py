"""The methods that are to be run about one message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import trio

from hachat.bot.hearing import Hearing, Lapse
from hachat.bot.policy import PLAIN, Policy
from hachat.bot.replies import Replies
from hachat.bot.timers import Timers
from hachat.core.messages import Message, name_replies


class Call(msgspec.Struct, frozen=True):
    """A method about to be run, what it has said so far, and what limits how many run at once.

    With a `hearing` it is about an open question.
    """

    name: str
    run: Callable[[], Awaitable[object]]
    replies: Replies
    policy: Policy = PLAIN
    limit: trio.CapacityLimiter | None = None
    timers: Timers | None = None
    hearing: Hearing | Lapse | None = None

    def keep(self) -> None:
        """Let what it has asked for be done later, because it has ended well."""
        if self.timers is not None:
            self.timers.keep()

    def close(self) -> None:
        """Let it say and ask for nothing more."""
        self.replies.close()
        if self.timers is not None:
            self.timers.close()


def reply_only(message: Message, name: str, text: str) -> Call:
    """Return the call that only says a text to `message`, in place of the route `name`."""
    replies = Replies(message.id, name, name_replies(message))

    async def reply() -> None:
        replies.add(message.room.address, text, message.thread)

    return Call(name, reply, replies)


def attend(hearing: Hearing | Lapse) -> Call:
    """Return the call that finds out what comes of an open question."""
    return Call("robot", hearing.run, hearing.replies, hearing=hearing)
