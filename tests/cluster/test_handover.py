"""The talk of a master and its successor before the lease moves, in virtual time; `test_requests` has what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from hachat.cluster.handover import (
    AGAIN,
    LEAVE,
    PREPARE,
    WARM,
    Heir,
    Successors,
    Warm,
    choose_anybody,
)
from hachat.core.errors import StepDownCode, StepDownRefused, StoreRefused, StoreUnavailable
from hachat.core.lease import Event, EventKind, Sight, Token
from tests.cluster.test_requests import break_down

TOKEN = Token(0, 1, "a", "a1")


@dataclass
class Paper:
    """A store that writes down what is said; `faults` are raised first, one at each call."""

    asked: list[tuple[float, str, str]] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    async def prepare(self, token: Token, heir: str, request: str) -> None:
        """Write down who was asked, when, and under which request."""
        assert token == TOKEN
        await self._meet_fault()
        self.asked.append((trio.current_time(), heir, request))

    async def ready(self, request: str) -> None:
        """Write it down."""
        await self._meet_fault()
        self.answers.append((request, "ready"))

    async def refuse(self, request: str, reason: str, code: StepDownCode) -> None:
        """Write it down."""
        assert code == "ineligible"
        await self._meet_fault()
        self.answers.append((request, reason))

    async def _meet_fault(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.faults:
            raise self.faults.pop(0)


class Service:
    """A chat service that is connected ahead: it takes `seconds`, then `fault` is raised; `used` uses it up."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.used = trio.Event()
        self.began: list[float] = []
        self.ended: list[float] = []

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Connect, and stay so until it is used or cancelled."""
        self.began.append(trio.current_time())
        await trio.sleep(self.seconds)
        task_status.started()
        try:
            await self.used.wait()
        finally:
            self.ended.append(trio.current_time())


def event(kind: EventKind, request: str, *, to: str = "", reason: str = "") -> Event:
    """Return something that is heard."""
    return Event(kind, Sight("1-0", "a@0"), TOKEN, to=to, request=request, reason=reason)


@pytest.fixture
def paper() -> Paper:
    """A store in order."""
    return Paper()


# The master's side.


def successors(paper: Paper, *names: str) -> Successors:
    """Return a master's side that may choose among these."""

    async def choose(to: str) -> Sequence[str]:
        return [to] if to else names

    return Successors(paper, choose)


async def test_who_does_not_answer_is_asked_again(paper: Paper, autojump_clock: MockClock) -> None:
    """Under the same request, for it may have begun to listen only now; and not for longer than was allowed."""
    with pytest.raises(StepDownRefused, match=f"^b is not ready: no answer within {PREPARE:g} s$"):
        await successors(paper, "b").find(TOKEN, "", PREPARE)
    times, names, requests = zip(*paper.asked, strict=True)
    assert list(times) == pytest.approx([AGAIN * turn for turn in range(int(PREPARE / AGAIN))])
    assert set(names) == {"b"}
    assert len(set(requests)) == 1


async def test_a_redis_that_is_away_for_a_moment_is_asked_again(
    paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Whether it heard the question does not matter: it is the same one."""
    paper.faults = [StoreUnavailable("away"), StoreUnavailable("away")]
    side = successors(paper, "b")

    async def answer() -> None:
        await trio.sleep(2 * AGAIN + 0.1)
        ((at, _, request),) = paper.asked
        assert at == 2 * AGAIN
        side.hear(event("ready", request))

    nursery.start_soon(answer)
    assert await side.find(TOKEN, "", PREPARE) == "b"


async def test_a_redis_that_says_no_ends_it(paper: Paper, autojump_clock: MockClock) -> None:
    """Nothing will be better in a moment."""
    paper.faults = [StoreRefused("no memory")]
    with pytest.raises(StoreRefused):
        await successors(paper, "b").find(TOKEN, "", PREPARE)


async def test_only_the_answer_to_the_question_counts(
    paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Neither what another master was told, nor what comes too late, makes a node ready."""
    side = successors(paper, "b", "c")

    async def answer() -> None:
        side.hear(event("ready", "z/z1/0.1#1"))
        await trio.sleep(PREPARE + 0.1)
        side.hear(event("ready", paper.asked[0][2]))
        await trio.sleep(0.1)
        _, name, request = paper.asked[-1]
        assert name == "c"
        side.hear(event("ready", request))

    nursery.start_soon(answer)
    assert await side.find(TOKEN, "", PREPARE) == "c"


@pytest.mark.parametrize(("to", "code"), [("", "no successor"), ("b", "ineligible")])
async def test_each_that_cannot_is_told_with_its_reason(
    to: str, code: str, paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Also one that gives none; programs are told whether somebody was named."""
    side = successors(paper, "b", "c")

    async def refuse() -> None:
        await trio.sleep(0.1)
        side.hear(event("refused", paper.asked[-1][2], reason="no chat"))
        await trio.sleep(0.1)
        side.hear(event("refused", paper.asked[-1][2]))

    nursery.start_soon(refuse)
    with pytest.raises(StepDownRefused) as caught:
        await side.find(TOKEN, to, PREPARE)
    words = "b is not ready: no chat" + ("" if to else "; c is not ready: no reason")
    assert (str(caught.value), caught.value.code) == (words, code)


@pytest.mark.parametrize(
    "fault", [None, StoreRefused("no memory"), StepDownRefused("nobody", "no successor")]
)
async def test_who_leaves_waits_for_a_successor_only_a_moment(
    fault: Exception | None, paper: Paper, autojump_clock: MockClock
) -> None:
    """Then anybody may follow: a node that leaves cannot be refused."""
    paper.faults = [fault] if fault else []
    assert await successors(paper, "b", "c").find_soon(TOKEN, "") == ""
    assert trio.current_time() <= LEAVE


async def test_anybody_is_not_asked(paper: Paper) -> None:
    """Where nobody chooses, whoever is first follows."""
    assert await Successors(paper, choose_anybody).find(TOKEN, "", PREPARE) == ""
    assert paper.asked == []


# The successor's side.


async def stand(nursery: trio.Nursery, paper: Paper, warm: Warm) -> Heir:
    """Return the running side of the successor `b`."""
    heir = Heir(paper, "b", warm)
    nursery.start_soon(heir.run)
    return heir


async def test_it_gets_ready_only_for_itself(
    paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Of what others are asked it takes no note."""
    service = Service()
    heir = await stand(nursery, paper, service)
    heir.hear(event("prepare", "1", to="c"))
    heir.hear(event("ready", "1", to="b"))
    await trio.sleep(PREPARE)
    assert (service.began, paper.answers) == ([], [])


async def test_it_answers_when_it_is_ready_and_not_before(
    paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Each request once, however often it was heard meanwhile."""
    heir = await stand(nursery, paper, Service(2.0))
    for request in ("1", "1", "2", "1"):
        heir.hear(event("prepare", request, to="b"))
    await trio.sleep(1.9)
    assert paper.answers == []
    await trio.sleep(0.2)
    assert paper.answers == [("1", "ready"), ("2", "ready")]


async def test_it_stays_ready_for_a_while(
    paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """From the last time it was asked; who asks meanwhile is answered at once, and who asks later has it begin anew."""
    service = Service()
    heir = await stand(nursery, paper, service)
    for number in range(3):
        heir.hear(event("prepare", str(number), to="b"))
        await trio.sleep(WARM - 1)
        assert paper.answers[-1] == (str(number), "ready")
    assert (service.began, service.ended) == ([0.0], [])
    await trio.sleep(2)
    assert service.ended == [2 * (WARM - 1) + WARM]
    heir.hear(event("prepare", "later", to="b"))
    await trio.sleep(0.1)
    assert paper.answers[-1] == ("later", "ready")
    assert len(service.began) == 2


async def test_what_was_used_is_made_anew_for_who_asks_next(
    paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Its term took the connection; a later term of another one may want it again."""
    service = Service()
    heir = await stand(nursery, paper, service)
    heir.hear(event("prepare", "1", to="b"))
    await trio.sleep(0.1)
    service.used.set()
    await trio.sleep(0.1)
    service.used = trio.Event()
    heir.hear(event("prepare", "2", to="b"))
    await trio.sleep(0.1)
    assert paper.answers == [("1", "ready"), ("2", "ready")]
    assert len(service.began) == 2


async def test_nothing_to_keep_is_answered_all_the_same(
    paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Though it ends at once."""

    async def end_at_once(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()

    heir = await stand(nursery, paper, end_at_once)
    heir.hear(event("prepare", "1", to="b"))
    await trio.sleep(0.1)
    assert paper.answers == [("1", "ready")]


async def err(*, task_status: trio.TaskStatus[None]) -> None:
    """Be mistaken."""
    raise KeyError("a mistake")


@pytest.mark.parametrize(
    ("warm", "reason"),
    [
        (break_down, "the chat is away"),
        (err, "an error of its own; see its log"),
        (Service(PREPARE + 1), f"its chat services took longer than {PREPARE:g} s"),
    ],
)
async def test_it_says_why_it_cannot_whenever_it_is_asked(
    warm: Warm, reason: str, paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A fault is logged where it is, and neither ends the node nor stands in the way of the next try."""
    heir = await stand(nursery, paper, warm)
    with capture_logs() as logs:
        for request in "12":
            heir.hear(event("prepare", request, to="b"))
            await trio.sleep(PREPARE + 0.1)
    assert paper.answers == [("1", reason), ("2", reason)]
    traces = [log["event"] for log in logs if log.get("exc_info")]
    assert traces == ["cannot get ready to become master"] * (2 if warm is err else 0)


async def test_a_connection_that_is_lost_while_it_waits_is_made_anew(
    paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It was ready and is not any more: who asks again hears what is true then."""
    lose = trio.Event()
    tries: list[float] = []

    async def lose_it(*, task_status: trio.TaskStatus[None]) -> None:
        tries.append(trio.current_time())
        if len(tries) > 1:
            raise ConnectionError("the chat is away")
        task_status.started()
        await lose.wait()
        raise ConnectionError("the service went")

    heir = await stand(nursery, paper, lose_it)
    heir.hear(event("prepare", "1", to="b"))
    await trio.sleep(0.1)
    lose.set()
    await trio.sleep(0.1)
    heir.hear(event("prepare", "2", to="b"))
    await trio.sleep(0.1)
    assert paper.answers == [("1", "ready"), ("2", "the chat is away")]


async def test_an_answer_that_does_not_arrive_is_given_when_it_is_asked_again(
    paper: Paper, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The master asks twice a second."""
    paper.faults = [StoreUnavailable("away")]
    service = Service()
    heir = await stand(nursery, paper, service)
    for _ in range(2):
        heir.hear(event("prepare", "1", to="b"))
        await trio.sleep(AGAIN)
    assert paper.answers == [("1", "ready")]
    assert service.began == [0.0]
