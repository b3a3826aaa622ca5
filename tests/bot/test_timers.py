"""What handlers may ask to be done later, from the handler to the list that is committed."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from hachat import Context, Handler, command, every, job
from hachat.bot.timers import MAX_NAME, MAX_TIMERS
from hachat.core.errors import HandlerError, WireError
from hachat.core.ids import read_time
from hachat.core.messages import Job
from hachat.core.wire import MAX_ENVELOPE
from hachat.store.commits import Later
from tests.bot.stage import Stage


class Kitchen(Handler):
    """Does what its test has put into `steps`."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps
        self.context: Context | None = None

    @command("cook")
    async def cook(self, ctx: Context) -> None:
        """cook -- do it"""
        self.context = ctx
        for step in self.steps:
            await step(ctx)

    @command("fry")
    def fry(self, ctx: Context) -> None:
        """fry -- do it in a thread"""
        ctx.after(5, "ring", data="fried")

    @job
    async def ring(self, ctx: Context, what: str = "") -> None:
        """Say that it is done."""
        await ctx.say("test/kitchen", f"{what or 'something'} is done")
        await ctx.after("1m", "ring", data=what, name="again")

    @every("weekdays 09:00")
    async def open(self, ctx: Context) -> None:
        """Begin the day."""
        await ctx.say("test/kitchen", f"open, {ctx.job.id}")


class Cellar(Handler):
    """Another handler."""

    @job
    async def look(self, ctx: Context) -> None:
        """Look."""


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What has been logged."""
    with capture_logs() as lines:
        yield lines


async def cook(*steps: Any) -> Stage:
    """Return a stage on which the steps were taken."""
    stage = Stage(Kitchen(*steps), Cellar())
    assert await stage.say("hachat cook") == []
    return stage


async def test_a_timer_is_a_job_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the route, the data as JSON, and the time for which it is meant; its id is its own and tells that time."""
    clock = SimpleNamespace(time=lambda: 1_800_000_000.0)
    monkeypatch.setattr("hachat.bot.timers.time", clock)
    (later,) = (await cook(lambda ctx: ctx.after("10m", "ring", data="tea"))).later
    assert isinstance(later.value, Job)
    assert later == Later(later.value.id, 600, "work", later.value)
    assert later.value == Job(later.id, "kitchen.ring", 1_800_000_600, '"tea"')
    assert read_time(later.id) == 1_800_000_600


async def test_named_timers() -> None:
    """A name stands for one timer of the handler: the last word about it counts, and its job's id is new each time."""
    stage = await cook(
        lambda ctx: ctx.after(1, "ring", name="tea"),
        lambda ctx: ctx.after(2, "ring", name="eggs"),
        lambda ctx: ctx.after(3, "ring", name="tea"),
        lambda ctx: ctx.cancel("eggs"),
        lambda ctx: ctx.cancel("rice"),
    )
    assert [(later.id, later.delay, later.value is None) for later in stage.later] == [
        ("kitchen/tea", 3, False),
        ("kitchen/eggs", 0, True),
        ("kitchen/rice", 0, True),
    ]
    await stage.say("hachat cook")
    ids = {later.value.id for later in stage.later if later.value}
    assert len(ids) == 2


async def test_methods_are_found() -> None:
    """A method of the same handler goes by its name, one of another handler by both; a scheduled one may be run too."""
    stage = await cook(
        lambda ctx: ctx.after(1, "ring"),
        lambda ctx: ctx.after(1, "cellar.look"),
        lambda ctx: ctx.after(1, "open"),
    )
    values = [later.value for later in stage.later]
    assert [value.route for value in values if isinstance(value, Job)] == [
        *("kitchen.ring", "cellar.look", "kitchen.open"),
    ]


async def test_a_handler_in_a_thread_sets_timers() -> None:
    """One that is not async calls without await."""
    stage = Stage(Kitchen())
    await stage.say("hachat fry")
    assert [later.delay for later in stage.later] == [5]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "complaint"),
    [
        (("soon", "ring"), {}, ValueError, "'soon' is no duration"),
        ((-1, "ring"), {}, ValueError, "is no duration"),
        ((1, "rign"), {}, ValueError, "'rign' is no method that timers can run"),
        ((1, "cook"), {}, ValueError, "mark the method with @job"),
        ((1, "look"), {}, ValueError, "name it as"),
        ((1, "ring"), {"data": 5}, ValueError, "Expected `str`"),
        ((1, "open"), {"data": 5}, ValueError, "takes no data"),
        ((1, "ring"), {"data": object()}, TypeError, "unsupported"),
        ((1, "ring"), {"data": "x" * MAX_ENVELOPE}, WireError, "bytes"),
        ((1, "ring"), {"name": " "}, ValueError, "is no name of a timer"),
        ((1, "ring"), {"name": "x" * (MAX_NAME + 1)}, ValueError, "is no name of a timer"),
    ],
)
async def test_impossible_timers(
    arguments: Any, options: Any, error: type[Exception], complaint: str
) -> None:
    """What could not be done later fails in the handler, where its author can see why."""

    async def step(ctx: Context) -> None:
        with pytest.raises(error, match=complaint):
            ctx.after(*arguments, **options)

    assert not (await cook(step)).later


async def test_a_handler_that_fails_sets_no_timer(logged: list[Any]) -> None:
    """It asks again when it is run again."""

    async def fail(ctx: Context) -> None:
        await ctx.after(1, "ring")
        raise ValueError("no")

    stage = Stage(Kitchen(fail))
    await stage.say("hachat cook")
    assert stage.later == []


async def test_timers_are_bounded() -> None:
    """What one run asks for is committed at once, so there is an end to it."""

    async def set_many(ctx: Context) -> None:
        for number in range(MAX_TIMERS):
            await ctx.after(1, "ring", name=f"t{number}")
        await ctx.after(2, "ring", name="t0")
        with pytest.raises(RuntimeError, match="one can do the work of many"):
            await ctx.after(1, "ring")

    assert len((await cook(set_many)).later) == MAX_TIMERS


async def test_an_ended_handler_sets_no_timer() -> None:
    """What would be lost is refused."""
    kitchen = Kitchen()
    await Stage(kitchen).say("hachat cook")
    assert kitchen.context is not None
    with pytest.raises(RuntimeError, match=r"kitchen\.cook has ended"):
        kitchen.context.after(1, "ring")
    with pytest.raises(RuntimeError, match=r"kitchen\.cook has ended"):
        kitchen.context.cancel("tea")


async def test_what_is_due_is_run() -> None:
    """A job reaches its method with its data, and may set the next timer."""
    stage = Stage(Kitchen())
    assert await stage.fire("kitchen.ring", "tea") == ["tea is done"]
    assert await stage.fire("kitchen.ring") == ["something is done"]
    assert await stage.fire("kitchen.open") == ["open, M3"]
    assert stage.replies[0].id == "M1/kitchen.ring/1"
    assert [later.id for later in stage.later] == ["kitchen/again"] * 2


async def test_what_cannot_be_fired() -> None:
    """A stage refuses what no timer could set."""
    stage = Stage(Kitchen())
    with pytest.raises(LookupError, match=r"'kitchen\.cook' is no method that timers can run"):
        await stage.fire("kitchen.cook")
    with pytest.raises(ValueError, match="Expected `str`"):
        await stage.fire("kitchen.ring", 5)


async def test_a_job_for_nobody() -> None:
    """A job whose handler this node lacks is not passed off as handled."""
    with pytest.raises(HandlerError, match=r"has the route gone\.remind"):
        await Stage(Kitchen()).robot.handle(Job("J1", "gone.remind", 1.0))


async def test_a_job_that_fails(logged: list[Any]) -> None:
    """A job has nobody to apologise to; its failure, here data of an older release, is in the log."""
    assert await Stage(Kitchen()).robot.handle(Job("J1", "kitchen.ring", 1.0, "5")) == []
    assert [(line["message"], line["route"]) for line in logged] == [("J1", "kitchen.ring")]
