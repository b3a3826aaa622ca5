"""Jobs and slots on a real server: each once, whoever asks and however often."""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import structlog
import trio

from hachat.core.errors import QueueFull, StoreRefused, StoreUnavailable
from hachat.core.messages import Inbound, Job, Message, Room, User
from hachat.core.settings import QueueSettings
from hachat.core.wire import decode_inbound
from hachat.store.commits import Commit, Later, pack_job
from hachat.store.embedded import Server
from hachat.store.inbound import Inbound as Queue
from hachat.store.jobs import MOST_WAITING, PUT_OFF, Firing, Jobs
from hachat.store.keys import GROUP, Keys, Lane
from hachat.store.link import Direct, Link
from hachat.store.trail import trace
from tests.store.links import running
from tests.store.proxy import Proxy
from tests.waiting import until

ROUTE = "reminder.remind"
BOX = f"job/{ROUTE}"


def job(name: str = "j1", route: str = ROUTE, data: str = "") -> Job:
    """Return a job whose id is its name."""
    return Job(name, route, 1.0, data)


def later(name: str = "j1", delay: float = 0.0, value: Inbound | None = None) -> Later:
    """Return a job to be kept for `delay` seconds."""
    return Later(name, delay, "work", value or job(name))


async def box(link: Link, keys: Keys, conversation: str = BOX) -> list[Inbound]:
    """Return what waits in a mailbox, after a look at the ids in front of it."""
    items = await link.command("LRANGE", keys.mailbox(conversation), 0, -1)
    pairs = [item.partition(b"|")[::2] for item in items]
    values = [decode_inbound(data) for _, data in pairs]
    assert [mark.decode() for mark, _ in pairs] == [value.id for value in values]
    return values


async def ids(link: Link, keys: Keys, conversation: str = BOX) -> list[str]:
    """Return the ids of what waits in a mailbox."""
    return [value.id for value in await box(link, keys, conversation)]


async def tokens(link: Link, keys: Keys, lane: Lane = "work") -> list[str]:
    """Return the conversations that are ready."""
    return [
        fields[1].decode() for _, fields in await link.command("XRANGE", keys.ready(lane), "-", "+")
    ]


async def waiting(link: Link, keys: Keys, lane: Lane = "work") -> int:
    """Return how many messages are counted."""
    return int(await link.command("HGET", keys.of("counters"), f"waiting:{lane}") or 0)


async def age(link: Link, keys: Keys, name: str, seconds: float) -> None:
    """Let time pass for one job."""
    await link.command("ZINCRBY", keys.of("jobs"), -seconds * 1000, name)


async def redis_now(link: Link) -> int:
    """Return Redis's time in Unix milliseconds."""
    seconds, micros = await link.command("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


# Scheduling


async def test_a_job_waits_until_it_is_due(link: Link, keys: Keys) -> None:
    """Before its time it is listed, at its time it is queued, and then nothing of it is left."""
    jobs = Jobs(link, keys)
    await jobs.schedule(later(delay=60))

    before = await jobs.promote(10)
    (listed,) = await jobs.waiting()
    await age(link, keys, "j1", 60)
    after = await jobs.promote(10)

    assert before.moved == 0
    assert before.wait == pytest.approx(60, abs=5)
    assert listed.due == pytest.approx(before.now / 1000 + 60, abs=5)
    assert (listed.id, listed.lane, listed.what, listed.attempt) == ("j1", "work", ROUTE, 0)
    assert (after.moved, after.wait) == (1, None)
    assert await box(link, keys) == [job()]
    assert await tokens(link, keys) == [BOX]
    assert await waiting(link, keys) == 1
    assert await jobs.waiting() == []
    assert await link.command("EXISTS", keys.of("jobs"), keys.of("jobdata")) == 0


async def test_the_same_id_replaces(link: Link, keys: Keys) -> None:
    """A job that is scheduled again has its new time and content only."""
    jobs = Jobs(link, keys)
    await jobs.schedule(later(delay=0, value=job(data="1")))
    await jobs.schedule(later(delay=60, value=job(data="2")))

    assert (await jobs.promote(10)).moved == 0
    await age(link, keys, "j1", 60)
    assert (await jobs.promote(10)).moved == 1
    assert await box(link, keys) == [job(data="2")]


async def test_scheduling_again_after_a_lost_answer(link: Link, keys: Keys) -> None:
    """The very same job comes back neither while it waits nor after it was moved; a new one of its name does."""
    jobs = Jobs(link, keys)
    await jobs.schedule(later())
    await jobs.schedule(later())
    await jobs.promote(10)
    await jobs.schedule(later())
    await jobs.promote(10)
    assert await ids(link, keys) == ["j1"]

    await jobs.schedule(later(value=job(data="again")))
    await jobs.promote(10)
    assert await ids(link, keys) == ["j1", "j1"]


async def test_a_cancelled_job_may_be_scheduled_again(link: Link, keys: Keys) -> None:
    """To take back is to forget, so that the very same may be asked for anew."""
    jobs = Jobs(link, keys)
    await jobs.schedule(later())
    assert await jobs.cancel("j1")
    await jobs.schedule(later())
    assert (await jobs.promote(10)).moved == 1


async def test_cancel(link: Link, keys: Keys) -> None:
    """A job is taken back once, and leaves nothing; another one stays."""
    jobs = Jobs(link, keys)
    await jobs.schedule(later("j1"))
    await jobs.schedule(later("j2"))
    assert [await jobs.cancel("j1"), await jobs.cancel("j1")] == [True, False]
    await jobs.schedule(Later("j3", 0, "work"))
    assert [waits.id for waits in await jobs.waiting()] == ["j2"]
    await jobs.schedule(Later("j2", 0, "work"))
    assert await link.command("EXISTS", keys.of("jobs"), keys.of("jobdata")) == 0


async def test_a_handler_may_set_a_timer_again_that_was_cancelled(link: Link, keys: Keys) -> None:
    """Under the same name the very same job waits anew; the commit that set it first, repeated, does not bring it back."""
    jobs, inbound = Jobs(link, keys), Queue(link, keys, "n1:b1", QueueSettings())
    await inbound.prepare()
    timer = later("reminder/ada", 60.0, job())
    for number in (1, 2):
        value = Message(f"m{number}", Room("irc", "#lab"), User("u"), "hello", 1.0)
        await inbound.enqueue(value, "chat")
        _, ((token, head),) = await inbound.turn("chat", [], 1)
        commit = Commit(token, head, later=[timer])
        await inbound.turn("chat", [commit])
        assert await jobs.cancel("reminder/ada")
        await inbound.turn("chat", [commit])
        assert await jobs.waiting() == []


async def test_a_schedule_goes_on_when_another_try_of_its_job_is_cancelled(
    link: Link, keys: Keys
) -> None:
    """What is cancelled is that try: its slot does not come back, and the next one fires."""
    jobs, inbound = Jobs(link, keys), Queue(link, keys, "n1:b1", QueueSettings())
    await inbound.prepare()
    assert await jobs.fire(ROUTE, 1000, job(f"{ROUTE}@1000")) is Firing.FIRED
    _, ((token, head),) = await inbound.turn("work", [], 1)
    again = later(f"{ROUTE}@1000/again", 60.0, job(f"{ROUTE}@1000"))
    await inbound.turn("work", [Commit(token, head, later=[again], again=True)])

    assert await jobs.cancel(again.id)

    assert await jobs.fire(ROUTE, 1000, job(f"{ROUTE}@1000")) is Firing.PAST
    assert await jobs.fire(ROUTE, 2000, job(f"{ROUTE}@2000")) is Firing.FIRED
    assert await ids(link, keys) == [f"{ROUTE}@2000"]
    assert await jobs.waiting() == []
    assert await link.command("EXISTS", keys.of("said")) == 0


async def test_to_cancel_what_waits_no_more_forgets_nothing(link: Link, keys: Keys) -> None:
    """A message that is queued again keeps what it has said, or its next try would say it once more."""
    await link.command("HSET", keys.of("said"), "m1", "\nm1/h/1\n")
    jobs = Jobs(link, keys)
    await jobs.schedule(Later("m1/again", 0.0, "work", job("m1")))
    await jobs.promote(1)

    assert not await jobs.cancel("m1/again")

    assert await link.command("HGET", keys.of("said"), "m1") == b"\nm1/h/1\n"


@pytest.mark.parametrize("broken", ["jobs", "jobdata", "said"])
async def test_a_job_that_cannot_be_cancelled_is_as_it_was(
    broken: str, link: Link, keys: Keys
) -> None:
    """Where Redis says no, nothing has happened."""
    jobs = Jobs(link, keys)
    await link.command("HSET", keys.of("said"), "m1", "\nm1/h/1\n")
    await jobs.schedule(Later("m1/again", 60.0, "work", job("m1")))
    await link.command("RENAME", keys.of(broken), keys.of("aside"))
    await link.command("SET", keys.of(broken), "rubbish")

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await jobs.cancel("m1/again")

    await link.command("RENAME", keys.of("aside"), keys.of(broken))
    assert [waiting.id for waiting in await jobs.waiting()] == ["m1/again"]
    assert await link.command("HGET", keys.of("said"), "m1") == b"\nm1/h/1\n"
    assert await link.command("EXISTS", keys.seen("later:m1/again")) == 1


async def test_too_many_jobs_are_refused(link: Link, keys: Keys) -> None:
    """At the limit nothing new is kept, and what waits may still be replaced."""
    jobs = Jobs(link, keys, most=2)
    await jobs.schedule(later("j1", 60))
    await jobs.schedule(later("j2", 60))
    with pytest.raises(QueueFull, match="2 jobs are waiting"):
        await jobs.schedule(later("j3", 60))
    await jobs.schedule(later("j2", 90))
    assert [waits.id for waits in await jobs.waiting()] == ["j1", "j2"]


async def test_any_message_may_wait(link: Link, keys: Keys) -> None:
    """A message of a room with an odd name comes back whole, into its room and its lane, and is listed by its room."""
    jobs = Jobs(link, keys)
    value = Message("M1", Room("irc", "#ü|1|"), User("u"), "a|b\nc", 1.0, attempt=2)
    await jobs.schedule(Later("M1", 0, "chat", value))

    (listed,) = await jobs.waiting()
    await jobs.promote(10)

    assert (listed.what, listed.attempt, listed.lane) == ("irc/#ü|1|", 2, "chat")
    assert await box(link, keys, value.conversation) == [value]
    assert await tokens(link, keys, "chat") == [value.conversation]
    assert await waiting(link, keys, "chat") == 1


def test_the_form_of_a_job() -> None:
    """Others write the same form: lane, length of the conversation in bytes, conversation, and what a mailbox holds."""
    value = Job("j1", "ü.ö", 1.0)
    assert pack_job("work", value) == "work|9|job/ü.öj1|".encode() + (
        '{"kind":"job","id":"j1","route":"ü.ö","at":1.0,"v":2}'.encode()
    )


async def test_a_look_says_when_the_first_is_due(link: Link, keys: Keys) -> None:
    """What a node asks all day is small: when the next job is due, and what time it is."""
    jobs = Jobs(link, keys)
    assert await jobs.first_due() is None
    await jobs.schedule(later("j1", 90))
    await jobs.schedule(later("j2", 60))
    due = await jobs.first_due()
    assert due is not None
    assert due - await jobs.now() == pytest.approx(60_000, abs=5_000)


async def test_jobs_are_listed_in_the_order_they_are_due(link: Link, keys: Keys) -> None:
    """The list is bounded, goes on over its pages, and shows what cannot be read with what is known of it."""
    jobs = Jobs(link, keys)
    for number in range(250):
        await jobs.schedule(later(f"j{number:03}", 60 + (number * 7) % 250))
    await link.command("HSET", keys.of("jobdata"), "j000", "work|3|abcj000|rubbish")
    listed = await jobs.waiting()
    assert [waits.due for waits in listed] == sorted(waits.due for waits in listed)
    assert len(listed) == 250
    assert (listed[0].id, listed[0].what) == ("j000", "abc")
    assert len(await jobs.waiting(7)) == 7


async def test_what_is_queued_is_noted(link: Link, keys: Keys) -> None:
    """The way of a job begins in the trail where it is queued; a move is one entry for each lane."""
    jobs = Jobs(link, keys)
    value = Message("M1", Room("irc", "#ops"), User("u"), "x", 1.0)
    for name in ("j1", "j2"):
        await jobs.schedule(later(name))
    await jobs.schedule(Later("M1/again", 0, "chat", value))
    await jobs.promote(10)
    await jobs.fire("s", 1000, job("s@1000"))
    found = [await trace(link, keys, name) for name in ("j1", "j2", "M1", "s@1000")]
    steps = [[(step.what, step.note) for step in one.steps] for one in found]
    assert steps == [[("in", BOX)], [("in", BOX)], [("in", "irc/#ops")], [("in", BOX)]]
    assert await link.command("XLEN", keys.of("trail")) == 3


# Moving


async def test_no_more_are_moved_than_asked_for(link: Link, keys: Keys) -> None:
    """The first come first, one conversation has one token, and the answer says that more is due."""
    jobs = Jobs(link, keys)
    for number in range(5):
        await jobs.schedule(later(f"j{number}"))
        await age(link, keys, f"j{number}", 100 - number)
    first = await jobs.promote(3)
    second = await jobs.promote(3)
    assert [(some.moved, some.wait) for some in (first, second)] == [(3, 0), (2, None)]
    assert await ids(link, keys) == [f"j{number}" for number in range(5)]
    assert await tokens(link, keys) == [BOX]
    assert await waiting(link, keys) == 5


async def test_a_job_joins_what_waits(link: Link, keys: Keys) -> None:
    """A mailbox with messages in it has its token already."""
    jobs = Jobs(link, keys)
    for number in range(2):
        await jobs.schedule(later(f"j{number}"))
        await jobs.promote(10)
    assert await ids(link, keys) == ["j0", "j1"]
    assert await tokens(link, keys) == [BOX]


@pytest.mark.parametrize("broken", ["mailbox", "lane", "form"])
async def test_a_job_that_cannot_be_moved_stops_no_other(
    broken: str, link: Link, keys: Keys
) -> None:
    """It is told, tried again in a minute, and moved once that can be done; nothing of it is moved before."""
    jobs = Jobs(link, keys)
    await jobs.schedule(later("j1", value=job("j1", "a.b")))
    await jobs.schedule(later("j2"))
    if broken == "mailbox":
        await link.command("SET", keys.mailbox("job/a.b"), "rubbish")
    else:
        data = "rubbish" if broken == "form" else "night|1|xj1|{}"
        await link.command("HSET", keys.of("jobdata"), "j1", data)

    with structlog.testing.capture_logs() as logs:
        promoted = await jobs.promote(10)

    assert promoted.moved == 1
    assert promoted.wait == pytest.approx(PUT_OFF, abs=1)
    assert [(entry["event"], entry["job"]) for entry in logs] == [
        ("a job that is due cannot be queued", "j1")
    ]
    assert ("WRONGTYPE" in logs[0]["error"]) == (broken == "mailbox")
    assert await ids(link, keys) == ["j2"]
    assert await waiting(link, keys) == 1
    await link.command("DEL", keys.mailbox("job/a.b"))
    await link.command("HSET", keys.of("jobdata"), "j1", pack_job("work", job("j1", "a.b")))
    await age(link, keys, "j1", PUT_OFF)
    assert (await jobs.promote(10)).moved == 1
    assert await ids(link, keys, "job/a.b") == ["j1"]


async def test_a_lane_that_cannot_be_written_leaves_the_job(link: Link, keys: Keys) -> None:
    """A job is not left in a mailbox that nobody would look into."""
    jobs = Jobs(link, keys)
    await jobs.schedule(later())
    await link.command("SET", keys.ready("work"), "rubbish")
    with structlog.testing.capture_logs():
        assert (await jobs.promote(10)).moved == 0
    assert await ids(link, keys) == []
    await link.command("DEL", keys.ready("work"))
    await age(link, keys, "j1", PUT_OFF)
    assert (await jobs.promote(10)).moved == 1
    assert await waiting(link, keys) == 1


async def test_jobs_that_cannot_be_counted_stay(link: Link, keys: Keys) -> None:
    """Else each attempt would queue them once more."""
    jobs = Jobs(link, keys)
    await jobs.schedule(later())
    await link.command("SET", keys.of("counters"), "rubbish")

    for _ in range(2):
        with pytest.raises(StoreRefused, match="WRONGTYPE"):
            await jobs.promote(10)

    assert await ids(link, keys) == []
    assert [waiting.id for waiting in await jobs.waiting()] == ["j1"]


async def test_a_job_without_content_is_forgotten(link: Link, keys: Keys) -> None:
    """What somebody has deleted by hand cannot come back for ever."""
    await link.command("ZADD", keys.of("jobs"), 1, "j1")
    promoted = await Jobs(link, keys).promote(10)
    assert (promoted.moved, promoted.wait) == (0, None)


async def test_a_full_redis_keeps_the_jobs(own_server: Server, keys: Keys) -> None:
    """What Redis has no memory to move waits, and is moved later."""
    async with running(own_server) as link:
        jobs = Jobs(link, keys)
        await jobs.schedule(later())
        await link.command("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(StoreRefused):
            await jobs.promote(10)
        with pytest.raises(StoreRefused):
            await jobs.fire("s", 1000, job("s@1000"))
        await link.command("CONFIG", "SET", "maxmemory", 0)
        assert (await jobs.promote(10)).moved == 1
        assert await jobs.fire("s", 1000, job("s@1000")) is Firing.FIRED
        assert await ids(link, keys) == ["j1", "s@1000"]


async def test_each_due_job_is_moved_once_by_racing_nodes(server: Server, keys: Keys) -> None:
    """Six nodes that move 300 jobs at the same time move each of them once."""
    async with trio.open_nursery() as nursery:
        links = [Link(Direct(server.url)) for _ in range(6)]
        for link in links:
            await nursery.start(link.run)
        for number in range(300):
            await Jobs(links[0], keys).schedule(
                later(f"j{number:03}", value=job(f"j{number:03}", f"r.{number % 7}"))
            )
        moved: list[int] = []

        async def move(link: Link) -> None:
            while (promoted := await Jobs(link, keys).promote(5)).wait is not None:
                moved.append(promoted.moved)
            moved.append(promoted.moved)

        async with trio.open_nursery() as nodes:
            for link in links:
                nodes.start_soon(move, link)
        queued = [await ids(links[0], keys, f"job/r.{number}") for number in range(7)]
        assert sum(moved) == 300
        assert sorted(itertools.chain(*queued)) == [f"j{number:03}" for number in range(300)]
        assert len(await tokens(links[0], keys)) == 7
        assert await waiting(links[0], keys) == 300
        nursery.cancel_scope.cancel()


# Slots


async def test_a_slot_is_fired_once(link: Link, keys: Keys) -> None:
    """Whoever comes second, and whoever asks again, finds it fired; a later slot is fired, an earlier one is not."""
    jobs = Jobs(link, keys)
    answers = [await jobs.fire("s", slot, job(f"s@{slot}")) for slot in (2000, 2000, 3000, 1000)]
    assert answers == [Firing.FIRED, Firing.PAST, Firing.FIRED, Firing.PAST]
    assert await ids(link, keys) == ["s@2000", "s@3000"]
    assert await tokens(link, keys) == [BOX]
    assert await waiting(link, keys) == 2
    agenda = await jobs.agenda()
    assert (agenda.jobs, agenda.schedules) == ([], {"s": 3.0})


async def test_a_worker_is_given_the_slot(link: Link, keys: Keys) -> None:
    """The token is read by the group of workers, as any other."""
    await link.command("XGROUP", "CREATE", keys.ready("work"), GROUP, "0", "MKSTREAM")
    await Jobs(link, keys).fire("s", 1000, job("s@1000"))
    ((_, ((_, fields),)),) = await link.command(
        *("XREADGROUP", "GROUP", GROUP, "n1:b1", "STREAMS", keys.ready("work"), ">")
    )
    assert fields == [b"c", BOX.encode()]


async def test_a_new_schedule_begins_now(link: Link, keys: Keys) -> None:
    """Nothing of the past is fired for it, and the next node to ask is told the same moment."""
    jobs = Jobs(link, keys)
    before = await redis_now(link)
    began = await jobs.begin(["a", "b"])
    await jobs.fire("b", began["b"] + 5, job())
    again = await jobs.begin(["b", "a", "c"])
    assert before <= began["a"] == began["b"] <= again["c"]
    assert again["a"] == began["a"]
    assert again["b"] == began["b"] + 5
    assert await jobs.begin([]) == {}


async def test_a_handler_that_cannot_keep_up_misses_slots(link: Link, keys: Keys) -> None:
    """A mailbox is not filled for ever: its slots are over, and it is told."""
    jobs = Jobs(link, keys)
    for slot in range(1, MOST_WAITING + 1):
        await jobs.fire("s", slot, job(f"s@{slot}"))
    assert await jobs.fire("s", 1000, job("s@1000")) is Firing.BUSY
    assert await jobs.fire("s", 1000, job("s@1000")) is Firing.PAST
    assert await waiting(link, keys) == MOST_WAITING
    await link.command("LPOP", keys.mailbox(BOX))
    assert await jobs.fire("s", 1001, job("s@1001")) is Firing.FIRED


@pytest.mark.parametrize("broken", ["mailbox", "ready", "counters"])
async def test_a_slot_that_cannot_be_queued_is_not_over(
    broken: str, link: Link, keys: Keys
) -> None:
    """A refusal leaves nothing behind; once it is mended the same slot is fired."""
    key = {
        "mailbox": keys.mailbox(BOX),
        "ready": keys.ready("work"),
        "counters": keys.of("counters"),
    }[broken]
    jobs = Jobs(link, keys)
    await link.command("SET", key, "rubbish")
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await jobs.fire("s", 1000, job("s@1000"))
    await link.command("DEL", key)
    assert await jobs.fire("s", 1000, job("s@1000")) is Firing.FIRED
    assert await ids(link, keys) == ["s@1000"]


async def test_each_slot_is_fired_once_by_racing_nodes(server: Server, keys: Keys) -> None:
    """Of six nodes that fire 100 slots each in their order, one fires each slot, and none is left out."""
    async with trio.open_nursery() as nursery:
        links = [Link(Direct(server.url)) for _ in range(6)]
        for link in links:
            await nursery.start(link.run)
        fired: list[int] = []

        async def fire(link: Link) -> None:
            for slot in range(1, 101):
                firing = await Jobs(link, keys).fire("s", slot, job(f"s@{slot}"))
                fired.extend([slot] if firing is Firing.FIRED else [])

        async with trio.open_nursery() as nodes:
            for link in links:
                nodes.start_soon(fire, link)
        assert sorted(fired) == list(range(1, 101))
        assert await ids(links[0], keys) == [f"s@{slot}" for slot in range(1, 101)]
        nursery.cancel_scope.cancel()


# Lost answers


async def insist(ask: Callable[[], Awaitable[object]], proxy: Proxy, dice: random.Random) -> None:
    """Ask until there is an answer, while answers get lost."""
    while True:
        proxy.swallow_replies = dice.random() < 0.5
        try:
            await ask()
        except StoreUnavailable:
            proxy.swallow_replies = False
            proxy.cut()
        else:
            return


async def test_lost_answers_double_nothing(
    server: Server, link: Link, keys: Keys, nursery: trio.Nursery
) -> None:
    """However many answers are lost, each job and each slot is queued once if one asks until there is an answer."""
    proxy = Proxy(int(server.url.rpartition(":")[2].partition("/")[0]))
    await nursery.start(proxy.run)
    lossy = Link(Direct(proxy.url), timeout=0.1)
    await nursery.start(lossy.run)
    jobs, dice = Jobs(lossy, keys), random.Random(7)
    for number in range(8):
        await insist(partial(jobs.schedule, later(f"j{number}")), proxy, dice)
        await insist(partial(jobs.promote, 10), proxy, dice)
        await insist(partial(jobs.fire, "s", number + 1, job(f"s{number}")), proxy, dice)
    await until(lambda: _is_done(Jobs(link, keys)))
    expected = [f"{kind}{number}" for number in range(8) for kind in "js"]
    assert sorted(await ids(link, keys)) == sorted(expected)
    assert await waiting(link, keys) == 16


async def _is_done(jobs: Jobs) -> bool:
    return (await jobs.promote(10)).wait is None


async def test_the_agenda_has_what_comes_next(link: Link, keys: Keys) -> None:
    """Of schedules that go on; those that end, or that nobody fires any more, have none."""
    jobs = Jobs(link, keys)
    now = await jobs.now()
    assert (await jobs.agenda()).upcoming == {}

    await jobs.announce({"a": now + 5000, "ends": None, "gone": now - 3_600_000})
    assert (await jobs.agenda()).upcoming == {"a": (now + 5000) / 1000}
    await jobs.announce({"a": now + 9000})
    assert (await jobs.agenda()).upcoming == {"a": (now + 9000) / 1000}
