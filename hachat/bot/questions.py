"""Questions that a handler asks, and how it goes on with the answer.

A handler that asks is ended by an exception, and what it has said is committed together with its question.  Once somebody
has answered, on whatever node, it is run again from its beginning, for the same message: what it has said before is
not said again, and each `ask` that was answered returns.  So nothing of it has to stay in memory, and no more can be lost
than of any other message.  The idea is that of durable execution by replay, as workflow engines have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from hachat.bot.consent import WITHIN, Anybody
from hachat.bot.quoting import shorten
from hachat.bot.replies import Replies
from hachat.bot.texts import ENGLISH, Texts
from hachat.core.messages import Dialog, Message, User
from hachat.core.phrases import gettext_noop
from hachat.core.slots import parse_duration
from hachat.store.dialogs import SCHEMA, Question, write_question

T = TypeVar("T")

LONGEST = 7 * 86_400.0
"""Seconds a question may wait at most."""

MAX_QUESTIONS = 50
"""Questions that one run of a handler may come to; all answers are kept until it has ended."""

YES = gettext_noop("yes, y, ok, sure, do it")
NO = gettext_noop("no, n, nope, don't")
"""What is understood as a yes, and as a no."""


_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


class Suspended(BaseException):
    """Ends a handler that has asked; only whoever runs handlers catches it."""

    def __init__(self, question: Question) -> None:
        self.question = question
        super().__init__(f"{question.id} waits for its answer")


class Questions:
    """What one route asks about one message; its methods are for handlers that are not async.

    `answered_by` is who gave the last answer that was used.  `open` are the questions that were open when the message came.
    """

    def __init__(
        self,
        message: Message,
        replies: Replies,
        open_: Sequence[Question] = (),
        texts: Texts = ENGLISH,
    ) -> None:
        self.answered_by: User | None = None
        self._message = message
        self._replies = replies
        self._open = open_
        self._texts = texts
        dialog = message.dialog
        self._responses = dialog.responses if dialog else ()
        self._done = dict(dialog.done) if dialog else {}
        self._asked = 0

    @property
    def begun(self) -> bool:
        """Whether an earlier run of the route came further than this one has come by now."""
        return self._asked < len(self._responses)

    def ask(
        self,
        question: str,
        *,
        within: str | float = WITHIN,
        type: Callable[[str], Any] = str,  # noqa: A002 - as in argparse
        check: Callable[[Any], str | None] | None = None,
        who: str | Anybody = "",
    ) -> Any:
        """Ask, and return the answer; see `Asking.ask`."""

        def read(text: str) -> Any:
            value = self._convert(text, type)
            if check is not None and (reason := check(value)):
                raise ValueError(reason)
            return value

        return self._ask(question, read, (), within, who)

    def confirm(
        self, question: str, *, within: str | float = WITHIN, who: str | Anybody = ""
    ) -> bool:
        """Ask for a yes or a no, and return whether it was a yes; see `Asking.ask`."""
        yes, no = self._texts.list_words(YES), self._texts.list_words(NO)

        def read(text: str) -> bool:
            word = fold(text)
            if word not in yes + no:
                raise ValueError(self._texts.say("Please answer yes or no."))
            return word in yes

        hint = self._texts.say("(yes or no)")
        return self._ask(f"{question} {hint}", read, yes + no, within, who)

    def choose(
        self,
        question: str,
        choices: Sequence[str],
        *,
        within: str | float = WITHIN,
        who: str | Anybody = "",
    ) -> str:
        """Ask for one of `choices`, and return it; see `Asking.ask`.

        Raises:
            ValueError: there are none, or two are the same but for capitals.
        """
        by_word = {fold(choice): choice for choice in choices}
        if not choices or len(by_word) < len(choices):
            raise ValueError(f"{choices!r} are no choices; give some that differ")
        listed = ", ".join(choices)

        def read(text: str) -> str:
            if (chosen := by_word.get(fold(text))) is None:
                raise ValueError(
                    self._texts.say("Please answer with one of these: {choices}.", choices=listed)
                )
            return chosen

        return self._ask(f"{question} ({listed})", read, tuple(by_word), within, who)

    def find(self, key: str) -> tuple[bool, Any]:
        """Return whether what is to be done once was done before, and its result."""
        text = self._done.get(key)
        return text is not None, None if text is None else msgspec.json.decode(text)

    def note(self, key: str, result: object) -> Any:
        """Note the result of what is to be done once, and return it as a later run will have it.

        Raises:
            TypeError: it cannot be written as JSON.
        """
        data = msgspec.json.encode(result)
        self._done[key] = data.decode()
        return msgspec.json.decode(data)

    def _ask(
        self,
        question: str,
        read: Callable[[str], T],
        words: tuple[str, ...],
        within: str | float,
        who: str | Anybody,
    ) -> T:
        seconds = parse_duration(within)
        if not 0 < seconds <= LONGEST:
            raise ValueError(f"within={within!r}: a question waits for up to seven days")
        user = "" if isinstance(who, Anybody) else who or self._message.user.id
        text = question
        while True:
            self._say(text, user)
            if self._asked > len(self._responses):
                raise Suspended(self._make(words, seconds, user, who))
            response = self._responses[self._asked - 1]
            self.answered_by = response.user
            try:
                return read(response.text)
            except ValueError as error:
                text = f"{error} {question}"

    def _convert(self, text: str, kind: Callable[[str], Any]) -> Any:
        if kind not in (int, float):
            return kind(text)
        try:
            return kind(text)
        except ValueError:
            said, say = shorten(text), self._texts.say
            if kind is int:
                fault = say("Please answer with a whole number, not {said}.", said=said)
            else:
                fault = say("Please answer with a number, not {said}.", said=said)
            raise ValueError(fault) from None

    def _say(self, text: str, user: str) -> None:
        self._asked += 1
        if self._asked > MAX_QUESTIONS:
            raise RuntimeError(
                f"{self._replies.route} has asked {MAX_QUESTIONS} questions about one message"
            )
        # Whether it is told of is no matter of the count of replies: another run may find none.
        for other in self._open:
            if other.user == user:
                dropped = self._texts.say(
                    "(I ask no more about {command}; nothing was done.)",
                    command=shorten(other.message.text),
                )
                text = f"{text} {dropped}"
        self._replies.add(self._message.room.address, text, self._message.thread)

    def _make(
        self, words: tuple[str, ...], seconds: float, user: str, who: str | Anybody
    ) -> Question:
        message, replies = self._message, self._replies
        dialog = Dialog(replies.stem, replies.count, self._responses, done=self._done)
        id_ = f"{replies.stem}/{replies.route}/{replies.count}"
        again = msgspec.structs.replace(
            message,
            id=id_,
            only=(replies.route,),
            dialog=dialog,
            attempt=0,
            receipt=False,
            retried="",
            v=SCHEMA,
        )
        anybody = who if isinstance(who, Anybody) else Anybody()
        groups, but = tuple(sorted(anybody.groups)), message.user.id if anybody.others else ""
        question = Question(id_, again, user, groups, but, words, seconds)
        write_question(question)  # what cannot be kept fails here, where its author can see why
        return question


def describe(seconds: float, texts: Texts = ENGLISH) -> str:
    """Return a span in words: `5 minutes`."""
    if seconds >= _DAY and seconds % _DAY == 0:
        return texts.count("{number} day", "{number} days", int(seconds // _DAY))
    if seconds >= _HOUR and seconds % _HOUR == 0:
        return texts.count("{number} hour", "{number} hours", int(seconds // _HOUR))
    if seconds >= _MINUTE and seconds % _MINUTE == 0:
        return texts.count("{number} minute", "{number} minutes", int(seconds // _MINUTE))
    return texts.say("{number:g} seconds", number=seconds)


def fold(text: str) -> str:
    """Return an answer as it is compared: without capitals, and without a full stop or an exclamation mark."""
    return " ".join(text.casefold().split()).rstrip(".!")
