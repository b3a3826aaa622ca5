"""What becomes of a reply, in virtual time: doubts, limits, notes about what cannot be said, calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf

import pytest
import structlog
import trio
import trio.testing

from hachat.bot.texts import own_texts
from hachat.chat.adapter import Facts
from hachat.chat.delivery import Delivery
from hachat.chat.drain import ROOMS
from hachat.chat.limits import LAST_WAIT
from hachat.core.errors import InDoubt, NotSent, Undeliverable
from hachat.core.messages import Answer, Operation, Reply, User
from hachat.core.phrases import Phrase
from hachat.core.wire import VERSION, decode_answer, encode
from hachat.store.outbound import Due
from tests.chat.stage import SEND_TIMEOUT, Act, Service, draining, hang, refuse
from tests.waiting import until

# Doubts


class Chronicle(Service):
    """A service whose rooms can be searched; `stands` are the texts that stand in them."""

    def __init__(self) -> None:
        super().__init__()
        self.facts = Facts(can_search_history=True)
        self.stands: set[str] = set()
        self.searches: dict[str, Act] = {}
        self.searched: list[str] = []

    async def find(self, reply: Reply) -> bool:
        """Look for a reply."""
        self.searched.append(reply.text)
        if search := self.searches.get(reply.text):
            await search(reply)
        return reply.text in self.stands


@pytest.mark.parametrize(("stands", "sends"), [({"a1"}, []), (set(), ["a1"])], ids=["there", "not"])
async def test_history_is_searched_before_a_resend(
    stands: set[str], sends: list[str], autojump_clock: trio.testing.MockClock
) -> None:
    """What stands in the room already is not said again, what does not is, whatever the policy; and only doubts search."""
    service = Chronicle()
    service.stands = stands
    async with draining(service, "skip") as stage:
        stage.queue.put("t/a", "a1", in_doubt=True)
        stage.queue.put("t/a", "a2")
        await until(lambda: len(stage.queue.reports) == 2)

    assert service.began == [*sends, "a2"]
    assert service.searched == ["a1"]
    assert stage.queue.reports == [("a1", "sent"), ("a2", "sent")]


async def test_a_history_that_cannot_be_searched_now_is_searched_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """While nobody can tell whether it stands there, a reply stays in doubt and is not sent."""
    service = Chronicle()
    service.searches["a1"] = refuse(NotSent("not now", after=5.0), times=2)
    async with draining(service) as stage:
        stage.queue.put("t/a", "a1", in_doubt=True)
        await until(lambda: ("a1", "sent") in stage.queue.reports, within=30)

    assert stage.queue.reports == [("a1", "doubt"), ("a1", "doubt"), ("a1", "sent")]
    assert service.at["a1"] == pytest.approx(10, abs=1)


async def test_a_doubt_is_told_once(autojump_clock: trio.testing.MockClock) -> None:
    """However often a reply in doubt is tried again, the log has one line about its being in doubt."""
    async with draining() as stage:
        with structlog.testing.capture_logs() as logs:
            stage.service.acts["a1"] = refuse(InDoubt("who knows"), times=3)
            stage.queue.put("t/a", "a1", "a2", in_doubt=True)
            await until(lambda: ("a2", "sent") in stage.queue.reports, within=60)

    told = [entry["reply"] for entry in logs if entry["event"].startswith("in doubt")]
    assert told == ["a1"]


# Limits


class Metered(Service):
    """A service that counts what begins with `up` among its uploads, and everything together."""

    def scopes(self, reply: Reply) -> Iterable[str]:
        """Tell what a reply counts among."""
        return ["uploads"] if reply.text.startswith("up") else []


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        ("room", ["up1"]),
        ("uploads", ["up1", "up2"]),
        ("adapter", ["up1", "up2", "say1"]),
        ("others", ["up1"]),
    ],
)
async def test_a_limit_holds_its_own_scope_and_no_other(
    scope: str, held: list[str], autojump_clock: trio.testing.MockClock
) -> None:
    """What belongs to a limited scope waits for its time and is not tried before; everything else goes on at once."""
    async with draining(Metered()) as stage:
        stage.service.acts["up1"] = refuse(NotSent("slow down", after=30.0, scope=scope))
        stage.queue.put("t/a", "up1", "up1.next")
        await until(lambda: stage.queue.reports)
        stage.queue.put("t/b", "up2")
        stage.queue.put("t/c", "say1")
        with trio.move_on_after(29):
            await until(lambda: len(stage.service.ended) == 4, within=inf)
        assert sorted(stage.service.began) == sorted({"up1", "up2", "say1"} - {*held[1:]})
        await until(lambda: len(stage.service.ended) == 4, within=5)

    at = stage.service.at
    assert {text for text in ("up1", "up2", "say1") if at[text] > 29} == {*held}
    assert Counter(stage.service.began) == {"up1": 2, "up1.next": 1, "up2": 1, "say1": 1}
    assert at["up1.next"] > at["up1"] == pytest.approx(30, abs=1)


async def test_a_held_scope_costs_a_turn_and_no_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Heads of a held scope are put back with its time: nobody looks at them until then."""
    async with draining() as stage:
        stage.service.acts["a1"] = refuse(NotSent("slow down", after=4.0, scope="adapter"))
        stage.queue.put("t/a", "a1")
        await until(lambda: stage.queue.reports)
        for number in range(ROOMS):
            stage.queue.put(f"t/{number}", str(number))
        await until(lambda: len(stage.queue.reports) > ROOMS)
        stage.queue.turns.clear()
        await until(lambda: len(stage.service.ended) == ROOMS + 1, within=10)

    assert sum(len(turn.taken) for turn in stage.queue.turns) == ROOMS + 1
    assert all(at == pytest.approx(4, abs=0.2) for at in stage.service.at.values())


async def test_a_doubt_outlives_a_held_scope(autojump_clock: trio.testing.MockClock) -> None:
    """A reply in doubt that is put back because of a limit stays in doubt."""
    async with draining(on_doubt="skip") as stage:
        stage.service.acts["a1"] = refuse(NotSent("slow down", after=9.0, scope="adapter"))
        stage.queue.put("t/a", "a1")
        await until(lambda: stage.queue.reports)
        stage.queue.put("t/b", "b1", in_doubt=True)
        await until(lambda: ("b1", "sent") in stage.queue.reports, within=20)

    assert ("b1", "doubt") in stage.queue.reports
    assert "b1" not in stage.service.began


@pytest.mark.parametrize("error", [NotSent("not now"), InDoubt("who knows")], ids=str)
async def test_a_broken_room_is_tried_less_and_less(
    error: Exception, autojump_clock: trio.testing.MockClock
) -> None:
    """Where the service names no time, a room waits longer each time up to a minute, and a success ends that."""
    tried: list[float] = []
    done = trio.Event()

    async def fail(reply: Reply) -> None:
        await trio.lowlevel.checkpoint()
        tried.append(trio.current_time())
        if len(tried) == 14:
            done.set()
        elif len(tried) != 12:
            raise error

    async with draining() as stage:
        stage.service.acts |= {"a1": fail, "a2": fail}
        stage.queue.put("t/a", "a1", "a2")
        stage.queue.put("t/b", "b1")
        await done.wait()

    waits = [after - before for before, after in pairwise(tried)]
    assert 0.5 <= waits[0] <= 1.1
    assert all(LAST_WAIT / 2 <= wait <= LAST_WAIT + 0.1 for wait in waits[7:11])
    assert waits[11] < 0.1
    assert 0.5 <= waits[12] <= 1.1
    assert stage.service.at["b1"] < 1


# Notes


def request(origin: str = "t/home", id_: str = "m/r/1") -> Reply:
    """Return a reply to a room that does not exist, asked for in the room `origin`."""
    return Reply(id_, "t/gone", "hello", about="m", origin=origin)


async def test_the_requester_hears_of_what_will_never_be_said(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The room from which a reply to another room came gets one note that says what was not said, and why."""
    async with draining() as stage:
        stage.service.acts["hello"] = refuse(Undeliverable("no such room"))
        stage.queue.put_reply(request())
        await until(lambda: len(stage.queue.reports) == 2)

    assert stage.queue.reports == [("m/r/1", "dead"), ("m/r/1/note", "sent")]
    assert stage.service.ended == ["This could not be said in t/gone (no such room): hello"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            Undeliverable("no such room"),
            "Das konnte ich in t/gone nicht sagen (no such room): hello",
        ),
        (
            Undeliverable(Phrase("{adapter} has no {operation}", adapter="t", operation="act")),
            "Das konnte ich in t/gone nicht sagen (t kennt kein act): hello",
        ),
        (
            OSError("{broken}"),
            (
                "Das konnte ich in t/gone nicht sagen (der Adapter ist gescheitert:"
                " OSError('{broken}')): hello"
            ),
        ),
    ],
)
async def test_a_note_is_in_the_bot_s_language(error: Exception, said: str) -> None:
    """With what the service says as it stands; dead letters are for operators, and English."""
    service = Service()
    service.acts["hello"] = refuse(error)
    delivery = Delivery({"t": service}, lambda: True, say=own_texts("de").say)
    reply = request()

    with structlog.testing.capture_logs():
        report = await delivery.attempt(Due(reply.room, reply.id, encode(reply)))

    assert report.note is not None
    assert report.note.text == said
    assert type(report.reason) is str
    assert "gescheitert" not in report.reason


async def test_who_asks_is_refused_in_english() -> None:
    """An answer is for a handler, and not for a room."""
    delivery = Delivery({}, lambda: True, say=own_texts("de").say)
    call = Reply("c1", "t/a", op="roster", answer="n1:b1")

    with structlog.testing.capture_logs():
        report = await delivery.attempt(Due(call.room, call.id, encode(call)))

    assert report.answer is not None
    assert decode_answer(encode(report.answer)).error == "no adapter 't' is set up"


@pytest.mark.parametrize(
    "reply", [request(""), request("t/gone"), request(id_="m/r/1/note")], ids=lambda one: one.id
)
async def test_nobody_is_told_who_cannot_be(
    reply: Reply, autojump_clock: trio.testing.MockClock
) -> None:
    """No note goes to nobody, into the very room that takes nothing, or about a note."""
    async with draining() as stage:
        stage.service.acts["hello"] = refuse(Undeliverable("no such room"))
        stage.queue.put_reply(reply)
        await until(lambda: stage.queue.reports)
        stage.term.leaving.set()
        await stage.ended.wait()

    assert stage.queue.reports == [(reply.id, "dead")]
    assert not any(stage.queue.waiting.values())


async def test_a_note_about_much_text_is_short(autojump_clock: trio.testing.MockClock) -> None:
    """Of a long reply the note repeats the beginning."""
    async with draining() as stage:
        long = Reply("m/r/1", "icq/gone", "x" * 10_000, origin="t/home")
        stage.queue.put_reply(long)
        await until(lambda: stage.service.ended)

    assert len(stage.service.ended[0]) < 400


# Calls


class Directory(Service):
    """A service that knows who is in its rooms."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Act] = []

    async def roster(self, channel: str) -> Sequence[User]:
        """Tell who is there."""
        for act in self.calls:
            await act(Reply("", channel))
        return [User("u1", "Ada"), User("u2", "Bob")]

    async def lookup(self, user: str) -> User | None:
        """Tell who it is."""
        return User(user, "Ada") if user == "u1" else None


def call(op: Operation = "roster", room: str = "t/a", **args: str) -> Reply:
    """Return a call of node n1."""
    return Reply("c1", room, op=op, args=args, answer="n1:b1")


@pytest.mark.parametrize(
    ("asked", "users"),
    [
        (call(), (User("u1", "Ada"), User("u2", "Bob"))),
        (call("lookup", user="u1"), (User("u1", "Ada"),)),
    ],
    ids=["roster", "lookup"],
)
async def test_a_call_is_answered_with_its_report(
    asked: Reply, users: tuple[User, ...], autojump_clock: trio.testing.MockClock
) -> None:
    """What the service says goes to the node that asked, and the call leaves the outbox like a reply."""
    async with draining(Directory()) as stage:
        stage.queue.put_reply(asked)
        stage.queue.put("t/a", "a1")
        await until(lambda: len(stage.queue.reports) == 2)

    assert stage.queue.reports == [("c1", "sent"), ("a1", "sent")]
    assert stage.queue.answers == [Answer("c1", "n1:b1", users)]


@pytest.mark.parametrize(
    ("service", "act", "error", "supported"),
    [
        (Service, None, "t does not know roster", False),
        (Directory, refuse(Undeliverable("no such room")), "no such room", True),
        (Directory, refuse(KeyError("a mistake")), "the adapter failed", True),
        (Directory, refuse(InDoubt("who knows")), "who knows", True),
        (Directory, hang, "no answer before the deadline", True),
        (
            Directory,
            refuse(NotSent("slow down", after=30, scope="roster")),
            "slow down; try again in 30 s",
            True,
        ),
    ],
    ids=["unsupported", "undeliverable", "bug", "in doubt", "timeout", "limit"],
)
async def test_a_call_that_fails_is_answered_too(
    service: type[Service],
    act: Act | None,
    error: str,
    supported: bool,  # noqa: FBT001 -- a column of the table
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Whoever asked hears why nobody knows; nothing becomes a dead letter or a doubt, and the room goes on."""
    one = service()
    if isinstance(one, Directory) and act:
        one.calls.append(act)
    async with draining(one) as stage:
        stage.queue.put_reply(call())
        stage.queue.put("t/a", "a1")
        await until(lambda: len(stage.queue.reports) == 2)
        assert trio.current_time() < SEND_TIMEOUT + 1

    assert stage.queue.reports == [("c1", "sent"), ("a1", "sent")]
    (answer,) = stage.queue.answers
    assert error in answer.error
    assert answer.supported == supported


async def test_a_limit_on_calls_is_told_without_asking_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """While calls of a kind are limited, the service is not asked and no reply waits behind one."""
    service = Directory()
    service.calls.append(refuse(NotSent("slow down", after=30.0, scope="roster"), times=2))
    async with draining(service) as stage:
        for id_ in ("c1", "c2"):
            stage.queue.put_raw("t/a", id_, encode(Reply(id_, "t/a", op="roster", answer="n1:b1")))
        stage.queue.put("t/a", "a1")
        await until(lambda: service.ended, within=5)

    assert [bool(answer.error) for answer in stage.queue.answers] == [True, True]
    assert "allows no roster now; try again in 30 s" in stage.queue.answers[1].error


async def test_a_call_waits_for_the_connection(autojump_clock: trio.testing.MockClock) -> None:
    """A service that is not connected yet, as after a change of masters, is asked as soon as it is."""
    service = Directory()
    service.calls.append(refuse(NotSent("not connected", after=1.0, scope="adapter"), times=3))
    async with draining(service) as stage:
        stage.queue.put_reply(call())
        await until(lambda: stage.queue.answers, within=10)

    assert not stage.queue.answers[0].error
    assert trio.current_time() == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize("newest", [VERSION, VERSION + 1], ids=["none is newer", "one is newer"])
async def test_a_reply_of_a_newer_release_is_left_to_its_master(
    newest: int, autojump_clock: trio.testing.MockClock
) -> None:
    """While a newer node lives its room waits for it to lead; else the reply is a dead letter, and the room goes on."""

    async def find_newest() -> int:
        return newest

    async with draining() as stage:
        stage.drain._delivery._newest = find_newest
        stage.queue.put_raw("t/a", "new", encode(Reply("new", "t/a", "new", v=VERSION + 1)))
        stage.queue.put("t/a", "after")
        await until(lambda: len(stage.queue.reports) >= 2, within=20)

    outcomes = [outcome for _, outcome in stage.queue.reports[:2]]
    assert outcomes == (["defer", "defer"] if newest > VERSION else ["dead", "sent"])
