"""Runs are counted on a real server, for the whole cluster."""

from __future__ import annotations

import trio

from hachat.core.rates import Rate
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.rates import Rates


async def test_no_more_than_allowed_however_many_ask_at_once(link: Link, keys: Keys) -> None:
    """Nodes that ask together share one count, and one of those refused tells of it."""
    rates, turns = [Rates(link, keys), Rates(link, keys)], []

    async def ask(number: int) -> None:
        turns.append(await rates[number % 2].take("deploy@irc/ada", Rate(3, 60.0)))

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(ask, number)

    refused = [turn for turn in turns if turn.wait]
    assert len(refused) == 7
    assert sum(turn.first for turn in refused) == 1
    assert all(15.0 < turn.wait <= 20.0 for turn in refused)


async def test_names_and_clusters_do_not_meet(link: Link, keys: Keys) -> None:
    """Each name is counted by itself."""
    rates, rate = Rates(link, keys), Rate(1, 60.0)

    assert not (await rates.take("a", rate)).wait
    assert not (await rates.take("b", rate)).wait
    assert not (await Rates(link, Keys(f"{keys.cluster}-other")).take("a", rate)).wait
    assert (await rates.take("a", rate)).wait


async def test_whoever_has_waited_is_let_in_and_the_count_is_forgotten(
    link: Link, keys: Keys
) -> None:
    """As long as it was told is enough, and the key goes by itself."""
    rates, rate = Rates(link, keys), Rate(1, 0.2)
    await rates.take("a", rate)
    turn = await rates.take("a", rate)
    while turn.wait:
        await trio.sleep(turn.wait)
        turn = await rates.take("a", rate)

    assert 0 < await link.command("PTTL", keys.of("rate:a")) <= 201


async def test_what_is_no_count_is_begun_anew(link: Link, keys: Keys) -> None:
    """A value that nobody of ours wrote does no harm."""
    await link.command("SET", keys.of("rate:a"), "nonsense")

    assert not (await Rates(link, keys).take("a", Rate(1, 60.0))).wait
