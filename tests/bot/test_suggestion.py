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
    ("command", "nearest", "exact"),
    [
        ("pign", "ping", False),
        ("PIGN", "ping", False),
        ("hlep deploy", "help [QUERY]", False),
        ("deploy", "deploy APP", True),
        ("dploy web", "deploy APP", False),
        ("deploy web now", "deploy APP", True),
        ("auth ad bob ops", "auth add USER GROUP", False),
        ("auth add", "auth add USER GROUP", True),
        ("auth lst", "auth list", False),
        ("auth", "auth add USER GROUP", False),
        ("stepdown", "step-down", False),
        ("what is the weather", "", False),
        ("", "", False),
    ],
)
def test_nearest(command: str, nearest: str, exact: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A slip of the finger, half of a name or a wrong argument finds its command; anything else finds none."""
    likeness, found = find_nearest(command, COMMANDS)
    assert (found, likeness == 1.0) == (nearest, exact)


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
        (
            Address("Deploy web now", "!", called=True),
            'I do not understand "Deploy web now". Write it as "!deploy APP".',
        ),
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
