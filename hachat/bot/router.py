"""Which routes a text is for.

A command must describe the whole of what the bot is told (`fullmatch`): `deploy web` does not answer to `deploy web now`,
so nobody deploys by telling a story that starts like a command.  What is heard may stand anywhere (`search`).  Every
route that matches is run, each method once.

A route may be of a higher priority than others, and stop those that come after it.

Commands that start with a plain word are found by it, and what is heard is first looked for as plain characters, so
that a thousand routes cost little more than one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import structlog

from hachat.bot.options import DASHES
from hachat.bot.patterns import Found, TooSlow
from hachat.bot.routes import ChatRoute
from hachat.bot.texts import ENGLISH, Texts
from hachat.core.addressing import Address
from hachat.core.messages import Room
from hachat.core.redaction import MASK, is_secret

log = structlog.get_logger(__name__)

MAX_TEXT = 4_000
"""Characters a pattern sees: a longer command is not matched, of a longer text only this much is heard."""

_FIRST_WORD = re.compile(r"([\w-]+)(?: (?![?*{])|\\s\+|$)")
_LITERAL = re.compile(r"(?:\\b)?([\w-]+)(?![\w?*{-])")
_BLANKS = re.compile(r"[^\S\n]+")
_INNER = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\([^()]*\)")


class Match(msgspec.Struct, frozen=True):
    """A route and what it is to be called with; `fault` is why it cannot be, in words for the user.

    Its options begin at `options` in the text, if it has any.
    """

    route: ChatRoute
    text: str
    found: Found | None
    arguments: dict[str, object]
    fault: str = ""
    options: int | None = None


def hide_secrets(match: Match) -> str:
    """Return a command as it may be noted: from the first secret on, by the name of its group or option, only a mask."""
    groups = match.found.groupdict() if match.found else {}
    if match.found and (
        secret := [name for name, text in groups.items() if text and is_secret(name)]
    ):
        return f"{match.found.string[: min(map(match.found.start, secret))]}{MASK}"
    if any(
        value for name, value in match.arguments.items() if name not in groups and is_secret(name)
    ):
        return f"{match.text[: match.options]}{MASK}"
    return match.text


class Router:
    """The routes of all handlers, compiled once; faults are told in the language of `texts`."""

    def __init__(self, routes: Iterable[ChatRoute], texts: Texts = ENGLISH) -> None:
        self._texts = texts
        self._by_word: defaultdict[str, list[ChatRoute]] = defaultdict(list)
        self._optional: list[ChatRoute] = []
        self._any_word: list[ChatRoute] = []
        self._heard: list[tuple[str, ChatRoute]] = []
        self._ranks: dict[ChatRoute, tuple[int, bool, int]] = {}
        for number, route in enumerate(routes):
            self._ranks[route] = (-route.constraints.priority, not route.addressed, number)
            self._add(route)

    def match(self, text: str, address: Address | None, room: Room | None = None) -> list[Match]:
        """Return what is to be run for `text`, said in `room`, the highest priority first.

        Of the same priority are commands, if it is addressed to the bot, then what was heard.  A command whose arguments do not
        convert is returned, with its fault, if no other command matches.
        """
        matches = list(self._find(text, address, room))
        if len(matches) <= 1:  # as nearly always
            return matches
        matches.sort(key=lambda match: self._ranks[match.route])
        clean: dict[Callable[..., Any], Match] = {}
        faulty = []
        for match in matches:
            if match.fault:
                faulty.append(match)
            else:
                clean.setdefault(match.route.call, match)
        told = any(match.route.addressed for match in clean.values())
        wanted = _stop(clean.values())
        return wanted if told else [*faulty[:1], *wanted]

    def _find(self, text: str, address: Address | None, room: Room | None) -> Iterator[Match]:
        if address is not None and len(address.command) <= MAX_TEXT:
            told = list(self._find_commands(address.command, room))
            tidy = "" if told else _BLANKS.sub(" ", address.command)
            if tidy and tidy != address.command:  # nobody means anything by a second blank
                told = list(self._find_commands(tidy, room))
            yield from told
        if not self._heard:
            return
        heard = text[:MAX_TEXT]
        folded = heard.casefold()
        for literal, route in self._heard:
            if literal in folded and route.constraints.allow(room):
                match = _try(route, heard, self._texts)
                if match and not match.fault:
                    yield match

    def _find_commands(self, command: str, room: Room | None) -> Iterator[Match]:
        for route in self._candidates(command):
            if route.constraints.allow(room) and (match := _try(route, command, self._texts)):
                yield match

    def _candidates(self, command: str) -> Iterable[ChatRoute]:
        word = command.split(None, 1)[0].casefold() if command else ""
        optional = self._optional if word.startswith(DASHES) else ()
        return [*self._by_word.get(word, ()), *optional, *self._any_word]

    def _add(self, route: ChatRoute) -> None:
        pattern = route.pattern.text
        if not route.addressed:
            self._heard.append((find_literal(pattern), route))
        elif word := find_first_word(pattern):
            self._by_word[word].append(route)
            if route.options:
                self._optional.append(route)
        else:
            self._any_word.append(route)


def find_first_word(pattern: str) -> str:
    """Return the whole word every match of `pattern` starts with, casefolded, or nothing if it is not plain to see."""
    found = _FIRST_WORD.match(pattern)
    return found[1].casefold() if found and not _has_choice(pattern) else ""


def find_literal(pattern: str) -> str:
    """Return characters every match of `pattern` contains, casefolded, or nothing if it is not plain to see."""
    found = _LITERAL.match(pattern)
    return found[1].casefold() if found and not _has_choice(pattern) else ""


def _has_choice(pattern: str) -> bool:
    """Tell whether there may be a `|` outside all parentheses."""
    while (inner := _INNER.sub("", pattern)) != pattern:
        pattern = inner
    return "|" in pattern


def _stop(matches: Iterable[Match]) -> list[Match]:
    """Return those of `matches` that none before them stops."""
    wanted = list(matches)
    stops = (n for n, match in enumerate(wanted, 1) if match.route.constraints.stop)
    return wanted[: next(stops, None)]


def _try(route: ChatRoute, text: str, texts: Texts) -> Match | None:
    """Return what `route` makes of `text`, or nothing if it is not for it."""
    given = route.options.take(text, texts) if route.options else None
    try:
        found = route.pattern.find(given.rest if given else text)
    except TooSlow as error:
        log.error("a pattern is too slow", route=route.name, pattern=route.pattern.text)
        fault = texts.say("I cannot tell in time what to do: {reason}.", reason=error)
        return Match(route, text, None, {}, fault)
    if found is None:
        return None
    if given and given.fault:
        return Match(route, text, found, {}, given.fault)
    try:
        arguments = route.read(found, texts)
    except ValueError as error:
        return Match(route, text, found, {}, str(error))
    if given is None:
        return Match(route, text, found, arguments)
    return Match(route, text, found, {**arguments, **given.values}, options=given.start)
