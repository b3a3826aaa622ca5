"""Says which handlers the bot of a test has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from hachat.bot.handler import Handler


def handlers(
    *handlers: Handler | type[Handler],
    name: str = "hachat",
    aliases: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    language: str = "en",
) -> pytest.MarkDecorator:
    """Give the fixture `bot` these handlers; a class is made with the defaults of its settings.

    A decorator of tests, or the `pytestmark` of a module; `name` and `aliases` are what the bot answers to, `groups` who is in
    which group: `{"ops": ["alice"], "admins": ["ada"]}`, `language` what its texts are said in.

    Raises:
        TypeError: something is no handler.
    """
    for handler in handlers:
        if not isinstance(handler, Handler) and not _is_handler_class(handler):
            raise TypeError(
                f"@handlers takes classes or instances of handlers, not {handler!r}: write @handlers(Greeter)"
            )
    # Given one class and nothing else, the mark itself would decorate that.
    return pytest.mark.handlers.with_args(
        *handlers, name=name, aliases=aliases, groups=groups or {}, language=language
    )


def _is_handler_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Handler)
