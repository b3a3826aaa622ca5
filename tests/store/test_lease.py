"""The lease against a real server: every answer of every script, the events, and two electors on one Redis."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import redis
import trio

from hachat.cluster.elector import Elector
from hachat.cluster.term import Term
from hachat.core.errors import StoreUnavailable
from hachat.core.lease import ALONE, Answer, Ask, Changed, Event, Granted, Refused, Sight, Token
from hachat.core.stepdown import Order
from hachat.core.timing import Timing
from hachat.store.control import Directive
from hachat.store.embedded import Server
from hachat.store.keys import Keys
from hachat.store.lease import LeaseStore, LeaseView, open_lease, read_event
from hachat.store.link import Direct, Link
from hachat.store.scripts import load
from hachat.tasks.services import running
from tests.cluster.fake_lease import FakeServer
from tests.store.binaries import find_redis
from tests.store.pairs import confirming, run_pair

TIMING = Timing()
PATIENT = Timing(ttl=8.0, op_timeout=1.5, lock_delay=8.0)
QUICK = Timing(ttl=1.0, renew=0.2, op_timeout=0.15, margin=0.1, send_timeout=0.2, lock_delay=1.5)


@pytest.fixture
async def store(link: Link, keys: Keys) -> AsyncIterator[LeaseStore]:
    """A lease of the test's own."""
    async with open_lease(link, keys, TIMING) as opened:
        yield opened


@pytest.fixture
def raw(server: Server) -> redis.Redis:
    """Somebody with redis-cli."""
    return redis.Redis(host=server.host, port=server.port, decode_responses=True)


NOTHING = Sight("", "")


def ask(
    node: str, sight: Sight = NOTHING, *, silence: float = 0.0, age: float = 0.0, floor: int = 0
) -> Ask:
    """Return what the node's only process asks."""
    return Ask(node, f"{node}1", TIMING, floor, sight, silence, age)


async def acquire(
    store: LeaseStore, node: str, *, silence: float = 0.0, age: float = 0.0, floor: int = 0
) -> Answer:
    """Ask as a node that has just looked."""
    return await look_and_acquire(store, ask(node, silence=silence, age=age, floor=floor))


async def look_and_acquire(store: LeaseStore, question: Ask) -> Answer:
    """Ask, and ask again with what has been seen."""
    looked = await store.acquire(replace(question, sight=NOTHING))
    assert isinstance(looked, Changed)
    return await store.acquire(replace(question, sight=looked.sight))


async def take(store: LeaseStore, node: str, *, silence: float = 0.0) -> Token:
    """Ask for a lease that must be granted."""
    answer = await acquire(store, node, silence=silence)
    assert isinstance(answer, Granted), answer
    return answer.token


async def hear(store: LeaseView, wanted: Callable[[Event], bool], after: str = "") -> Event:
    """Return the first event that is wanted."""
    heard: list[Event] = []
    with trio.fail_after(5), trio.CancelScope() as scope:

        async def listen(event: Event) -> None:
            if wanted(event):
                heard.append(event)
                scope.cancel()

        await store.follow(listen, after)
    return heard[0]


async def test_a_lease_nobody_ever_had_is_granted_at_once(store: LeaseStore) -> None:
    """A new cluster has its first master without any wait."""
    token = await take(store, "a")
    assert (token.node, token.boot, token.config_epoch) == ("a", "a1", 0)
    assert await store.read_master() == token


async def test_who_has_not_seen_the_last_event_is_told_of_it(store: LeaseStore) -> None:
    """Only a candidate that watches what is there now is answered."""
    await take(store, "a")
    looked = await store.acquire(ask("b", Sight("0-0", "elsewhere@0"), silence=9, age=9))
    assert isinstance(looked, Changed)
    assert await store.acquire(ask("b", looked.sight)) != looked


async def test_a_living_key_is_held_until_silence_has_lasted(store: LeaseStore) -> None:
    """Whoever set it may still be leading until then."""
    await take(store, "a")
    assert await acquire(store, "b", silence=2.0, age=99) == Refused("HELD", 3.0)


async def test_a_key_that_outlives_its_holder_blocks_nobody(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """Where Redis's clock was set back by an hour, or a replica's was an hour behind, so long does a dead holder's key live."""
    old = await take(store, "a")
    raw.pexpire(keys.of("lease"), 3_600_000)
    new = await take(store, "b", silence=5.0)
    assert new > old
    assert raw.get(keys.of("lease")) == str(new)
    assert 4000 < raw.pttl(keys.of("lease")) <= 5000
    assert not await store.renew(old)


async def test_a_key_without_a_life_is_held_for_a_ttl(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """A key set by hand must not make candidates ask without end."""
    raw.set(keys.of("lease"), "x/y/0.1")
    assert await acquire(store, "b") == Refused("HELD", TIMING.ttl)


async def test_an_expired_lease_is_taken_after_silence_only(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """Redis's clock ends the key, but only the candidate's own ends the wait."""
    old = await take(store, "a")
    raw.delete(keys.of("lease"))
    assert await acquire(store, "b", silence=2.0) == Refused("WAIT", 3.0)
    assert await take(store, "b", silence=5.0) > old


async def test_the_holder_s_ttl_counts_if_it_is_longer(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """Nodes of different settings wait for the most patient of them."""
    await take(store, "a")
    raw.delete(keys.of("lease"))
    raw.hset(keys.of("meta"), "ttl", 9000)
    assert await acquire(store, "b", silence=5.0) == Refused("WAIT", 4.0)


async def test_another_redis_is_left_alone_for_the_lock_delay(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """A server that did not itself grant the last lease may have forgotten a newer one, even if it was released."""
    token = await take(store, "a")
    await store.release(token, "", 0.0, "test")
    raw.hset(keys.of("meta"), "identity", "another@0")
    assert await acquire(store, "b", age=3.0) == Refused("WAIT", 4.0)
    raw.hset(keys.of("meta"), "lock_delay", 9000)
    assert await acquire(store, "b", age=7.0) == Refused("WAIT", 2.0)
    assert isinstance(await acquire(store, "b", age=9.0), Granted)


async def test_a_holder_that_went_on_vouches_for_another_redis(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """Nobody can have led since without its record, so what it then gives back is taken at once, and not after the lock delay."""
    token = await take(store, "a")
    raw.hset(keys.of("meta"), "identity", "another@0")
    assert await store.renew(token)
    await store.release(token, "b", 10.0, "test")
    assert isinstance(await acquire(store, "b", age=0.0), Granted)


async def test_whoever_is_not_the_holder_vouches_for_nothing(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """A late renewal of an earlier term changes no record."""
    old = await take(store, "a")
    await store.release(old, "", 0.0, "test")
    await take(store, "b")
    raw.hset(keys.of("meta"), "identity", "another@0")
    raw.set(keys.of("lease"), str(old))
    assert await store.renew(old)
    assert raw.hget(keys.of("meta"), "identity") == "another@0"


async def test_an_empty_redis_is_not_trusted_by_who_knows_better(store: LeaseStore) -> None:
    """A node that has seen a lease takes an empty Redis for one that has forgotten it."""
    assert await acquire(store, "b", floor=5, age=1.0) == Refused("WAIT", 6.0)
    assert isinstance(await acquire(store, "b", floor=5, age=7.0), Granted)


class Named(Direct):
    """A server that Sentinels have failed over to `config_epoch` times, and for which they vouch, or not."""

    def __init__(self, server: Server, config_epoch: int) -> None:
        super().__init__(server.url)
        self.failovers = config_epoch
        self.named = True

    @property
    def config_epoch(self) -> int:
        """As the test says."""
        return self.failovers

    @property
    def vouched(self) -> bool:
        """As the test says."""
        return self.named


async def test_an_empty_redis_that_was_failed_over_has_forgotten(
    server: Server, keys: Keys
) -> None:
    """Whoever counts failovers has been there before, so even who knows nothing waits."""
    link = Link(Named(server, 1))
    async with running(link.run), open_lease(link, keys, TIMING) as store:
        assert await acquire(store, "b", age=1.0) == Refused("WAIT", 6.0)
        assert isinstance(await acquire(store, "b", age=7.0), Granted)


async def test_a_redis_that_nobody_vouches_for_gives_no_lease(server: Server, keys: Keys) -> None:
    """It may have been deposed, and have kept a replica; who has the lease already may keep it."""
    source = Named(server, 0)
    link = Link(source)
    async with running(link.run), open_lease(link, keys, TIMING) as store:
        token = await take(store, "a")
        source.named = False
        assert await store.renew(token)
        with pytest.raises(StoreUnavailable, match="no Sentinel tells"):
            await acquire(store, "b", silence=99.0, age=99.0)


async def test_a_stale_view_is_refused(store: LeaseStore, raw: redis.Redis, keys: Keys) -> None:
    """Who knows of fewer failovers than the record waits; if that does not mend itself, the epochs rise nevertheless."""
    token = await take(store, "a")
    await store.release(token, "", 0.0, "test")
    raw.hset(keys.of("meta"), mapping={"config": 3, "identity": "another@3"})
    assert await acquire(store, "b", age=1.0) == Refused("STALE_VIEW", 6.0)
    granted = await acquire(store, "b", age=7.0)
    assert isinstance(granted, Granted)
    assert granted.token.config_epoch == 3


async def test_epochs_rise_above_the_floor_and_the_record(store: LeaseStore) -> None:
    """An epoch is higher than any that the node or Redis knows of."""
    floor = 10**13
    granted = await acquire(store, "a", floor=floor, age=99)
    assert isinstance(granted, Granted)
    assert granted.token.epoch == floor + 1
    await store.release(granted.token, "", 0.0, "test")
    assert (await take(store, "b")).epoch == floor + 2


async def test_a_lost_grant_is_granted_again(store: LeaseStore) -> None:
    """A node whose answer was lost in the network is not kept waiting for itself."""
    lost = await take(store, "a")
    assert await take(store, "a") > lost
    assert not await store.renew(lost)


async def test_a_release_lets_anybody_in_at_once(store: LeaseStore) -> None:
    """A lease that was given back needs no silence."""
    token = await take(store, "a")
    assert await store.release(token, "", 0.0, "test")
    assert await store.read_master() is None
    await take(store, "b")


async def test_a_hand_over_keeps_the_lease_for_the_successor(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """The others are held off for a while, the successor is not; if it does not come, anybody may."""
    token = await take(store, "a")
    await store.release(token, "b", 10.0, "step-down")
    refused = await acquire(store, "c")
    assert isinstance(refused, Refused)
    assert refused.kind == "HANDOFF"
    assert 2 < refused.wait <= 3
    raw.hset(keys.of("meta"), "heir_until", 0)
    await take(store, "c")


async def test_the_successor_takes_over_even_if_barred(store: LeaseStore) -> None:
    """Being named outweighs having left."""
    token = await take(store, "a")
    await store.release(token, "a", 10.0, "test")
    await take(store, "a")


async def test_who_stepped_down_is_barred(store: LeaseStore, raw: redis.Redis, keys: Keys) -> None:
    """The leaver waits, the others do not, and nor does the next process of the leaver's node."""
    token = await take(store, "a")
    await store.release(token, "", 10.0, "step-down")
    refused = await acquire(store, "a")
    assert isinstance(refused, Refused)
    assert refused.kind == "VETO"
    assert 9 < refused.wait <= 10
    assert isinstance(await look_and_acquire(store, replace(ask("a"), boot="a2")), Granted)


async def test_the_bar_ends(store: LeaseStore, raw: redis.Redis, keys: Keys) -> None:
    """If nobody else comes, the leaver may lead again."""
    token = await take(store, "a")
    await store.release(token, "", 10.0, "step-down")
    raw.hset(keys.of("meta"), "barred_until", 0)
    await take(store, "a")


async def test_a_renewal_prolongs_the_key(store: LeaseStore, raw: redis.Redis, keys: Keys) -> None:
    """The key lives for another ttl from each renewal."""
    token = await take(store, "a")
    raw.pexpire(keys.of("lease"), 1000)
    assert await store.renew(token)
    assert raw.pttl(keys.of("lease")) > 4000


async def test_a_renewal_of_another_s_lease_is_lost(store: LeaseStore) -> None:
    """Only the very token in the key is renewed."""
    token = await take(store, "a")
    assert not await store.renew(replace(token, boot="a2"))
    assert await store.read_master() == token


async def test_a_key_that_was_lost_is_set_again(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """The master keeps its term if Redis lost the key but not the record."""
    token = await take(store, "a")
    raw.delete(keys.of("lease"))
    assert await store.renew(token)
    assert await store.read_master() == token
    assert raw.pttl(keys.of("lease")) > 4000


async def test_a_late_renewal_brings_nothing_back(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """A renewal that arrives after the release, or after Redis forgot everything, finds the lease lost."""
    token = await take(store, "a")
    await store.release(token, "", 0.0, "test")
    assert not await store.renew(token)
    raw.delete(keys.of("meta"))
    assert not await store.renew(token)
    assert await store.read_master() is None


async def test_a_release_with_a_wrong_token_changes_nothing(store: LeaseStore) -> None:
    """Nobody gives back what is another's."""
    token = await take(store, "a")
    assert not await store.release(replace(token, epoch=token.epoch - 1), "", 0.0, "test")
    assert await store.renew(token)


async def test_a_release_may_be_repeated(store: LeaseStore, raw: redis.Redis, keys: Keys) -> None:
    """A release whose answer was lost is asked for again and says yes, until somebody else has the lease."""
    token = await take(store, "a")
    assert await store.release(token, "b", 0.0, "test")
    assert await store.release(token, "c", 0.0, "again")
    assert raw.hget(keys.of("meta"), "heir") == "b"
    await take(store, "b")
    assert not await store.release(token, "", 0.0, "test")


async def test_a_lost_key_can_be_released(store: LeaseStore, raw: redis.Redis, keys: Keys) -> None:
    """A term whose key Redis lost is still given back, so that nobody waits for it."""
    token = await take(store, "a")
    raw.delete(keys.of("lease"))
    assert await store.release(token, "", 0.0, "test")
    await take(store, "b")


async def test_history_tells_each_term_s_beginning_and_end(
    store: LeaseStore, raw: redis.Redis, keys: Keys
) -> None:
    """There is one entry for each, with the reason, and none for renewals."""
    token = await take(store, "a")
    await store.renew(token)
    await store.release(token, "b", 10.0, "kernel", cause="step-down", by="ada")
    successor = await take(store, "b")
    entries = [fields for _, fields in raw.xrange(keys.of("history")) or ()]
    assert entries == [
        {
            "event": "acquired",
            "token": str(token),
            "previous": "",
            "reason": "first",
            "heard": "",
            "redis": "",
        },
        {
            "event": "released",
            "token": str(token),
            "to": "b",
            "reason": "kernel",
            "cause": "step-down",
            "by": "ada",
        },
        {
            "event": "acquired",
            "token": str(successor),
            "previous": str(token),
            "reason": "handed over",
            "heard": "",
            "redis": "",
        },
    ]


async def test_two_nodes_race_and_one_wins(link: Link, keys: Keys) -> None:
    """Of those that ask at the same moment, exactly one is granted the lease."""
    granted: list[Token] = []

    async def run(node: str) -> None:
        async with open_lease(link, keys, TIMING) as store:
            answer = await acquire(store, node)
            if isinstance(answer, Granted):
                granted.append(answer.token)

    async with trio.open_nursery() as nursery:
        for node in "abcdef":
            nursery.start_soon(run, node)
    assert len(granted) == 1


async def test_a_server_that_forgot_the_scripts_learns_them_again(
    store: LeaseStore, raw: redis.Redis
) -> None:
    """After SCRIPT FLUSH, as after a failover, every script still runs."""
    raw.script_flush()
    token = await take(store, "a")
    raw.script_flush()
    assert await store.renew(token)
    raw.script_flush()
    assert await store.request_step_down(token, "r1", Order())
    raw.script_flush()
    assert await store.release(token, "", 0.0, "test")


async def test_too_few_replicas_are_no_answer(link: Link, keys: Keys) -> None:
    """A lease that is on one server only may be lost with it, so it does not count; nor does what is said of one."""
    async with (
        open_lease(link, keys, PATIENT) as looker,
        open_lease(link, keys, PATIENT, replicas=1) as store,
    ):
        looked = await looker.acquire(ask("a"))
        assert isinstance(looked, Changed)
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await store.acquire(ask("a", looked.sight))
        master = await store.read_master()
        assert master is not None
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await store.renew(master)
        assert await store.acquire(ask("b")) == Refused("ALONE", ALONE)


@pytest.mark.parametrize("find", [lambda: None, find_redis], ids=["valkey", "redis"])
async def test_a_refusal_counts_with_a_replica(
    find: Callable[[], Path | None], tmp_path: Path, keys: Keys
) -> None:
    """Also on a new connection, that has written nothing which a replica could have."""
    async with (
        run_pair(tmp_path, find()) as pair,
        confirming(pair.master) as link,
        open_lease(link, keys, PATIENT, replicas=1) as store,
        open_lease(link, keys, PATIENT, replicas=1) as another,
    ):
        await take(store, "a")
        assert await acquire(another, "b") == Refused("HELD", TIMING.ttl)


async def test_every_change_is_an_event(store: LeaseStore) -> None:
    """Whoever follows hears of everything after the id it names, in order."""
    token = await take(store, "a")
    await store.renew(token)
    await store.request_step_down(token, "r1", Order(to="b", by="ada", hold=1.5, force=True))
    await store.prepare(token, "b", "r1#1")
    await store.ready("r1#1")
    await store.refuse("r1", "no such node", "ineligible")
    await store.release(token, "b", 0.0, "test")
    heard: list[Event] = []

    def collect(event: Event) -> bool:
        heard.append(event)
        return event.kind == "released"

    await hear(store, collect, after="0-0")
    kinds = [(event.kind, event.token, event.to, event.request, event.by) for event in heard]
    assert kinds == [
        ("connected", None, "", "", ""),
        ("acquired", token, "", "", ""),
        ("renewed", token, "", "", ""),
        ("step-down", token, "b", "r1", "ada"),
        ("prepare", token, "b", "r1#1", ""),
        ("ready", None, "", "r1#1", ""),
        ("refused", None, "", "r1", ""),
        ("released", token, "b", "", ""),
    ]
    assert len({event.sight.identity for event in heard}) == 1
    _, _, _, request, _, _, refusal, _ = heard
    assert (request.hold, request.force, refusal.code) == (1.5, True, "ineligible")


async def test_a_follower_outlives_its_connection(
    store: LeaseStore, raw: redis.Redis, nursery: trio.Nursery
) -> None:
    """What happens while the connection is down is heard after it is up again."""
    token = await take(store, "a")
    send, receive = trio.open_memory_channel[Event](100)
    nursery.start_soon(store.follow, send.send)
    with trio.fail_after(5):
        assert (await receive.receive()).kind == "connected"
        raw.client_kill_filter(_type="normal", skipme=True)
        await wait_until_asked(store.renew, token)
        kinds = {(await receive.receive()).kind for _ in range(2)}
    assert kinds == {"connected", "renewed"}


async def wait_until_asked(question: Callable[[Token], Awaitable[bool]], token: Token) -> None:
    """Ask until there is an answer."""
    while True:
        try:
            await question(token)
        except StoreUnavailable:
            await trio.sleep(0.01)
        else:
            return


async def test_who_follows_an_emptied_stream_hears_what_is_new(
    store: LeaseStore, nursery: trio.Nursery
) -> None:
    """An id that is ahead of the server's newest does not make a follower deaf."""
    send, receive = trio.open_memory_channel[Event](100)
    nursery.start_soon(store.follow, send.send, "99999999999999-0")
    with trio.fail_after(5):
        assert (await receive.receive()).kind == "connected"
        await take(store, "a")
        assert (await receive.receive()).kind == "acquired"


@pytest.mark.parametrize(
    "fields", [[], [b"event", b"later kind"], [b"event", b"renewed", b"token", b"nonsense"]]
)
def test_events_of_another_version_are_skipped(fields: list[bytes]) -> None:
    """An entry that cannot be read is not an error."""
    assert read_event(Sight("1-0", "x@0"), fields) is None


class Twins:
    """The real server and the simulation's, asked the same questions."""

    def __init__(self, store: LeaseStore, draw: random.Random) -> None:
        self.fake = FakeServer(trio.current_time, run_id="fake")
        self._store = store
        self._draw = draw
        self._tokens: list[tuple[Token, Token]] = []
        self._seen = NOTHING, NOTHING
        self.refusals: set[str] = set()

    async def acquire(self) -> None:
        """Ask for the lease, by what was seen last."""
        draw = self._draw
        question = ask(
            draw.choice("abc"),
            silence=draw.choice([0.0, 60.0]),
            age=draw.choice([0.0, 60.0]),
            floor=draw.choice([0, 1]),
        )
        one, other = (replace(question, sight=sight) for sight in self._seen)
        match self.fake.acquire(one), await self._store.acquire(other):
            case Granted(here), Granted(there):
                self._tokens.append((here, there))
            case Changed(this), Changed(that):
                self._seen = this, that
            case Refused(here_kind, _), Refused(there_kind, _):
                assert here_kind == there_kind
                self.refusals.add(here_kind)
            case differing:
                pytest.fail(f"different answers: {differing}")

    async def renew(self) -> None:
        """Renew one of the last terms."""
        one, other = self._pick()
        assert self.fake.renew(one, TIMING.ttl) == await self._store.renew(other)

    async def release(self) -> None:
        """Give back one of the last terms."""
        one, other = self._pick()
        heir, barred = self._draw.choice(["", "a"]), self._draw.choice([0.0, 60.0])
        assert self.fake.release(one, heir, barred, "") == await self._store.release(
            other, heir, barred, ""
        )

    async def order(self, link: Link, keys: Keys) -> None:
        """Order something, or take it back."""
        name = self._draw.choice(["pause", "drain:a", "drain:b", "hold:b", "hold:c"])
        until = self._draw.choice([None, None, 0.0, 10.0**10])
        value = b"" if until is None else msgspec.json.encode(Directive("t", until=until))
        here = self.fake.order(name, until)
        there = await link.script(
            load("control"), [keys.of("control"), keys.of("events")], [name, value]
        )
        assert here == there

    def _pick(self) -> tuple[Token, Token]:
        never = Token(0, 0, "x", "x1")
        return self._draw.choice(self._tokens[-3:] or [(never, never)])


async def test_the_fake_answers_as_the_scripts_do(
    store: LeaseStore, raw: redis.Redis, link: Link, keys: Keys
) -> None:
    """What is proved with the simulation's server holds for the real one: the same questions, the same answers."""
    draw = random.Random(1)
    twins = Twins(store, draw)
    steps = ["acquire"] * 6 + ["renew", "release", "forget"] * 2 + ["order"]
    for _ in range(800):
        match draw.choice(steps):
            case "acquire":
                await twins.acquire()
            case "renew":
                await twins.renew()
            case "release":
                await twins.release()
            case "order":
                await twins.order(link, keys)
            case _:
                twins.fake.forget()
                raw.delete(keys.of("lease"))
    assert twins.refusals >= {"HELD", "PAUSED", "DRAINED", "HOLD", "WAIT", "HANDOFF", "VETO"}


Run = Callable[[str, Callable[[Term], Awaitable[None]]], Awaitable[Elector]]


@pytest.fixture
def start(link: Link, keys: Keys, nursery: trio.Nursery) -> Run:
    """Start an elector of its own connection on a node."""

    async def run(node: str, duty: Callable[[Term], Awaitable[None]]) -> Elector:
        ready = trio.Event()
        electors: list[Elector] = []

        async def live() -> None:
            async with open_lease(link, keys, QUICK) as store:
                elector = Elector(store, node, f"{node}1", QUICK)
                electors.append(elector)
                ready.set()
                await elector.run(duty)

        nursery.start_soon(live)
        await ready.wait()
        return electors[0]

    return run


async def test_resigning_hands_over_at_once(start: Run) -> None:
    """The successor is at work before any ttl has passed, also when it has only just begun to listen."""
    send, receive = trio.open_memory_channel[str](0)

    async def duty(term: Term) -> None:
        await send.send(Token.parse(term.token).node)
        await term.leaving.wait()

    first = await start("a", duty)
    with trio.fail_after(5):
        assert await receive.receive() == "a"
        await start("b", duty)
        left = trio.current_time()
        await first.resign("b", "test")
        assert await receive.receive() == "b"
    assert trio.current_time() - left < QUICK.ttl


async def test_a_master_that_vanishes_is_replaced_after_silence(
    start: Run, link: Link, keys: Keys
) -> None:
    """A lease that nobody renews any more is taken, and not before its ttl has passed."""
    async with open_lease(link, keys, QUICK) as store:
        gone = await look_and_acquire(store, replace(ask("a"), timing=QUICK))
    assert isinstance(gone, Granted)
    vanished = trio.current_time()
    begun = trio.Event()

    async def duty(term: Term) -> None:
        begun.set()
        await term.leaving.wait()

    await start("b", duty)
    with trio.fail_after(15):
        await begun.wait()
    assert trio.current_time() - vanished >= QUICK.ttl
