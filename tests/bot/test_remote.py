"""Methods that are run in another process do there what they would do here."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hachat import Context, Handler, command
from hachat.bot.loading import find_class, load
from hachat.core.errors import HandlerError
from hachat.core.messages import Message, Room, User
from hachat.tasks.processes import Processes
from tests.bot.computing import Computing
from tests.bot.stage import Stage


@pytest.fixture(params=["here", "there"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A robot that has the handlers, with other processes, or without, as in the tests of authors."""
    plugins = load(
        ["tests.bot.computing:Computing"], sections={"computing": {"greeting": "servus"}}
    )
    assert not plugins.faults
    made = Stage(*plugins.handlers.values())

    async def find_user(adapter: str, text: str) -> User:
        return User(f"id of {text}", text)

    made.robot.services.find_user = find_user
    async with Processes(1) as processes:
        if request.param == "there":
            made.robot.services.compute = processes.call
        yield made


async def test_a_method_has_its_arguments_and_settings_and_speaks(stage: Stage) -> None:
    """Of every kind, and what it says has the ids it would have had."""
    with capture_logs() as logs:
        said = await stage.say("hachat greet ada 2 1m")

    assert said == [
        "servus id of ada, 3, 30.0",
        "ada by alice in #room, greet ada 2 1m",
        "Duration",
    ]
    assert [reply.id.rpartition("/")[2] for reply in stage.replies] == ["1", "2", "3"]
    assert stage.replies[1].args["target"] == stage.replies[0].id
    assert stage.replies[2].room == "test/#other"
    (line,) = [line for line in logs if line["event"] == "greeting"]
    assert (line["who"], line["route"], line["log_level"]) == (
        *("id of ada", "computing.greet"),
        "warning",
    )


async def test_what_was_said_before_an_error_is_kept(stage: Stage) -> None:
    """And the log has the trace of the other process."""
    with capture_logs() as logs:
        first, second = await stage.say("hachat fail")
    assert first == "about to fail"
    assert "Sorry" in second
    (line,) = [line for line in logs if line["event"] == "a handler failed"]
    assert "ValueError: no luck" in str(line["exc_info"])
    assert "in fail" in line["exc_info"].__notes__[0]


async def test_a_method_may_want_to_be_run_again(stage: Stage) -> None:
    """When it says."""
    run = await stage.robot.carry_out(
        Message("m1", Room("test", "#room"), User("alice"), "hachat later", time.time())
    )
    again = run.try_again(lambda: 0.0)
    assert again is not None
    assert again[0] == 7.0


async def test_what_cannot_be_done_there_is_an_error(stage: Stage) -> None:
    """Which is told as one of the handler."""
    (said,) = await stage.say("hachat ask")
    assert "Sorry" in said


async def test_a_webhook_has_its_body(stage: Stage) -> None:
    """Decoded as the method asks."""
    assert await stage.request("POST", "/compute", {"number": 1}) == ["2"]


async def test_a_command_may_want_a_yes_before(stage: Stage) -> None:
    """That is asked here, and counted among the replies."""
    assert await stage.say("hachat sure") == ['Really "sure"? (yes or no)']
    assert await stage.say("yes") == ["sure"]
    assert stage.replies[-1].id.endswith("/computing.sure/2")


@pytest.mark.parametrize("stage", ["there"], indirect=True)
async def test_a_process_that_dies_or_takes_too_long_fails_its_handler_only(stage: Stage) -> None:
    """The next one has another process."""
    (pid,) = await stage.say("hachat pid")
    assert pid != str(os.getpid())
    assert await stage.say("hachat pid") == [pid]
    (died,) = await stage.say("hachat die")
    assert "went wrong" in died
    (late,) = await stage.say("hachat spin")
    assert "took too long" in late
    (other,) = await stage.say("hachat pid")
    assert other not in {pid, str(os.getpid())}


def test_a_method_that_is_async_stays_here() -> None:
    """It would block the loop as well."""
    with pytest.raises(HandlerError, match='run="process" is for methods that are not async'):

        @command("x", run="process")
        async def run(self: Handler, ctx: Context) -> None:
            """Do nothing."""

    with pytest.raises(HandlerError, match='write "process", or leave it out'):
        command("x", run="thread")(lambda self, ctx: None)


def test_a_class_is_found_by_its_names(tmp_path: Path) -> None:
    """In a module, or in a file of the folder that no module of this process is."""
    assert find_class("tests.bot.computing", "Computing") is Computing
    file = tmp_path / "somewhere.py"
    file.write_text("from tests.bot.computing import Computing\nclass Other(Computing): pass\n")
    assert issubclass(find_class("hachat_handlers_somewhere", "Other", str(file)), Computing)
    with pytest.raises(HandlerError, match="cannot be found by its name"):
        find_class("tests.bot.computing", "Body")
