"""Membership on a real server: joining, namesakes, beats and goodbyes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
import trio

from hachat.core.errors import NewerLayout, StoreError, StoreUnavailable
from hachat.core.settings import QueueSettings
from hachat.store.client import Client
from hachat.store.commits import Commit, Taken, Verdict
from hachat.store.embedded import Server, free_port
from hachat.store.inbound import Inbound
from hachat.store.keys import GROUP, LANES, Keys
from hachat.store.link import Link, make_client
from hachat.store.members import (
    LAYOUT,
    LOOK_BEATS,
    Member,
    Members,
    check_layout,
    read_newest_schema,
)
from tests.store.letters import message
from tests.waiting import until


def member(node: str = "n1", boot: str = "b1") -> Member:
    """Return what a node says of itself."""
    return Member(
        node, boot, pid=1, http="http://127.0.0.1:1", version="0", started=1.0, beat=3.0, life=10.0
    )


def members(link: Link, keys: Keys, me: Member) -> Members:
    """Return the membership of `me`."""
    return Members(link, keys, me)


async def beat(mine: Members, client: Client) -> list[str]:
    """Beat from a thread, as the heartbeat does."""
    return await trio.to_thread.run_sync(mine.beat, client)


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """What a heartbeat has of its own."""
    made = make_client(1.0, host=server.host, port=server.port)
    yield made
    made.close()


async def give_up(link: Link, keys: Keys, consumer: str) -> Inbound:
    """Let a node have been taken for dead, and return its queue."""
    await link.command("ZADD", keys.of("nodes"), 1, consumer)
    queue = Inbound(link, keys, consumer, QueueSettings())
    await queue.prepare()
    assert await Inbound(link, keys, "other:boot", QueueSettings()).reap(10) == []
    assert await link.command("ZSCORE", keys.of("nodes"), consumer) is None
    return queue


async def take(queue: Inbound) -> Taken:
    """Have a message queued, and its conversation taken by a node."""
    assert await queue.enqueue(message(1), "chat")
    _, (taken,) = await queue.turn("chat", [], 1)
    return taken


async def test_a_node_that_joins_is_known_and_alive(link: Link, keys: Keys) -> None:
    """Joining writes what the node says of itself and gives it a lease of life."""
    me = member()

    assert await members(link, keys, me).join() == b""

    said = await link.command("HGET", keys.of("members"), "n1:b1")
    assert msgspec.json.decode(said, type=Member) == me
    assert await link.command("ZSCORE", keys.of("nodes"), "n1:b1") is not None


async def test_a_node_that_was_given_up_and_lives_on_stays_known(
    link: Link, keys: Keys, client: Client
) -> None:
    """Being remembered as gone ends after a day; what it says of itself is forgotten only if it does not live."""
    for name in ("n2", "n3"):
        await members(link, keys, member(name)).join()
    for name in ("n2", "n3"):
        await give_up(link, keys, f"{name}:b1")
        await link.command("HSET", keys.of("gone"), f"{name}:b1", 1)
    await beat(members(link, keys, member("n2")), client)

    await members(link, keys, member("n1")).join()

    assert await link.command("HKEYS", keys.of("gone")) == []
    assert sorted(await link.command("HKEYS", keys.of("members"))) == [b"n1:b1", b"n2:b1"]


async def test_the_newest_schema_is_that_of_the_living(link: Link, keys: Keys) -> None:
    """A newer node counts as long as it lives, and what somebody else wrote there counts for nothing."""
    assert await read_newest_schema(link, keys) == 0
    for number in range(3):
        me = msgspec.structs.replace(member(f"n{number}"), schema=number + 1)
        await members(link, keys, me).join()
    await link.command("HSET", keys.of("members"), "n0:b1", "rubbish")
    assert await read_newest_schema(link, keys) == 3

    await link.command("ZADD", keys.of("nodes"), 1, "n2:b1")
    assert await read_newest_schema(link, keys) == 2


async def test_the_layout_of_a_newer_release_is_refused(link: Link, keys: Keys) -> None:
    """Whoever comes first writes its layout down; an older release that finds a newer one must not start."""
    await check_layout(link, keys)
    await check_layout(link, keys)
    assert await link.command("GET", keys.of("layout")) == str(LAYOUT).encode()

    await link.command("SET", keys.of("layout"), LAYOUT + 1)
    with pytest.raises(NewerLayout, match=f"layout {LAYOUT + 1}, ours is {LAYOUT}"):
        await check_layout(link, keys)


async def test_a_living_namesake_is_reported(link: Link, keys: Keys) -> None:
    """A second process of the same name learns that the first one's lease still runs, and changes nothing."""
    first, second = member(boot="b1"), member(boot="b2")
    await members(link, keys, first).join()

    assert await members(link, keys, second).join() != b""

    assert await link.command("HKEYS", keys.of("members")) == [b"n1:b1"]


async def test_a_namesake_that_moved_is_alive(link: Link, keys: Keys, client: Client) -> None:
    """A lease that was renewed since it was looked at belongs to a living process."""
    first, second = member(boot="b1"), member(boot="b2")
    mine = members(link, keys, first)
    await mine.join()
    seen = await members(link, keys, second).join()
    while await link.command("ZSCORE", keys.of("nodes"), "n1:b1") == seen:
        await beat(mine, client)

    assert await members(link, keys, second).join(seen) != b""


async def test_a_namesake_that_stood_still_is_replaced(link: Link, keys: Keys) -> None:
    """A lease that did not move is ended, so that its conversations are taken over at once."""
    first, second = member(boot="b1"), member(boot="b2")
    await members(link, keys, first).join()
    seen = await members(link, keys, second).join()

    assert await members(link, keys, second).join(seen) == b""

    assert await link.command("HKEYS", keys.of("members")) == [b"n1:b2"]
    lease = float(await link.command("ZSCORE", keys.of("nodes"), "n1:b1"))
    seconds, _ = await link.command("TIME")
    assert lease < (int(seconds) + 1) * 1000


async def test_a_name_that_only_begins_alike_is_no_namesake(link: Link, keys: Keys) -> None:
    """Node `n1` and node `n10` live side by side."""
    first, second = member("n10"), member("n1")
    await members(link, keys, first).join()

    assert await members(link, keys, second).join() == b""


async def test_a_beat_tells_whose_lease_ran_out(link: Link, keys: Keys, client: Client) -> None:
    """A node that beats stays alive itself and hears who does not."""
    me, other = member("n1"), member("n2")
    mine = members(link, keys, me)
    await mine.join()
    await members(link, keys, other).join()
    await link.command("ZADD", keys.of("nodes"), 1, other.consumer)

    assert await beat(mine, client) == [other.consumer]


async def test_who_holds_something_and_is_in_no_list_is_missed(
    link: Link, keys: Keys, client: Client
) -> None:
    """A node that was given up, woke up, took a conversation and died leaves it to others all the same."""
    woken = await give_up(link, keys, "n2:b2")
    token, head = await take(woken)
    mine = members(link, keys, msgspec.structs.replace(member(), life=0.2))

    async def gone() -> bool:
        return await beat(mine, client) == ["n2:b2"]

    await until(gone)

    mine_too = Inbound(link, keys, "n1:b1", QueueSettings())
    assert await mine_too.reap(10) == [token]
    (late,), _ = await woken.turn("chat", [Commit(token, head)])
    assert late == (Verdict.LOST, None)
    (done,), _ = await mine_too.turn("chat", [Commit(token, head)])
    assert done == (Verdict.DONE, None)
    assert await link.command("ZRANGE", keys.of("nodes"), 0, -1) == [b"n1:b1"]


async def test_who_wakes_up_and_lives_is_not_robbed(link: Link, keys: Keys, client: Client) -> None:
    """A node that was given up and takes a conversation before it beats again has as long for that as any other."""
    woken = await give_up(link, keys, "n2:b2")
    token, head = await take(woken)
    mine, its = members(link, keys, member()), members(link, keys, member("n2", "b2"))

    assert await beat(mine, client) == []
    lease = float(await link.command("ZSCORE", keys.of("nodes"), "n2:b2"))
    for _ in range(LOOK_BEATS):
        assert await beat(mine, client) == []
    assert float(await link.command("ZSCORE", keys.of("nodes"), "n2:b2")) == lease
    assert await Inbound(link, keys, "n1:b1", QueueSettings()).reap(10) == []

    assert await beat(its, client) == []
    (done,), _ = await woken.turn("chat", [Commit(token, head)])
    assert done == (Verdict.DONE, None)


async def test_who_holds_nothing_is_not_missed(link: Link, keys: Keys, client: Client) -> None:
    """A consumer with empty hands needs nobody to take over, and a node that left is no member again."""
    queue = Inbound(link, keys, "n2:b2", QueueSettings())
    await queue.prepare()
    token, head = await take(queue)
    await queue.turn("chat", [Commit(token, head)])
    mine = members(link, keys, member())

    for _ in range(LOOK_BEATS):
        assert await beat(mine, client) == []

    assert await link.command("ZRANGE", keys.of("nodes"), 0, -1) == [b"n1:b1"]
    consumers = await link.command("XINFO", "CONSUMERS", keys.ready("chat"), GROUP)
    assert [consumer[1] for consumer in consumers] == [b"n2:b2"]


async def test_beats_need_no_queue(link: Link, keys: Keys, client: Client) -> None:
    """Before anybody has made the streams and groups, and with something else in their place, nodes live."""
    mine = members(link, keys, member())
    await link.command("SET", keys.ready("chat"), "rubbish")

    for _ in range(LOOK_BEATS + 1):
        assert await beat(mine, client) == []


async def test_looking_for_who_is_missed_by_nobody_costs_little(
    link: Link, keys: Keys, own_server: Server
) -> None:
    """Of all commands of a beat, a look adds one, and one for each lane, once in so many beats."""
    client = make_client(1.0, host=own_server.host, port=own_server.port)
    mine = members(link, keys, member())

    async def count() -> int:
        facts = await trio.to_thread.run_sync(client.exchange, [("INFO", "stats")])
        lines = dict(line.split(":", 1) for line in facts[0].decode().splitlines() if ":" in line)
        return int(lines["total_commands_processed"])

    before = await count()
    for _ in range(3 * LOOK_BEATS):
        await beat(mine, client)
    spent = await count() - before - 1
    client.close()

    evaluations_with_time_and_two_of_nodes = 4 * 3 * LOOK_BEATS
    assert spent == evaluations_with_time_and_two_of_nodes + 3 * (len(LANES) + 1)


async def test_a_redis_that_has_forgotten_a_node_is_told_again(
    link: Link, keys: Keys, client: Client
) -> None:
    """A node that lives is in the list of members again after a few beats, as it was."""
    mine = members(link, keys, member())
    await mine.join()
    before = await link.command("HGETALL", keys.of("members"))
    await link.command("DEL", keys.of("members"), keys.of("nodes"))

    for _ in range(LOOK_BEATS):
        await beat(mine, client)

    assert await link.command("HGETALL", keys.of("members")) == before


async def test_a_beat_that_is_lost_is_no_look(link: Link, keys: Keys, client: Client) -> None:
    """Whoever could not look does so with the next beat that arrives."""
    woken = await give_up(link, keys, "n2:b2")
    await take(woken)
    mine = members(link, keys, member())
    void = make_client(0.5, host="127.0.0.1", port=free_port())
    with pytest.raises(StoreError):
        await beat(mine, void)

    await beat(mine, client)

    assert await link.command("ZSCORE", keys.of("nodes"), "n2:b2") is not None


async def test_a_beat_into_the_void_is_an_error_of_ours(link: Link, keys: Keys) -> None:
    """Without a server the beat says that Redis is unavailable, and nothing of redis-py's own."""
    client = make_client(0.5, host="127.0.0.1", port=free_port())

    with pytest.raises(StoreUnavailable):
        await beat(members(link, keys, member()), client)


async def test_who_leaves_is_neither_alive_nor_missed(link: Link, keys: Keys) -> None:
    """After a goodbye the node is in no list."""
    me = member()
    mine = members(link, keys, me)
    await mine.join()

    await mine.leave()

    assert await link.command("EXISTS", *map(keys.of, ("members", "nodes", "gone"))) == 0


async def test_the_first_node_of_a_cluster_that_starts(link: Link, keys: Keys) -> None:
    """Only one is, however often it asks; a cluster whose nodes are all gone starts anew with the next."""

    async def begin(node: str) -> tuple[Members, bool]:
        mine = members(link, keys, member(node, "b"))
        await mine.join()
        return mine, await mine.begin()

    first, is_first = await begin("n1")
    second, is_second = await begin("n2")
    assert (is_first, is_second) == (True, False)
    assert (await first.begin(), await second.begin()) == (True, False)

    await first.leave()
    third, is_third = await begin("n3")
    assert not is_third
    await second.leave()
    await third.leave()
    assert (await begin("n4"))[1]
    assert await link.command("ZCARD", keys.of("life")) == 1


async def test_nodes_that_start_together(link: Link, keys: Keys) -> None:
    """Of those that join before any of them asks, one is the first."""
    together = [members(link, keys, member(f"n{number}", "b")) for number in range(4)]
    for mine in together:
        await mine.join()

    assert [await mine.begin() for mine in together] == [True, False, False, False]
