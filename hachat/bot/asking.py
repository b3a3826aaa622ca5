"""How an async handler asks somebody something."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

from hachat.bot.awaiting import awaited
from hachat.bot.consent import WITHIN, Anybody
from hachat.bot.questions import Questions

T = TypeVar("T")


class Asking:
    """The part of a context that asks; `questions` is the same for handlers that are not async."""

    questions: Questions

    @overload
    async def ask(
        self,
        question: str,
        *,
        within: str | float = WITHIN,
        check: Callable[[str], str | None] | None = None,
        who: str | Anybody = "",
    ) -> str: ...
    @overload
    async def ask(
        self,
        question: str,
        *,
        within: str | float = WITHIN,
        type: Callable[[str], T],
        check: Callable[[T], str | None] | None = None,
        who: str | Anybody = "",
    ) -> T: ...
    @awaited
    async def ask(
        self,
        question: str,
        *,
        within: str | float = WITHIN,
        type: Callable[[str], Any] = str,  # noqa: A002 - as in argparse
        check: Callable[[Any], str | None] | None = None,
        who: str | Anybody = "",
    ) -> Any:
        """Ask in the room of the message, and return what is answered there.

        The handler ends here, and its method is run again from the beginning once there is an answer: see
        `docs/dialogs.md`.  An answer that will not do is asked for again, with the reason.

        Args:
            question: What to ask.
            within: How long to wait, seconds or a duration; then that is told, and nothing more is done.
            type: What the answer becomes; a ValueError it raises is the reason why the answer will not do.
            check: Returns why the answer will not do, or nothing.
            who: Who is asked: the id of a user, or `Anybody`; without it, who said the message.

        Raises:
            ValueError: one of them cannot be used.
            TypeError: a webhook or a job has nobody to ask.
            RuntimeError: it has been asked too often.
        """
        return self.questions.ask(question, within=within, type=type, check=check, who=who)

    @awaited
    async def confirm(
        self, question: str, *, within: str | float = WITHIN, who: str | Anybody = ""
    ) -> bool:
        """Ask for a yes or a no, and return whether it was a yes; see `ask`."""
        return self.questions.confirm(question, within=within, who=who)

    @awaited
    async def choose(
        self,
        question: str,
        choices: Sequence[str],
        *,
        within: str | float = WITHIN,
        who: str | Anybody = "",
    ) -> str:
        """Ask for one of `choices`, and return it; see `ask`."""
        return self.questions.choose(question, choices, within=within, who=who)

    @awaited
    async def once(self, key: str, function: Callable[..., Any], *args: object) -> Any:
        """Call a function, async or not, unless it was called under this `key` before the last question.

        Returns:
            Its result, as it comes back from JSON.

        Raises:
            TypeError: the result cannot be written as JSON.
        """
        found, result = self.questions.find(key)
        if found:
            return result
        result = function(*args)
        return self.questions.note(key, await result if inspect.isawaitable(result) else result)
