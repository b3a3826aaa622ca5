"""Membership on a real server: joining, namesakes, beats and goodbyes."""

from __future__ import annotations

import msgspec
import pytest
import trio

from hachat.core.errors import NewerLayout, StoreUnavailable
from hachat.store.client import Client
from hachat.store.embedded import Server, free_port
from hachat.store.keys import Keys
from hachat.store.link import Link, make_client
from hachat.store.members import LAYOUT, Member, Members, check_layout, read_newest_schema


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


async def test_a_node_that_joins_is_known_and_alive(link: Link, keys: Keys) -> None:
    """Joining writes what the node says of itself and gives it a lease of life."""
    me = member()

    assert await members(link, keys, me).join() == b""

    said = await link.command("HGET", keys.of("members"), "n1:b1")
    assert msgspec.json.decode(said, type=Member) == me
    assert await link.command("ZSCORE", keys.of("nodes"), "n1:b1") is not None


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


async def test_a_namesake_that_moved_is_alive(link: Link, keys: Keys, server: Server) -> None:
    """A lease that was renewed since it was looked at belongs to a living process."""
    first, second = member(boot="b1"), member(boot="b2")
    mine = members(link, keys, first)
    await mine.join()
    seen = await members(link, keys, second).join()
    client = make_client(1.0, host=server.host, port=server.port)
    while await link.command("ZSCORE", keys.of("nodes"), "n1:b1") == seen:
        await beat(mine, client)

    assert await members(link, keys, second).join(seen) != b""
    client.close()


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


async def test_a_beat_tells_whose_lease_ran_out(link: Link, keys: Keys, server: Server) -> None:
    """A node that beats stays alive itself and hears who does not."""
    me, other = member("n1"), member("n2")
    mine = members(link, keys, me)
    await mine.join()
    await members(link, keys, other).join()
    await link.command("ZADD", keys.of("nodes"), 1, other.consumer)
    client = make_client(1.0, host=server.host, port=server.port)

    assert await beat(mine, client) == [other.consumer]
    client.close()


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
