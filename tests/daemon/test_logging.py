"""What a log line looks like, what it never holds, and that the level can change while running."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from hachat.core.settings import LogSettings
from hachat.daemon.logging import configure


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Give other tests the logging they had."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def stream() -> io.StringIO:
    """Where the lines go."""
    return io.StringIO()


def fail(reason: str) -> None:
    """Fail."""
    raise OSError(reason)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the JSON lines that were written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_say_who_when_and_what(stream: io.StringIO) -> None:
    """Every line has time, level, event, node, role, logger and its values."""
    configure(LogSettings(), "web-1", role=lambda: "master", stream=stream)

    structlog.get_logger("hachat.test").info("took the lease", epoch=7)

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "took the lease",
        "node": "web-1",
        "role": "master",
        "logger": "hachat.test",
        "epoch": 7,
    }


def test_the_role_is_the_one_of_the_moment(stream: io.StringIO) -> None:
    """The role is asked for as each line is written."""
    roles = iter(["standby", "master"])
    configure(LogSettings(), "a", role=lambda: next(roles), stream=stream)
    log = structlog.get_logger("hachat.test")

    log.info("one")
    log.info("two")

    assert [line["role"] for line in lines(stream)] == ["standby", "master"]


def test_context_is_on_every_line(stream: io.StringIO) -> None:
    """What is bound to the context, such as the message's id, is on the lines within."""
    configure(LogSettings(), "a", stream=stream)

    with bound_contextvars(message="01ABC"):
        structlog.get_logger("hachat.test").info("handled")

    assert lines(stream)[0]["message"] == "01ABC"


def test_tracebacks(stream: io.StringIO) -> None:
    """A traceback is one field in JSON and text on a terminal, with no secret in either."""
    terminal = Terminal()
    for where in (stream, terminal):
        configure(LogSettings(), "a", stream=where)
        try:
            fail("no answer from redis://:hunter2@host")
        except OSError:
            structlog.get_logger("hachat.test").exception("failed")

    (line,) = lines(stream)
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("OSError: no answer from redis://****@host")
    assert "\nTraceback (most recent call last):\n" in terminal.getvalue()
    assert "hunter2" not in stream.getvalue() + terminal.getvalue()


def test_secrets_are_redacted(stream: io.StringIO) -> None:
    """Values named like secrets, and logins in URLs, are hidden in values of any kind."""
    configure(LogSettings(), "a", stream=stream)

    structlog.get_logger("hachat.test").info(
        "calling redis://u:hunter2@h",
        password="hunter2",
        headers={"Authorization": "hunter2"},
        error=OSError("redis://u:hunter2@h"),
    )

    assert "hunter2" not in stream.getvalue()
    assert lines(stream)[0]["headers"] == {"Authorization": "****"}


@pytest.mark.parametrize(
    ("style", "stream", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("pretty", io.StringIO(), False),
    ],
)
def test_the_format_suits_the_reader(style: Any, stream: io.StringIO, is_json: bool) -> None:  # noqa: FBT001 -- a parameter of pytest's
    """Automatic means pretty for a terminal and JSON for anything else; either can be asked for."""
    configure(LogSettings(format=style), "a", stream=stream)

    structlog.get_logger("hachat.test").info("hello")

    assert stream.getvalue().startswith("{") == is_json
    assert "hello" in stream.getvalue()
    assert ("\x1b" in stream.getvalue()) == (style == "auto" and not is_json)


def test_libraries_speak_the_same_way(stream: io.StringIO) -> None:
    """The standard library's records come out alike, from warning on."""
    configure(LogSettings(level="debug"), "a", stream=stream)
    library = logging.getLogger("some.library")

    library.info("not said")
    library.warning("lost %s", "redis://u:hunter2@h")

    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == (
        "lost redis://****@h",
        "warning",
        "some.library",
    )
    assert line["node"] == "a"


def test_the_level_changes_for_loggers_that_exist(stream: io.StringIO) -> None:
    """Called again, cached and bound loggers follow, down and up, and no line is written twice."""
    configure(LogSettings(level="warning"), "a", stream=stream)
    log = structlog.get_logger("hachat.test")
    bound = log.bind(room="x")

    def say(word: str) -> list[str]:
        stream.truncate(stream.seek(0))
        for logger in (log, bound):
            logger.debug(word)
            logger.error(word)
        return [line["level"] for line in lines(stream)]

    assert say("quiet") == ["error", "error"]
    configure(LogSettings(level="debug"), "a", stream=stream)
    assert say("loud") == ["debug", "error", "debug", "error"]
    configure(LogSettings(level="critical"), "a", stream=stream)
    assert say("silent") == []
