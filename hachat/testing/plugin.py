"""The pytest plugin: the fixture `bot`, and the mark that says which handlers it has.

::

    @handlers(Greeter)
    async def test_greeting(bot):
        assert await bot.say("hachat greet Ada") == ["Hello, Ada!"]

See `marks`.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pluggy
import pytest
import structlog
from pytest_trio import trio_fixture  # type: ignore[import-untyped]  # pytest-trio has no annotations
from structlog.dev import plain_traceback

from hachat.bot.binding import bind
from hachat.bot.handler import Handler
from hachat.bot.loading import make
from hachat.core.errors import HandlerError
from hachat.store.embedded import Server, run_server
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link
from hachat.tasks.services import running
from hachat.testing.driver import Driver, drive
from hachat.testing.marks import handlers

_MARK = "handlers(*handlers, name='hachat', aliases=()): the handlers, classes or instances, of the fixture `bot`"

_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", _MARK)


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(
    pyfuncitem: pytest.Function,
) -> Generator[None, pluggy.Result[object], None]:
    """Let a test fail by what went wrong, and not by the group of one in which trio raises that."""
    outcome = yield
    if "bot" in pyfuncitem.fixturenames and isinstance(outcome.exception, BaseExceptionGroup):
        outcome.force_exception(_unwrap(outcome.exception))


@pytest.fixture(scope="session")
def hachat_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Valkey server that lives as long as the session."""
    with run_server(tmp_path_factory.mktemp("hachat")) as server:
        yield server


@trio_fixture  # type: ignore[untyped-decorator]  # pytest-trio has no annotations
async def bot(request: pytest.FixtureRequest, hachat_server: Server) -> AsyncIterator[Driver]:
    """A bot with the handlers of the mark, in a cluster of its own."""
    mark = request.node.get_closest_marker("handlers") or handlers().mark
    made = [_make(handler) for handler in mark.args]
    link, keys = Link(Direct(hachat_server.url)), Keys(f"test-bot-{next(_numbers)}")
    with _logging_plainly():
        async with running(link.run), drive(link, keys, made, **mark.kwargs) as driver:
            try:
                yield driver
            finally:
                request.node.add_report_section("call", "conversation", driver.transcript)


def _make(handler: Any) -> Handler:
    """Return a handler of which is known that it can be used; the test fails in one sentence by one that cannot."""
    try:
        made: Handler = handler if isinstance(handler, Handler) else _construct(handler)
        bind(made)
    except HandlerError as error:
        fault = str(error)
    else:
        return made
    pytest.fail(fault, pytrace=False)  # out of the handling, which pytest would tell of, too


def _construct(cls: type[Handler]) -> Handler:
    try:
        return make(cls, {})
    except HandlerError as error:
        raise HandlerError(
            f"{error}; give the mark one that is made: {cls.__name__}(...)"
        ) from error


def _unwrap(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        (error,) = error.exceptions
    return error


@contextmanager
def _logging_plainly() -> Iterator[None]:
    """Let pytest show, with a test that failed, what the bot warned of, and the traces of handlers."""
    if structlog.is_configured():
        yield
        return
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    try:
        yield
    finally:
        structlog.reset_defaults()
