"""The tree of errors: who may catch what."""

from __future__ import annotations

import inspect

import pytest

from hachat.core import errors
from hachat.core.errors import (
    CallError,
    Fenced,
    HachatError,
    InDoubt,
    NotSent,
    QueueFull,
    SendError,
    SettingsError,
    StoreError,
    StoreRefused,
    StoreUnavailable,
    Unanswered,
    Undeliverable,
    Unsupported,
)

ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_is_ours_and_is_drawn_in_the_tree(kind: type[HachatError]) -> None:
    """Whoever catches the base catches all, and the module's picture shows each."""
    assert issubclass(kind, HachatError)
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (StoreUnavailable, StoreError),
        (StoreRefused, StoreError),
        (NotSent, SendError),
        (Undeliverable, SendError),
        (InDoubt, SendError),
        (Unsupported, CallError),
        (Unanswered, CallError),
    ],
)
def test_errors_of_one_cause_have_one_base(
    kind: type[HachatError], base: type[HachatError]
) -> None:
    """Trouble with Redis, with sending and with asking are each caught by one name."""
    assert issubclass(kind, base)


@pytest.mark.parametrize("kind", [Fenced, QueueFull])
def test_a_clear_no_is_not_taken_for_trouble_with_redis(kind: type[HachatError]) -> None:
    """What repeats on a StoreError must never repeat when the lease is lost or the queue is full."""
    assert not issubclass(kind, StoreError)


def test_settings_report_every_fault() -> None:
    """One report lists all faults and where they stand."""
    error = SettingsError(["a is missing", "b is odd"], "hachat.toml")

    assert error.faults == ("a is missing", "b is odd")
    assert str(error) == "hachat.toml: 2 fault(s)\n  - a is missing\n  - b is odd"


def test_not_sent_says_when_to_send_again() -> None:
    """The adapter's wait travels with the error, none where it names none, and so does what has to wait."""
    assert NotSent("slow down", after=30.0).after == 30.0
    assert NotSent("slow down").after == 0.0
    assert NotSent("slow down").scope == "room"
    assert NotSent("slow down", scope="uploads").scope == "uploads"
    assert str(NotSent("slow down")) == "slow down"
