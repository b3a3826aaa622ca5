"""The masters' terms as they are read back, from a real server and the real scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import redis

from hachat.core.lease import Granted, Token
from hachat.core.stepdown import Order
from hachat.store.embedded import Server
from hachat.store.history import MOST, History, Returned, Term, Unseen, read_history
from hachat.store.keys import Keys
from hachat.store.lease import LeaseStore, open_lease
from hachat.store.link import Link
from tests.store.test_lease import TIMING, acquire, take


@pytest.fixture
async def store(link: Link, keys: Keys) -> AsyncIterator[LeaseStore]:
    """A lease of the test's own."""
    async with open_lease(link, keys, TIMING) as opened:
        yield opened


@pytest.fixture
def raw(server: Server) -> redis.Redis:
    """Somebody with redis-cli."""
    return redis.Redis(host=server.host, port=server.port, decode_responses=True)


def read_times(raw: redis.Redis, key: str) -> list[float]:
    """Return the seconds of each entry of a stream, the oldest first."""
    return [int(str(entry).partition("-")[0]) / 1000 for entry, _ in raw.xrange(key) or ()]


def add(raw: redis.Redis, keys: Keys, fields: Mapping[str, str | bytes]) -> None:
    """Write an entry as no script of ours does."""
    raw.xadd(keys.of("history"), dict[Any, Any](fields))


async def test_nobody_has_been_master(link: Link, keys: Keys) -> None:
    """Without a stream there are no terms, and that is no error."""
    assert await read_history(link, keys) == History("", [], 0)


async def test_a_step_down_tells_who_and_why(
    store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """A term that was given back has its exact end, the next one the exact gap before it."""
    old = await take(store, "a")
    await store.release(old, "b", 10.0, "kernel", cause="step-down", by="ada")
    new = await take(store, "b")

    began, ended, followed = read_times(raw, keys.of("history"))
    told = await read_history(link, keys)

    end = Returned(ended, "step-down", "kernel", "b", "ada")
    gap = round(followed - ended, 3)
    assert told == History(
        str(new),
        [
            Term(new.epoch, "b", str(new), followed, None, end, gap, gap),
            Term(old.epoch, "a", str(old), began, end, None, None, None),
        ],
        0,
    )


async def test_an_entry_of_an_older_release_has_no_cause(
    store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """What an older release wrote is told as far as it goes."""
    old = await take(store, "a")
    add(raw, keys, {"event": "released", "token": str(old), "to": "", "reason": "shutdown"})
    (term,) = (await read_history(link, keys)).terms
    assert term.end == Returned(read_times(raw, keys.of("history"))[1], "", "shutdown")


async def test_a_silent_master_ended_between_its_last_word_and_the_take_over(
    store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """No figure is made up: of the end and of the gap only the bounds are told, whatever others said meanwhile."""
    old = await take(store, "a")
    await store.renew(old)
    request = await store.request_step_down(old, "r1", Order(reason="does it answer?"))
    await store.refuse(request, "no", "no successor")
    heard = read_times(raw, keys.of("events"))[1]
    raw.delete(keys.of("lease"))
    new = await take(store, "b", silence=9.0)

    newest, oldest = (await read_history(link, keys)).terms

    assert oldest.end == newest.previous == Unseen(heard, newest.began, "silent")
    assert newest.gap is None
    assert newest.gap_at_most == round(newest.began - heard, 3)
    assert (newest.token, newest.end, newest.redis) == (str(new), None, "")


@pytest.mark.parametrize("told", [1, 2])
async def test_a_master_that_comes_back_tells_why_it_was_silent(
    *, told: int, store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """Its release comes too late for the lease, but not for the history, which takes it once."""
    old = await take(store, "a")
    raw.delete(keys.of("lease"))
    new = await take(store, "b", silence=9.0)
    before = raw.xlen(keys.of("history"))

    for _ in range(told):
        assert not await store.release(old, "", 0.0, "lost", cause="paused")

    newest, oldest = (await read_history(link, keys)).terms
    assert oldest.end == newest.previous == Unseen(oldest.began, newest.began, "paused")
    assert await store.read_master() == new
    assert raw.xlen(keys.of("history")) == before + 1
    (last,) = (await read_history(link, keys, 1)).terms
    assert last.previous == oldest.end


async def test_a_late_release_of_a_term_whose_end_is_known_adds_nothing(
    store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """What was told first stands, and a term that never was is not told of."""
    old = await take(store, "a")
    await store.release(old, "", 0.0, "shutdown", cause="shutdown")
    await take(store, "b")
    before = raw.xrange(keys.of("history"))
    for token in (old, Token(0, 1, "c", "c1")):
        assert not await store.release(token, "", 0.0, "lost", cause="isolated")
    assert raw.xrange(keys.of("history")) == before


async def test_a_cause_of_an_end_that_is_forgotten_is_not_made_up(
    store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """Only the term that its successor saw is explained by its holder."""
    await take(store, "a")
    await take(store, "a")
    add(raw, keys, {"event": "lost", "token": "x/x1/0.1", "cause": "paused"})
    newest, oldest = (await read_history(link, keys)).terms
    assert oldest.end == newest.previous == Unseen(oldest.began, newest.began, "left over")


async def test_a_silence_whose_events_are_lost_began_with_the_term(
    store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """If Redis has no event of the master any more, it was surely alive when it took the lease."""
    await take(store, "a")
    raw.delete(keys.of("lease"), keys.of("events"))
    await take(store, "b", silence=9.0)
    newest, oldest = (await read_history(link, keys)).terms
    assert oldest.end == Unseen(oldest.began, newest.began, "silent")


async def test_a_grant_that_was_lost_is_left_over(
    store: LeaseStore, link: Link, keys: Keys
) -> None:
    """A process that takes the lease anew was not silent."""
    await take(store, "a")
    await take(store, "a")
    newest, oldest = (await read_history(link, keys)).terms
    assert oldest.end == newest.previous == Unseen(oldest.began, newest.began, "left over")


@pytest.mark.parametrize(
    ("before", "happened"), [("{run}@7", "failover"), ("another@0", "restarted")]
)
async def test_what_happened_to_redis_is_told(
    *, before: str, happened: str, store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """A term that began on another Redis than the one before says which kind of other that is."""
    old = await take(store, "a")
    await store.release(old, "", 0.0, "shutdown", cause="shutdown")
    run_id = raw.info("server")["run_id"]
    raw.hset(keys.of("meta"), "identity", before.format(run=run_id))
    assert isinstance(await acquire(store, "b", age=9.0), Granted)
    newest, oldest = (await read_history(link, keys)).terms
    assert (oldest.redis, newest.redis) == ("", happened)
    assert isinstance(newest.previous, Returned)


@pytest.mark.parametrize("kept", [True, False])
async def test_a_redis_that_forgot(
    *, kept: bool, store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """Where a candidate knew of a term and Redis did not, the end of that term is not known."""
    await take(store, "a")
    gone = [keys.of(name) for name in ("lease", "meta", "events")]
    raw.delete(*gone, *([] if kept else [keys.of("history")]))
    assert isinstance(await acquire(store, "b", floor=10**12, age=9.0), Granted)

    newest, *older = (await read_history(link, keys)).terms

    began = older[0].began if older else None
    assert len(older) == kept
    assert newest.previous == Unseen(began, newest.began, "forgotten")
    assert newest.redis == "forgot"
    assert newest.gap is None
    assert [term.end for term in older] == [newest.previous] * kept


async def test_a_suspicion_is_not_told_as_a_term(store: LeaseStore, link: Link, keys: Keys) -> None:
    """A candidate whose Redis changed before there was any term does not make one up."""
    assert isinstance(await acquire(store, "a", floor=1, age=9.0), Granted)
    (term,) = (await read_history(link, keys)).terms
    assert (term.previous, term.redis) == (None, "")


async def test_a_return_that_is_not_in_the_record(
    store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """A successor that knows of a return does not make up for the entry that would say when it was."""
    old = await take(store, "a")
    await store.release(old, "", 0.0, "shutdown", cause="shutdown")
    (lost,) = (entry for entry, _ in list(raw.xrange(keys.of("history")) or ())[1:])
    raw.xdel(keys.of("history"), str(lost))
    await take(store, "b")
    newest, oldest = (await read_history(link, keys)).terms
    assert oldest.end == newest.previous == Unseen(oldest.began, newest.began, "forgotten")


@pytest.mark.parametrize(
    "rubbish",
    [
        {"what": "is this"},
        {"event": "acquired"},
        {"event": "acquired", "token": "nonsense"},
        {"event": "acquired", "token": f"a/a1/0.{2**64}"},
        {"event": "acquired", "token": "a/a1/0.-1"},
        {"event": "of a later release", "token": "a/a1/0.1"},
        {"event": b"\xff", "token": b"\xff/\xff/\xff"},
    ],
)
async def test_what_cannot_be_read_is_counted(
    rubbish: Mapping[str, str | bytes],
    store: LeaseStore,
    link: Link,
    keys: Keys,
    raw: redis.Redis,
) -> None:
    """An unreadable entry hides nothing of the others, and is told of."""
    old = await take(store, "a")
    add(raw, keys, rubbish)
    await store.release(old, "", 0.0, "shutdown", cause="shutdown")
    await take(store, "b")

    told = await read_history(link, keys)

    assert told.unreadable == 1
    assert [term.node for term in told.terms] == ["b", "a"]
    assert isinstance(told.terms[1].end, Returned)


@pytest.mark.parametrize("heard", ["x", "9" * 500, "-", "9" * 5000])
async def test_a_moment_that_cannot_be_read_is_not_known(
    heard: str, store: LeaseStore, link: Link, keys: Keys, raw: redis.Redis
) -> None:
    """Rubbish in one field costs that field, not the term; and what is told is JSON all the same."""
    token = Token(0, 5, "b", b"\xff\x1b".decode("latin-1"))
    fields = {"previous": "a/a1/0.1", "reason": "silent", "heard": heard}
    add(raw, keys, {"event": "acquired", "token": str(token), **fields})
    told = await read_history(link, keys)
    (term,) = told.terms
    assert term.previous == Unseen(None, term.began, "silent")
    assert (term.gap, term.gap_at_most) == (None, None)
    assert msgspec.json.decode(msgspec.json.encode(told), type=History) == told


async def test_long_histories_are_read_in_pages(link: Link, keys: Keys, raw: redis.Redis) -> None:
    """Of more terms than a page holds all are told once and in order, and no more than were asked for."""
    token, older = Token(0, 0, "a", "a1"), ""
    for epoch in range(1, 451):
        token = replace(token, epoch=epoch)
        begin = {"event": "acquired", "token": str(token), "previous": older, "reason": "released"}
        add(raw, keys, begin)
        end = {"event": "released", "token": str(token), "to": "", "reason": "test"}
        add(raw, keys, end)
        older = str(token)

    everything = (await read_history(link, keys, MOST)).terms
    newest = (await read_history(link, keys, 150)).terms

    assert [term.epoch for term in everything] == list(range(450, 0, -1))
    assert all(isinstance(term.end, Returned) for term in everything)
    # The oldest that is told knows of the end before it although that term is not shown.
    assert list(newest) == list(everything[:150])
    assert isinstance(newest[-1].previous, Returned)
