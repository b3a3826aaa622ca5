"""Working through the queue, in virtual time, and once against a real server."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import Any

import pytest
import structlog
import trio
import trio.testing
from msgspec.structs import replace

from hachat.bot.calls import Call
from hachat.bot.company import MOMENT
from hachat.bot.policy import DELAYS, PLAIN, Policy
from hachat.bot.replies import Replies
from hachat.bot.run import Run
from hachat.bot.turns import RELUCTANCE
from hachat.bot.visit import VISIT_MESSAGES, VISIT_SECONDS
from hachat.bot.worker import PATIENCE, Worker
from hachat.core.errors import HachatError, HandlerError, StoreError, StoreRefused, TooOld
from hachat.core.messages import Inbound, Message, Room, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import VERSION, encode
from hachat.store.commits import Commit, Committed, Taken, Verdict
from hachat.store.dialogs import Question
from hachat.store.inbound import Inbound as Queue
from hachat.store.keys import Keys, Lane
from hachat.store.link import Link
from tests.bot.mailboxes import AWAY, Mailboxes
from tests.waiting import until


class Handler:
    """Handles a message in `seconds`, or as long as `lasts` says of its text, and echoes it.

    A text in `raises` fails that way instead; one in `speaks` says that many things first, a second apart.
    """

    def __init__(self, seconds: float = 0.01) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.lasts: dict[str, float] = {}
        self.running: Counter[str] = Counter()
        self.most_in_a_room = 0
        self.most = 0
        self.timeout = 300.0
        self.policy = PLAIN
        self.raises: dict[str, Exception] = {}
        self.speaks: dict[str, int] = {}
        self._seconds = seconds

    def __call__(self, inbound: Inbound, questions: Sequence[Question] = ()) -> Run:
        """Return what is to be done about one message."""
        assert isinstance(inbound, Message)
        replies = Replies(inbound.id, "echo")
        calls = [Call("echo", partial(self._echo, inbound, replies), replies, self.policy)]
        return Run(inbound, calls, timeout=self.timeout)

    async def _echo(self, inbound: Message, replies: Replies) -> None:
        self.began.append(inbound.text)
        self.running[inbound.conversation] += 1
        self.most_in_a_room = max(self.most_in_a_room, *self.running.values())
        self.most = max(self.most, self.running.total())
        try:
            for number in range(self.speaks.get(inbound.text, 0)):
                replies.add(inbound.room.address, f"{inbound.text} {number}")
                await trio.sleep(1.0)
            if error := self.raises.get(inbound.text):
                raise error
            await trio.sleep(self.lasts.get(inbound.text, self._seconds))
        finally:
            self.running[inbound.conversation] -= 1
        self.ended.append(inbound.text)
        replies.add(inbound.room.address, inbound.text)


class Stage:
    """A worker with all that it touches; `ended` is set once it has returned, `logs` is what it logs."""

    def __init__(self, queue: Mailboxes, handler: Handler, slots: int, grace: float) -> None:
        self.queue = queue
        self.handler = handler
        self.worker = Worker(queue, queue, "chat", slots, handler, dice=lambda: 0.5)
        self.leaving = trio.Event()
        self.ended = trio.Event()
        self.logs: list[MutableMapping[str, Any]] = []
        self._grace = grace

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run the worker and note its end."""
        await self.worker.run(self.leaving, self._grace, task_status=task_status)
        self.ended.set()

    async def until_idle(self, within: float = 60.0) -> None:
        """Return when nothing waits and nothing runs."""
        await until(lambda: not (any(self.queue.boxes.values()) or self.worker.running), within)


@asynccontextmanager
async def working(
    handler: Handler | None = None,
    *,
    queue: Mailboxes | None = None,
    slots: int = 4,
    grace: float = 5.0,
) -> AsyncIterator[Stage]:
    """Run a worker beside the block, and stop it after the block."""
    stage = Stage(queue or Mailboxes(), handler or Handler(), slots, grace)
    with structlog.testing.capture_logs() as stage.logs:
        async with trio.open_nursery() as nursery:
            await nursery.start(stage.run)
            yield stage
            nursery.cancel_scope.cancel()


def committed(stage: Stage) -> list[str]:
    """Return the ids of the messages that were committed."""
    return [commit.head.id for commit in stage.queue.commits if commit.head]


async def test_messages_of_a_conversation_are_handled_in_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One by one, and each committed with its replies before the next one begins."""
    texts = [str(number) for number in range(20)]
    async with working() as stage:
        stage.queue.put("a", *texts)
        await stage.until_idle()

    assert stage.handler.began == stage.handler.ended == committed(stage) == texts
    assert stage.handler.most_in_a_room == 1
    assert [reply.text for commit in stage.queue.commits for reply in commit.replies] == texts


async def test_conversations_run_side_by_side_within_the_slots(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """As many conversations as there are slots are handled together, and no more are asked for."""
    async with working(Handler(1.0), slots=3) as stage:
        for number in range(9):
            stage.queue.put(f"r{number}", f"m{number}")
        began = trio.current_time()
        await stage.until_idle()
        assert trio.current_time() - began == pytest.approx(3, abs=0.1)

    assert stage.handler.most == 3
    assert max(stage.queue.reads) == 3
    assert min(stage.queue.reads) > 0


async def test_a_slow_message_holds_up_no_other_room_and_its_own_not_for_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """While one handler takes its time, another room is answered at once, and its own room after some patience."""
    async with working() as stage:
        stage.handler.lasts["slow"] = 100.0
        began = trio.current_time()
        stage.queue.put("a", "slow", "after", "last")
        stage.queue.put("b", "quick")
        await until(lambda: committed(stage) == ["quick"])
        assert trio.current_time() - began < PATIENCE
        await until(lambda: committed(stage) == ["quick", "after", "last"])
        assert trio.current_time() - began == pytest.approx(PATIENCE, abs=0.1)
        await until(lambda: committed(stage)[-1] == "slow", within=200)

    assert stage.handler.began == ["slow", "quick", "after", "last"]
    assert not any(stage.queue.boxes.values())


async def test_what_a_slow_handler_says_is_sent_as_it_is_said(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Replies do not wait for the end of a handler that takes longer than a moment."""
    async with working() as stage:
        stage.handler.speaks["talk"] = 3
        stage.queue.put("a", "talk")
        began = trio.current_time()
        for number in range(3):
            await until(lambda: len(stage.queue.early) == number + 1)  # noqa: B023 - awaited here
            assert trio.current_time() - began == pytest.approx(number + MOMENT, abs=0.2)
        await stage.until_idle()

    assert stage.queue.early == ["talk 0", "talk 1", "talk 2"]
    assert [reply.text for reply in stage.queue.commits[0].replies][-1] == "talk"


async def test_a_quick_handler_costs_no_call_of_its_own(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What ends within a moment is told with its commit only."""
    async with working(Handler(MOMENT / 2)) as stage:
        stage.queue.put("a", *(str(number) for number in range(20)))
        await stage.until_idle()

    assert stage.queue.early == []
    assert stage.queue.asides == {}


async def test_a_handler_whose_message_is_another_s_is_stopped(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """When Redis says that another node has taken the message over, it is cancelled and nothing of it is committed."""
    async with working() as stage:
        stage.handler.lasts["slow"] = inf
        stage.queue.put("a", "slow")
        await until(lambda: stage.handler.began)
        stage.queue.lost = {token.entry for token in stage.queue.pending}
        await until(lambda: not stage.worker.running)

    assert stage.handler.running.total() == 0
    assert committed(stage) == []


async def test_reconciling_stops_what_is_lost_and_adopts_what_is_ours(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where Redis and the node disagree about what is in hand, Redis is right, both ways."""
    async with working() as stage:
        stage.handler.lasts["slow"] = inf
        stage.queue.put("a", "slow")
        await until(lambda: stage.handler.began)
        stage.queue.pending.clear()
        stage.queue.put("b", "unheard")
        stage.queue.pending, stage.queue.ready = stage.queue.ready, []
        await stage.worker.reconcile()
        await until(lambda: not stage.worker.running)

    assert stage.handler.running.total() == 0
    assert committed(stage) == ["unheard"]


async def test_what_a_turn_is_taking_is_not_adopted_as_well(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """While the answer to a turn is on its way, Redis knows of more than the node: nothing is handled twice for that."""
    async with working(slots=1) as stage:
        stage.queue.put("a", "one")
        await until(lambda: stage.handler.began)
        stage.queue.put("b", "two")
        stage.queue.delays["turn"] = 1.0
        await until(lambda: len(stage.queue.commits) == 1)
        await stage.worker.reconcile()
        await stage.until_idle()

    assert stage.handler.began == ["one", "two"]
    assert not [event for event in stage.logs if event["log_level"] == "warning"]


async def test_what_failed_is_scheduled_again_with_its_commit(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One step removes the message, tells its user and schedules another try of the route that failed."""
    async with working() as stage:
        stage.handler.raises["bad"] = ValueError("no")
        stage.queue.put("a", "bad", "good", receipt=True)
        await stage.until_idle()

    commit = stage.queue.commits[0]
    (later,) = commit.later
    assert (later.id, later.lane) == ("bad/again", "chat")
    assert later.delay == pytest.approx(0.75)
    assert isinstance(later.value, Message)
    assert (later.value.attempt, later.value.only, later.value.id) == (1, ("echo",), "bad")
    assert commit.give_up == ""
    # The receipt says that all is done, and it is not.
    assert [reply.text for reply in commit.replies] == [
        "Sorry, that went wrong (id bad). I will try again."
    ]
    assert committed(stage) == ["bad", "good"]


async def test_after_the_last_try_it_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    """What fails once too often becomes a dead letter that says why, its user hears of it, and the receipt follows."""
    async with working() as stage:
        stage.handler.raises["bad"] = ValueError("no")
        message = Message(
            *("bad", Room("t", "a"), User("u"), "bad", 1.0),
            attempt=len(DELAYS),
            only=("echo",),
            receipt=True,
        )
        stage.queue.put_raw("t/a", "bad", encode(message))
        await stage.until_idle()

    (commit,) = stage.queue.commits
    assert (list(commit.later), commit.give_up) == ([], "echo: ValueError: no")
    assert [reply.op for reply in commit.replies] == ["say", "receipt"]
    assert commit.replies[0].text == 'Sorry, I gave up "bad" after 6 tries (id bad).'


@pytest.mark.parametrize("newest", [VERSION, VERSION + 1], ids=["none is newer", "one is newer"])
async def test_what_only_newer_nodes_understand_is_left_to_them(
    newest: int, autojump_clock: trio.testing.MockClock
) -> None:
    """While a newer node lives the conversation goes to it as it is; else the message is given up with the reason."""

    async def find_newest() -> int:
        return newest

    async with working() as stage:
        stage.worker._newest = find_newest
        data = encode(Message("m1", Room("t", "a"), User("u"), "hi", 1.0, v=VERSION + 1))
        stage.queue.put_raw("t/a", "m1", data)
        await until(lambda: committed(stage) or len(stage.queue.passed_on) == 2)
        left = stage.queue.boxes["t/a"][:1]

    reasons = [commit.give_up for commit in stage.queue.commits]
    if newest > VERSION:
        assert [head.id for head in left] == ["m1"]
        assert stage.handler.began == reasons == []
    else:
        assert reasons == [
            f"m1: schema {VERSION + 1} is newer than {VERSION}, which this release reads"
        ]


async def test_what_must_not_be_done_twice_is_noted_before_it_begins(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A route that is at most once runs once; taken over from a node that died in it, it is given up and not run."""
    async with working() as stage:
        stage.handler.policy = Policy(retry="never")
        stage.queue.said["taken"] = {"echo"}
        stage.queue.put("a", "new", "taken")
        await stage.until_idle()

    assert stage.handler.began == ["new"]
    assert stage.queue.said["new"] == {"echo"}
    first, second = stage.queue.commits
    assert (first.give_up, second.give_up) == (
        "",
        "echo: it was interrupted and must not be done twice",
    )
    assert second.replies[0].text == "Sorry, that went wrong (id taken)."


async def test_a_beginning_that_was_noted_unheard_is_no_interruption(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A route that is at most once runs, though the answer that it may begin was lost, and is not taken for begun before."""
    async with working() as stage:
        stage.handler.policy = Policy(retry="never")
        stage.queue.failures["progress"] = [AWAY, AWAY]
        stage.queue.put("a", "new")
        await stage.until_idle()

    assert stage.handler.ended == ["new"]
    assert [commit.give_up for commit in stage.queue.commits] == [""]


async def test_the_letter_of_a_message_names_the_routes_that_are_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Another route has ended well, and is not to be run again with a retry of the letter."""

    class Both(Handler):
        def __call__(self, inbound: Inbound, questions: Sequence[Question] = ()) -> Run:
            good, bad = super().__call__(inbound), super().__call__(inbound)
            (call,) = bad.calls

            async def fail() -> None:
                raise ValueError("no")

            never = Policy(retry="never")
            good.calls = [*good.calls, replace(call, name="bad", run=fail, policy=never)]
            return good

    async with working(Both()) as stage:
        stage.queue.put("a", "a1")
        await stage.until_idle()

    (commit,) = stage.queue.commits
    assert isinstance(commit.letter, Message)
    assert (commit.give_up, commit.letter.only) == ("bad: ValueError: no", ("bad",))
    assert stage.handler.ended == ["a1"]


async def test_a_route_may_ask_for_another_order(autojump_clock: trio.testing.MockClock) -> None:
    """With order none a room's messages do not wait for one another, with order user those of one person do."""
    async with working(Handler(0.2)) as stage:
        stage.handler.policy = Policy(order="none")
        stage.queue.put("a", "a1", "a2", "a3")
        await stage.until_idle()
        assert stage.handler.most_in_a_room == 3
        stage.handler.most_in_a_room = 0
        stage.handler.policy = Policy(order="user")
        stage.queue.put("b", "b1", "b2", "b3")
        await stage.until_idle()

    assert stage.handler.most_in_a_room == 1
    assert stage.handler.began == ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert not any(stage.queue.boxes.values())


@pytest.mark.parametrize("lost", [0, 1], ids=["Redis answers", "an answer is lost"])
async def test_a_message_that_goes_behind_others_is_no_loss(
    lost: int, autojump_clock: trio.testing.MockClock
) -> None:
    """Where nothing else is left, its conversation is given back in that step, and nobody speaks of another node."""
    async with working() as stage:
        stage.handler.policy = Policy(order="user")
        stage.handler.lasts["a1"] = 0.3
        stage.queue.put("a", "a1")
        await until(lambda: stage.handler.began == ["a1"])
        looks = stage.queue.looks
        stage.queue.failures["progress"] = [AWAY] * lost
        stage.queue.put("a", "a2")
        await until(lambda: len(stage.queue.boxes["t/a@u"]) == 2)
        await until(lambda: stage.worker.running == 1)
        assert (
            stage.queue.looks - looks == 1 + lost
        )  # to ask what is left is needed only after a lost answer
        await stage.until_idle()

    assert stage.handler.ended == committed(stage) == ["a1", "a2"]
    warnings = [line["event"] for line in stage.logs if line["log_level"] == "warning"]
    assert [event for event in warnings if "node" in event] == []


@pytest.mark.parametrize(
    ("seconds", "turn"),
    [(0.0, VISIT_MESSAGES), (VISIT_SECONDS * 0.4, 3)],
    ids=["by number", "by time"],
)
async def test_a_busy_conversation_gives_way(
    seconds: float, turn: int, autojump_clock: trio.testing.MockClock
) -> None:
    """After its share of messages or of time a conversation lets the others go first."""
    queue = Mailboxes()
    queue.put("a", *(f"a{number}" for number in range(12)))
    queue.put("b", "b")
    async with working(Handler(seconds), queue=queue, slots=1) as stage:
        await stage.until_idle()

    assert committed(stage).index("b") == turn


async def test_what_cannot_be_decoded_is_given_up_and_the_room_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Bytes that are no envelope become a dead letter with the reason, and no handler sees them."""
    async with working() as stage:
        stage.queue.put_raw("t/a", "bad", b"rubbish")
        stage.queue.put("a", "good")
        await stage.until_idle()

    assert committed(stage) == ["bad", "good"]
    assert "not an envelope" in stage.queue.commits[0].give_up
    assert stage.queue.commits[1].give_up == ""
    assert stage.handler.began == ["good"]


@pytest.mark.parametrize("error", [HandlerError("no such route"), TooOld("it is 61 s old")])
async def test_what_nobody_here_can_handle_is_given_up(
    error: HachatError, autojump_clock: trio.testing.MockClock
) -> None:
    """A message that the robot refuses becomes a dead letter with the robot's reason."""

    class Stranger(Handler):
        def __call__(self, inbound: Inbound, questions: Sequence[Question] = ()) -> Run:
            raise error

    async with working(Stranger()) as stage:
        stage.queue.put("a", "a1")
        await stage.until_idle()

    assert [commit.give_up for commit in stage.queue.commits] == [str(error)]


async def test_a_head_that_is_gone_makes_room_for_the_next(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """When the mailbox has moved on, the conversation goes on with what is there."""
    async with working() as stage:
        stage.queue.verdicts = [Verdict.GONE]
        stage.queue.put("a", "a1")
        await stage.until_idle()

    assert stage.handler.began == ["a1", "a1"]
    assert committed(stage) == ["a1"]
    assert stage.queue.pending == []


async def test_an_empty_mailbox_gives_its_token_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A token whose messages another has finished is closed and not kept for ever."""
    async with working() as stage:
        token = stage.queue.make_token("t/a")
        stage.queue.pending.append(token)
        stage.worker.adopt([token])
        await until(lambda: not stage.queue.pending)

    assert stage.worker.free == 4


async def test_a_lost_token_ends_the_visit(autojump_clock: trio.testing.MockClock) -> None:
    """Once another node has the conversation, the rest of it is left alone."""
    async with working() as stage:
        stage.queue.verdicts = [Verdict.LOST]
        stage.queue.put("a", "a1", "a2")
        await until(lambda: stage.handler.ended)
        await until(lambda: not stage.worker.running)

    assert stage.handler.began == ["a1"]
    assert committed(stage) == []


async def test_a_commit_is_repeated_and_the_handler_is_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """While Redis does not answer, the same replies are committed again and again, and nothing is run twice."""
    async with working() as stage:
        stage.queue.failures["turn"] = [AWAY] * 5
        stage.queue.put("a", "a1", "a2")
        await stage.until_idle()

    assert stage.handler.began == ["a1", "a2"]
    assert committed(stage) == ["a1", "a2"]


async def test_a_refused_commit_is_repeated_and_holds_up_no_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What Redis refuses is told again a little later; meanwhile the other rooms go on, and nothing is run twice."""
    async with working() as stage:
        stage.queue.refusals = [StoreRefused("no"), StoreRefused("no")]
        stage.queue.put("a", "a1")
        await until(lambda: not stage.queue.refusals)
        refused = trio.current_time()
        stage.queue.put("b", "b1")
        await until(lambda: committed(stage) == ["b1"])
        assert trio.current_time() - refused < RELUCTANCE / 2
        await stage.until_idle()

    assert stage.handler.began == ["a1", "b1"]
    assert committed(stage) == ["b1", "a1"]


async def test_what_a_lost_turn_has_taken_is_found(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Conversations that came with an answer nobody heard are handled all the same, once."""
    async with working(slots=1) as stage:
        stage.queue.put("a", "a1")
        stage.queue.put("b", "b1")
        await until(lambda: stage.handler.began)
        stage.queue.failures["turn"] = [AWAY, AWAY]
        await stage.until_idle()

    assert stage.handler.began == committed(stage) == ["a1", "b1"]


async def test_a_turn_takes_what_it_has_room_for(autojump_clock: trio.testing.MockClock) -> None:
    """A node that is busy takes the next conversations as it gives back others, and never more than it has slots."""
    async with working(Handler(1.0), slots=3) as stage:
        for number in range(30):
            stage.queue.put(f"r{number}", f"m{number}")
        await until(lambda: stage.handler.most == 3)
        reads = len(stage.queue.reads)
        await until(lambda: len(committed(stage)) == 27, within=20)
        assert len(stage.queue.reads) == reads
        await stage.until_idle()

    assert stage.handler.most == 3
    assert stage.worker.free == 3


async def test_what_takes_too_long_is_cut_short(autojump_clock: trio.testing.MockClock) -> None:
    """The handler is cancelled, its user told, and the conversation goes on; others have noticed nothing."""
    async with working() as stage:
        stage.handler.timeout = 30.0
        stage.handler.lasts |= {"slow": inf, "long": 29.0}
        stage.queue.put("a", "slow", "after")
        stage.queue.put("b", "long")
        await stage.until_idle()

    assert stage.handler.ended == ["after", "long"]
    assert committed(stage) == ["after", "long", "slow"]
    assert stage.queue.commits[2].give_up == "echo: it took longer than 30 s"
    assert [reply.text for reply in stage.queue.commits[2].replies] == [
        "Sorry, that took too long (id slow)."
    ]


async def test_tokens_of_a_lost_answer_are_adopted_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What Redis gave us without our hearing of it is handled after the reconnect, and what runs is not begun twice."""
    async with working(Handler(10.0)) as stage:
        stage.queue.put("a", "a1")
        await until(lambda: stage.handler.began)
        stage.queue.failures["read"] = [AWAY, AWAY]
        stage.queue.put("b", "b1")
        await until(lambda: len(stage.handler.began) == 2)
        stage.queue.put("c", "c1")
        await stage.until_idle()

    assert sorted(stage.handler.began) == ["a1", "b1", "c1"]
    assert sorted(committed(stage)) == ["a1", "b1", "c1"]


async def test_adopted_conversations_are_handled(autojump_clock: trio.testing.MockClock) -> None:
    """What was taken over from a node that is gone is worked through like any other, once."""
    async with working(slots=1) as stage:
        stage.queue.put("a", "a1")
        (token,) = stage.queue.ready
        stage.queue.ready.clear()
        stage.queue.pending.append(token)
        stage.worker.adopt([token])
        stage.worker.adopt([token])
        await stage.until_idle()

    assert committed(stage) == ["a1"]


async def test_leaving_lets_handlers_finish_and_takes_no_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The message that is being handled is finished, the next one of its room is left to others."""
    async with working(Handler(1.0)) as stage:
        stage.queue.put("a", "a1", "a2")
        await until(lambda: stage.handler.began)
        stage.leaving.set()
        await trio.testing.wait_all_tasks_blocked()
        stage.queue.put("b", "b1")
        await stage.ended.wait()

    assert stage.handler.ended == committed(stage) == ["a1"]
    assert stage.queue.commits[0].give_way
    assert stage.queue.handed_back == []


async def test_leaving_is_over_after_the_grace(autojump_clock: trio.testing.MockClock) -> None:
    """A handler that takes longer is cancelled and its conversation handed back uncommitted."""
    async with working(Handler(inf), grace=5.0) as stage:
        stage.queue.put("a", "a1")
        await until(lambda: stage.handler.began)
        began = trio.current_time()
        stage.leaving.set()
        await stage.ended.wait()
        assert trio.current_time() - began == pytest.approx(5.0)

    assert stage.handler.ended == committed(stage) == []
    assert [token.conversation for token in stage.queue.handed_back] == ["t/a"]


class Slow(Mailboxes):
    """Mailboxes of which an answer is on its way for as long as a test wants."""

    gate = trio.Event()

    async def turn(
        self, lane: Lane, commits: Sequence[Commit], most: int | None = None
    ) -> tuple[list[Committed | StoreError], list[Taken]]:
        """Take a turn, and have its answer wait."""
        answer = await super().turn(lane, commits, most)
        await self.gate.wait()
        return answer


async def test_what_nobody_has_begun_goes_to_others_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What comes with an answer that was under way when the node was told to leave does not wait for slow handlers to end."""
    queue = Slow()
    queue.gate.set()
    async with working(Handler(inf), queue=queue, slots=2, grace=25.0) as stage:
        queue.put("slow", "slow")
        await until(lambda: stage.handler.began)
        queue.gate = trio.Event()
        queue.put("late", "late")
        await until(lambda: any(token.conversation == "t/late" for token in queue.pending))
        stage.leaving.set()
        await trio.testing.wait_all_tasks_blocked()
        queue.gate.set()
        await until(lambda: queue.passed_on, within=1.0)

    assert [token.conversation for token in queue.passed_on] == ["t/late"]
    assert stage.handler.began == ["slow"]


async def test_a_goodbye_that_fails_ends_all_the_same(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """When nothing can be handed back, others take it over later."""
    async with working() as stage:
        stage.queue.failures["hand_back"] = [AWAY]
        stage.leaving.set()
        await stage.ended.wait()


async def test_a_receipt_comes_after_the_replies(autojump_clock: trio.testing.MockClock) -> None:
    """Who asked to be told hears of the end once everything else has been said."""
    async with working() as stage:
        stage.queue.put("a", "a1", receipt=True)
        stage.queue.put("b", "b1")
        await stage.until_idle()

    said = {
        commit.head.id: [reply.op for reply in commit.replies]
        for commit in stage.queue.commits
        if commit.head
    }
    assert said == {"a1": ["say", "receipt"], "b1": ["say"]}


async def test_a_conversation_on_a_real_server(link: Link, keys: Keys) -> None:
    """What goes in comes out handled in order, and what is left at the end is handed back for another node."""
    handler, leaving = Handler(0.0), trio.Event()
    queue = Queue(link, keys, "n1:b1", QueueSettings())
    worker = Worker(queue, link, "chat", 4, handler)
    texts = [str(number) for number in range(20)]
    with structlog.testing.capture_logs(), trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(worker.run, leaving, 0.0)
            for text in texts:
                message = Message(text, Room("t", "a"), User("u"), text, 1.0, event=text)
                await queue.enqueue(message, "chat")
            await until(lambda: handler.ended == texts)
            handler.lasts["stuck"] = inf
            await queue.enqueue(Message("x", Room("t", "b"), User("u"), "stuck", 1.0), "chat")
            await until(lambda: "stuck" in handler.began)
            leaving.set()

        async with link.reader(1.0) as reader:
            (token,) = await Queue(link, keys, "n2:b2", QueueSettings()).read(reader, "chat", 10)

    assert token.conversation == "t/b"
    assert await link.command("LLEN", keys.outbox("t/a")) == len(texts)
