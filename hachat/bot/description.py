"""What a bot can tell of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from hachat.bot.texts import Texts

_GROUP = re.compile(r"\(\?P<(\w+)>[^()]*\)")
_PLAIN = re.compile(r"(?:[\w-]+(?: |$))+")

_DASHES = " -- "  # between how a command is written and what it does


@dataclass(frozen=True)
class Usage:
    """How one command is written, without the bot's name, and what it does; which `route` runs it, for which `groups`, in which `rooms`.

    `source` is the line of the docstring, or of `help=`, that says so, and what translators find it by.
    """

    line: str
    explanation: str = ""
    route: str = ""
    groups: frozenset[str] = frozenset()
    rooms: tuple[str, ...] = ()
    source: str = field(default="", compare=False)

    def translate(self, texts: Texts) -> Usage:
        """Return it as it is told in the language of `texts`."""
        source, translated = read_usage(self.source, ""), read_usage(texts.find(self.source), "")
        if not (source.line and translated.line):  # then the pattern says how it is written
            return replace(self, explanation=translated.explanation or self.explanation)
        options = self.line.removeprefix(source.line)
        return replace(self, line=translated.line + options, explanation=translated.explanation)

    @property
    def handler(self) -> str:
        """The name of the handler that has it."""
        return self.route.partition(".")[0]


def read_usage(text: str, pattern: str) -> Usage:
    """Return what the first line of `text` says of a command; without dashes in it, it is written as `pattern` reads."""
    source = text.strip().partition("\n")[0]
    line, dashes, explanation = source.partition(_DASHES)
    if dashes:
        return Usage(line.strip(), explanation.strip(), source=source)
    return Usage(pattern, source.rstrip("."), source=source)


def describe_pattern(pattern: str) -> str:
    """Return how a command is written of which nothing but the pattern is known: groups by their names, as far as it is plain to see."""
    written = _GROUP.sub(lambda group: group[1].upper(), pattern)
    plain = _PLAIN.match(written)
    if plain is None or plain[0] == written:
        return written
    return f"{plain[0].rstrip()} ..."


@dataclass(frozen=True)
class Topic:
    """A handler, as help tells of it: its name, what it is for, and the module that defines it."""

    name: str
    purpose: str = ""
    module: str = ""


@dataclass(frozen=True)
class Bot:
    """The bot that runs a handler, on the node where it runs."""

    name: str
    node: str = ""
    handlers: tuple[str, ...] = ()
    commands: tuple[Usage, ...] = ()
    topics: tuple[Topic, ...] = ()
