"""The road out, in virtual time: order, independence of rooms, outcomes, and the end of a term."""

from __future__ import annotations

from math import inf

import pytest
import structlog
import trio
import trio.testing

from hachat.chat.drain import PAUSE, ROOMS
from hachat.core.errors import Fenced, InDoubt, NotSent, Undeliverable
from hachat.core.settings import OnDoubt
from hachat.store.inbound import BLOCK
from hachat.store.outbound import HOLD
from tests.chat.outboxes import AWAY
from tests.chat.stage import SEND_TIMEOUT, Act, Service, Stage, draining, hang, refuse
from tests.waiting import until


async def test_a_room_s_replies_leave_one_by_one_and_in_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """However many replies wait in a room, each is sent after the one before it has ended."""
    texts = [str(number) for number in range(40)]
    async with draining() as stage:
        stage.queue.put("t/a", *texts)
        await until(lambda: len(stage.service.ended) == len(texts), within=60)

    assert stage.service.began == texts
    assert stage.service.most_in_a_room == 1
    assert stage.queue.reports == [(text, "sent") for text in texts]


async def test_a_turn_takes_one_reply_of_each_room(autojump_clock: trio.testing.MockClock) -> None:
    """A room's next reply comes only with a later turn, the one that reports what became of the last."""
    async with draining() as stage:
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.turns.clear()
        stage.queue.put("t/a", "a1", "a2", "a3")
        stage.queue.put("t/b", "b1")
        await until(lambda: len(stage.queue.reports) == 4)

    assert stage.queue.turns == [
        ([], ["a1", "b1"]),
        (["a1", "b1"], ["a2"]),
        (["a2"], ["a3"]),
        (["a3"], []),
    ]


async def test_many_rooms_are_served_side_by_side(autojump_clock: trio.testing.MockClock) -> None:
    """As many rooms as the limit says are on their way together, and no more."""
    rooms = [f"t/{number}" for number in range(2 * ROOMS)]
    async with draining(Service(seconds=1.0)) as stage:
        for room in rooms:
            stage.queue.put(room, room)
        began = trio.current_time()
        await until(lambda: len(stage.service.ended) == len(rooms), within=60)
        assert trio.current_time() - began < 3

    assert stage.service.most_rooms == ROOMS


async def test_a_room_with_much_to_say_lets_others_go_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """With every place taken, a room gives its place up after one reply, and a newcomer is heard."""
    async with draining(Service(seconds=1.0)) as stage:
        for number in range(ROOMS):
            stage.queue.put(f"t/{number}", *(f"{number}.{turn}" for turn in range(10)))
        await until(lambda: stage.service.began)
        stage.queue.put("t/new", "hello")
        await until(lambda: "hello" in stage.service.ended, within=2.5)


async def test_a_deferred_room_holds_up_no_other(autojump_clock: trio.testing.MockClock) -> None:
    """While one room waits for its limit to pass, others are served, and then it is."""
    async with draining() as stage:
        stage.service.acts["a1"] = refuse(NotSent("slow down", after=20.0))
        stage.queue.put("t/a", "a1", "a2")
        stage.queue.put("t/b", "b1")
        await until(lambda: "a2" in stage.service.ended, within=60)

    assert sorted(stage.service.began) == ["a1", "a1", "a2", "b1"]
    assert stage.service.at["b1"] < 1
    assert stage.service.at["a1"] == pytest.approx(20, abs=1)
    assert stage.queue.reports[0] == ("a1", "defer")


@pytest.mark.parametrize(
    ("act", "outcome", "reason"),
    [
        (refuse(NotSent("not now")), "defer", "not now"),
        (refuse(InDoubt("who knows")), "doubt", "who knows"),
        (hang, "doubt", "no answer before the deadline"),
        (refuse(Undeliverable("no such room")), "dead", "no such room"),
        (refuse(KeyError("a mistake")), "dead", "the adapter failed: KeyError('a mistake')"),
    ],
    ids=["not sent", "in doubt", "timeout", "undeliverable", "bug"],
)
async def test_each_failure_has_its_outcome(
    act: Act, outcome: str, reason: str, autojump_clock: trio.testing.MockClock
) -> None:
    """What an adapter raises decides what becomes of the reply, and the reason is kept."""
    async with draining() as stage:
        stage.service.acts["a1"] = act
        stage.queue.put("t/a", "a1")
        await until(lambda: stage.queue.reports)

    assert stage.queue.reports[0] == ("a1", outcome)
    assert reason in stage.queue.reasons["a1"]


async def test_a_service_that_hangs_takes_no_other_room_along(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Of replies taken together the one that is not answered is in doubt at its deadline; the other rooms go on."""
    async with draining() as stage:
        stage.service.acts["a1"] = hang
        stage.queue.put("t/a", "a1")
        stage.queue.put("t/b", "b1", "b2", "b3")
        await until(lambda: ("a1", "doubt") in stage.queue.reports)
        assert trio.current_time() == pytest.approx(SEND_TIMEOUT, abs=0.1)

    assert stage.queue.reports == [
        ("b1", "sent"),
        ("b2", "sent"),
        ("b3", "sent"),
        ("a1", "doubt"),
    ]


async def test_a_long_send_is_not_begun_again(autojump_clock: trio.testing.MockClock) -> None:
    """A room whose send takes longer than rooms are held is looked at again, but not sent to."""
    async with draining(Service(seconds=2.5 * HOLD), send_timeout=3 * HOLD) as stage:
        stage.queue.put("t/a", "a1", "a2")
        await until(lambda: stage.service.ended, within=3 * HOLD)
        await until(lambda: len(stage.service.began) == 2)

    assert stage.service.began == ["a1", "a2"]
    assert stage.service.most_in_a_room == 1
    assert stage.queue.reports == [("a1", "sent")]


async def test_an_unknown_adapter_is_a_dead_letter(autojump_clock: trio.testing.MockClock) -> None:
    """A reply to a service that is no longer set up is given up and says so."""
    async with draining() as stage:
        stage.queue.put("icq/a", "a1")
        await until(lambda: stage.queue.reports)

    assert stage.queue.reports == [("a1", "dead")]
    assert stage.queue.reasons["a1"] == "no adapter 'icq' is set up"


async def test_what_cannot_be_read_is_given_up_and_the_room_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Bytes that are no reply become a dead letter; the next reply is sent."""
    async with draining() as stage:
        stage.queue.put_raw("t/a", "a1", b"rubbish")
        stage.queue.put("t/a", "a2")
        await until(lambda: len(stage.queue.reports) == 2)

    assert stage.queue.reports == [("a1", "dead"), ("a2", "sent")]


async def test_a_reply_in_doubt_is_sent_again(autojump_clock: trio.testing.MockClock) -> None:
    """After an unknown outcome the same reply is tried until its outcome is known, before the next one."""
    async with draining() as stage:
        stage.service.acts["a1"] = refuse(InDoubt("who knows"), times=2)
        stage.queue.put("t/a", "a1", "a2")
        await until(lambda: len(stage.queue.reports) == 4, within=30)

    assert stage.service.began == ["a1", "a1", "a1", "a2"]


@pytest.mark.parametrize(
    ("idempotent", "on_doubt", "sends"),
    [(True, "skip", 1), (True, "resend", 1), (False, "resend", 1), (False, "skip", 0)],
)
async def test_doubt_is_settled_by_what_the_service_can_do(
    idempotent: bool,  # noqa: FBT001 -- a column of the table
    on_doubt: OnDoubt,
    sends: int,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What recognises a second send gets one; for the rest the policy decides, and either way it counts as sent."""
    async with draining(Service(idempotent=idempotent), on_doubt) as stage:
        stage.queue.put("t/a", "a1", in_doubt=True)
        await until(lambda: stage.queue.reports)

    assert len(stage.service.began) == sends
    assert stage.queue.reports == [("a1", "sent")]


async def test_an_earlier_doubt_outlives_a_send_that_did_not_happen(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """That this attempt sent nothing says nothing of the one before it."""
    async with draining() as stage:
        stage.service.acts["a1"] = refuse(NotSent("slow down"))
        stage.queue.put("t/a", "a1", in_doubt=True)
        await until(lambda: stage.queue.reports)

    assert stage.queue.reports == [("a1", "doubt")]
    assert stage.queue.intents == {"t/a": True}


async def test_nothing_is_started_that_could_outlive_the_lease(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """With less left than a send may take, nothing is taken; once the lease is renewed, all goes on."""
    async with draining() as stage:
        stage.term.left = lambda: SEND_TIMEOUT - 0.01
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.takes.clear()
        stage.queue.put("t/a", "a1")
        with trio.move_on_after(10):
            await until(lambda: stage.queue.takes, within=inf)
        assert not stage.queue.takes
        assert not stage.service.began
        stage.term.left = lambda: inf
        await until(lambda: stage.service.ended)


async def test_what_was_taken_just_before_the_lease_ran_short_is_put_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The lease is looked at again right before each send, and a room that was taken is not lost by it."""
    async with draining() as stage:
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.slow = 1.0
        ends = trio.current_time() + SEND_TIMEOUT + 0.5
        stage.term.left = lambda: ends - trio.current_time()
        stage.queue.put("t/a", "a1", "a2")
        await until(lambda: stage.queue.reports, within=10)

    assert not stage.service.began
    assert stage.queue.reports == [("a1", "defer")]
    assert not stage.queue.intents


async def test_leaving_with_nothing_under_way_is_immediate(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A drain that waits for something to do hears that its term ends."""
    async with draining() as stage:
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        stage.term.leaving.set()
        await stage.ended.wait()
        assert trio.current_time() == began


async def test_leaving_waits_for_what_is_under_way_and_starts_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The drain returns when the sends in flight have been reported, with the rest still in the outboxes."""
    async with draining(Service(seconds=1.0)) as stage:
        stage.queue.put("t/a", "a1", "a2")
        await until(lambda: stage.service.began)
        stage.term.leaving.set()
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.put("t/b", "b1")
        await trio.testing.wait_all_tasks_blocked()
        assert not stage.ended.is_set()
        await stage.ended.wait()

    assert stage.service.ended == ["a1"]
    assert stage.queue.reports == [("a1", "sent")]
    assert not stage.queue.intents


async def test_leaving_ends_with_the_last_report(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Once what was under way is reported nothing more is waited for: the next master waits for that moment."""
    async with draining(Service(seconds=1.0)) as stage:
        stage.queue.put("t/a", "a1")
        await until(lambda: stage.service.began)
        began = trio.current_time()
        stage.term.leaving.set()
        await stage.ended.wait()
        assert trio.current_time() - began <= 1.0

    assert stage.queue.reports == [("a1", "sent")]


async def test_leaving_during_a_take_puts_the_rooms_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Rooms whose take is on its way when the term ends are neither sent to nor lost."""
    async with draining() as stage:
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.slow = 1.0
        stage.queue.put("t/a", "a1")
        await until(lambda: "t/a" in stage.queue.intents)
        stage.term.leaving.set()
        await stage.ended.wait()

    assert not stage.service.began
    assert stage.queue.reports == [("a1", "defer")]


@pytest.mark.parametrize("waits_for", ["a take", "a report"])
async def test_a_silent_redis_keeps_no_drain_beyond_its_term(
    waits_for: str, autojump_clock: trio.testing.MockClock
) -> None:
    """When the term's scope falls, the drain ends at once, whatever it has asked and not been told."""
    async with draining() as stage:
        await trio.testing.wait_all_tasks_blocked()
        if waits_for == "a take":
            stage.queue.slow = inf
            stage.queue.put("t/a", "a1")
            await until(lambda: "t/a" in stage.queue.intents)
        else:
            stage.queue.put("t/a", "a1")
            await until(lambda: stage.service.began)
            stage.queue.slow = inf
            await until(lambda: stage.queue.reports)
        stage.term.leaving.set()
        stage.term.scope.deadline = ends = trio.current_time() + 3.0
        await stage.ended.wait()
        assert trio.current_time() <= ends


async def test_leaving_with_nothing_to_report_asks_no_second_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A Redis that is away does not keep a drain that owes it nothing."""
    async with draining() as stage:
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.slow = 1.0
        stage.queue.failures["turn"] = [AWAY] * 100
        stage.queue.put("t/a", "a1")
        await until(lambda: "t/a" in stage.queue.intents)
        stage.term.leaving.set()
        began = trio.current_time()
        await stage.ended.wait()
        assert trio.current_time() - began <= 1.0 + PAUSE

    assert not stage.service.began


async def test_leaving_reports_to_a_redis_that_comes_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What was sent is reported before the drain returns, as long as the term lasts."""
    async with draining(Service(seconds=1.0)) as stage:
        stage.queue.put("t/a", "a1", "a2")
        await until(lambda: stage.service.began)
        stage.term.leaving.set()
        stage.queue.failures["inherit"] = [AWAY] * 5
        stage.queue.failures["turn"] = [AWAY]
        await stage.ended.wait()

    assert not any(stage.queue.failures.values())
    assert stage.queue.reports == [("a1", "sent")]
    assert not stage.queue.intents


async def test_a_take_whose_answer_was_lost_is_found_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Rooms that were taken without our hearing of it are sent to soon, and not only after their time is up."""
    async with draining() as stage:
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.failures["turn"] = [AWAY]
        stage.queue.put("t/a", "a1")
        await until(lambda: stage.service.ended, within=5)

    assert stage.queue.reports == [("a1", "sent")]


async def test_a_doubt_outlives_a_take_whose_answer_was_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What a predecessor may have sent is still in doubt when it is taken a second time."""
    async with draining(on_doubt="skip") as stage:
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.failures["turn"] = [AWAY]
        stage.queue.put("t/a", "a1", in_doubt=True)
        await until(lambda: stage.queue.reports, within=5)

    assert not stage.service.began
    assert stage.queue.reports == [("a1", "sent")]


async def test_a_bell_whose_answer_was_lost_is_made_up_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """After trouble with listening the drain looks for itself whether something is due."""
    async with draining() as stage:
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.failures["wait"] = [AWAY]
        stage.queue.put("t/a", "a1")
        await until(lambda: stage.service.ended, within=1)


async def test_what_is_put_during_a_turn_is_not_overlooked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A bell that rings while an answer is on its way leads to another turn."""
    async with draining() as stage:
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.slow = 1.0
        stage.queue.put("t/a", "a1")
        await until(lambda: "t/a" in stage.queue.intents)
        stage.queue.put("t/b", "b1")
        await until(lambda: "b1" in stage.service.ended, within=3)


async def test_a_drain_without_work_asks_for_none(autojump_clock: trio.testing.MockClock) -> None:
    """While nothing is due and no bell rings, Redis is asked again only once the read for the bell has ended."""
    async with draining() as stage:
        await trio.sleep(BLOCK - 0.1)
        assert len(stage.queue.turns) == 1
        await trio.sleep(BLOCK)
        assert len(stage.queue.turns) == 2


@pytest.mark.parametrize(
    ("asked", "inherited"), [("wait", [set()]), ("turn", [set(), {"t/a"}])], ids=["wait", "turn"]
)
async def test_trouble_with_redis_leaves_what_is_under_way_alone(
    asked: str, inherited: list[set[str]], autojump_clock: trio.testing.MockClock
) -> None:
    """A connection that breaks during a send does not make the same reply due a second time."""
    async with draining(Service(seconds=1.5)) as stage:
        stage.queue.put("t/a", "a1", "a2")
        await until(lambda: stage.service.began)
        stage.queue.failures[asked] = [AWAY]
        stage.queue.put("t/b", "b1")
        await until(lambda: len(stage.service.ended) == 3, within=10)

    assert stage.queue.inherited == inherited
    assert sorted(stage.service.began) == ["a1", "a2", "b1"]
    assert stage.service.most_in_a_room == 1


async def test_a_report_is_repeated_and_the_send_is_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A send whose report was not answered is reported again until it is, and the room is free afterwards."""
    async with draining() as stage:
        stage.queue.put("t/a", "a1")
        await until(lambda: stage.service.began)
        stage.queue.turns.clear()
        stage.queue.failures["turn"] = [AWAY, AWAY]
        await until(lambda: len(stage.queue.turns) == 3)
        assert [turn.reported for turn in stage.queue.turns] == [["a1"]] * 3
        stage.queue.put("t/a", "a2")
        await until(lambda: "a2" in stage.service.ended)

    assert stage.service.began == ["a1", "a2"]
    assert stage.queue.reports[0] == ("a1", "sent")


async def test_a_report_whose_answer_was_lost_delays_no_next_reply(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The reply that was taken by the same turn as the lost report was made is found and sent soon, once."""
    async with draining() as stage:
        stage.queue.put("t/a", "a1", "a2")
        await until(lambda: stage.service.began)
        stage.queue.failures["turn"] = [AWAY]
        await until(lambda: "a2" in stage.service.ended)
        await until(lambda: len(stage.queue.reports) == 2)

    assert stage.service.began == ["a1", "a2"]
    assert stage.queue.reports == [("a1", "sent"), ("a2", "sent")]


@pytest.mark.parametrize(
    ("asked", "reports"), [("taking", []), ("reporting", [("a1", "sent")])], ids=str
)
async def test_a_lost_lease_ends_it(
    asked: str, reports: list[tuple[str, str]], autojump_clock: trio.testing.MockClock
) -> None:
    """Once Redis refuses the token, whatever was asked of it, the drain ends with Fenced."""
    stage = Stage(Service(seconds=1.0))

    async def lose_the_lease() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.run)
            if asked == "reporting":
                stage.queue.put("t/a", "a1")
            await trio.testing.wait_all_tasks_blocked()
            stage.queue.fenced = True
            if asked == "taking":
                stage.queue.put("t/a", "a1")

    with (
        structlog.testing.capture_logs(),
        trio.fail_after(20),
        pytest.raises(ExceptionGroup) as caught,
    ):
        await lose_the_lease()

    assert caught.group_contains(Fenced)
    assert stage.queue.reports == reports
    assert stage.service.began == [id_ for id_, _ in reports]
