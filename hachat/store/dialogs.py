"""Questions that wait for somebody's answer.

A question is opened in the same step that queues its text, and closed in the same step that takes its answer: the message
that answered is then replaced, at the head of its mailbox, by the message about which was asked, with the answer.  So
whichever node or Redis dies, a question is open or answered, and is answered once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeGuard

import msgspec
import structlog

from hachat.core import wire
from hachat.core.errors import NewerSchema, StoreRefused, WireError
from hachat.core.messages import Inbound, Job, Message, Response, Room
from hachat.store.keys import Keys
from hachat.store.link import Link

log = structlog.get_logger(__name__)

SCHEMA = 4
"""The schema of whatever has to do with questions; see `wire`."""

EXPIRY = "robot.expire"
"""The route of the job that closes a question which nobody has answered."""


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """A question that has been asked about `message`, which is handled again with the answer; `id` is that of the reply.

    It is open in a room for the user `user`, or for anybody there if that is empty: then for members of `groups`, if
    there are any, and not for `but`.  An answer that is one of `words`, in lower case, is meant for it whatever
    else it may mean.  `seconds` after it was asked it is closed.
    """

    id: str
    message: Message
    user: str = ""
    groups: tuple[str, ...] = ()
    but: str = ""
    words: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def place(self) -> str:
        """Where it is open; a question takes the place of an earlier one."""
        return _name_place(self.message.room, self.user)

    @property
    def expiry(self) -> str:
        """The id of the job that closes it."""
        return f"{self.id}/expiry"

    def answer(self, text: str, message: Message) -> Message:
        """Return its message as it is to be handled once it has been answered, with that `text`, by `message`."""
        dialog = self.message.dialog
        assert dialog is not None
        response = Response(text, message.user, message.at)
        responses = (*dialog.responses, response)
        answered = msgspec.structs.replace(dialog, responses=responses, cause=message.id)
        # Whoever waits for the receipt of the answer waits for what comes of it.
        return msgspec.structs.replace(
            self.message, dialog=answered, event=message.event, receipt=message.receipt
        )


class Closing(msgspec.Struct, frozen=True):
    """What closes a question: an answer, which is `message`, or something after which nothing more is done about it."""

    question: Question
    message: Message | None = None


class Expiry(msgspec.Struct, frozen=True):
    """The data of the job that closes a question."""

    place: str
    id: str
    about: str


def write_question(question: Question) -> bytes:
    """Return `question` as it is stored.

    Raises:
        WireError: it is too large.
    """
    data = msgspec.json.encode(question)
    if len(data) > wire.MAX_ENVELOPE:
        raise WireError(
            f"{question.id}: {len(data)} bytes, at most {wire.MAX_ENVELOPE} of a dialog are kept"
        )
    return question.id.encode() + b"|" + data


def make_expiry(question: Question, at: float) -> Job:
    """Return the job that closes `question`."""
    expiry = Expiry(question.place, question.id, question.message.id)
    return Job(question.expiry, EXPIRY, at, msgspec.json.encode(expiry).decode(), v=SCHEMA)


Find = Callable[[Inbound], Awaitable[Sequence[Question]]]
"""Finds the open questions that something may answer or end."""


async def find_none(inbound: Inbound) -> Sequence[Question]:  # noqa: ARG001 - a Find
    """Find no open question: a `Find` for what keeps none."""
    return ()


class Dialogs:
    """The open questions of a cluster."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    async def find(self, inbound: Inbound) -> list[Question]:
        """Return the questions to which `inbound` may be the answer, or of which it is the end.

        Raises:
            StoreUnavailable: Redis did not answer.
            NewerSchema: a newer release has asked.
        """
        if not (places := list_places(inbound)):
            return []
        try:
            items = await self._link.command("HMGET", self._keys.of("dialogs"), *places)
        except StoreRefused as error:
            log.warning("open questions cannot be read", error=str(error))
            return []
        return [question for item in items if item and (question := _read(item))]


def is_expiry(inbound: Inbound) -> TypeGuard[Job]:
    """Tell whether it is the job that closes a question."""
    return isinstance(inbound, Job) and inbound.route == EXPIRY


def list_places(inbound: Inbound) -> Sequence[str]:
    """Return where a question may be open to which `inbound` is the answer, or of which it is the end."""
    if is_expiry(inbound):
        try:
            return (msgspec.json.decode(inbound.data, type=Expiry).place,)
        except msgspec.DecodeError:  # somebody else has made it
            return ()
    # What is handled again has been found out to be something else.
    if isinstance(inbound, Message) and not (inbound.attempt or inbound.only or inbound.retried):
        return (_name_place(inbound.room, inbound.user.id), _name_place(inbound.room, ""))
    return ()


def _name_place(room: Room, user: str) -> str:
    return f"{room.address}\n{user}"


def _read(item: bytes) -> Question | None:
    id_, _, data = item.partition(b"|")
    try:
        question = msgspec.json.decode(data, type=Question)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        log.warning("an open question cannot be read", question=id_, error=str(error))
        return None
    if question.message.v > wire.VERSION:
        schema = question.message.v
        raise NewerSchema(f"{question.id}: schema {schema} is newer than {wire.VERSION}", schema)
    return question
