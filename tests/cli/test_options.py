"""What the subcommands share."""

from __future__ import annotations

import click
import pytest

from hachat.cli.options import read_span

CONTEXT = click.Context(click.Command("x"))
OPTION = click.Option(["--since"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("90", 90),
        ("30s", 30),
        ("15m", 900),
        ("15min", 900),
        ("2h", 7200),
        ("1.5 h", 5400),
        ("3d", 259_200),
    ],
)
def test_spans_of_time_are_read(text: str | None, seconds: float | None) -> None:
    """A number and a unit, or seconds."""
    assert read_span(CONTEXT, OPTION, text) == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "-1h", "2w", "1h30m", "\u0661h", "1e9", "nan", "inf", "."]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(click.BadParameter, match="no span of time"):
        read_span(CONTEXT, OPTION, text)
