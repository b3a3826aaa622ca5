"""What comes of an open question: an answer, a word that ends it, or nothing within its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from hachat.bot.access import find_people
from hachat.bot.questions import describe, fold
from hachat.bot.quoting import shorten
from hachat.bot.replies import Replies
from hachat.bot.texts import ENGLISH, Texts
from hachat.core.addressing import Address
from hachat.core.errors import WireError
from hachat.core.messages import Job, Message, name_replies
from hachat.core.phrases import gettext_noop
from hachat.core.wire import encode
from hachat.store.dialogs import Closing, Question

Permit = Callable[[Message, frozenset[str]], Awaitable[bool]]
"""Tells whether the sender of a message is in one of the groups."""

MAX_ANSWER = 4_000
"""Characters of an answer."""

CANCELS = gettext_noop("cancel, never mind, nevermind")
"""What ends a question, whatever it asks."""


def is_meant(
    question: Question,
    said: str,
    *,
    called: bool,
    is_command: bool,
    texts: Texts = ENGLISH,
) -> bool:
    """Tell whether what was `said` is about `question`, and not something else.

    A word that is asked for always is, a command never.  Where anybody may answer, other words are only if the bot is `called`.
    """
    word = fold(said)
    if word in question.words or word in texts.list_words(CANCELS):
        return True
    return not is_command and (called or bool(question.user))


class Hearing:
    """Hears what somebody says to an open question; `closing` is what comes of it, if anything does."""

    def __init__(
        self,
        question: Question,
        message: Message,
        said: str,
        permit: Permit,
        texts: Texts = ENGLISH,
    ) -> None:
        self.replies = Replies(message.id, "robot", name_replies(message))
        self.closing: Closing | None = None
        self._question = question
        self._message = message
        self._said = said
        self._permit = permit
        self._texts = texts

    async def run(self) -> None:
        """Find out what comes of it."""
        question, user = self._question, self._message.user
        cancels = fold(self._said) in {*self._texts.list_words(CANCELS)} - {*question.words}
        if cancels and user.id == question.message.user.id:
            self._cancel()
        elif question.but and find_people(question.message) & find_people(self._message):
            self._say(self._texts.say("Somebody else has to answer that."))
        elif question.groups and not await self._permit(self._message, frozenset(question.groups)):
            groups = ", ".join(question.groups)
            self._say(
                self._texts.say("You may not answer that: it is for {groups}.", groups=groups)
            )
        elif cancels:
            self._cancel()
        else:
            self._answer()

    def _cancel(self) -> None:
        self._say(self._texts.say("Never mind, then: nothing more is done."))
        self.closing = Closing(self._question)

    def _answer(self) -> None:
        answered = self._question.answer(self._said, self._message)
        if len(self._said) <= MAX_ANSWER and _can_be_queued(answered):
            self.closing = Closing(self._question, answered)
        else:
            self._say(
                self._texts.say(
                    "That is too long for an answer; write at most {most:,} characters.",
                    most=MAX_ANSWER,
                )
            )

    def _say(self, text: str) -> None:
        self.replies.add(self._message.room.address, text, self._message.thread)


class Lapse:
    """Ends a question that nobody has answered in time."""

    def __init__(self, question: Question, job: Job, texts: Texts = ENGLISH) -> None:
        self.replies = Replies(job.id, "robot", name_replies(job))
        self.closing: Closing | None = Closing(question)
        self._question = question
        self._texts = texts

    async def run(self) -> None:
        """Say so where it was asked."""
        message = self._question.message
        text = self._texts.say(
            "No answer within {time} about {command}, so nothing more was done.",
            time=describe(self._question.seconds, self._texts),
            command=shorten(message.text),
        )
        self.replies.add(message.room.address, text, message.thread)


def _can_be_queued(message: Message) -> bool:
    with suppress(WireError):
        encode(message)
        return True
    return False


def find_hearing(
    message: Message,
    address: Address | None,
    questions: Iterable[Question],
    permit: Permit,
    *,
    is_command: bool,
    texts: Texts = ENGLISH,
) -> Hearing | None:
    """Return what hears `message`, if it is about one of the open `questions`."""
    said = message.text.strip() if address is None else address.command
    for question in questions:
        if is_meant(question, said, called=address is not None, is_command=is_command, texts=texts):
            return Hearing(question, message, said, permit, texts)
    return None


def find_lapses(job: Job, questions: Iterable[Question], texts: Texts = ENGLISH) -> list[Lapse]:
    """Return what ends those of the open `questions` that `job` closes: none, if it has been answered."""
    return [Lapse(question, job, texts) for question in questions if question.expiry == job.id]
