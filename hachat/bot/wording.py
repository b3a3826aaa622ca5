"""The words of a handler: its templates, and its texts in the bot's language."""

from __future__ import annotations

from hachat.bot.templates import templates_of
from hachat.bot.texts import Texts, texts_of


class Wording:
    """What the class of a handler has beside its module; `owner` is that class, `language` the bot's."""

    def __init__(self, owner: type, language: str) -> None:
        self._owner = owner
        self._language = language

    def render(self, template: str, /, **values: object) -> str:
        """Return what `templates/<template>.j2` makes of `values`; what `<template>.md.j2` makes is markdown.

        A service may have a form of its own, `<template>.<adapter>.j2`.

        Raises:
            HandlerError: there is no such template, or it fails on these values; says where.
        """
        return templates_of(self._owner).render(template, values, adapter=self._service)

    def translate(self, text: str, /, **values: object) -> str:
        """Return `text` in the bot's language, from `locales/<language>.po`, with `values` where braces name them.

        Raises:
            HandlerError: the catalogue cannot be read.
            KeyError: the text names a value that is not given.
        """
        return self._texts.say(text, **values)

    def translate_count(self, one: str, other: str, number: float, /, **values: object) -> str:
        """Return the form for `number` that the language has: `{number}` stands for it; raises as `translate` does."""
        return self._texts.count(one, other, number, **values)

    def explain(self, said: Exception | str) -> str:
        """Return what an error of hachat's says, in the bot's language where that is known; raises as `translate` does."""
        return str(self._texts.tell(said))

    @property
    def _texts(self) -> Texts:
        return texts_of(self._owner, self._language)

    @property
    def _service(self) -> str:
        return ""
