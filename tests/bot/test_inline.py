"""Webhooks whose senders wait: handled here, answered with what the method returns, and what it said is queued as one job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from hachat import Context, Handler, Refused, Response, hook, job, middleware
from hachat.bot.binding import bind
from hachat.bot.inline import Inline
from hachat.bot.middleware import Proceed
from hachat.bot.robot import Robot
from hachat.core.errors import HandlerError, QueueFull, StoreUnavailable
from hachat.core.messages import Job, Webhook
from hachat.core.wire import decode_inbound, encode


class Build(msgspec.Struct):
    """A body."""

    number: int


class Doors(Handler):
    """Answers at once."""

    def __init__(self) -> None:
        self.gate = trio.Event()

    @hook.get("/builds/<app>", inline=True)
    async def builds(self, ctx: Context, app: str) -> dict[str, object]:
        """Tell what was asked for."""
        return {"app": app, "page": ctx.webhook.query.get("page")}

    @hook.post("/built", inline=True)
    def built(self, ctx: Context, build: Build) -> str:
        """Tell a room, from a thread, and be reminded."""
        ctx.say("t/ops", f"built {build.number}")
        ctx.after("1h", "remind", data=build.number, name="remind")
        return "thanks"

    @job
    async def remind(self, ctx: Context, number: int) -> None:
        """Say it again."""
        await ctx.say("t/ops", f"still {number}")

    @hook.post("/broken", inline=True)
    async def broken(self, ctx: Context) -> None:
        """Say something, and fail."""
        await ctx.say("t/ops", "so far")
        raise ValueError("broken")

    @hook.post("/odd", inline=True)
    async def odd(self, ctx: Context) -> object:
        """Return what nobody could be sent, having said something."""
        await ctx.say("t/ops", "so far")
        return object()

    @hook.post("/slow", inline=True, timeout=3.0)
    async def slow(self, ctx: Context) -> str:
        """Wait for the gate."""
        await self.gate.wait()
        return "open"

    @hook.post("/single", inline=True, timeout=3.0, concurrency=1)
    async def single(self, ctx: Context) -> str:
        """Take two seconds, one after the other."""
        await trio.sleep(2.0)
        return "done"


class Guard(Handler):
    """Lets nobody break anything."""

    @middleware.route
    async def check(self, ctx: Context, proceed: Proceed) -> None:
        """Refuse what is broken."""
        if ctx.webhook.path == "/hooks/refused":
            raise Refused("not today")
        await proceed()

    @hook.post("/refused", inline=True)
    async def refused(self, ctx: Context) -> str:
        """Never be called."""
        return "never"


class Desk:
    """A node's inline webhooks, with a queue that a test may see and break."""

    def __init__(self, slots: int = 4) -> None:
        self.doors = Doors()
        self.robot = Robot([*bind(self.doors), *bind(Guard())], "hachat", node="n1")
        self.queued: list[Job] = []
        self.error: Exception | None = None
        self.inline = Inline(self.robot.begin, self._queue, slots=slots)

    async def post(
        self, method: str, body: object = b"", event: str = "", **fields: Any
    ) -> Response:
        """Have a request handled."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        path = f"/hooks/{method}"
        return await self.inline.answer(
            Webhook(
                "W1",
                f"{fields.pop('handler', 'doors')}.{method}",
                "POST",
                path,
                1.0,
                data.decode(),
                event=event,
                **fields,
            )
        )

    async def _queue(self, job: Job) -> None:
        await trio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        self.queued.append(job)


async def test_the_sender_gets_what_the_method_returns() -> None:
    """With the variables of the path and the query at hand; where nothing was said, nothing is queued."""
    desk = Desk()
    response = await desk.post("builds", variables={"app": "web"}, query={"page": "2"})
    assert response == Response({"app": "web", "page": "2"})
    assert desk.queued == []


async def test_what_it_said_is_queued_and_then_said() -> None:
    """By whoever has the job, as it stands; a second delivery of one event has the same name, so it comes to nothing more."""
    desk = Desk()
    assert await desk.post("built", Build(7), "D1") == Response("thanks")
    await desk.post("built", Build(7), "D1")

    first, second = desk.queued
    assert first.source == second.source
    run = await desk.robot.carry_out(decode_inbound(encode(first)))
    assert [(reply.room, reply.text, reply.id) for reply in run.replies] == [
        ("t/ops", "built 7", "W1/doors.built/1")
    ]
    (later,) = run.later
    assert isinstance(later.value, Job)
    assert (later.id, later.delay, later.value.route) == ("doors/remind", 3600.0, "doors.remind")


@pytest.mark.parametrize(
    ("method", "status", "error"),
    [
        ("broken", 500, "the handler failed, see this node's log"),
        ("odd", 500, "the handler's answer cannot be sent, see this node's log"),
        ("slow", 504, "the handler took too long, see this node's log"),
    ],
)
async def test_a_failure_is_told_without_its_reason(
    method: str, status: int, error: str, autojump_clock: trio.testing.MockClock
) -> None:
    """The sender gets an id that the log has, too; what the method said before comes to nothing."""
    desk = Desk()
    with capture_logs() as logs:
        response = await desk.post(method)
    assert response == Response({"error": error, "id": "W1"}, status)
    assert [line["message"] for line in logs if line["log_level"] == "error"] == ["W1"]
    assert desk.queued == []


async def test_to_wait_for_another_run_is_a_part_of_the_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nobody waits longer than the route allows, however many came before."""
    desk, statuses = Desk(), []

    async def ask() -> None:
        statuses.append((await desk.post("single")).status)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)

    assert sorted(statuses) == [200, 504, 504]
    assert trio.current_time() == pytest.approx(3.0)


async def test_what_cannot_be_queued_fails_the_request() -> None:
    """The sender hears of it and may try again."""
    desk = Desk()
    desk.error = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await desk.post("built", Build(7))


async def test_middleware_may_refuse() -> None:
    """The sender is told why."""
    response = await Desk().post("refused", handler="guard")
    assert response == Response({"error": "not today"}, 403)


async def test_senders_do_not_wait_for_one_another() -> None:
    """Who comes when all places are taken is turned away at once, and a place is free again when an answer is given."""
    desk = Desk(slots=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.post, "slow")
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(QueueFull, match="1 senders wait"):
            await desk.post("builds", variables={"app": "web"})
        desk.doors.gate.set()
    assert (await desk.post("builds", variables={"app": "web"})).status == 200


@pytest.mark.parametrize(
    "option", [{"retry": "never"}, {"age": 5.0}, {"order": "room"}, {"run": "process"}]
)
def test_options_of_what_is_queued_are_refused(option: dict[str, Any]) -> None:
    """They could mean nothing."""
    decorate: Callable[[Any], Any] = hook.post("/x", inline=True, **option)

    def method(self: Handler, ctx: Context) -> None:
        """Do nothing."""

    with pytest.raises(HandlerError, match=f"{next(iter(option))} is for what is queued"):
        decorate(method)
