"""One message in hand: what was said so far can be seen while it runs, and how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import pytest
import structlog
import trio
import trio.testing

from hachat.bot.calls import Call
from hachat.bot.policy import DELAYS, Policy
from hachat.bot.replies import Replies
from hachat.bot.run import Run
from hachat.bot.visit import make_receipt
from hachat.core.messages import Inbound, Message, Room, User, Webhook

MESSAGE = Message("M1", Room("t", "a"), User("u"), "hi", 1.0, thread="T")
WEBHOOK = Webhook("W1", "h.m", "POST", "/x", 1.0)

Act = Callable[[Replies], Awaitable[None]]


def make(*acts: Act, inbound: Inbound = MESSAGE) -> Run:
    """Return a run of a call for each of `acts`."""
    calls = []
    for number, act in enumerate(acts):
        replies = Replies(inbound.id, f"r{number}")
        calls.append(Call(f"r{number}", partial(act, replies), replies))
    return Run(inbound, calls, timeout=30.0, node="n1")


async def speak(replies: Replies) -> None:
    """Say one thing."""
    replies.add("t/a", "said")


async def fail(replies: Replies) -> None:
    """Say one thing, then fail."""
    replies.add("t/a", "so far")
    raise ValueError("no")


async def speak_for_ever(replies: Replies) -> None:
    """Say a thing each second."""
    while True:
        replies.add("t/a", "tick")
        await trio.sleep(1.0)


async def test_calls_run_side_by_side(autojump_clock: trio.testing.MockClock) -> None:
    """Two that wait for each other's second both end, and their replies stand route by route."""

    async def wait_and_speak(replies: Replies) -> None:
        await trio.sleep(1.0)
        replies.add("t/a", replies.route)

    run = make(wait_and_speak, wait_and_speak)
    began = trio.current_time()
    await run.carry_out()

    assert trio.current_time() - began == pytest.approx(1.0)
    assert [reply.text for reply in run.replies] == ["r0", "r1"]


async def test_nothing_to_do_is_done() -> None:
    """What nobody answers to is finished at once, without a word."""
    run = make()
    await run.carry_out()

    assert run.replies == []


@pytest.mark.parametrize("acts", [(fail,), (fail, speak)], ids=["alone", "beside another"])
async def test_a_failure_is_told_last(acts: tuple[Act, ...]) -> None:
    """What was said is kept, and one line with the message's id follows, in its thread."""
    with structlog.testing.capture_logs() as lines:
        run = make(*acts)
        await run.carry_out()

    *said, sorry = run.replies
    assert [reply.text for reply in said] == ["so far", "said"][: len(acts)]
    assert (sorry.text, sorry.thread) == ("Sorry, that went wrong (id M1). I will try again.", "T")
    assert [(line["message"], line["route"], line["node"]) for line in lines] == [
        ("M1", "r0", "n1")
    ]


async def test_an_overrun_keeps_what_was_said(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever keeps the time cancels it and says so; the replies so far are kept, and none can be added."""
    run = make(speak_for_ever)
    with structlog.testing.capture_logs() as lines:
        with trio.move_on_after(2.5):
            await run.carry_out()
        run.overrun()

    assert [reply.text for reply in run.replies] == [
        *["tick"] * 3,
        "Sorry, that took too long (id M1).",
    ]
    assert lines[0]["seconds"] == 30.0
    with pytest.raises(RuntimeError, match="has ended"):
        run.calls[0].replies.add("t/a", "late")


async def be_late(replies: Replies) -> None:
    """Take longer than its route may."""
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("acts", "never", "only"),
    [
        ((fail,), True, None),
        ((fail, fail), True, None),
        ((fail, speak), True, ("r0",)),
        ((speak, fail, speak), True, ("r1",)),
        ((speak, be_late), False, ("r1",)),
        ((fail, be_late), False, ("r1",)),
        ((fail, speak), False, None),
        ((speak, speak), True, None),
    ],
    ids=[
        *("all", "all of two", "one of two", "one of three", "late", "late beside another try"),
        *("to be tried again", "none"),
    ],
)
async def test_a_letter_names_the_routes_that_are_given_up(
    acts: tuple[Act, ...],
    only: tuple[str, ...] | None,
    autojump_clock: trio.testing.MockClock,
    *,
    never: bool,
) -> None:
    """Where others have ended well, or are tried again by themselves; a message that is given up whole is kept as it is."""
    run = make(*acts)
    policy = Policy(retry="never" if never else "backoff", timeout=10.0)
    run.calls = [msgspec.structs.replace(call, policy=policy) for call in run.calls]
    with structlog.testing.capture_logs():
        await run.carry_out()

    assert bool(run.given_up) == ((never and fail in acts) or be_late in acts)
    assert run.letter == (only and msgspec.structs.replace(MESSAGE, only=only, v=2))


async def test_the_letter_of_a_webhook_is_the_webhook() -> None:
    """It is for one route only."""
    run = make(fail, inbound=msgspec.structs.replace(WEBHOOK, attempt=len(DELAYS)))
    with structlog.testing.capture_logs():
        await run.carry_out()

    assert run.given_up
    assert run.letter is None


async def test_what_is_said_in_a_second_life_has_ids_of_its_own() -> None:
    """Apology and receipt of a message that was retried are not taken for those that it had before."""
    retried = msgspec.structs.replace(MESSAGE, retried="17-0", receipt=True)
    run = make(fail, inbound=retried)
    await run.carry_out()

    assert run.replies[-1].id == "M1/17-0/robot/1"
    assert make_receipt(retried).id == "M1/17-0/receipt"
    assert make_receipt(MESSAGE).id == "M1/receipt"


async def test_a_webhook_has_nobody_to_apologise_to() -> None:
    """Its failure is logged, and nothing is said."""
    with structlog.testing.capture_logs() as lines:
        run = make(fail, inbound=WEBHOOK)
        await run.carry_out()

    assert [reply.text for reply in run.replies] == ["so far"]
    assert lines[0]["message"] == "W1"
