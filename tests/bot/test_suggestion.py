"""What is said when nobody knows a command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.bot.description import Usage
from hachat.bot.router import MAX_TEXT
from hachat.bot.suggestion import find_nearest, suggest
from hachat.core.addressing import Address

COMMANDS = [
    Usage(line)
    for line in (
        "ping",
        "help [QUERY]",
        "deploy APP",
        "auth add USER GROUP",
        "auth list",
        "step-down",
    )
]


@pytest.mark.parametrize(
    ("command", "nearest"),
    [
        ("pign", "ping"),
        ("PIGN", "ping"),
        ("hlep deploy", "help [QUERY]"),
        ("deploy", "deploy APP"),
        ("dploy web", "deploy APP"),
        ("deploy web now", "deploy APP"),
        ("auth ad bob ops", "auth add USER GROUP"),
        ("auth lst", "auth list"),
        ("stepdown", "step-down"),
        ("what is the weather", ""),
        ("", ""),
    ],
)
def test_nearest(command: str, nearest: str) -> None:
    """A slip of the finger or a missing argument finds its command; anything else finds none."""
    assert find_nearest(command, COMMANDS) == nearest


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        (
            Address("pign", "hachat ", called=True),
            'I do not know "pign". Did you mean "hachat ping"?',
        ),
        (Address("pign", "", called=True), 'I do not know "pign". Did you mean "ping"?'),
        (
            Address("sing", "hachat ", called=True),
            'I do not know "sing". Did you mean "hachat ping"?',
        ),
        (Address("be quiet", "", called=True), 'I do not know "be quiet". Try "help".'),
        (Address("", "hachat ", called=True), 'Yes? Try "hachat help".'),
        (
            Address("x" * (MAX_TEXT + 1), "", called=True),
            "That is too long for me: a command has at most 4000 characters.",
        ),
    ],
)
def test_answers(address: Address, answer: str) -> None:
    """The answer shows the nearest command as it is to be written in that place, or the way to the help."""
    assert suggest(address, COMMANDS) == answer


@given(st.text(max_size=200).map(str.strip))
def test_any_command(command: str) -> None:
    """Whatever is told, the answer is short and one line."""
    answer = suggest(Address(command, "hachat ", called=True), COMMANDS)
    assert answer.strip()
    assert len(answer) < 120
    assert "\n" not in answer
