"""Redis has carried a script out, and nobody heard: asked again, as its caller does, it leaves what asking once would have left."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import trio

import hachat.store.scripts
from hachat.core.errors import StoreUnavailable
from hachat.core.known import Known
from hachat.core.lease import Answer, Ask, Changed, Sight, Token
from hachat.core.messages import Answer as Told
from hachat.core.messages import Job, Message, Reply, Room, User
from hachat.core.rates import Rate
from hachat.core.settings import QueueSettings
from hachat.core.stepdown import Order
from hachat.core.timing import Timing
from hachat.store import console, control, schedule
from hachat.store.answers import Answers
from hachat.store.commits import Commit, Head, Later, mark
from hachat.store.commits import Token as Held
from hachat.store.dead import DeadLetters
from hachat.store.embedded import Server
from hachat.store.groups import Groups, Membership
from hachat.store.inbound import Inbound
from hachat.store.jobs import Jobs
from hachat.store.keys import GROUP, LANES, Keys
from hachat.store.lease import LeaseStore, LeaseView
from hachat.store.link import Direct, Line, Link, make_client
from hachat.store.members import Member, Members
from hachat.store.memory import Change, Memory
from hachat.store.outbound import Outbound, Report
from hachat.store.people import Directory
from hachat.store.rates import Rates
from hachat.store.scripts import load
from hachat.store.timers import Timer, Timers
from tests.store import letters
from tests.store.proxy import Proxy

ME, OTHER = "n1:b1", "n2:b2"

LEASE = "n1/b1/0.1"

CALL = Reply("c1", "t/ops", op="roster", answer=ME, v=2)

MEMBER = Member("n1", "b1", 1, "http://127.0.0.1:1", "0", started=1.0, beat=3.0, life=10.0)

Act = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Ground:
    """A cluster's keys, a link that is sound, and one whose replies may be lost on their way through `proxy`."""

    keys: Keys
    link: Link
    far: Link
    proxy: Proxy

    def queue(self, link: Link, consumer: str = ME) -> Inbound:
        """Return the inbound queue as a node sees it."""
        return Inbound(link, self.keys, consumer, QueueSettings())

    async def fill(self, *rooms: str) -> None:
        """Queue a message in each room."""
        queue = self.queue(self.link)
        for number, room in enumerate(rooms):
            await queue.enqueue(message(number, room), "chat")

    async def hold(self, *rooms: str, consumer: str = ME) -> list[tuple[Held, Head]]:
        """Queue a message in each room, and return what the node `consumer` has taken of them."""
        await self.fill(*rooms)
        _, taken = await self.queue(self.link, consumer).turn("chat", [], len(rooms))
        return [(token, head) for token, head in taken if head is not None]

    async def lead(self) -> str:
        """Write the lease down, and return its token."""
        await self.link.command("SET", self.keys.of("lease"), LEASE)
        return LEASE

    async def put(self, room: str, number: int = 1) -> None:
        """Put a reply into a room's outbox, as a commit does."""
        reply = letters.reply(number, room)
        await self.link.command("RPUSH", self.keys.outbox(room), mark(reply))
        await self.link.command("ZADD", self.keys.of("outready"), "NX", 1, room)
        await self.link.command("HINCRBY", self.keys.of("counters"), "outgoing", 1)


Prepare = Callable[[Ground], Awaitable[Act]]


@dataclass(frozen=True)
class Case:
    """Makes everything ready for a script, and returns what calls it through the far link.

    What happened may be told more than once in the streams `tells`, which nobody takes for as many happenings.
    """

    script: str
    prepare: Prepare
    tells: Collection[str] = ()


def message(number: int, room: str = "ops") -> Message:
    """Return a message whose id is its number."""
    return Message(f"m{number}", Room("t", room), User("u1"), "hi", 1.0, event=f"e{room}{number}")


# What waits


async def enqueue(ground: Ground) -> Act:
    """A message is queued."""
    return partial(ground.queue(ground.far).enqueue, message(1), "chat")


async def commit(ground: Ground) -> Act:
    """A message that has been handled leaves two replies and a job, and another waits behind it."""
    ((token, head),) = await ground.hold("ops")
    await ground.queue(ground.link).enqueue(message(1), "chat")
    replies = [Reply(f"m0/ping/{turn}", "t/ops", "pong") for turn in (1, 2)]
    one = Commit(token, head, replies, later=[Later("j1", 60.0, "work", Job("j1", "route", 1.0))])
    return partial(ground.queue(ground.far).turn, "chat", [one])


async def give_up(ground: Ground) -> Act:
    """A message becomes a dead letter, and its conversation is given back."""
    ((token, head),) = await ground.hold("ops")
    return partial(ground.queue(ground.far).turn, "chat", [Commit(token, head, give_up="why")])


async def take(ground: Ground) -> Act:
    """Two conversations are taken; a node finds with `held` what it took without hearing of it."""
    await ground.fill("a", "b")
    return partial(ground.queue(ground.far).turn, "chat", [], 2)


async def say_early(ground: Ground) -> Act:
    """A message that is still being handled has said something, and is moved aside."""
    ((token, head),) = await ground.hold("ops")
    reply = Reply("m0/ping/1", "t/ops", "pong")
    queue = ground.queue(ground.far)
    tell = partial(queue.progress, token, head, [reply], begun=["ping"], request="r1")
    return partial(tell, aside="t/ops aside")


async def move_behind(ground: Ground) -> Act:
    """A message is moved behind another, and leaves one where it was."""
    ((token, head),) = await ground.hold("ops")
    for number, room in ((1, "aside"), (2, "ops")):
        await ground.queue(ground.link).enqueue(message(number, room), "chat")
    return partial(ground.queue(ground.far).progress, token, head, aside="t/aside")


async def hand_back(ground: Ground) -> Act:
    """A node that leaves gives two conversations back."""
    await ground.hold("a", "b")
    return partial(ground.queue(ground.far).hand_back, "chat")


async def reap(ground: Ground) -> Act:
    """Two conversations of a dead node are taken over, and its death is counted."""
    await ground.hold("a", "b", consumer=OTHER)
    await ground.link.command("ZADD", ground.keys.of("nodes"), 1, OTHER)
    return partial(ground.queue(ground.far).reap, 10)


# Replies


async def ask(ground: Ground) -> Act:
    """A node asks who is in a room."""
    return partial(Answers(ground.far, ground.keys, ME)._queue, CALL)


async def report(ground: Ground) -> Act:
    """The master reports one reply sent, one dead with a note, one in doubt, a call answered, and takes what is next."""
    await ground.lead()
    rooms = ("t/sent", "t/dead", "t/doubt", "t/call")
    for number, room in enumerate(rooms):
        await ground.put(room, number)
        await ground.put(room, 10 + number)
    outbound = Outbound(ground.far, ground.keys, LEASE)
    taken, _ = await outbound.turn([], len(rooms))
    due = {one.room: one for one in taken}
    reports = [
        Report(due["t/sent"]),
        Report(due["t/dead"], "dead", reason="no", note=letters.reply(99, "t/notes")),
        Report(due["t/doubt"], "doubt", after=9.0),
        Report(due["t/call"], answer=Told("c1", ME)),
    ]
    return partial(outbound.turn, reports, 10)


async def inherit(ground: Ground) -> Act:
    """A new master makes a room due that the last one was sending to."""
    await ground.lead()
    await ground.put("t/ops")
    await ground.link.command("HSET", ground.keys.of("intent"), "t/ops", "n0/b0/0.0")
    return Outbound(ground.far, ground.keys, LEASE).inherit


async def post(ground: Ground) -> Act:
    """A reply is said in a console's room."""
    return partial(console.post, ground.far, ground.keys, Reply("m1/ping/1", "console/ops", "hi"))


async def type_line(ground: Ground) -> Act:
    """A line is typed in a console; of two of one id the master queues one, as the id is the event's."""
    line = console.Line("l1", "ops", "ada", "ping")
    return partial(console.type_line, ground.far, ground.keys, line)


# Later, and never again


def jobs(link: Link, ground: Ground) -> Jobs:
    """Return the jobs as they are seen through a link."""
    return Jobs(link, ground.keys)


LATER = Later("m1/again", 0.0, "work", Job("m1", "route", 1.0))


async def keep(ground: Ground) -> Act:
    """A job is kept for later."""
    return partial(jobs(ground.far, ground).schedule, LATER)


async def cancel(ground: Ground) -> Act:
    """A job is taken back."""
    await jobs(ground.link, ground).schedule(LATER)
    return partial(jobs(ground.far, ground).cancel, LATER.id)


async def promote(ground: Ground) -> Act:
    """A job is due and moved into its mailbox."""
    await jobs(ground.link, ground).schedule(LATER)
    return partial(jobs(ground.far, ground).promote, 10)


async def begin(ground: Ground) -> Act:
    """Two schedules begin."""
    return partial(jobs(ground.far, ground).begin, ["s", "t"])


async def fire(ground: Ground) -> Act:
    """A slot of a schedule is fired."""
    return partial(jobs(ground.far, ground).fire, "s", 1000, Job("s@1000", "route", 1.0))


def dead(link: Link, ground: Ground, most: int = 10) -> DeadLetters:
    """Return the dead letters as they are seen through a link."""
    return DeadLetters(link, ground.keys, QueueSettings(dead=most))


async def requeue(ground: Ground) -> Act:
    """A dead message is put back."""
    entry = await letters.bury(ground.link, ground.keys, letters.webhook(1))
    return partial(dead(ground.far, ground).retry, entry, "ada")


async def resend(ground: Ground) -> Act:
    """A dead reply is put back."""
    entry = await letters.bury(ground.link, ground.keys, letters.reply(1))
    return partial(dead(ground.far, ground).retry, entry, "ada")


async def drop(ground: Ground) -> Act:
    """A dead letter is dropped."""
    entry = await letters.bury(ground.link, ground.keys, letters.reply(1))
    return partial(dead(ground.far, ground).drop, entry, "ada")


async def trim(ground: Ground) -> Act:
    """Two dead letters of three are cut, and counted."""
    for number in range(3):
        await letters.bury(ground.link, ground.keys, letters.reply(number))
    return dead(ground.far, ground, most=1).trim


def remember(how: Literal["set", "replace", "delete", "add"]) -> Prepare:
    """Return what makes one kind of change ready."""

    async def prepare(ground: Ground) -> Act:
        """A handler changes what it remembers."""
        await Memory(ground.link, ground.keys).change(
            "karma", Change("ada", "set", b"41", life=60.0)
        )
        expected = b"41" if how == "replace" else None
        one = Change("ada", how, b"1", expected=expected, id="c1")
        return partial(Memory(ground.far, ground.keys).change, "karma", one)

    prepare.__name__ = f"remember_{how}"
    return prepare


async def meet(ground: Ground) -> Act:
    """Somebody is met who has another name than before."""
    before, now = (
        Known("t", "u1", name, first=1.0, last=at) for name, at in (("ada", 1.0), ("eva", 2.0))
    )
    await Directory(ground.link, ground.keys, "users").note([before])
    return partial(Directory(ground.far, ground.keys, "users").note, [now])


async def take_in(ground: Ground) -> Act:
    """Somebody is taken into a group."""
    return partial(Groups(ground.far, ground.keys).change, "add", "ops", "t/u1", "t/u2")


async def put_out(ground: Ground) -> Act:
    """Somebody is taken out of a group."""
    await Groups(ground.link, ground.keys).change("add", "ops", "t/u1", "t/u2")
    return partial(Groups(ground.far, ground.keys).change, "remove", "ops", "t/u1", "t/u2")


async def put_back(ground: Ground) -> Act:
    """A membership is restored in the place of another."""
    await Groups(ground.link, ground.keys).change("add", "ops", "t/u1", "t/u2")
    there = (await Groups(ground.link, ground.keys).read())["ops", "t/u1"]
    return partial(
        Groups(ground.far, ground.keys).put, ("ops", "t/u1"), Membership(1.0, "t/u3"), there
    )


async def put_timer_back(ground: Ground) -> Act:
    """A timer is restored in the place of another."""
    one, other = (Timer(5e9 + turn, Job("j1", "route", 1.0)) for turn in (0, 1))
    assert await Timers(ground.link, ground.keys).put("j1", one, None)
    return partial(Timers(ground.far, ground.keys).put, "j1", other, one)


async def note(ground: Ground) -> Act:
    """Something is noted in the audit trail, under one id."""
    names = [ground.keys.of(name) for name in ("audit", "did:n1")]
    return partial(ground.far.script, load("audit_note"), names, ["did", "ran", "by", "t/u1"])


async def notice(ground: Ground) -> Act:
    """Admins are told something, and how far it is told is noted."""
    names = ("noticed", "outbox:t/admins", "outready", "counters", "bell")
    arguments = ("dead", "", "1-1", "t/admins", 9, mark(Reply("notice/1", "t/admins", "look")))
    return partial(ground.far.script, load("notice"), [*map(ground.keys.of, names)], arguments)


async def count(ground: Ground) -> Act:
    """A run is counted; asked again it is counted once more, so that a limit is reached too early and never too late."""
    return partial(Rates(ground.far, ground.keys).take, "deploy", Rate(10, 60.0))


# Nodes


async def join(ground: Ground) -> Act:
    """A node enters the cluster after another process of its name, which is dead."""
    await Members(ground.link, ground.keys, replace_member(boot="b0")).join()
    await ground.link.command("ZADD", ground.keys.of("nodes"), 1, "n1:b0")
    return Members(ground.far, ground.keys, MEMBER).join


def replace_member(**facts: object) -> Member:
    """Return the node with something about it changed."""
    return msgspec.structs.replace(MEMBER, **facts)


async def live(ground: Ground) -> Act:
    """A node asks whether it is the first of a cluster that starts."""
    await Members(ground.link, ground.keys, MEMBER).join()
    return Members(ground.far, ground.keys, MEMBER).begin


async def tell(ground: Ground) -> Act:
    """A node says that something about it has changed."""
    await Members(ground.link, ground.keys, MEMBER).join()
    members = Members(ground.far, ground.keys, MEMBER)
    return partial(members.tell, replace_member(leaving=True))


async def beat(ground: Ground) -> Act:
    """A node lives, and finds one that holds a conversation and would not be missed."""
    await ground.hold("ops", consumer=OTHER)
    members = Members(ground.far, ground.keys, MEMBER)

    async def beat_once() -> None:
        with closing(make_client(2.0, host="127.0.0.1", port=ground.proxy.port)) as client:
            await trio.to_thread.run_sync(members.beat, client)

    return beat_once


async def leave(ground: Ground) -> Act:
    """A node says goodbye."""
    await Members(ground.link, ground.keys, MEMBER).join()
    return Members(ground.far, ground.keys, MEMBER).leave


# The lease


def store(ground: Ground) -> LeaseStore:
    """Return the lease as its elector has it, on a connection of its own."""
    timing = Timing()
    return LeaseStore(
        ground.far, ground.keys, Line(ground.far.open, timing.op_timeout), timing, replicas=0
    )


async def obtain(lease: LeaseStore) -> Answer:
    """Ask for the lease until the question names the last event, as a candidate does."""
    question = Ask("n1", "b1", Timing(), 0, Sight("", ""), 0.0, 0.0)
    while isinstance(answer := await lease.acquire(question), Changed):
        question = replace(question, sight=answer.sight)
    return answer


async def held(ground: Ground) -> tuple[LeaseStore, Token]:
    """Return the lease, and the token under which it is held."""
    lease = store(ground)
    await obtain(lease)
    token = await lease.read_master()
    assert token is not None
    return lease, token


async def acquire(ground: Ground) -> Act:
    """A node takes the lease; asked again it gets a term of its own, and the one it never knew of is told as left over."""
    lease = store(ground)
    await lease.acquire(Ask("n1", "b1", Timing(), 0, Sight("", ""), 0.0, 0.0))
    return partial(obtain, lease)


async def renew(ground: Ground) -> Act:
    """A master keeps its lease."""
    lease, token = await held(ground)
    return partial(lease.renew, token)


async def release(ground: Ground) -> Act:
    """A master gives its lease to another."""
    lease, token = await held(ground)
    return partial(lease.release, token, "n2", 10.0, "step-down", cause="step-down", by="ada")


async def request(ground: Ground) -> Act:
    """A master is asked to step down."""
    _, token = await held(ground)
    view = LeaseView(ground.far, ground.keys)
    return partial(view.request_step_down, token, "r1", Order(to="n2", by="ada"))


async def fall_due(ground: Ground) -> Act:
    """A step-down that was ordered for a time is due."""
    _, token = await held(ground)
    due = await schedule.read_time(ground.link) - 1.0
    await schedule.schedule(ground.link, ground.keys, "r1", due, Order(to="n2"))
    return partial(schedule.look, ground.far, ground.keys, token)


async def put_off(ground: Ground) -> Act:
    """A step-down is ordered for a time, under one name; an order has the time at which it was given, and here it is the same."""
    names = [ground.keys.of(name) for name in ("control", "audit")]
    order = ['{"id":"r1"}', "did", "scheduled step-down", "by", "ada"]
    return partial(ground.far.script, load("step_down_order"), names, order)


async def take_back(ground: Ground) -> Act:
    """It is taken back."""
    await schedule.schedule(ground.link, ground.keys, "r1", 2e9, Order(to="n2"))
    return partial(schedule.cancel, ground.far, ground.keys, "bob")


async def pause(ground: Ground) -> Act:
    """Elections are paused; an operator who asks again gives a new order, of a new time."""
    return partial(control.pause, ground.far, ground.keys, by="ada", seconds=60.0)


async def resume(ground: Ground) -> Act:
    """A pause ends."""
    await control.pause(ground.link, ground.keys, by="ada")
    return partial(control.resume, ground.far, ground.keys)


CASES = (
    Case("enqueue", enqueue),
    Case("inbound_turn", commit),
    Case("inbound_turn", give_up),
    Case("inbound_turn", take),
    Case("progress", say_early),
    Case("progress", move_behind),
    Case("hand_back", hand_back),
    Case("reap", reap),
    Case("ask", ask),
    Case("outbound_turn", report, tells=["trail"]),
    Case("inherit", inherit),
    Case("console_post", post),
    Case("console_type", type_line, tells=["console:lines"]),
    Case("job_schedule", keep),
    Case("job_cancel", cancel),
    Case("jobs_promote", promote),
    Case("slots_begin", begin),
    Case("slot_fire", fire),
    Case("dead_requeue", requeue),
    Case("dead_resend", resend),
    Case("dead_drop", drop),
    Case("dead_trim", trim),
    Case("memory_change", remember("set")),
    Case("memory_change", remember("replace")),
    Case("memory_change", remember("delete")),
    Case("memory_change", remember("add")),
    Case("met_note", meet),
    Case("group_change", take_in),
    Case("group_change", put_out),
    Case("field_put", put_back),
    Case("job_put", put_timer_back),
    Case("audit_note", note),
    Case("notice", notice),
    Case("rate", count),
    Case("life", live),
    Case("join", join),
    Case("tell", tell),
    Case("beat", beat),
    Case("leave", leave),
    Case("lease_acquire", acquire, tells=["events", "history"]),
    Case("lease_renew", renew, tells=["events"]),
    Case("lease_release", release),
    Case("lease_step_down", request),
    Case("step_down_due", fall_due),
    Case("step_down_order", put_off),
    Case("step_down_order", take_back),
    Case("control", pause, tells=["events", "audit"]),
    Case("control", resume),
)


# What was left


@asynccontextmanager
async def ground_of(server: Server, link: Link, keys: Keys) -> AsyncIterator[Ground]:
    """Return a ground whose server knows every script, so that no reply is lost that only says it does not."""
    for file in FILES:
        await link.command("SCRIPT", "LOAD", load(file.stem).text)
    async with trio.open_nursery() as nursery:
        proxy = Proxy(server.port)
        await nursery.start(proxy.run)
        far = Link(Direct(proxy.url))
        await nursery.start(far.run)
        ground = Ground(keys, link, far, proxy)
        await ground.queue(link).prepare()
        yield ground
        nursery.cancel_scope.cancel()


FILES = sorted(Path(hachat.store.scripts.__file__).parent.glob("*.lua"))


async def play(case: Case, ground: Ground, losses: int) -> Mapping[str, Any]:
    """Return what a case leaves behind where so many of its replies are lost, and it is asked until one arrives."""
    act = await case.prepare(ground)
    script = load(case.script)
    # By its hash where a server is thought to know it, by its text where not.
    ground.proxy.lose(script.sha.encode(), script.text.splitlines()[0].encode(), times=losses)
    heard = False
    while not heard:
        with suppress(StoreUnavailable):
            await act()
            heard = True
    # Who looks before it acts may see that it is done, and ask no more.
    assert min(losses, 1) <= ground.proxy.lost <= losses
    return await snapshot(ground)


async def snapshot(ground: Ground) -> dict[str, Any]:
    """Return all that is stored of a cluster, but for times, and tokens that are made of times."""
    prefix = ground.keys.of("")
    names = sorted(name.decode() for name in await ground.link.command("KEYS", f"{prefix}*"))
    return {_plain(name, prefix): _plain(await read(ground.link, name), prefix) for name in names}


async def read(link: Link, name: str) -> Any:
    """Return what a key holds; of a stream also who holds what of it."""
    match await link.command("TYPE", name):
        case b"list":
            return await link.command("LRANGE", name, 0, -1)
        case b"hash":
            flat = await link.command("HGETALL", name)
            return sorted(zip(flat[::2], flat[1::2], strict=True))
        case b"zset":
            return sorted(await link.command("ZRANGE", name, 0, -1))
        case b"stream":
            fields = [entry[1] for entry in await link.command("XRANGE", name, "-", "+")]
            return fields, await read_holders(link, name)
        case _:
            return await link.command("GET", name)


async def read_holders(link: Link, name: str) -> Any:
    """Return how many entries of a stream each consumer holds, by `XPENDING`."""
    if not name.endswith(tuple(f":ready:{lane}" for lane in LANES)):
        return []
    return (await link.command("XPENDING", name, GROUP))[3]


def _plain(value: Any, prefix: str) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each, prefix) for each in value]
    text = value.decode() if isinstance(value, bytes) else str(value)
    # A turn's number tells a repetition from what it repeats, and is no effect of it; so does a term's.
    return re.sub(r"\d{10,}[-.\d]*|(?<=0\.1 )\d+$", "TIME", text.replace(prefix, ""))


def tells_once(stored: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """Return what is stored, with the streams that may tell something twice left out."""
    return {name: value for name, value in stored.items() if name not in case.tells}


@pytest.mark.parametrize("losses", [1, 3])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.prepare.__name__)
async def test_a_lost_reply_has_no_double_effect(
    case: Case, losses: int, server: Server, link: Link, keys: Keys
) -> None:
    """Whether the first reply arrives or the fourth, the same is stored in the end, and each thing once."""
    async with ground_of(server, link, Keys(f"{keys.cluster}-once")) as ground:
        once = await play(case, ground, losses=0)
    async with ground_of(server, link, Keys(f"{keys.cluster}-lost")) as ground:
        repeated = await play(case, ground, losses)

    assert tells_once(repeated, case) == tells_once(once, case)
    for stream in case.tells:
        (told, _), (again, _) = once[stream], repeated[stream]
        assert all(entry in again for entry in told)


async def test_a_lease_asked_for_again_is_one(server: Server, link: Link, keys: Keys) -> None:
    """The term that was granted last is the node's; one that was granted before and not heard of is refused everything."""
    async with ground_of(server, link, keys) as ground:
        lease, lost = await held(ground)
        ground.proxy.lose(load("lease_acquire").text.splitlines()[0].encode())
        await obtain(lease)
        token = await lease.read_master()

        assert token is not None
        assert token > lost
        assert not await lease.renew(lost)
        assert not await lease.release(lost, "", 0.0, "late")
        assert await lease.read_master() == token


def test_every_script_that_writes_has_a_case() -> None:
    """A new script is tried with its reply lost, or this fails."""
    writing = {file.stem for file in FILES if not load(file.stem).reads}
    writing.remove("trial")  # nothing of it stays
    assert {case.script for case in CASES} == writing
