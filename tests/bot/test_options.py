"""Options stand anywhere among the words of a command, and what is left is as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.bot.arguments import Kind
from hachat.bot.options import Options
from hachat.core.durations import Duration

KINDS: dict[str, Kind] = {
    "force": bool,
    "to": str,
    "count": int,
    "dry_run": bool,
    "within": Duration,
}
OPTIONS = Options(KINDS)


@pytest.mark.parametrize(
    ("command", "rest", "values"),
    [
        ("deploy web", "deploy web", {}),
        ("deploy --force web", "deploy web", {"force": True}),
        ("--to staging deploy web", "deploy web", {"to": "staging"}),
        ("deploy web --to=staging", "deploy web", {"to": "staging"}),
        ("deploy web --to 'the moon'", "deploy web", {"to": "the moon"}),
        ('deploy web --to="the moon"', "deploy web", {"to": "the moon"}),
        ('deploy web --to ""', "deploy web", {"to": ""}),
        ("deploy web -f -c 3", "deploy web", {"force": True, "count": 3}),
        ("deploy web --no-force", "deploy web", {"force": False}),
        ("deploy web --force --no-force", "deploy web", {"force": False}),
        ("deploy web --force=no", "deploy web", {"force": False}),
        ("deploy web --dry-run --dry_run", "deploy web", {"dry_run": True}),
        ("deploy web --within 5m", "deploy web", {"within": 300.0}),
        ("deploy web --COUNT 2", "deploy web", {"count": 2}),
        ("deploy web \N{EM DASH}force", "deploy web", {"force": True}),
        ("deploy -- --force", "deploy --force", {}),
        ("say  two  blanks --force  here", "say  two  blanks  here", {"force": True}),
        ("wait -5", "wait -5", {}),
        ("say it's --force", "say it's", {"force": True}),
        ("say it's --force isn't it", "say it's isn't it", {"force": True}),
        ("say 'it is' --to=don't", "say 'it is'", {"to": "don't"}),
        ('say "--force"', 'say "--force"', {}),
        ("deploy web --count -1", "deploy web", {"count": -1}),
    ],
)
def test_options_are_taken_out(command: str, rest: str, values: dict[str, object]) -> None:
    """What is an option is taken, what is none stays as it is."""
    given_ = OPTIONS.take(command)

    assert (given_.rest, dict(given_.values), given_.fault) == (rest, values, "")


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("deploy --forse", "There is no option --forse; did you mean --force?"),
        ("deploy --xyzzy=1", "There is no option --xyzzy; there are [--force] [--to TO]"),
        ("deploy -x", "There is no option -x"),
        ("deploy --to", "--to needs a value."),
        ("deploy --count", "--count needs a value."),
        ("deploy --count many", '--count must be a whole number, not "many".'),
        ("deploy --force=perhaps", '--force must be yes or no, not "perhaps".'),
        ("deploy --no-to", "There is no option --no-to"),
    ],
)
def test_faults_are_told_in_a_sentence(command: str, fault: str) -> None:
    """Whoever wrote it learns what is wrong, and the rest is there all the same."""
    given_ = OPTIONS.take(command)

    assert given_.fault.startswith(fault)
    assert given_.rest == "deploy"


def test_what_has_no_default_must_be_given() -> None:
    """An option can be required."""
    options = Options({"to": str, "force": bool}, frozenset({"to"}))

    assert options.take("deploy").fault == "--to must be given."
    assert options.take("deploy --to x").fault == ""
    assert options.usage == "--to TO [--force]"


def test_the_first_of_a_letter_has_it() -> None:
    """A letter stands for the first option that begins with it."""
    assert Options({"to": str, "tag": str}).take("-t x").values == {"to": "x"}


@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    """No text breaks it, and nothing is added."""
    given_ = OPTIONS.take(text)

    assert len(given_.rest) <= len(text)


@given(st.text("ab '\"\n", max_size=60))
def test_a_text_without_options_is_left_alone(text: str) -> None:
    """Blanks, lines and quotes stay."""
    assert OPTIONS.take(text).rest == text.strip()
