"""The master's side of the console: lines in, replies out.

A line stays in Redis until its message is queued, so none is lost with its master; the next one reads it again,
and the line's own id tells that it is queued already.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
import trio

from hachat.chat.adapter import Facts, Ingest
from hachat.chat.operations import read_file
from hachat.core.errors import InDoubt, NotSent, StoreRefused, StoreUnavailable, Undeliverable
from hachat.core.messages import Message, Reply, Room, User
from hachat.core.phrases import Phrase
from hachat.core.wire import clean_text
from hachat.store.console import BLOCK, Line, Typed, forget, post, take_lines
from hachat.store.keys import Keys
from hachat.store.link import Link

log = structlog.get_logger(__name__)


class ConsoleAdapter:
    """The console as a chat service; replies need no connection, only Redis."""

    name = "console"
    facts = Facts(idempotent_send=True, overlap=True)

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    async def serve(
        self, ingest: Ingest, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Queue what is typed, from the oldest line that waits, until Redis fails.

        Raises:
            StoreError: Redis did not answer, or said no.
        """
        await self._link.command("PING")
        after = "0"
        async with self._link.reader(BLOCK) as reader:
            task_status.started()
            while True:
                if typed := await take_lines(reader, self._keys, after):
                    await self._hand_over(typed, ingest)
                    after = typed[-1].entry

    async def send(self, reply: Reply) -> None:
        """Post `reply` in its room, once however often it is sent within an hour.

        Raises:
            NotSent: Redis refused it.
            InDoubt: Redis did not answer.
        """
        await self._post(reply)

    act = edit = delete = topic = send
    """Each is posted as a line of its own."""

    async def react(self, reply: Reply) -> None:
        """Post a reaction; raises as `send` does."""
        await self._post(reply, reply.args.get("name", ""))

    def mention(self, user: User) -> str:
        """Return what calls `user`."""
        return f"@{user.name or user.id}"

    async def upload(self, reply: Reply) -> None:
        """Post the content of a text file; raises as `send` does.

        Raises:
            Undeliverable: it is no text.
        """
        name = reply.args.get("name", "")
        try:
            text = read_file(reply).decode()
        except UnicodeDecodeError as error:
            raise Undeliverable(
                Phrase("{name} is no text, and the console shows nothing else", name=name)
            ) from error
        await self._post(reply, "\n".join(filter(None, (reply.text, name, text))))

    async def _post(self, reply: Reply, text: str = "") -> None:
        try:
            await post(self._link, self._keys, reply, text)
        except StoreRefused as error:
            raise NotSent(f"{reply.room}: {error}") from error
        except StoreUnavailable as error:
            raise InDoubt(f"{reply.room}: {error}") from error

    async def _hand_over(self, typed: Sequence[Typed], ingest: Ingest) -> None:
        for one in typed:
            if one.line is None:
                log.error("not a console line", entry=one.entry)
        await ingest(*(make_message(one.line, one.at) for one in typed if one.line))
        await forget(self._link, self._keys, [one.entry for one in typed])


def make_message(line: Line, at: float) -> Message:
    """Return the message that `line` is; its id and its event are the line's id, so that the typist knows them."""
    return Message(
        id=line.id,
        room=Room("console", line.room, line.room, line.private),
        user=User(line.user, line.user),
        text=clean_text(line.text),
        at=at,
        event=line.id,
        receipt=True,
        by=f"console/{clean_text(line.by)}" if line.by and line.by != line.user else "",
    )
