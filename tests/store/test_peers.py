"""Who lives and what is ordered, on a real server."""

from __future__ import annotations

from hachat.store.control import Control, drain, pause
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.members import Member, Members
from hachat.store.peers import read_peers


def member(node: str, priority: int = 100) -> Member:
    """Return what a node says of itself."""
    return Member(node, "1", 1, "", "", 0.0, 3.0, 9.0, priority=priority)


async def test_who_lives_is_told_with_what_is_ordered(link: Link, keys: Keys) -> None:
    """In the order of their names; who missed a beat and a half, has left or cannot be read is none of them."""
    for node in ("b", "a", "late", "left"):
        await Members(link, keys, member(node, 7)).join()
    await Members(link, keys, member("left")).leave()
    seconds, _ = await link.command("TIME")
    await link.command("ZADD", keys.of("nodes"), (int(seconds) + 4) * 1000, "late:1")
    await link.command("HSET", keys.of("members"), "odd:1", "rubbish")
    paused = await pause(link, keys, by="ada")
    drained = await drain(link, keys, "a", by="ada")

    peers = await read_peers(link, keys)

    assert list(peers.living) == [member("a", 7), member("b", 7)]
    assert (peers.control.pause, peers.control.drains) == (paused, {"a": drained})


async def test_a_redis_that_was_away_makes_nobody_dead(link: Link, keys: Keys) -> None:
    """Who was heard as lately as all others lives, until its node lease ends."""
    for node in ("a", "b", "dead"):
        await Members(link, keys, member(node)).join()
    seconds, _ = await link.command("TIME")
    for node, left in (("a", 3), ("b", 2), ("dead", -1)):  # of nine
        await link.command("ZADD", keys.of("nodes"), (int(seconds) + left) * 1000, f"{node}:1")

    peers = await read_peers(link, keys)

    assert list(peers.living) == [member("a"), member("b")]


async def test_an_empty_redis_knows_nobody(link: Link, keys: Keys) -> None:
    """Nobody lives there, and nothing is ordered."""
    peers = await read_peers(link, keys)
    assert (list(peers.living), peers.control) == ([], Control())


async def test_what_was_told_late_brings_nobody_back(link: Link, keys: Keys) -> None:
    """A node that has said goodbye stays gone."""
    members = Members(link, keys, member("a"))
    await members.join()
    await members.leave()
    await members.tell(member("a", 8))
    assert await link.command("EXISTS", keys.of("members")) == 0


async def test_a_record_of_an_older_release_has_the_default(link: Link, keys: Keys) -> None:
    """A node that says nothing of its priority is as good as any."""
    await Members(link, keys, member("a")).join()
    old = b'{"node":"a","boot":"1","pid":1,"http":"","version":"","started":0,"beat":3,"life":9}'
    await link.command("HSET", keys.of("members"), "a:1", old)
    (only,) = (await read_peers(link, keys)).living
    assert (only.priority, only.leaving) == (100, False)
