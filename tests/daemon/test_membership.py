"""A node among the others, in a real server: it joins, beats, hears who has gone, and says goodbye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import trio

from hachat import Context, Handler, on
from hachat.bot.binding import bind
from hachat.bot.robot import Robot
from hachat.cluster.roster import Roster
from hachat.core import wire
from hachat.core.messages import Event, Inbound
from hachat.core.settings import Settings, build
from hachat.daemon.herald import Herald
from hachat.daemon.holding import Holder
from hachat.daemon.membership import Membership, introduce
from hachat.store.keys import Keys, Lane
from hachat.store.link import Link
from hachat.store.members import Members
from hachat.store.peers import Peers
from tests.waiting import until


class Watch(Handler):
    """Wants to know who comes and goes."""

    @on("node joined")
    async def joined(self, ctx: Context) -> None:
        """Hear of a node."""

    @on("node left")
    async def left(self, ctx: Context) -> None:
        """Hear of a node."""


@dataclass
class Place:
    """What a node is made of that has no part in the others'."""

    leaving: bool = False
    asked: int = 0
    beats: int = 0
    gone: list[str] = field(default_factory=list)
    queued: list[Inbound] = field(default_factory=list)

    async def enqueue(self, value: Inbound, lane: Lane) -> bool:
        """Take what is told."""
        await trio.lowlevel.checkpoint()
        assert lane == "work"
        self.queued.append(value)
        return True

    def is_leaving(self) -> bool:
        """Tell whether the node is leaving, and note that it was asked."""
        self.asked += 1
        return self.leaving

    def beaten(self) -> None:
        """Note a beat."""
        self.beats += 1

    def notice(self, gone: Sequence[str]) -> None:
        """Note whose work is to be taken over."""
        self.gone += gone

    def told(self) -> list[tuple[str, str]]:
        """Return what was told, of which node."""
        return [
            (value.name, value.data["node"]) for value in self.queued if isinstance(value, Event)
        ]


def settings(name: str) -> Settings:
    """Return the settings of a node that beats fast."""
    return build({"node": name, "worker": {"heartbeat": 0.1, "node_ttl": 0.4}}, origin="test")


def members(link: Link, keys: Keys, name: str) -> Members:
    """Return the cluster as a node sees it."""
    return Members(link, keys, introduce(settings(name), "b1", "http://127.0.0.1:1"))


def make(link: Link, keys: Keys, place: Place, file: Path) -> Membership:
    """Return the membership of the node n1."""

    async def read() -> Peers:
        await trio.lowlevel.checkpoint()
        return Peers()

    there: Any = place
    return Membership(
        link,
        keys,
        roster=Roster("n1", 100, read),
        recovery=there,
        herald=Herald("n1", Robot(bind(Watch()), "hachat"), place.enqueue),
        holder=Holder(file, settings("n1"), "b1"),
        turned_at=monotonic,
        leaving=place.is_leaving,
    )


async def test_a_node_joins_and_says_goodbye(link: Link, keys: Keys, tmp_path: Path) -> None:
    """In between it beats; what it holds is noted for as long, and both are told."""
    place, file = Place(), tmp_path / "lease"
    membership, here = make(link, keys, place, file), members(link, keys, "n1")
    silences = [membership.silence]

    await membership.join(here)
    silences.append(membership.silence)
    async with membership.hold(here):
        await until(lambda: place.beats > 1)
        silences.append(membership.silence)
        assert file.exists()
        assert await link.command("HKEYS", keys.of("members")) == [b"n1:b1"]

    assert silences[:2] == [None, None]
    assert silences[2] is not None
    assert silences[2] >= 0
    assert not file.exists()
    assert await link.command("HKEYS", keys.of("members")) == []
    assert place.told() == [("node joined", "n1"), ("node left", "n1")]


@pytest.mark.parametrize("leaving", [False, True])
async def test_the_work_of_whom_is_gone_is_taken_over(
    link: Link, keys: Keys, tmp_path: Path, *, leaving: bool
) -> None:
    """Unless this node leaves itself: it would lie here until that was gone."""
    place = Place(leaving=leaving)
    membership, here = make(link, keys, place, tmp_path / "lease"), members(link, keys, "n1")
    await members(link, keys, "n2").join()  # and never beats

    await membership.join(here)
    async with membership.hold(here):
        await until(lambda: place.asked)

    assert place.gone == ([] if leaving else ["n2:b1"])
    assert (("node left", "n2") in place.told()) == (not leaving)


def test_a_node_says_of_itself_what_its_settings_say() -> None:
    """And what its process is."""
    me = introduce(settings("n7"), "b9", "http://127.0.0.1:80")
    assert (me.consumer, me.http, me.beat, me.life) == ("n7:b9", "http://127.0.0.1:80", 0.1, 0.4)
    assert (me.schema, me.leaving) == (wire.VERSION, False)
