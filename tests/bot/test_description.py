"""What a command says of itself, and how that reads in another language."""

from __future__ import annotations

import dataclasses
from gettext import NullTranslations

import pytest

from hachat.bot.description import Usage, describe_pattern, read_usage
from hachat.bot.texts import ENGLISH, Texts


class Fixed(NullTranslations):
    """A catalogue with one text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def gettext(self, message: str) -> str:
        """Return it."""
        return self._text


@pytest.mark.parametrize(
    ("text", "line", "explanation"),
    [
        ("deploy APP -- ship it\n\nMore.", "deploy APP", "ship it"),
        ("  deploy APP  --  ship it ", "deploy APP", "ship it"),
        ("Ship it.", "deploy (app)", "Ship it"),
        ("", "deploy (app)", ""),
    ],
)
def test_the_first_line_tells(text: str, line: str, explanation: str) -> None:
    """How it is written and what it does, or only that; in English nothing of it changes."""
    usage = read_usage(text, "deploy (app)")

    assert usage == Usage(line, explanation)
    assert usage.translate(ENGLISH) == usage


@pytest.mark.parametrize(
    ("text", "translated", "line", "explanation"),
    [
        ("deploy APP -- ship it", "deploy ANWENDUNG -- liefere", "deploy ANWENDUNG", "liefere"),
        ("Ship it.", "Liefere.", "deploy (app)", "Liefere"),
        ("Ship it.", "deploy ANWENDUNG -- liefere", "deploy (app)", "liefere"),
        ("deploy APP -- ship it", "liefere", "deploy APP", "liefere"),
        ("help {x} -- say it", "help {y} -- sag es", "help {y}", "sag es"),
    ],
)
@pytest.mark.parametrize("options", ["", " --to TO [--force]"])
def test_a_line_is_translated(
    text: str, translated: str, line: str, explanation: str, options: str
) -> None:
    """Its options, which come from the method, stay behind it."""
    usage = read_usage(text, "deploy (app)")
    usage = dataclasses.replace(usage, line=f"{usage.line}{options}", route="a.b")

    found = usage.translate(Texts(Fixed(translated)))

    assert (found.line, found.explanation) == (f"{line}{options}", explanation)
    assert found.route == "a.b"


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (r"deploy (?P<app>\w+)", "deploy APP"),
        ("ping", "ping"),
        (r"deploy (?P<env>(staging|prod))( at (?P<time>\S+))?", "deploy ..."),
        (r"(who|what) is (?P<it>.+)", "(who|what) is IT"),
    ],
)
def test_a_command_without_words_is_described_by_its_pattern(pattern: str, line: str) -> None:
    """As far as it is plain to see: nobody is to read a regular expression, unless it begins with one."""
    assert describe_pattern(pattern) == line
